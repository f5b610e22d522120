/* Flooding consensus across members (AG-2): FLD-1 validity, FLD-2 agreement (of the uniform variant among all that ever
 * decided, at once; of the early one among correct members, in the end), FLD-I integrity, FLD-3 termination. */
#include "lab/judge/judge.h"
#include "lab/judge/judge_rounds.h"
#include "protocol/consensus/flooding.h"

struct flooding_judge {
    struct judge_rounds rounds;
    bool uniform;
    struct flooding_seen last[ROUNDS_MEMBERS_MAX]; /* as observed */
    uint64_t first_instance; /* the newest that anybody decided, and what was decided first */
    struct cell first;
};

static void *create_variant(struct heap *heap, uint32_t node_count, bool uniform)
{
    struct flooding_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->uniform = uniform;
    judge_rounds_init(&judge->rounds, heap, node_count);
    return judge;
}

static void *create_uniform(struct heap *heap, uint32_t node_count)
{
    return create_variant(heap, node_count, true);
}

static void *create_early(struct heap *heap, uint32_t node_count)
{
    return create_variant(heap, node_count, false);
}

static void clear(void *self)
{
    struct flooding_judge *judge = self;
    judge_rounds_clear(&judge->rounds);
    *judge = (struct flooding_judge){.rounds = judge->rounds, .uniform = judge->uniform};
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct flooding_judge *judge = context;
    (void)spec;
    (void)service;
    judge_rounds_started(&judge->rounds, place, member);
}

static void lost(void *context, uint32_t place)
{
    struct flooding_judge *judge = context;
    judge_rounds_lost(&judge->rounds, place);
}

static const char *on_decision(struct flooding_judge *judge, uint32_t place, const struct flooding_seen *now)
{
    observe(&judge->rounds.seen, OBSERVED_DECIDE, place, now->rounds.instance, judge_rounds_value(now->decision), 0);
    if (now->rounds.instance > judge->first_instance) {
        judge->first_instance = now->rounds.instance;
        judge->first = now->decision;
    }
    bool differs = now->rounds.instance == judge->first_instance && !cell_equal(judge->first, now->decision);
    return judge->uniform && differs ? "FLD-2 two members decided differently" : NULL;
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct flooding_judge *judge = context;
    struct flooding_seen now, *last = &judge->last[place];
    const char *broken = NULL;
    (void)event;
    if (judge->rounds.members[place] == NULL)
        return NULL;
    flooding_look(judge->rounds.members[place], &now);
    bool is_new = now.rounds.instance != last->rounds.instance;
    if (is_new) /* who has no proposal proposes nothing */
        observe(&judge->rounds.seen, OBSERVED_PROPOSE, place, now.rounds.instance,
                judge_rounds_value(now.rounds.own), 0);
    if (now.decided && (is_new || !last->decided || !cell_equal(now.decision, last->decision)))
        broken = on_decision(judge, place, &now);
    *last = now;
    return broken;
}

static void look(const void *member, struct rounds_seen *out)
{
    struct flooding_seen seen;
    flooding_look(member, &seen);
    *out = seen.rounds;
}

static void finish(void *self, struct world *world)
{
    struct flooding_judge *judge = self;
    judge_rounds_settle(&judge->rounds, 1, look);
    judge_rounds_promise(&judge->rounds, world, "validity", "FLD-1");
    judge_rounds_promise(&judge->rounds, world, judge->uniform ? "uniform-agreement" : "agreement", "FLD-2");
    judge_rounds_promise(&judge->rounds, world, "integrity", "FLD-I");
    judge_rounds_promise(&judge->rounds, world, "termination", "FLD-3");
}

/* Links between correct members are reliable and as fast as the bound says; a message that comes twice changes
 * nothing. */
enum { CLAIMED = WORLD_CRASH | WORLD_DUPLICATE };

const struct judge_kind judge_flooding = {
    .protocol = "flooding",
    .service = "proposal",
    .faults = CLAIMED,
    .create = create_uniform,
    .clear = clear,
    .watch = {.started = started, .stopped = lost, .stepped = stepped, .turned = lost},
    .finish = finish,
};

const struct judge_kind judge_flooding_early = {
    .protocol = "flooding-early",
    .service = "proposal",
    .faults = CLAIMED,
    .create = create_early,
    .clear = clear,
    .watch = {.started = started, .stopped = lost, .stepped = stepped, .turned = lost},
    .finish = finish,
};
