/* The subcommands of the program. Each has a file of its own and one function; main.c lists them.
 *
 * argv[0] is the subcommand's name. Each understands --help, so that `lockstep help NAME` is `lockstep NAME --help`.
 * The result is the exit status of the process. */
#ifndef LOCKSTEP_CLI_CLI_H
#define LOCKSTEP_CLI_CLI_H

enum {
    CLI_OK = 0,
    CLI_FAILED = 1, /* it was understood, and did not succeed */
    CLI_USAGE = 2,  /* it was not understood */
};

int cli_server(int argc, char **argv);
int cli_gateway(int argc, char **argv);
int cli_keys(int argc, char **argv);
int cli_up(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_protocols(int argc, char **argv);
int cli_sim(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_explore(int argc, char **argv);
int cli_mutants(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_diagram(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_version(int argc, char **argv);

#endif
