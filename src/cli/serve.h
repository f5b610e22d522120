/* What `lockstep server` and `lockstep gateway` have in common: options, limits of the process, systemd, the loop. */
#ifndef LOCKSTEP_CLI_SERVE_H
#define LOCKSTEP_CLI_SERVE_H

#include <stdbool.h>

#include "cli/config.h"

bool serve_wants_help(int argc, char **argv);
/* Runs it until it is told to stop; argv[0] names the command in messages. The exit status of the process. */
int serve(enum config_role role, int argc, char **argv);

#endif
