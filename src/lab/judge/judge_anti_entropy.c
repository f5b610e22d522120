/* Anti-entropy across members, judged by the tills' own books.
 *
 * AE-1: what members have delivered of an origin are beginnings of one sequence of updates. The service keeps a chain
 * over each origin's updates (till_chain), so whoever has seen the same number must have the same chain: that no update
 * was left out, came twice, or came out of order. AE-2: an update that was answered is never lost: its origin goes
 * on from it after every crash, and in the end all have it. CAP-AP: members that have seen the same are in the same
 * state, whenever that is; once everything has healed they have seen the same; and nobody still waits for an answer. That
 * no answer ever waits for another member is in the protocol's own check. */
#include <stdio.h>
#include <string.h>

#include "lab/judge/judge.h"
#include "protocol/replica/anti_entropy.h"
#include "service/till/till.h"

enum { PLACES_MAX = 64 };

/* The sequence of one origin: the chain after each of its updates. */
struct sequence {
    uint64_t *chains;
    uint64_t count, capacity;
};

struct spread_judge {
    struct heap *heap;
    uint32_t node_count;
    void *members[PLACES_MAX], *services[PLACES_MAX];
    uint64_t turned; /* bit place: its word does not count */
    struct sequence sequences[PLACES_MAX];
    uint64_t answered[PLACES_MAX]; /* of an origin: the most that it has executed, and so answered */
    bool memory_short;
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct spread_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->heap = heap;
    judge->node_count = node_count;
    return judge;
}

static void clear(void *self)
{
    struct spread_judge *judge = self;
    struct sequence kept[PLACES_MAX];
    memcpy(kept, judge->sequences, sizeof kept);
    *judge = (struct spread_judge){.heap = judge->heap, .node_count = judge->node_count};
    for (uint32_t i = 0; i < judge->node_count; i++)
        judge->sequences[i] = (struct sequence){.chains = kept[i].chains, .capacity = kept[i].capacity};
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct spread_judge *judge = context;
    (void)spec;
    judge->members[place] = member;
    judge->services[place] = service;
}

static void stopped(void *context, uint32_t place)
{
    struct spread_judge *judge = context;
    judge->members[place] = judge->services[place] = NULL;
}

static void turned(void *context, uint32_t place)
{
    struct spread_judge *judge = context;
    judge->turned |= UINT64_C(1) << place;
}

static bool counts(const struct spread_judge *judge, uint32_t place)
{
    return (judge->turned >> place & 1) == 0 && judge->members[place] != NULL;
}

/* ---- AE-1 and AE-2, at each update ---- */

static bool append(struct spread_judge *judge, struct sequence *sequence, uint64_t chain)
{
    if (sequence->count == sequence->capacity) {
        uint64_t capacity = sequence->capacity > 0 ? sequence->capacity * 2 : 256;
        uint64_t *moved = heap_resize(judge->heap, sequence->chains, (size_t)capacity * sizeof *moved);
        if (moved == NULL)
            return false;
        sequence->chains = moved;
        sequence->capacity = capacity;
    }
    sequence->chains[sequence->count++] = chain;
    return true;
}

static const char *check_sequence(struct spread_judge *judge, uint32_t place, uint32_t origin)
{
    struct sequence *sequence = &judge->sequences[origin];
    uint64_t number = till_updates(judge->services[place], origin + 1);
    uint64_t chain = till_chain(judge->services[place], origin + 1);
    if (number == 0)
        return "AE-1 an update was delivered that its origin does not count";
    if (number <= sequence->count)
        return sequence->chains[number - 1] == chain
                   ? NULL
                   : "AE-1 members have delivered different updates of one origin under the same number";
    if (number != sequence->count + 1 || place != origin)
        return "AE-1 an update was delivered that its origin has not delivered yet, or one was left out";
    judge->memory_short = judge->memory_short || !append(judge, sequence, chain);
    return NULL;
}

/* The same counts of all origins. */
static bool have_seen_the_same(const struct spread_judge *judge, uint32_t a, uint32_t b)
{
    for (uint32_t i = 1; i <= judge->node_count; i++)
        if (till_updates(judge->services[a], i) != till_updates(judge->services[b], i))
            return false;
    return true;
}

static const char *check_states(const struct spread_judge *judge, uint32_t place)
{
    for (uint32_t other = 0; other < judge->node_count; other++)
        if (other != place && counts(judge, other) && have_seen_the_same(judge, place, other))
            return till_service.digest(judge->services[place]) == till_service.digest(judge->services[other])
                       ? NULL
                       : "CAP-AP members that have delivered the same updates are in different states";
    return NULL;
}

/* A member that restarts executes again what is behind its checkpoint: that must be what it was. */
static const char *applied(void *context, uint32_t place, const struct delivery *delivery)
{
    struct spread_judge *judge = context;
    if (delivery->read || judge->memory_short || !counts(judge, place) || delivery->origin == 0 ||
        delivery->origin > judge->node_count)
        return NULL;
    uint32_t origin = delivery->origin - 1;
    const char *broken = check_sequence(judge, place, origin);
    uint64_t number = till_updates(judge->services[place], origin + 1);
    if (origin == place && number > judge->answered[origin])
        judge->answered[origin] = number;
    return broken != NULL ? broken : check_states(judge, place);
}

/* ---- the end ---- */

static bool check_member(struct spread_judge *judge, struct world *world, uint32_t place)
{
    char sentence[160];
    struct member_status status;
    if (judge->members[place] == NULL || !world_member_status(world, place, &status)) {
        world_violate(world, "CAP-AP", "a member did not come back after everything healed");
        return false;
    }
    if (anti_entropy_is_inert(judge->members[place])) {
        snprintf(sentence, sizeof sentence, "member %u takes no part any more", place + 1);
        world_violate(world, "CAP-AP", sentence);
        return false;
    }
    for (uint32_t origin = 0; origin < judge->node_count; origin++) {
        uint64_t number = till_updates(judge->services[place], origin + 1);
        if ((judge->turned >> origin & 1) != 0 || number >= judge->answered[origin])
            continue;
        snprintf(sentence, sizeof sentence, "member %u lacks updates of member %u that were answered: %llu of %llu",
                 place + 1, origin + 1, (unsigned long long)(judge->answered[origin] - number),
                 (unsigned long long)judge->answered[origin]);
        world_violate(world, origin == place ? "AE-2" : "CAP-AP", sentence);
        return false;
    }
    return true;
}

static void finish(void *self, struct world *world)
{
    struct spread_judge *judge = self;
    uint32_t first = judge->node_count;
    uint64_t updates = 0;
    for (uint32_t place = 0; place < judge->node_count; place++) {
        if ((judge->turned >> place & 1) != 0)
            continue;
        if (!check_member(judge, world, place))
            return;
        if (first == judge->node_count)
            first = place;
        else if (!have_seen_the_same(judge, first, place) ||
                 till_service.digest(judge->services[first]) != till_service.digest(judge->services[place]))
            world_violate(world, "CAP-AP", "members are in different states, long after everything healed");
        updates += judge->answered[place];
    }
    if (updates == 0 && judge->turned == 0)
        world_violate(world, "CAP-AP", "nobody was ever answered");
}

const struct judge_kind judge_anti_entropy = {
    .protocol = "anti-entropy",
    .service = "till",
    .faults = WORLD_ALL_FAULTS & ~WORLD_AMNESIA,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .applied = applied, .turned = turned},
    .finish = finish,
};
