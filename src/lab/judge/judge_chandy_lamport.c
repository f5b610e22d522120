/* Consistent snapshots across members: REC-5's CL-1 (no message is received before and sent after the cut), CL-2 (what
 * a channel recorded is what was sent before and received after) and CL-3 (tokens are conserved), for every snapshot
 * as soon as its parts are there. */
#include <stdio.h>

#include "base/number.h"
#include "lab/judge/judge.h"
#include "protocol/recover/chandy_lamport.h"
#include "service/token/token.h"

enum { PLACES_MAX = 64 };

struct snapshot_judge {
    uint32_t node_count;
    void *members[PLACES_MAX];
    uint64_t judged[PLACES_MAX]; /* number of the newest snapshot of each initiator that was judged whole */
    uint64_t completed;
    bool some_turned; /* a snapshot of all can no longer be judged, nor demanded */
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct snapshot_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge != NULL)
        judge->node_count = node_count;
    return judge;
}

static void clear(void *self)
{
    struct snapshot_judge *judge = self;
    *judge = (struct snapshot_judge){.node_count = judge->node_count};
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct snapshot_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
}

static void stopped(void *context, uint32_t place)
{
    struct snapshot_judge *judge = context;
    judge->members[place] = NULL;
}

static void turned(void *context, uint32_t place)
{
    struct snapshot_judge *judge = context;
    (void)place;
    judge->some_turned = true;
}

/* The cut of that snapshot at a member; false when it is not there. */
static bool cut_of(const struct snapshot_judge *judge, uint32_t place, uint32_t initiator, uint64_t number,
                   struct chandy_lamport_cut *out)
{
    return judge->members[place] != NULL && chandy_lamport_cut(judge->members[place], initiator, out) &&
           out->number == number;
}

/* Two members' parts of one snapshot, for the messages from the first to the second. */
static const char *check_channel(const struct chandy_lamport_cut *from, uint32_t from_place,
                                 const struct chandy_lamport_cut *to, uint32_t to_place)
{
    if (to->highest[from_place] > from->sent[to_place])
        return "CL-1 a message was received before the cut and sent after it";
    if (to->complete && to->recorded[from_place] != from->sent[to_place] - to->received[from_place])
        return "CL-2 a recorded channel is not what was sent before and received after the cut";
    return NULL;
}

static const char *check_pairs(struct snapshot_judge *judge, uint32_t place, uint32_t initiator,
                               const struct chandy_lamport_cut *cut)
{
    for (uint32_t other = 0; other < judge->node_count; other++) {
        struct chandy_lamport_cut theirs;
        if (!cut_of(judge, other, initiator, cut->number, &theirs))
            continue;
        const char *broken = check_channel(cut, place, &theirs, other);
        if (broken == NULL)
            broken = check_channel(&theirs, other, cut, place);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

/* ":7" and the like; false for anything else. */
static bool integer_of(struct span answer, int64_t *out)
{
    return answer.size >= 4 && answer.data[0] == ':' &&
           number_parse_i64(span_of(answer.data + 1, answer.size - 3), out);
}

/* Once all have all: recorded states and channels hold every token. */
static const char *check_tokens(struct snapshot_judge *judge, uint32_t initiator, uint64_t number)
{
    uint64_t tokens = 0;
    for (uint32_t place = 0; place < judge->node_count; place++) {
        struct chandy_lamport_cut cut;
        int64_t held;
        if (!cut_of(judge, place, initiator, number, &cut) || !cut.complete || !integer_of(cut.answer, &held))
            return NULL;
        tokens += (uint64_t)held;
        for (uint32_t from = 0; from < judge->node_count; from++)
            tokens += cut.recorded[from];
    }
    judge->judged[initiator - 1] = number;
    judge->completed++;
    return tokens == token_total(judge->node_count) ? NULL : "CL-3 the snapshot lost or gained tokens";
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct snapshot_judge *judge = context;
    (void)event;
    for (uint32_t initiator = 1; initiator <= judge->node_count; initiator++) {
        struct chandy_lamport_cut cut;
        if (!chandy_lamport_cut(judge->members[place], initiator, &cut) || judge->judged[initiator - 1] >= cut.number)
            continue;
        const char *broken = check_pairs(judge, place, initiator, &cut);
        if (broken == NULL)
            broken = check_tokens(judge, initiator, cut.number);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

static void finish(void *self, struct world *world)
{
    struct snapshot_judge *judge = self;
    if (judge->completed == 0 && !judge->some_turned)
        world_violate(world, "PROGRESS", "no snapshot was ever completed");
}

const struct judge_kind judge_chandy_lamport = {
    .protocol = "chandy-lamport",
    .service = "token",
    .faults = WORLD_PAUSE | WORLD_PARTITION | WORLD_LOSS | WORLD_DUPLICATE | WORLD_REORDER | WORLD_CORRUPT |
              WORLD_DELAY | WORLD_DISK | WORLD_CLOCK,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .turned = turned},
    .finish = finish,
};
