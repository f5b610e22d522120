/* A node inside a program: counts how often the program was run, and the count survives every crash.
 *
 *     cc embed.c $(pkg-config --cflags --libs lockstep) && ./a.out [DIRECTORY] */
#include <stdio.h>

#include <lockstep.h>

struct result {
    int done, failed;
};

static void counted(void *context, int status, const char *reply, size_t size)
{
    struct result *result = context;
    result->done = 1;
    /* An integer in RESP is ":42\r\n". */
    result->failed = status != LOCKSTEP_OK || size < 4 || reply[0] != ':';
    if (result->failed)
        fprintf(stderr, "no count: %.*s\n", (int)size, status == LOCKSTEP_OK ? reply : "");
    else
        printf("run number %.*s\n", (int)(size - 3), reply + 1);
}

int main(int argc, char **argv)
{
    struct lockstep_options options;
    struct lockstep *node;
    struct result result = {0, 0};
    char why[LOCKSTEP_WHY_SIZE];
    const char *command[] = {"INCR", "runs"};

    lockstep_options_init(&options);
    options.data = argc > 1 ? argv[1] : "embed-data";
    if (lockstep_open(&options, &node, why, sizeof why) != LOCKSTEP_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (lockstep_execute(node, 2, command, NULL, counted, &result) != LOCKSTEP_OK)
        result.done = result.failed = 1;
    while (!result.done && lockstep_poll(node, 1000) >= 0)
        continue;
    lockstep_close(node);
    return result.done && !result.failed ? 0 : 1;
}
