/* Where the scenarios are that came with the program. */
#ifndef LOCKSTEP_CLI_SCENARIO_FOLDER_H
#define LOCKSTEP_CLI_SCENARIO_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

enum { SCENARIO_PATH_SIZE = 1024, SCENARIO_NAME_SIZE = 256 };

/* The folder: beside the program in a build tree, under share/ when it is installed. False when there is neither. */
bool scenario_folder(char out[SCENARIO_PATH_SIZE]);

/* The name, without ".lua", of the first scenario of that folder, by name, that begins so; false when there is none. */
bool scenario_named(const char *prefix, char out[SCENARIO_NAME_SIZE]);

#endif
