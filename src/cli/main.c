/* The program: finds the subcommand and hands over to it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static int cli_help(int argc, char **argv);

static const struct subcommand subcommands[] = {
    {"server", cli_server, "run one node of a cluster"},
    {"gateway", cli_gateway, "run a client of a cluster that compares what its nodes answer"},
    {"keys", cli_keys, "make and show the keys of nodes and gateways"},
    {"up", cli_up, "run a whole cluster on this machine"},
    {"status", cli_status, "show every node and group of a running cluster"},
    {"protocols", cli_protocols, "list the protocols of this build and what they guarantee"},
    {"sim", cli_sim, "run a cluster in the simulated world, under faults"},
    {"run", cli_run, "run scenarios: scripts that say what fails and what must be seen"},
    {"explore", cli_explore, "execute every ordering of a small configuration"},
    {"mutants", cli_mutants, "switch rules off and count the seeds until the laboratory notices"},
    {"check", cli_check, "check recorded histories and traces"},
    {"plan", cli_plan, "say what can agree under given failures, and how available it is"},
    {"diagram", cli_diagram, "draw a stored trace, or recordings of nodes"},
    {"replay", cli_replay, "step the members of a recorded node again"},
    {"bench", cli_bench, "measure a running cluster"},
    {"version", cli_version, "print the version"},
    {"help", cli_help, "explain a subcommand: lockstep help NAME"},
};

enum { SUBCOMMAND_COUNT = sizeof subcommands / sizeof subcommands[0] };

static const struct subcommand *subcommand_find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static void print_subcommands(FILE *out)
{
    fputs("usage: lockstep SUBCOMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\nTo begin: `lockstep up` runs three nodes here, then `redis-cli -p 7001` talks to them.\n", out);
}

static int unknown(const char *name)
{
    fprintf(stderr, "lockstep: there is no subcommand '%s'; `lockstep help` lists them\n", name);
    return CLI_USAGE;
}

static int cli_help(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        print_subcommands(stdout);
        return CLI_OK;
    }
    const struct subcommand *found = subcommand_find(argv[1]);
    if (found == NULL)
        return unknown(argv[1]);
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return found->run(2, arguments);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_subcommands(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-v") == 0)
        name = "version";
    const struct subcommand *found = subcommand_find(name);
    if (found == NULL)
        return unknown(name);
    return found->run(argc - 1, argv + 1);
}
