/* Scenarios: Lua scripts that set up a group in the world, say what is asked and what fails and when, and state what
 * must be seen. docs/scenarios.md describes the language.
 *
 * A script is one coroutine. Its `wait` leaves it, and the world runs on until what it waits for is seen; the script
 * goes on at that very instant, so what it does then happens between two events of the run. Scripts are deterministic:
 * they have no clock, no randomness, no files, and walk tables in sorted order; they are given bounded memory and work.
 *
 * Limits: one group; a script may take SCENARIO_STEPS_MAX instructions and SCENARIO_MEMORY_BYTES of memory, and see
 * SCENARIO_SIGHTS_MAX events, effects and marks; each is named by the error that it causes. */
#ifndef LOCKSTEP_LAB_SCENARIO_H
#define LOCKSTEP_LAB_SCENARIO_H

#include <stdbool.h>
#include <stdio.h>

#include "host/world/world.h"
#include "host/world/world_plan.h"

enum {
    SCENARIO_STEPS_MAX = 10000000,
    SCENARIO_MEMORY_BYTES = 64 << 20,
    SCENARIO_SIGHTS_MAX = 2000000,
};

/* Ordered by gravity; these are the exit statuses of `lockstep run`. */
enum scenario_verdict {
    SCENARIO_AGREES = 0,    /* all that was expected was seen, and nothing that must not be */
    SCENARIO_DISAGREES = 1,
    SCENARIO_ERROR = 2,     /* the script makes no sense, or asked for too much: nothing is known */
};

struct scenario_options {
    const char *path;            /* of the script */
    const char *const *breaks;   /* names of rules to switch off, besides the script's own; ends with NULL; or NULL */
    const uint64_t *seed;        /* in place of the script's; or NULL */
    FILE *out;                   /* a line for each expectation and what was seen; NULL: none */
    struct world_tracer tracer;  /* hears a run too, for diagrams; may be empty */
    uint32_t traced_run;         /* which of the script's runs, counted from 0 */
};

struct scenario_report {
    enum scenario_verdict verdict;
    char title[160];        /* the script's, or empty */
    char sentence[512];     /* what disagreed first, or the error with its file and line; empty when all agrees */
    uint32_t expectations;  /* that were stated and judged */
    struct world_result world; /* of the run, for its hash and number of steps; zero when there was none */
    bool ran;
    uint32_t runs;          /* how many groups the script set up */
};

/* Runs the script. Errors are in the report. One scenario at a time in a process: broken invariants leave the run by a
 * jump, and the hook is the process'. */
void scenario_run(const struct scenario_options *options, struct scenario_report *report);

/* Writes a script that does what the plan says in a world with these options (seed, protocol, service, nodes, clients,
 * times, ablations, drawn values) and expects that this property breaks; `property` NULL: that none does. `sentence`
 * becomes a comment, may be NULL. 0, or ERROR_IO with errno set. */
int scenario_write(FILE *out, const struct world_options *options, const struct plan *plan, const char *property,
                   const char *sentence);

#endif
