/* Bisecting a stall (liveness.h). */
#include "lab/search/liveness.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "lab/search/campaign.h"
#include "lab/trace/trace_words.h"

/* What the last run did at the instant that is looked at. */
struct witness {
    const struct protocol *protocol;
    int64_t at_ns; /* the instant */
    uint64_t steps;
    struct liveness_cause *cause;
};

struct search {
    struct campaign_runner *runner;
    struct world_options world;
    const volatile sig_atomic_t *stop;
    uint64_t runs;
};

/* Does it stall if everything heals at that time? */
static bool stalls(struct search *search, int64_t heal_at_ns)
{
    struct campaign_result result;
    int64_t healed_ns = search->world.time_ns - search->world.heal_at_ns;
    struct world_options world = search->world;
    world.heal_at_ns = heal_at_ns;
    world.time_ns = heal_at_ns + healed_ns; /* as long a healed phase as it had */
    search->runs++;
    campaign_runner_run(search->runner, &world, &result);
    return result.world.violated && strcmp(result.world.property, "PROGRESS") == 0;
}

static bool stopped(const struct search *search)
{
    return search->stop != NULL && *search->stop != 0;
}

/* ---- what happened at an instant ---- */

static void on_event(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                     const struct event *event)
{
    struct witness *witness = context;
    static struct trace_words words; /* too large for a stack that may be small */
    (void)spec;
    witness->steps++;
    if (at_ns != witness->at_ns || event->kind == EVENT_TURN)
        return;
    trace_words_event(witness->protocol, event, &words);
    witness->cause->step = witness->steps;
    witness->cause->node = place + 1;
    snprintf(witness->cause->event, sizeof witness->cause->event, "%s %s%s%.150s", event_kind_name(event->kind),
             words.name, words.name[0] != '\0' && words.text[0] != '\0' ? " " : "", words.text);
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    struct witness *witness = context;
    bool fault = mark != WORLD_MARK_NOTE && mark != WORLD_MARK_CLIENT && mark != WORLD_MARK_VIOLATION;
    if (at_ns != witness->at_ns || !fault || witness->cause->step != 0)
        return;
    witness->cause->node = place == WORLD_NOWHERE ? 0 : place + 1;
    snprintf(witness->cause->event, sizeof witness->cause->event, "%.190s", text);
}

static void look_at(struct search *search, int64_t at_ns, struct liveness_cause *out)
{
    struct witness witness = {.protocol = search->world.protocol, .at_ns = at_ns, .cause = out};
    struct world_options world = search->world;
    struct campaign_result result;
    world.tracer = (struct world_tracer){.context = &witness, .event = on_event, .mark = on_mark};
    search->runs++;
    out->at_ns = at_ns;
    campaign_runner_run(search->runner, &world, &result);
}

/* ---- the search ---- */

/* It stalls when it heals at `bad_ns` and does not when it heals at `good_ns`. Heals at t means: before what happens at
 * t. So in the end the instant before `bad_ns` is the one that healing comes too late for. */
static int64_t bisect(struct search *search, int64_t good_ns, int64_t bad_ns)
{
    while (bad_ns - good_ns > 1 && !stopped(search)) {
        int64_t middle_ns = good_ns + (bad_ns - good_ns) / 2;
        if (stalls(search, middle_ns))
            bad_ns = middle_ns;
        else
            good_ns = middle_ns;
    }
    return bad_ns;
}

static int find(struct search *search, struct liveness_cause *out, char *why, size_t why_size)
{
    int64_t heal_at_ns = search->world.heal_at_ns;
    if (!stalls(search, heal_at_ns)) {
        snprintf(why, why_size, "seed %llu does not stall", (unsigned long long)search->world.seed);
        return ERROR_NOT_FOUND;
    }
    out->from_start = stalls(search, 1);
    if (out->from_start)
        return OK;
    int64_t bad_ns = bisect(search, 1, heal_at_ns);
    if (stopped(search)) {
        snprintf(why, why_size, "interrupted");
        return ERROR_CLOSED;
    }
    look_at(search, bad_ns - 1, out);
    return OK;
}

int liveness_find(const struct world_options *world, const volatile sig_atomic_t *stop, struct liveness_cause *out,
                  char *why, size_t why_size)
{
    struct search search = {.world = *world, .stop = stop};
    memset(out, 0, sizeof *out);
    if (search.world.heal_at_ns == 0)
        search.world.heal_at_ns = search.world.time_ns / 10 * 7; /* world.h */
    out->healed_ns = search.world.heal_at_ns;
    search.runner = campaign_runner_create(&search.world);
    if (search.runner == NULL) {
        snprintf(why, why_size, "no memory for a world of %u nodes", world->node_count);
        return ERROR_NO_MEMORY;
    }
    int error = find(&search, out, why, why_size);
    campaign_runner_free(search.runner);
    out->runs = search.runs;
    return error;
}
