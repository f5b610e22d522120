/* The texts of web/viewer/, made part of the library by cmake/viewer.cmake: the page's style, body and script. */
#ifndef LOCKSTEP_LAB_DIAGRAM_PAGE_H
#define LOCKSTEP_LAB_DIAGRAM_PAGE_H

#include <stddef.h>

extern const unsigned char diagram_page_style[], diagram_page_body[], diagram_page_script[];
extern const size_t diagram_page_style_size, diagram_page_body_size, diagram_page_script_size;

#endif
