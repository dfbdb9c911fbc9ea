# hashlib: hash, image, pdq.

imprint_unit_test(error imprint_static)
imprint_unit_test(hash imprint_static)
imprint_fuzz_target(hash LIBRARIES imprint_static)

# Where golden files may be found; the tests do without them.
set(IMPRINT_GOLDEN_DIR ${PROJECT_SOURCE_DIR}/../shared/data CACHE PATH
  "Pictures with reference hashes (conformance/ and photos/, each with golden.tsv)")

imprint_unit_test(pdq imprint_static imprint_pictures m)
imprint_unit_test(image imprint_static imprint_pictures)
imprint_unit_test(views imprint_static imprint_pictures)
imprint_unit_test(image_web imprint_static imprint_pictures)
imprint_unit_test(image_threads imprint_static imprint_pictures Threads::Threads)
# A sanitizer brings its own malloc.
if(NOT IMPRINT_SANITIZE)
  imprint_unit_test(image_failures imprint_static imprint_pictures)
endif()
imprint_unit_test(conformance imprint_static imprint_pictures)
target_compile_definitions(test_conformance PRIVATE IMPRINT_GOLDEN_DIR="${IMPRINT_GOLDEN_DIR}")

# A library with a sanitizer's symbols in it is none to install.
if(NOT IMPRINT_SANITIZE AND NOT IMPRINT_COVERAGE AND NOT IMPRINT_FUZZ)
  add_test(NAME system.library_installs COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/library_installs.sh
    ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
  set_tests_properties(system.library_installs PROPERTIES LABELS system TIMEOUT 120)
endif()
