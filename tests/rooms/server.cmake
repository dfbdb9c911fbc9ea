# daemon: config, text, server, api and imprintd as a whole.

imprint_unit_test(server imprintd_core imprint_static)
imprint_unit_test(text imprintd_core imprint_static)
imprint_unit_test(config imprintd_core imprint_static)
imprint_unit_test(report imprintd_core imprint_static)
imprint_unit_test(api imprintd_core imprint_static)
target_sources(test_api PRIVATE support/fake_rooms.c)
