# The page that explores traces (web/viewer/) becomes part of the laboratory's library, so that the program needs no
# files beside it.

set(viewer_folder ${CMAKE_SOURCE_DIR}/web/viewer)
set(viewer_scripts)
foreach(part trace view words draw map panel filters main)
  list(APPEND viewer_scripts ${viewer_folder}/${part}.js)
endforeach()
set(viewer_code ${CMAKE_BINARY_DIR}/viewer_page.c)
add_custom_command(OUTPUT ${viewer_code}
  COMMAND ${CMAKE_COMMAND} -DOUT=${viewer_code} -DHEADER=lab/diagram/diagram_page.h -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    -- diagram_page_style ${viewer_folder}/viewer.css
    -- diagram_page_body ${viewer_folder}/page.html
    -- diagram_page_script ${viewer_scripts}
  DEPENDS ${viewer_folder}/viewer.css ${viewer_folder}/page.html ${viewer_scripts} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  VERBATIM)
target_sources(lockstep_lab PRIVATE ${viewer_code})
target_link_libraries(lockstep_lab PUBLIC m)
