/* The options of `lockstep explore`. */
#ifndef LOCKSTEP_CLI_EXPLORE_OPTIONS_H
#define LOCKSTEP_CLI_EXPLORE_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/explore_pictures.h"
#include "host/explore/explore.h"

/* The configuration is the usual one of its protocol (explore_usual). Returns CLI_OK, or CLI_USAGE with an error
 * printed. */
int explore_parse(struct explore_config *config, struct pictures *pictures, int argc, char **argv);

/* True when `--break help` is among the words. */
bool explore_asks_for_rules(int argc, char **argv);
/* The rules that this explorer can do without, one a line or in a sentence. */
void explore_print_rules(FILE *out, const struct protocol *protocol, const char *separator);

/* Prints an error; `value` may be NULL. Returns CLI_USAGE. */
int explore_usage_error(const char *what, const char *value);

#endif
