# daemon: wire, sandbox, worker, pool.

imprint_unit_test(wire imprintd_core imprint_static)

add_executable(hostile_worker support/hostile_worker.c)
target_link_libraries(hostile_worker PRIVATE imprintd_core imprint_static)

imprint_unit_test(pool imprintd_core imprint_static)
target_compile_definitions(test_pool PRIVATE HOSTILE_WORKER="$<TARGET_FILE:hostile_worker>")
add_dependencies(test_pool hostile_worker)

add_executable(cage_probe support/cage_probe.c)
target_link_libraries(cage_probe PRIVATE imprintd_core imprint_static)

imprint_unit_test(sandbox imprintd_core imprint_static)
target_compile_definitions(test_sandbox PRIVATE CAGE_PROBE="$<TARGET_FILE:cage_probe>")
add_dependencies(test_sandbox cage_probe)

add_library(imprint_asking STATIC support/asking.c)
target_include_directories(imprint_asking PUBLIC support)
target_link_libraries(imprint_asking PUBLIC imprintd_core imprint_static)

add_executable(no_seccomp support/no_seccomp.c)
target_compile_definitions(no_seccomp PRIVATE REAL_WORKER="$<TARGET_FILE:imprint-worker>")
target_link_libraries(no_seccomp PRIVATE imprint_flags)

imprint_unit_test(worker imprint_asking imprint_pictures m)
target_compile_definitions(test_worker PRIVATE IMPRINT_WORKER="$<TARGET_FILE:imprint-worker>"
  WORKER_WITHOUT_SECCOMP="$<TARGET_FILE:no_seccomp>")
add_dependencies(test_worker imprint-worker no_seccomp)

# Sanitizers bring an allocator of their own, which nobody wipes.
if(NOT IMPRINT_SANITIZE)
  imprint_unit_test(arena)
  target_sources(test_arena PRIVATE ${PROJECT_SOURCE_DIR}/daemon/arena.c)
  target_include_directories(test_arena PRIVATE ${PROJECT_SOURCE_DIR}/daemon)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/daemon/arena.c
    PROPERTIES COMPILE_OPTIONS -fno-builtin)

  imprint_worker(imprint-worker-unwiped IMPRINT_TEST_UNWIPED)
  imprint_unit_test(wiping imprint_asking imprint_pictures)
  target_compile_definitions(test_wiping PRIVATE IMPRINT_WORKER="$<TARGET_FILE:imprint-worker>"
    UNWIPED_WORKER="$<TARGET_FILE:imprint-worker-unwiped>")
  add_dependencies(test_wiping imprint-worker imprint-worker-unwiped)
endif()

if(NOT IMPRINT_SANITIZE AND NOT IMPRINT_COVERAGE AND NOT IMPRINT_FUZZ)
  add_test(NAME system.worker_links COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/worker_links.sh
    $<TARGET_FILE:imprint-worker>)
  set_tests_properties(system.worker_links PROPERTIES LABELS system)
endif()

imprint_unit_test(bombs imprint_asking imprint_pictures z)
target_sources(test_bombs PRIVATE support/bombs.c)
target_compile_definitions(test_bombs PRIVATE IMPRINT_WORKER="$<TARGET_FILE:imprint-worker>")
add_dependencies(test_bombs imprint-worker)
