/* lockstep check --promise: was a promise of a protocol kept, by what its members did? */
#ifndef LOCKSTEP_CLI_CHECK_PROMISE_H
#define LOCKSTEP_CLI_CHECK_PROMISE_H

#include <stdio.h>

/* Checks files against the promises of that name, or "all"; prints one line for each file. The exit status. */
int check_promise_files(const char *name, int count, char **paths);
/* The promises, a line each. */
void check_promise_help(FILE *out);

#endif
