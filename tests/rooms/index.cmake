# daemon/index.

imprint_unit_test(index imprintd_core)
imprint_unit_test(index_ring imprintd_core)
# The same test over an index whose segments are so small that little data fills several.
set(index_sources index.c index_kernels.c index_memory.c index_merge.c index_readers.c
  index_records.c index_ring.c index_search.c index_table.c)
list(TRANSFORM index_sources PREPEND ${PROJECT_SOURCE_DIR}/daemon/)
add_executable(test_index_segments unit/test_index.c ${index_sources})
target_compile_definitions(test_index_segments PRIVATE SEGMENT_SLOTS=2048u SEGMENTS_MAX=1024u
  RECORDS_A_CHUNK=256u INDEX_TABLES_FROM=64)
target_include_directories(test_index_segments PRIVATE support ${PROJECT_SOURCE_DIR}/daemon
  ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(test_index_segments PRIVATE imprint_flags PkgConfig::CMOCKA Threads::Threads)
add_test(NAME unit.index_segments COMMAND test_index_segments)
set_tests_properties(unit.index_segments PROPERTIES LABELS unit TIMEOUT 900)
foreach(target test_index test_index_segments)
  target_link_options(${target} PRIVATE
    -Wl,--wrap=calloc,--wrap=malloc,--wrap=reallocarray,--wrap=aligned_alloc,--wrap=mmap)
endforeach()
