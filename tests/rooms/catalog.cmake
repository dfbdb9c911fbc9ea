# daemon/store and daemon/catalog.

imprint_unit_test(store imprintd_core imprint_static)
imprint_unit_test(catalog imprintd_core imprint_static)
imprint_unit_test(catalog_disk imprintd_core imprint_static)
target_compile_definitions(test_store PRIVATE IMPRINT_DOCS="${PROJECT_SOURCE_DIR}/docs")
# Sanitizers wrap the allocator too; both work together.
target_link_options(test_catalog PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray)
