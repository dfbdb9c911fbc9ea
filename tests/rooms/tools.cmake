# tools: what the programs share, the companion, imprintctl and its exchange formats.

imprint_unit_test(code imprint_tools)
imprint_unit_test(strbuf imprint_tools)
imprint_unit_test(file imprint_tools)
imprint_unit_test(exit_status imprint_tools)
imprint_unit_test(client imprintctl_core)
imprint_unit_test(companion_report imprint_companion)
# Sanitizers need what the cage refuses.
if(NOT IMPRINT_SANITIZE)
  imprint_unit_test(cage imprint_companion)
endif()

# What the readers of exchange formats make of a file, as text.
add_library(exchange_dump STATIC support/exchange_dump.c)
target_include_directories(exchange_dump PUBLIC support)
target_link_libraries(exchange_dump PUBLIC imprint_exchange)
foreach(direction read write failures)
  imprint_unit_test(exchange_${direction} exchange_dump)
  target_compile_definitions(test_exchange_${direction} PRIVATE
    IMPRINT_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data/exchange")
endforeach()
target_link_options(test_exchange_failures PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc)
imprint_fuzz_target(exchange CORPUS data/exchange LIBRARIES exchange_dump)

# imprint_cli_test(NAME script label): label cli-release for what only a release build can show
function(imprint_cli_test name script label)
  add_test(NAME cli.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/cli/${script}
    ${PROJECT_BINARY_DIR})
  set_tests_properties(cli.${name} PROPERTIES LABELS ${label} TIMEOUT 300)
endfunction()

imprint_cli_test(imprint imprint.py cli)
imprint_cli_test(imprintctl_usage imprintctl_usage.py cli)
imprint_cli_test(documents documents.py cli)
imprint_cli_test(journey journey.py cli)
if(NOT IMPRINT_SANITIZE)
  # Sanitizers bring network symbols of their own and do not run under strace.
  imprint_cli_test(imprint_is_quiet imprint_quiet.py cli-release)
endif()

foreach(story exchange fetch)
  add_test(NAME system.${story} COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/system/${story}.py ${PROJECT_BINARY_DIR})
  set_tests_properties(system.${story} PROPERTIES LABELS system TIMEOUT 600)
endforeach()

# Pictures in other people's frames, for the companion's tests.
add_executable(edit_file support/edit_file.c)
target_link_libraries(edit_file PRIVATE imprint_pictures)

# Does not depend on the build's flags: once is enough.
if(NOT IMPRINT_SANITIZE)
  add_test(NAME system.fetch_units COMMAND ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/system/fetch_units.py ${PROJECT_BINARY_DIR})
  set_tests_properties(system.fetch_units PROPERTIES LABELS system TIMEOUT 120)
endif()
