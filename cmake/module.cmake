# How a folder becomes a library, its tests, a program or fuzz targets. Files are found by name, so adding one needs no
# line here; a folder that does not exist is skipped.

# Splits the C files below DIR into sources and tests (*_test.c).
function(lockstep_files dir sources_out tests_out)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.c$")
  list(FILTER sources EXCLUDE REGEX "_test\\.c$")
  set(${sources_out} ${sources} PARENT_SCOPE)
  set(${tests_out} ${tests} PARENT_SCOPE)
endfunction()

# Makes each test an executable of its own, named after its file, and test_<module> to build and run all of them.
function(lockstep_tests module tests)
  if(NOT LOCKSTEP_TESTS OR NOT tests)
    return()
  endif()
  set(names)
  foreach(file IN LISTS tests)
    cmake_path(GET file STEM name)
    add_executable(${name} ${file})
    target_link_libraries(${name} PRIVATE ${ARGN} PkgConfig::CMOCKA)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${module} TIMEOUT 120)
    list(APPEND names ${name})
  endforeach()
  add_custom_target(test_${module}
    COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${CMAKE_BINARY_DIR} --output-on-failure -L "^${module}$"
    DEPENDS ${names} USES_TERMINAL VERBATIM)
endfunction()

# lockstep_module(name DIR dir [DEPENDS module...] [LIBRARIES library...]): the library lockstep_<name> and its tests.
function(lockstep_module module)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIR" "DEPENDS;LIBRARIES")
  lockstep_files(${arg_DIR} sources tests)
  list(TRANSFORM arg_DEPENDS PREPEND lockstep_)
  set(target lockstep_${module})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
  else()
    # Headers only, or nothing yet: what depends on this module still gets what this module depends on.
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(${target} ${scope} ${arg_DEPENDS} ${arg_LIBRARIES})
  lockstep_tests(${module} "${tests}" ${target})
endfunction()

# lockstep_program(name DIR dir [DEPENDS module...]): an executable and its tests.
function(lockstep_program program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DIR" "DEPENDS")
  lockstep_files(${arg_DIR} sources tests)
  list(TRANSFORM arg_DEPENDS PREPEND lockstep_)
  if(sources)
    add_executable(${program} ${sources})
    target_link_libraries(${program} PRIVATE ${arg_DEPENDS})
    target_compile_definitions(${program} PRIVATE LOCKSTEP_VERSION="${PROJECT_VERSION}")
  endif()
  lockstep_tests(${program} "${tests}" ${arg_DEPENDS})
endfunction()

# lockstep_fuzz_targets(DIR dir [DEPENDS module...]): each *_fuzz.c becomes a libFuzzer executable.
function(lockstep_fuzz_targets)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "DIR" "DEPENDS")
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${arg_DIR}/*_fuzz.c)
  list(TRANSFORM arg_DEPENDS PREPEND lockstep_)
  foreach(file IN LISTS files)
    cmake_path(GET file STEM name)
    add_executable(${name} ${file})
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endforeach()
endfunction()
