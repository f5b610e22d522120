/* One run at a time: a region for the world, a heap for the judges, and what catches a broken invariant.
 *
 * A broken invariant, a fault of the processor and a run that never ends are violations like others: they leave the run
 * by a jump, and the next run begins in the same region from nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "base/panic.h"
#include "lab/attack/attack.h"
#include "lab/search/campaign.h"
#include "lab/judge/judge.h"
#include "lab/judge/judge_agreement.h"
#include "lab/search/liveness_watch.h"
#include "lab/judge/watch_pair.h"

enum { JUDGE_HEAP_MIB = 1024, RUN_CPU_SECONDS_MAX = 120 };

struct campaign_runner {
    void *region;
    size_t region_size;
    struct heap *heap;
    void *judge_region;
    const struct judge_kind *kind; /* NULL: only the world judges */
    void *judge;
    struct judge_history *history; /* NULL: the service is not kv */
    struct world *made;            /* by the run under way */
    struct liveness_watch liveness;
    struct judge_agreement agreement;
    struct watch_pair pairs[3];
};

/* Where a broken run jumps to; process-wide, as signals and the panic hook are. */
static sigjmp_buf escape;
static char escape_line[512];

static void on_panic(const char *what, void *arg)
{
    (void)arg;
    snprintf(escape_line, sizeof escape_line, "%s", what);
    siglongjmp(escape, 1);
}

static void on_signal(int number)
{
    const char *what = number == SIGVTALRM ? "the run does not end" : number == SIGFPE ? "division by zero"
                                                                                      : "invalid memory access";
    snprintf(escape_line, sizeof escape_line, "%s", what);
    siglongjmp(escape, 2);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGVTALRM, &action, NULL);
#if !defined(__SANITIZE_ADDRESS__)
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
#endif
}

static void limit_time(int seconds)
{
    struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

static void *reserve(size_t size)
{
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return region == MAP_FAILED ? NULL : region;
}

static bool make_judges(struct campaign_runner *runner, const struct world_options *options)
{
    runner->heap = heap_init(runner->judge_region, (size_t)JUDGE_HEAP_MIB << 20);
    judge_agreement_init(&runner->agreement, runner->heap);
    runner->kind = judge_find(options->protocol->name);
    if (runner->kind != NULL && strcmp(runner->kind->service, options->service->name) != 0)
        runner->kind = NULL;
    if (runner->kind != NULL)
        runner->judge = runner->kind->create(runner->heap, options->node_count);
    if (strcmp(options->service->name, "kv") == 0)
        runner->history = judge_history_create(runner->heap);
    return (runner->kind == NULL || runner->judge != NULL) &&
           (runner->history != NULL || strcmp(options->service->name, "kv") != 0);
}

struct campaign_runner *campaign_runner_create(const struct world_options *options)
{
    static struct campaign_runner only; /* as the jump is process-wide */
    struct campaign_runner *runner = &only;
    *runner = (struct campaign_runner){.region_size = world_region_size(options)};
    runner->region = reserve(runner->region_size);
    runner->judge_region = reserve((size_t)JUDGE_HEAP_MIB << 20);
    if (runner->region == NULL || runner->judge_region == NULL || !make_judges(runner, options)) {
        campaign_runner_free(runner);
        return NULL;
    }
    catch_signals();
    panic_hook_set(on_panic, NULL);
    return runner;
}

void campaign_runner_free(struct campaign_runner *runner)
{
    if (runner->region != NULL)
        munmap(runner->region, runner->region_size);
    if (runner->judge_region != NULL)
        munmap(runner->judge_region, (size_t)JUDGE_HEAP_MIB << 20);
    panic_hook_set(NULL, NULL);
}

/* The world is whatever the last step left: only its counters are read. */
static void broken(struct world *world, int how, const struct world_tracer *tracer, struct world_result *result)
{
    char where[128] = "while it was made";
    if (world != NULL) {
        world_where(world, where, sizeof where);
        world_sum_up(world, result);
    }
    result->violated = true;
    snprintf(result->property, sizeof result->property, "%s", how == 1 ? "INVARIANT" : "CRASH");
    snprintf(result->sentence, sizeof result->sentence, "%.150s, %.90s", escape_line, where);
    if (tracer->mark != NULL)
        tracer->mark(tracer->context, result->time_ns, WORLD_NOWHERE, WORLD_MARK_VIOLATION, result->sentence);
}

/* What breaks when clients see what they must not: the protocol's own promise, or that of those who vote. */
static const char *history_tag(const struct campaign_runner *runner, const struct world_options *options)
{
    if (options->gateways > 0 && options->vote > 0)
        return "TMR-1";
    return runner->kind != NULL && runner->kind->history != NULL ? runner->kind->history : "LINEARIZABLE";
}

static void run_guarded(struct campaign_runner *runner, const struct world_options *options,
                        struct campaign_result *result)
{
    runner->made = NULL;
    int how = sigsetjmp(escape, 1);
    if (how != 0) {
        broken(runner->made, how, &options->tracer, &result->world);
        return;
    }
    world_run(runner->region, runner->region_size, options, &result->world, &runner->made);
    bool healed = options->heal_at_ns != PLAN_FOREVER; /* else nobody promised that it would end well */
    if (!result->world.violated && healed && runner->kind != NULL && runner->kind->finish != NULL)
        runner->kind->finish(runner->judge, runner->made);
    if (!result->world.violated && options->protocol->order == ORDER_TOTAL)
        judge_agreement_finish(&runner->agreement, runner->made);
    if (!result->world.violated && runner->history != NULL)
        result->undecided = !judge_history_check(runner->history, runner->made, history_tag(runner, options));
}

/* What every protocol that orders totally is judged by, beside its own judge. */
static void watch_order(struct campaign_runner *runner, struct world_options *options)
{
    struct world_watch own = options->watch;
    struct world_watch agreement = judge_agreement_begin(&runner->agreement);
    struct world_watch liveness =
        liveness_watch_begin(&runner->liveness, &runner->made, options->node_count, options->client_count);
    struct world_watch order = watch_pair(&runner->pairs[0], &agreement, &liveness);
    options->watch = watch_pair(&runner->pairs[1], &own, &order);
}

void campaign_runner_run(struct campaign_runner *runner, const struct world_options *options,
                         struct campaign_result *result)
{
    struct world_options judged = *options;
    judged.attacks = attacks_find(options->protocol->name);
    *result = (struct campaign_result){.seed = options->seed};
    if (runner->kind != NULL) {
        runner->kind->clear(runner->judge);
        judged.watch = runner->kind->watch;
        judged.watch.context = runner->judge;
    }
    struct world_watch own = judged.watch, spoilt;
    if (runner->history != NULL) {
        spoilt = judge_history_begin(runner->history);
        judged.watch = watch_pair(&runner->pairs[2], &own, &spoilt);
    }
    if (options->protocol->order == ORDER_TOTAL) /* else nothing is promised of what clients ask */
        watch_order(runner, &judged);
    limit_time(RUN_CPU_SECONDS_MAX);
    run_guarded(runner, &judged, result);
    limit_time(0);
    result->liveness_steps = options->protocol->order == ORDER_TOTAL ? runner->liveness.steps : 0;
}
