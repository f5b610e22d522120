/* What the table of groups and its bytes share: which texts are names. */
#ifndef LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_BYTES_H
#define LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_BYTES_H

#include <stdbool.h>

#include "service/directory/directory.h"

/* One to 31 letters, digits and - _ . +, ended by a zero. */
bool directory_is_name(const char text[DIRECTORY_TEXT_SIZE_MAX + 1]);

#endif
