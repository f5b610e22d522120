/* The options of a node, and of a gateway: from flags over environment over a file, all from one table in config.c.
 *
 *   --heartbeat 50ms           a flag; also --heartbeat=50ms
 *   LOCKSTEP_HEARTBEAT=50ms    the environment
 *   heartbeat 50ms             a line of the file that --config or LOCKSTEP_CONFIG names; # begins a comment */
#ifndef LOCKSTEP_CLI_CONFIG_H
#define LOCKSTEP_CLI_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "host/real/host.h"

struct config;

/* Each command takes some of the options; it refuses the other's as flag or in the file, and ignores them in the
 * environment. */
enum config_role { CONFIG_SERVER = 1, CONFIG_GATEWAY = 2 };

/* Reads all three. argv[0] is skipped. 0 and the configuration, or ERROR_INVALID with a sentence that names the flag,
 * variable or file and line, what was there and what is expected. */
int config_read(struct config **out, enum config_role role, int argc, char *const *argv, char *why, size_t why_size);
void config_free(struct config *config);

/* What the host needs; borrowed from the configuration. CONFIG GET of a running node reads the same table. */
const struct host_options *config_host_options(const struct config *config);

/* One paragraph for each option that the command takes, with its default. */
void config_print_help(enum config_role role, FILE *out);

#endif
