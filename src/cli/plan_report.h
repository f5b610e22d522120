/* What `lockstep plan` was asked, and what it found: filled in by plan.c, printed by plan_text.c or plan_json.c. */
#ifndef LOCKSTEP_CLI_PLAN_REPORT_H
#define LOCKSTEP_CLI_PLAN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/plan/plan_feasible.h"
#include "lab/plan/plan_model.h"
#include "lab/plan/plan_protocols.h"
#include "lab/plan/plan_simulate.h"

enum { PLAN_PROTOCOLS_MAX = 64, PLAN_SIZES_MAX = 6 };

struct plan_arguments {
    struct plan_question question;
    const char *protocol; /* to model; NULL: the first that can */
    struct plan_group group; /* an MTTF of 0: nothing is to be modelled */
    double mission_s;
    uint64_t simulate, seed; /* cycles; 0: none */
    bool sizes, json, help;
};

/* A group of the smallest size that masks k failures. */
struct plan_size {
    uint64_t k;
    struct plan_group group;
    struct plan_outlook outlook;
};

struct plan_report {
    const struct plan_arguments *arguments;
    struct plan_feasible possible;
    struct plan_protocol protocols[PLAN_PROTOCOLS_MAX];
    uint32_t protocol_count;
    const struct plan_protocol *modelled; /* NULL: none */
    struct plan_group group;
    struct plan_outlook outlook;
    struct plan_size sizes[PLAN_SIZES_MAX];
    uint32_t size_count; /* 0: not asked for */
    bool simulated;
    struct plan_simulation simulation;
};

/* Reads the options. CLI_OK, or CLI_USAGE after a message. */
int plan_arguments_read(struct plan_arguments *out, int argc, char **argv);
void plan_help(void);

void plan_print_text(const struct plan_report *report);
/* CLI_OK, or CLI_FAILED after a message. */
int plan_print_json(const struct plan_report *report);

/* The words of the options, for both. */
const char *plan_processes_name(enum plan_processes processes);
const char *plan_partition_name(enum plan_partition partition);

#endif
