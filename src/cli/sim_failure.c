/* Shrinking and explaining a failing run (sim_failure.h). */
#include "cli/sim_failure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "cli/cli.h"
#include "lab/search/liveness.h"
#include "lab/scenario/scenario.h"
#include "lab/search/shrink.h"

#define HEAP_BYTES ((size_t)4 << 30) /* of address space; what a plan needs of it is some MB */

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "lockstep sim: %s%s\n", what, why);
    return CLI_FAILED;
}

static void print_size(const char *name, const struct shrink_size *size)
{
    printf("  %-7s %u requests, %u faults, %u nodes, %u clients, %lld.%03lld s\n", name, size->requests, size->faults,
           size->nodes, size->clients, (long long)(size->time_ns / NS_PER_S),
           (long long)(size->time_ns / NS_PER_MS % 1000));
}

static void print_shrunk(const char *path, const struct shrink_result *result)
{
    printf("seed %llu: %s %s\n", (unsigned long long)result->world.seed, result->property, result->sentence);
    print_size("before:", &result->before);
    print_size("after:", &result->after);
    printf("  %llu runs in %.1f s; ", (unsigned long long)result->runs, result->seconds);
    if (result->minimal)
        printf("minimal: without any one of these requests, faults, nodes or clients, %s does not break\n",
               result->property);
    else
        puts("not minimal: it was stopped, or took too many runs");
    printf("  replay: lockstep run %s\n", path);
}

/* Shrinking takes a while, so whether its result can be written is tried before. A file that is there is not touched. */
static int try_path(const char *path)
{
    bool there = access(path, F_OK) == 0;
    FILE *out = fopen(path, "a");
    if (out == NULL || fclose(out) != 0) {
        fprintf(stderr, "lockstep sim: cannot write %s: %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    if (!there)
        remove(path);
    return CLI_OK;
}

static int write_scenario(const char *path, const struct shrink_result *result)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return failed("cannot write the scenario: ", strerror(errno));
    int error = scenario_write(out, &result->world, &result->plan, result->property, result->sentence);
    if (fclose(out) != 0 || error != 0)
        return failed("cannot write the scenario: ", strerror(errno));
    return CLI_OK;
}

int sim_shrink(const struct sim_options *options, const volatile sig_atomic_t *stop)
{
    struct shrink_options shrink = {.world = options->campaign.world, .stop = stop,
                                    .progress = isatty(STDERR_FILENO) ? stderr : NULL};
    struct shrink_result result;
    char why[512] = "";
    if (try_path(options->shrink_path) != CLI_OK)
        return CLI_FAILED;
    struct heap *heap = heap_create_system(HEAP_BYTES);
    if (heap == NULL)
        return failed("no memory to shrink in", "");
    shrink.world.seed = options->campaign.seed_first;
    int error = shrink_run(&shrink, heap, &result, why, sizeof why);
    int status = error == 0 ? write_scenario(options->shrink_path, &result) : failed(why, "");
    if (status == CLI_OK)
        print_shrunk(options->shrink_path, &result);
    heap_destroy_system(heap);
    return status;
}

void sim_explain_stall(const struct sim_options *options, const volatile sig_atomic_t *stop)
{
    struct world_options world = options->campaign.world;
    struct liveness_cause cause;
    char why[256] = "";
    world.seed = options->campaign.seed_first;
    world.tracer = (struct world_tracer){0};
    if (liveness_find(&world, stop, &cause, why, sizeof why) != 0) {
        printf("  inevitable since: not known (%s)\n", why);
        return;
    }
    if (cause.from_start) {
        printf("  inevitable from the start: it stalls without any fault too (%llu runs)\n",
               (unsigned long long)cause.runs);
        return;
    }
    printf("  inevitable since %lld.%09lld s, ", (long long)(cause.at_ns / NS_PER_S),
           (long long)(cause.at_ns % NS_PER_S));
    if (cause.step > 0)
        printf("step %llu, ", (unsigned long long)cause.step);
    if (cause.node > 0)
        printf("node %u: ", cause.node);
    printf("%s\n  (had everything healed before, it would have gone on; found by bisection, %llu runs)\n",
           cause.event[0] != '\0' ? cause.event : "nothing that a member was told", (unsigned long long)cause.runs);
}
