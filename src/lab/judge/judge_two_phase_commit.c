/* Two-phase commit across members: DC-2's AC1 (all decide the same), AC2 (a decision is final), AC3 (commit only if all
 * voted commit) after every step, and at the end the whole promise of atomic commitment (lab/promise/promise.h) over all that was
 * voted and decided: with AC4 (no failure and all votes: commit) and AC5 (all decide once failures are repaired). Blocking
 * while a coordinator is down is no violation: that is what the protocol is known for. */
#include <stdio.h>

#include "lab/judge/judge.h"
#include "lab/promise/promise.h"
#include "protocol/commit/two_phase_commit.h"
#include "service/account/account.h"

enum { PLACES_MAX = 64 };

struct decided {
    struct transaction_id id;
    enum transaction_state state;
};

struct commit_judge {
    uint32_t node_count;
    void *members[PLACES_MAX], *services[PLACES_MAX];
    uint64_t turned; /* bit place: its word does not count */
    struct decided decided[PLACES_MAX][PLACES_MAX]; /* of a member, about the newest transaction of a coordinator */
    uint64_t voted[PLACES_MAX][PLACES_MAX];         /* the same: sequence of the youngest that it is known to have voted for */
    struct observations observed;
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct commit_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->node_count = node_count;
    observations_init(&judge->observed, heap, 0);
    return judge;
}

static void clear(void *self)
{
    struct commit_judge *judge = self;
    struct observations observed = judge->observed;
    observations_clear(&observed);
    *judge = (struct commit_judge){.node_count = judge->node_count, .observed = observed};
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct commit_judge *judge = context;
    (void)spec;
    judge->members[place] = member;
    judge->services[place] = service;
}

static void stopped(void *context, uint32_t place)
{
    struct commit_judge *judge = context;
    judge->members[place] = NULL;
    observe(&judge->observed, OBSERVED_CRASH, place, 0, 0, 0);
    observe(&judge->observed, OBSERVED_RESTART, place, 0, 0, 0); /* finish() sees whether it did */
}

/* Whatever it decided, it may have decided wrongly. */
static void turned(void *context, uint32_t place)
{
    struct commit_judge *judge = context;
    judge->turned |= UINT64_C(1) << place;
    for (uint32_t coordinator = 0; coordinator < judge->node_count; coordinator++)
        judge->decided[place][coordinator] = (struct decided){0};
}

static bool is_turned(const struct commit_judge *judge, uint32_t place)
{
    return (judge->turned >> place & 1) != 0;
}

static bool is_decided(enum transaction_state state)
{
    return state == TRANSACTION_COMMIT || state == TRANSACTION_ABORT;
}

static bool same(struct transaction_id a, struct transaction_id b)
{
    return a.node == b.node && a.sequence == b.sequence;
}

/* What members decided is remembered over their crashes: a decision is final. */
static const char *check_final(struct commit_judge *judge, uint32_t place, uint32_t coordinator,
                               struct transaction_id id, enum transaction_state state)
{
    struct decided *before = &judge->decided[place][coordinator];
    bool changed = same(before->id, id) && is_decided(before->state) && is_decided(state) && before->state != state;
    if (changed)
        return "AC2 a decision was changed";
    if (is_decided(state))
        *before = (struct decided){.id = id, .state = state};
    return NULL;
}

static const char *check_agreement(struct commit_judge *judge, uint32_t coordinator, struct transaction_id id,
                                   enum transaction_state state)
{
    for (uint32_t other = 0; other < judge->node_count; other++) {
        const struct decided *theirs = &judge->decided[other][coordinator];
        if (same(theirs->id, id) && is_decided(theirs->state) && theirs->state != state)
            return "AC1 one member has decided to commit and another to abort";
        if (state != TRANSACTION_COMMIT || judge->members[other] == NULL)
            continue;
        enum transaction_state seen = two_phase_commit_state(judge->members[other], id);
        bool voted = seen == TRANSACTION_FORGOTTEN || seen == TRANSACTION_COMMIT ||
                     two_phase_commit_voted_commit(judge->members[other], id);
        if (!voted)
            return "AC3 committed although a member did not vote for it";
    }
    return NULL;
}

static uint64_t instance_of(struct transaction_id id)
{
    return id.sequence << 8 | id.node;
}

static void note_vote(struct commit_judge *judge, uint32_t place, uint32_t coordinator, struct transaction_id id,
                      enum transaction_state state)
{
    bool yes = state == TRANSACTION_READY || state == TRANSACTION_COMMIT;
    if (!yes || judge->voted[place][coordinator] >= id.sequence)
        return;
    judge->voted[place][coordinator] = id.sequence;
    observe(&judge->observed, OBSERVED_VOTE, place, instance_of(id), 1, 0);
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct commit_judge *judge = context;
    (void)event;
    for (uint32_t coordinator = 0; coordinator < judge->node_count; coordinator++) {
        struct transaction_id id;
        if (!two_phase_commit_newest(judge->members[place], coordinator + 1, &id))
            continue;
        enum transaction_state state = two_phase_commit_state(judge->members[place], id);
        note_vote(judge, place, coordinator, id, state);
        if (!is_decided(state))
            continue;
        if (judge->decided[place][coordinator].state == state && same(judge->decided[place][coordinator].id, id))
            continue; /* seen before */
        observe(&judge->observed, OBSERVED_DECIDE, place, instance_of(id), state == TRANSACTION_COMMIT, 0);
        const char *broken = check_final(judge, place, coordinator, id, state);
        if (broken == NULL)
            broken = check_agreement(judge, coordinator, id, state);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

/* True when the member has promised and waits for the decision. */
static bool is_ready(const struct commit_judge *judge, uint32_t place)
{
    for (uint32_t coordinator = 0; coordinator < judge->node_count; coordinator++) {
        struct transaction_id id;
        if (two_phase_commit_newest(judge->members[place], coordinator + 1, &id) &&
            two_phase_commit_state(judge->members[place], id) == TRANSACTION_READY)
            return true;
    }
    return false;
}

/* Any fault may have made a coordinator give up: then AC4 says nothing. */
static void check_promise(struct commit_judge *judge, struct world *world)
{
    struct world_result result = {0};
    world_sum_up(world, &result);
    if (result.faults_struck > 0) {
        observe(&judge->observed, OBSERVED_CRASH, 0, 0, 0, 0);
        observe(&judge->observed, OBSERVED_RESTART, 0, 0, 0, 0);
    }
    struct verdict verdict = {.kind = VERDICT_OK};
    promise_find(span_string("atomic-commit"))->check(&judge->observed, judge->observed.heap, &verdict);
    if (verdict.kind == VERDICT_ILLEGAL)
        world_violate(world, verdict.anomaly, verdict.reason);
    verdict_clear(&verdict, judge->observed.heap);
}

/* Clients ask until the end, so a transaction may be under way then; but nobody may be blocked any more, and where
 * nothing is under way all hold the same. */
static void finish(void *self, struct world *world)
{
    struct commit_judge *judge = self;
    char sentence[120];
    bool quiet = true;
    uint32_t first = judge->node_count;
    for (uint32_t place = 0; place < judge->node_count; place++) {
        if (is_turned(judge, place))
            continue;
        first = first == judge->node_count ? place : first;
        if (judge->members[place] == NULL) {
            world_violate(world, "AC5", "a member did not come back after everything healed");
            return;
        }
        quiet = quiet && !is_ready(judge, place);
        if (two_phase_commit_blocked(judge->members[place])) {
            snprintf(sentence, sizeof sentence, "member %u is still blocked, long after everything healed", place + 1);
            world_violate(world, "AC5", sentence);
        }
    }
    for (uint32_t place = first + 1; quiet && place < judge->node_count; place++)
        if (!is_turned(judge, place) &&
            account_service.digest(judge->services[place]) != account_service.digest(judge->services[first]))
            world_violate(world, "AC1", "two members hold different balances although all have decided");
    if (quiet && judge->turned == 0)
        check_promise(judge, world);
}

const struct judge_kind judge_two_phase_commit = {
    .protocol = "two-phase-commit",
    .service = "account",
    .faults = WORLD_ALL_FAULTS & ~WORLD_AMNESIA,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .turned = turned},
    .finish = finish,
};
