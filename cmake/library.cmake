# The C library: liblockstep.so and liblockstep.a, both of which show lockstep_* and nothing else, with lockstep.pc, the
# man page and the example that is run as a test.

set(library_modules base contract protocol service storage node front host_real)
list(TRANSFORM library_modules PREPEND lockstep_ OUTPUT_VARIABLE library_targets)

# Both the archive of the floor and the shared library are made from library.c, which says its version.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/host/real/library.c
  PROPERTIES COMPILE_DEFINITIONS LOCKSTEP_VERSION="${PROJECT_VERSION}")

set(library_map ${CMAKE_SOURCE_DIR}/packaging/lockstep.map)
add_library(lockstep_shared SHARED ${CMAKE_SOURCE_DIR}/src/host/real/library.c)
target_link_libraries(lockstep_shared PRIVATE lockstep_host_real)
target_include_directories(lockstep_shared PUBLIC
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(lockstep_shared PRIVATE -Wl,--version-script=${library_map})
set_target_properties(lockstep_shared PROPERTIES
  OUTPUT_NAME lockstep VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${library_map})

# The archive is one object in which all other symbols are local: ours have no prefix and would collide with the
# program's.
set(library_archive ${CMAKE_BINARY_DIR}/liblockstep.a)
set(library_object ${CMAKE_BINARY_DIR}/liblockstep.o)
set(library_archives)
foreach(target IN LISTS library_targets)
  list(APPEND library_archives $<TARGET_FILE:${target}>)
endforeach()
add_custom_command(OUTPUT ${library_archive}
  COMMAND ${CMAKE_LINKER} -r -o ${library_object} --whole-archive ${library_archives}
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=lockstep_* ${library_object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${library_archive}
  COMMAND ${CMAKE_AR} qc ${library_archive} ${library_object}
  COMMAND ${CMAKE_RANLIB} ${library_archive}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${library_object}
  DEPENDS ${library_targets} VERBATIM)
add_custom_target(lockstep_archive ALL DEPENDS ${library_archive})

file(RELATIVE_PATH LOCKSTEP_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" LOCKSTEP_PC_PREFIX "${LOCKSTEP_PC_PREFIX}")
configure_file(${CMAKE_SOURCE_DIR}/packaging/lockstep.pc.in ${CMAKE_BINARY_DIR}/lockstep.pc @ONLY)

install(TARGETS lockstep_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${library_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_BINARY_DIR}/lockstep.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/lockstep.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

if(LOCKSTEP_TESTS)
  add_executable(embed ${CMAKE_SOURCE_DIR}/examples/embed.c)
  set_target_properties(embed PROPERTIES
    C_STANDARD 99 RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
  target_link_libraries(embed PRIVATE lockstep_shared)
  add_test(NAME embed COMMAND embed ${CMAKE_BINARY_DIR}/examples/embed-data)
  set_tests_properties(embed PROPERTIES LABELS host_real TIMEOUT 60 PASS_REGULAR_EXPRESSION "run number [0-9]+")
endif()
