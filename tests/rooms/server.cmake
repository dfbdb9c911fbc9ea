# daemon: config, text, server, api and imprintd as a whole.

imprint_unit_test(server imprintd_core imprint_static)
imprint_unit_test(text imprintd_core imprint_static)
imprint_unit_test(config imprintd_core imprint_static)
imprint_unit_test(quota imprintd_core imprint_static)
imprint_unit_test(probe imprintd_core imprint_static)
imprint_unit_test(report imprintd_core imprint_static)
imprint_unit_test(api imprintd_core imprint_static)
target_sources(test_api PRIVATE support/fake_rooms.c)
imprint_unit_test(api_document imprintd_core imprint_static)
target_compile_definitions(test_api_document PRIVATE
  API_DOCUMENT="${PROJECT_SOURCE_DIR}/docs/api.md")
imprint_unit_test(multipart imprintd_core imprint_static)
imprint_fuzz_target(multipart LIBRARIES imprintd_core imprint_static)
imprint_fuzz_target(report LIBRARIES imprintd_core imprint_static)

# The daemon, whole.
add_test(NAME system.main_job COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_CURRENT_SOURCE_DIR}/system/main_job.py ${PROJECT_BINARY_DIR})
set_tests_properties(system.main_job PROPERTIES LABELS system TIMEOUT 300)
add_test(NAME system.hma COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_CURRENT_SOURCE_DIR}/system/hma.py ${PROJECT_BINARY_DIR})
set_tests_properties(system.hma PROPERTIES LABELS system TIMEOUT 300)

add_test(NAME system.guard COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_CURRENT_SOURCE_DIR}/system/guard.py ${PROJECT_BINARY_DIR})
set_tests_properties(system.guard PROPERTIES LABELS system TIMEOUT 300)

add_test(NAME system.hostile COMMAND ${Python3_EXECUTABLE}
  ${CMAKE_CURRENT_SOURCE_DIR}/system/hostile.py ${PROJECT_BINARY_DIR})
set_tests_properties(system.hostile PROPERTIES LABELS system TIMEOUT 120)

# Sanitizers bring an allocator of their own, which nobody wipes.
if(NOT IMPRINT_SANITIZE)
  add_executable(needle_pictures support/needle_pictures.c)
  target_link_libraries(needle_pictures PRIVATE imprint_pictures imprint_flags)
  add_test(NAME system.never_stored COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/system/never_stored.py ${PROJECT_BINARY_DIR})
  set_tests_properties(system.never_stored PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
