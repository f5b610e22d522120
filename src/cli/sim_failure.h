/* What `lockstep sim` does with one failing run: makes it small, or says since when it was bound to stall. */
#ifndef LOCKSTEP_CLI_SIM_FAILURE_H
#define LOCKSTEP_CLI_SIM_FAILURE_H

#include <signal.h>

#include "cli/sim_options.h"

/* Shrinks the run of the one seed and writes the scenario. Prints what it did. CLI_OK when a scenario was written,
 * CLI_FAILED after a message. */
int sim_shrink(const struct sim_options *options, const volatile sig_atomic_t *stop);

/* After a run of one seed that violates PROGRESS: prints the transition after which the stall was inevitable. */
void sim_explain_stall(const struct sim_options *options, const volatile sig_atomic_t *stop);

#endif
