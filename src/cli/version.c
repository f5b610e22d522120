/* lockstep version. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int cli_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: lockstep version\n\nPrints the version of this build.");
        return CLI_OK;
    }
    if (argc > 1) {
        fprintf(stderr, "lockstep version: takes no arguments, and '%s' was given\n", argv[1]);
        return CLI_USAGE;
    }
    puts("lockstep " LOCKSTEP_VERSION);
    return CLI_OK;
}
