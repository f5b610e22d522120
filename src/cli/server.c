/* lockstep server: one node of a cluster, in the foreground. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/serve.h"

static void print_help(void)
{
    puts("usage: lockstep server --data DIR [OPTION]...\n"
         "\n"
         "Runs one node. A cluster of one:\n"
         "  lockstep server --data /var/lib/lockstep\n"
         "The first of three, each on its own machine; --init only when the cluster is new:\n"
         "  lockstep server --init --id 1 --listen 10.0.0.1:7001 --protected-mode no --data /var/lib/lockstep \\\n"
         "      --peers 1=10.0.0.1:17001,2=10.0.0.2:17001,3=10.0.0.3:17001\n"
         "\n"
         "Each option may also come from the environment (LOCKSTEP_DATA for --data) or from the file that --config\n"
         "names (a line `data DIR`). Flags win over the environment, and that wins over the file.\n");
    config_print_help(CONFIG_SERVER, stdout);
}

int cli_server(int argc, char **argv)
{
    if (!serve_wants_help(argc, argv))
        return serve(CONFIG_SERVER, argc, argv);
    print_help();
    return CLI_OK;
}
