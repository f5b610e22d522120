/* lockstep gateway: a client of a cluster that believes what enough of its nodes say, in the foreground. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/serve.h"

static void print_help(void)
{
    puts("usage: lockstep gateway --id N --peers 1=HOST:PORT,2=HOST:PORT,... --data DIR [OPTION]...\n"
         "\n"
         "Takes Redis clients, hands their commands to the nodes of a cluster, and believes an answer when enough of them\n"
         "gave the same; a node that answers otherwise is masked and reported. It holds no data: clients trust it instead\n"
         "of a node, so run it where they run. Its number is above those of all nodes.\n"
         "\n"
         "Of a cluster that masks nodes that lie, where it proves itself with keys (`lockstep help keys`) that each node\n"
         "has from --clients or GROUP.ENROL:\n"
         "  lockstep gateway --protocol pbft --id 101 --data /var/lib/gateway --listen 127.0.0.1:7001 \\\n"
         "      --peers 1=10.0.0.1:17001,2=10.0.0.2:17001,3=10.0.0.3:17001,4=10.0.0.4:17001\n"
         "Of a cluster that masks crashes alone, once it is enrolled (GROUP.ENROL 101):\n"
         "  lockstep gateway --protocol raft --vote 3 --id 101 --data /var/lib/gateway --listen 127.0.0.1:7001 \\\n"
         "      --peers 1=10.0.0.1:17001,2=10.0.0.2:17001,3=10.0.0.3:17001\n"
         "\n"
         "Options may also come from the environment and from a file, as those of a server do.\n");
    config_print_help(CONFIG_GATEWAY, stdout);
}

int cli_gateway(int argc, char **argv)
{
    if (!serve_wants_help(argc, argv))
        return serve(CONFIG_GATEWAY, argc, argv);
    print_help();
    return CLI_OK;
}
