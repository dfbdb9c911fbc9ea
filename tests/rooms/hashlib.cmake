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
  add_test(NAME system.installed_library COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/installed_library.sh
    ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER})
  set_tests_properties(system.installed_library PROPERTIES LABELS system TIMEOUT 120)
endif()

# A picture of every kind, made by the build, as the corpus of all codecs.
add_executable(make_image_corpus fuzz/make_image_corpus.c)
target_link_libraries(make_image_corpus PRIVATE imprint_pictures)
set(image_corpus ${CMAKE_CURRENT_BINARY_DIR}/corpus_image)
add_custom_command(OUTPUT ${image_corpus}/jpeg
  COMMAND make_image_corpus ${image_corpus} DEPENDS make_image_corpus VERBATIM)
add_custom_target(image_corpus DEPENDS ${image_corpus}/jpeg)
imprint_fuzz_target(image CORPUS ${image_corpus} LIBRARIES imprint_static)
add_dependencies(fuzz_image image_corpus)
