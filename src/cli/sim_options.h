/* The options of `lockstep sim`. */
#ifndef LOCKSTEP_CLI_SIM_OPTIONS_H
#define LOCKSTEP_CLI_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/pictures.h"
#include "lab/search/campaign.h"

enum { SIM_REPLAY_SIZE = 400 };

struct sim_options {
    struct campaign_options campaign;
    char replay[SIM_REPLAY_SIZE]; /* the command without its seeds, for reports */
    const char *shrink_path;      /* --shrink, or NULL */
    struct pictures pictures;     /* --trace, --diagram, --html, --shiviz */
    bool answered;                /* `--break help`: there is nothing left to do */
    uint32_t claimed;             /* enum world_fault: what `--faults all` means */
};

void sim_print_help(void);
/* Reads the arguments behind the subcommand. CLI_OK, or CLI_USAGE after an error was printed. The strings are
 * borrowed. */
int sim_parse(struct sim_options *options, int argc, char **argv);

#endif
