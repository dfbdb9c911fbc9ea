# daemon/store and daemon/catalog.

imprint_unit_test(store imprintd_core imprint_static)
imprint_unit_test(catalog imprintd_core imprint_static)
imprint_unit_test(catalog_disk imprintd_core imprint_static)
