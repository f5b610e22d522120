# Plugins: what the program loads only when it is needed, so that it does not depend on their libraries. They lie beside
# the program in the build tree, and in LIBDIR/lockstep when installed.

if(NOT TARGET lockstep)
  return()
endif()
file(RELATIVE_PATH lockstep_libdir_from_bin /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
target_compile_definitions(lockstep PRIVATE LOCKSTEP_LIBDIR_FROM_BIN="${lockstep_libdir_from_bin}")
target_link_libraries(lockstep PRIVATE ${CMAKE_DL_LIBS})

# Campaigns over many machines: only where there is an MPI, and never an error where there is none.
find_package(MPI QUIET COMPONENTS C)
if(MPI_C_FOUND)
  add_library(lockstep_mpi MODULE ${CMAKE_SOURCE_DIR}/plugins/ranks_mpi.c)
  target_include_directories(lockstep_mpi PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(lockstep_mpi PRIVATE MPI::MPI_C)
  set_target_properties(lockstep_mpi PROPERTIES PREFIX "" OUTPUT_NAME lockstep-mpi)
  add_dependencies(lockstep lockstep_mpi)
  install(TARGETS lockstep_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lockstep)
endif()
