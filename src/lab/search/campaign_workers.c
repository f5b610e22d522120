/* The seeds of a campaign dealt out to processes of this machine.
 *
 * Worker j of J runs the seeds next + j, next + j + J, …; it writes each result to a pipe of its own, and the parent
 * reads them in turn. So the report does not depend on who was faster, and a worker that runs ahead waits. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/search/campaign_internal.h"

struct worker {
    pid_t process;
    int read_end;
};

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

/* False when the worker has died, or the campaign is to stop while there is nothing to read. */
static bool read_whole(const struct campaign *campaign, int end, void *data, size_t size)
{
    for (char *at = data; size > 0;) {
        ssize_t got = read(end, at, size);
        if (got < 0 && errno == EINTR && !campaign_stopped(campaign))
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static int work(const struct campaign_options *options, uint64_t first, uint32_t jobs, int end)
{
    struct world_options world = options->world;
    signal(SIGINT, SIG_IGN); /* the parent decides */
    struct campaign_runner *runner = campaign_runner_create(&world);
    if (runner == NULL)
        return 1;
    for (uint64_t seed = first; seed <= options->seed_last && seed >= first; seed += jobs) {
        struct campaign_result result;
        world.seed = seed;
        campaign_runner_run(runner, &world, &result);
        if (!write_whole(end, &result, sizeof result))
            return 1;
    }
    return 0;
}

static int begin_worker(const struct campaign *campaign, struct worker *workers, uint32_t number, uint32_t jobs)
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
        _exit(work(campaign->options, campaign->summary->next_seed + number, jobs, ends[1]));
    }
    close(ends[1]);
    workers[number] = (struct worker){.process = process, .read_end = ends[0]};
    return process < 0 ? ERROR_IO : OK;
}

static int gather(struct campaign *campaign, const struct worker *workers, uint32_t jobs)
{
    uint64_t first = campaign->summary->next_seed;
    for (;;) {
        struct campaign_result result;
        uint64_t seed = campaign->summary->next_seed;
        bool read = read_whole(campaign, workers[(seed - first) % jobs].read_end, &result, sizeof result);
        if (read ? !campaign_take(campaign, &result) : campaign_stopped(campaign))
            return OK;
        if (!read) {
            const char *replay = campaign->options->replay != NULL ? campaign->options->replay : "lockstep sim";
            snprintf(campaign->why, campaign->why_size, "the worker that ran seed %llu died; try `%s --seed %llu`",
                     (unsigned long long)seed, replay, (unsigned long long)seed);
            return ERROR_IO;
        }
    }
}

/* They have nothing left to do, or nobody wants it: a run under way may take long. */
static void end_workers(const struct worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        close(workers[i].read_end);
        if (workers[i].process <= 0)
            continue;
        kill(workers[i].process, SIGKILL);
        while (waitpid(workers[i].process, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

int campaign_run_workers(struct campaign *campaign, uint32_t jobs)
{
    struct worker workers[CAMPAIGN_JOBS_MAX];
    uint32_t begun = 0;
    int error = OK;
    for (; begun < jobs && error == OK; begun++)
        error = begin_worker(campaign, workers, begun, jobs);
    if (error != OK)
        snprintf(campaign->why, campaign->why_size, "cannot start %u workers: %s", jobs, strerror(errno));
    else
        error = gather(campaign, workers, jobs);
    end_workers(workers, begun);
    return error;
}
