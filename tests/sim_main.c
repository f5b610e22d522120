/* The simulator alone, for builds that are compared with each other (determinism_test.sh). */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_sim(argc, argv);
}
