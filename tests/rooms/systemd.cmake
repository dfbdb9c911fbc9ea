# systemd/: the units as installed.

# Does not depend on the build's flags: once is enough.
if(NOT IMPRINT_SANITIZE)
  add_test(NAME system.units COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/system/units.py
    ${PROJECT_BINARY_DIR})
  set_tests_properties(system.units PROPERTIES LABELS system TIMEOUT 120)
endif()
