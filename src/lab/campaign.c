/* A campaign: seeds dealt out to workers, results gathered in the order of the seeds, and the report.
 *
 * Worker j of J runs the seeds first + j, first + j + J, …; it writes each result to a pipe of its own, and the parent
 * reads them in turn. So the report does not depend on who was faster, and a worker that runs ahead waits. */
#include "lab/campaign.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

enum { JOBS_MAX = 256, PROGRESS_EVERY_MS = 200 };

struct worker {
    pid_t process;
    int read_end;
};

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the report ---- */

static void report(const struct campaign_options *options, const struct campaign_result *result)
{
    if (options->print_hashes)
        fprintf(options->out, "seed %llu: hash %016llx, %llu events\n", (unsigned long long)result->seed,
                (unsigned long long)result->world.hash, (unsigned long long)result->world.steps);
    if (!result->world.violated)
        return;
    fprintf(options->out, "seed %llu: %s %s\n  replay: %s --seed %llu\n", (unsigned long long)result->seed,
            result->world.property, result->world.sentence, options->replay, (unsigned long long)result->seed);
    fflush(options->out);
}

static void count(const struct campaign_result *result, struct campaign_summary *summary)
{
    summary->runs++;
    summary->violations += result->world.violated;
    summary->events += result->world.steps;
    summary->undecided += result->undecided;
}

static void show_progress(const struct campaign_options *options, const struct campaign_summary *summary, double *shown)
{
    double now = clock_seconds();
    if (options->progress == NULL || now - *shown < PROGRESS_EVERY_MS / 1e3)
        return;
    *shown = now;
    fprintf(options->progress, "\r%llu of %llu runs, %llu violations ", (unsigned long long)summary->runs,
            (unsigned long long)(options->seed_last - options->seed_first + 1),
            (unsigned long long)summary->violations);
    fflush(options->progress);
}

static void end_progress(const struct campaign_options *options)
{
    if (options->progress != NULL)
        fputs("\r\033[K", options->progress);
}

/* ---- in this process ---- */

static int run_here(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                    size_t why_size)
{
    struct world_options world = options->world;
    if (options->trace_path != NULL) {
        world.trace = fopen(options->trace_path, "w");
        if (world.trace == NULL) {
            snprintf(why, why_size, "cannot write the trace to %s: %s", options->trace_path, strerror(errno));
            return ERROR_IO;
        }
    }
    struct campaign_runner *runner = campaign_runner_create(&world);
    if (runner == NULL) {
        snprintf(why, why_size, "no memory for a world of %u nodes", world.node_count);
        return ERROR_NO_MEMORY;
    }
    double shown = clock_seconds();
    for (uint64_t seed = options->seed_first;; seed++) {
        struct campaign_result result;
        world.seed = seed;
        campaign_runner_run(runner, &world, &result);
        report(options, &result);
        count(&result, summary);
        show_progress(options, summary, &shown);
        if (seed == options->seed_last)
            break;
    }
    end_progress(options);
    campaign_runner_free(runner);
    int error = world.trace == NULL || fclose(world.trace) == 0 ? OK : ERROR_IO;
    if (error != OK)
        snprintf(why, why_size, "cannot write the trace to %s: %s", options->trace_path, strerror(errno));
    return error;
}

/* ---- with workers ---- */

static bool write_whole(int end, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t written = write(end, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_whole(int end, void *data, size_t size)
{
    for (char *at = data; size > 0;) {
        ssize_t got = read(end, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static int work(const struct campaign_options *options, uint64_t first, int end)
{
    struct world_options world = options->world;
    struct campaign_runner *runner = campaign_runner_create(&world);
    if (runner == NULL)
        return 1;
    for (uint64_t seed = first; seed <= options->seed_last && seed >= first; seed += options->jobs) {
        struct campaign_result result;
        world.seed = seed;
        campaign_runner_run(runner, &world, &result);
        if (!write_whole(end, &result, sizeof result))
            return 1;
    }
    return 0;
}

static int begin_worker(const struct campaign_options *options, struct worker *workers, uint32_t number)
{
    int ends[2];
    if (pipe(ends) != 0)
        return ERROR_IO;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        for (uint32_t i = 0; i < number; i++)
            close(workers[i].read_end);
        close(ends[0]);
        _exit(work(options, options->seed_first + number, ends[1]));
    }
    close(ends[1]);
    workers[number] = (struct worker){.process = process, .read_end = ends[0]};
    return process < 0 ? ERROR_IO : OK;
}

static int gather(const struct campaign_options *options, struct worker *workers, struct campaign_summary *summary,
                  char *why, size_t why_size)
{
    double shown = clock_seconds();
    for (uint64_t seed = options->seed_first;; seed++) {
        struct campaign_result result;
        struct worker *worker = &workers[(seed - options->seed_first) % options->jobs];
        if (!read_whole(worker->read_end, &result, sizeof result)) {
            snprintf(why, why_size, "the worker that ran seed %llu died; try `%s --seed %llu`",
                     (unsigned long long)seed, options->replay, (unsigned long long)seed);
            return ERROR_IO;
        }
        report(options, &result);
        count(&result, summary);
        show_progress(options, summary, &shown);
        if (seed == options->seed_last)
            break;
    }
    end_progress(options);
    return OK;
}

static int run_workers(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                       size_t why_size)
{
    struct worker workers[JOBS_MAX];
    uint32_t begun = 0;
    int error = OK;
    for (; begun < options->jobs && error == OK; begun++)
        error = begin_worker(options, workers, begun);
    if (error != OK)
        snprintf(why, why_size, "cannot start %u workers: %s", options->jobs, strerror(errno));
    else
        error = gather(options, workers, summary, why, why_size);
    for (uint32_t i = 0; i < begun; i++) {
        close(workers[i].read_end);
        if (workers[i].process > 0)
            waitpid(workers[i].process, NULL, 0);
    }
    return error;
}

int campaign_run(const struct campaign_options *options, struct campaign_summary *summary, char *why, size_t why_size)
{
    struct campaign_options used = *options;
    uint64_t runs = options->seed_last - options->seed_first + 1;
    if (used.jobs > JOBS_MAX)
        used.jobs = JOBS_MAX;
    if (runs != 0 && used.jobs > runs)
        used.jobs = (uint32_t)runs;
    *summary = (struct campaign_summary){0};
    double begun = clock_seconds();
    int error = used.jobs <= 1 || used.trace_path != NULL ? run_here(&used, summary, why, why_size)
                                                          : run_workers(&used, summary, why, why_size);
    summary->seconds = clock_seconds() - begun;
    return error;
}
