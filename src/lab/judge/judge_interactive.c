/* Interactive consistency across members, for Byzantine agreement by vectors, OM(m) and SM(m) (AG-7, AG-8): loyal
 * members hold equal vectors (BV-2, IC1), in which the elements of loyal members are their values (BV-1, IC2), and all
 * decide (BV-0, IC0). */
#include "lab/judge/judge.h"
#include "lab/judge/judge_rounds.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/oral_messages.h"
#include "protocol/consensus/signed_messages.h"

struct agreement_manner {
    void (*look)(const void *member, struct agreement_seen *out);
    void (*look_rounds)(const void *member, struct rounds_seen *out);
    const char *equal, *loyal; /* sentences, with their tags */
    const char *all_decide, *integrity; /* tags */
};

struct agreement_judge {
    struct judge_rounds rounds;
    const struct agreement_manner *manner;
    uint64_t proposed[ROUNDS_MEMBERS_MAX]; /* the instance whose beginning was observed last */
    uint64_t decided[ROUNDS_MEMBERS_MAX];  /* the instance that was decided last */
    struct cell vectors[ROUNDS_MEMBERS_MAX][ROUNDS_MEMBERS_MAX]; /* of that */
};

static void *create(struct heap *heap, uint32_t node_count, const struct agreement_manner *manner)
{
    struct agreement_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL)
        return NULL;
    judge->manner = manner;
    judge_rounds_init(&judge->rounds, heap, node_count);
    return judge;
}

static void clear(void *self)
{
    struct agreement_judge *judge = self;
    judge_rounds_clear(&judge->rounds);
    memset(judge->proposed, 0, sizeof judge->proposed);
    memset(judge->decided, 0, sizeof judge->decided);
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct agreement_judge *judge = context;
    (void)spec;
    (void)service;
    judge_rounds_started(&judge->rounds, place, member);
}

static void lost(void *context, uint32_t place)
{
    struct agreement_judge *judge = context;
    judge_rounds_lost(&judge->rounds, place);
    judge->decided[place] = 0;
}

/* Each element of a vector is an instance of its own to the promises. */
static uint64_t element_of(uint64_t instance, uint32_t about)
{
    return instance * ROUNDS_MEMBERS_MAX + about;
}

static const char *compare(const struct agreement_judge *judge, uint32_t place, uint64_t instance)
{
    const struct cell *mine = judge->vectors[place];
    for (uint32_t other = 0; other < judge->rounds.node_count; other++) {
        struct agreement_seen theirs;
        if (judge->rounds.members[other] == NULL)
            continue;
        judge->manner->look(judge->rounds.members[other], &theirs);
        if (theirs.rounds.instance == instance && !cell_equal(mine[other], theirs.rounds.own))
            return judge->manner->loyal;
        for (uint32_t i = 0; judge->decided[other] == instance && i < judge->rounds.node_count; i++)
            if (!cell_equal(mine[i], judge->vectors[other][i]))
                return judge->manner->equal;
    }
    return NULL;
}

static const char *on_decision(struct agreement_judge *judge, uint32_t place, const struct agreement_seen *now)
{
    for (uint32_t i = 0; i < judge->rounds.node_count; i++) {
        judge->vectors[place][i] = now->vector[i];
        observe(&judge->rounds.seen, OBSERVED_DECIDE, place, element_of(now->rounds.instance, i),
                judge_rounds_value(now->vector[i]), 0);
    }
    judge->decided[place] = now->rounds.instance;
    return compare(judge, place, now->rounds.instance);
}

static bool is_news(const struct agreement_judge *judge, uint32_t place, const struct agreement_seen *now)
{
    if (!now->decided)
        return false;
    for (uint32_t i = 0; judge->decided[place] == now->rounds.instance && i < judge->rounds.node_count; i++)
        if (!cell_equal(judge->vectors[place][i], now->vector[i]))
            return true;
    return judge->decided[place] != now->rounds.instance;
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct agreement_judge *judge = context;
    struct agreement_seen now;
    (void)event;
    if (judge->rounds.members[place] == NULL)
        return NULL;
    judge->manner->look(judge->rounds.members[place], &now);
    if (now.rounds.instance != judge->proposed[place])
        observe(&judge->rounds.seen, OBSERVED_PROPOSE, place, element_of(now.rounds.instance, place),
                judge_rounds_value(now.rounds.own), 0);
    judge->proposed[place] = now.rounds.instance;
    return is_news(judge, place, &now) ? on_decision(judge, place, &now) : NULL;
}

static void finish(void *self, struct world *world)
{
    struct agreement_judge *judge = self;
    judge_rounds_settle(&judge->rounds, ROUNDS_MEMBERS_MAX, judge->manner->look_rounds);
    judge_rounds_promise(&judge->rounds, world, "integrity", judge->manner->integrity);
    judge_rounds_promise(&judge->rounds, world, "termination", judge->manner->all_decide);
}

/* ---- the three ---- */

static void vectors_rounds(const void *member, struct rounds_seen *out)
{
    struct agreement_seen seen;
    byzantine_vectors_look(member, &seen);
    *out = seen.rounds;
}

static void oral_rounds(const void *member, struct rounds_seen *out)
{
    struct agreement_seen seen;
    oral_messages_look(member, &seen);
    *out = seen.rounds;
}

static void signed_rounds(const void *member, struct rounds_seen *out)
{
    struct agreement_seen seen;
    signed_messages_look(member, &seen);
    *out = seen.rounds;
}

#define IC_SENTENCES                                                                                                   \
    .equal = "IC1 two loyal members hold different values of a commander",                                             \
    .loyal = "IC2 a loyal member does not hold a loyal commander's value", .all_decide = "IC0", .integrity = "IC-I"

static const struct agreement_manner vectors = {
    .look = byzantine_vectors_look,
    .look_rounds = vectors_rounds,
    .equal = "BV-2 two loyal members hold different vectors",
    .loyal = "BV-1 a loyal member's element is not its value",
    .all_decide = "BV-0",
    .integrity = "BV-I",
};
static const struct agreement_manner oral = {
    .look = oral_messages_look, .look_rounds = oral_rounds, IC_SENTENCES};
static const struct agreement_manner signed_manner = {
    .look = signed_messages_look, .look_rounds = signed_rounds, IC_SENTENCES};

static void *create_vectors(struct heap *heap, uint32_t node_count)
{
    return create(heap, node_count, &vectors);
}

static void *create_oral(struct heap *heap, uint32_t node_count)
{
    return create(heap, node_count, &oral);
}

static void *create_signed(struct heap *heap, uint32_t node_count)
{
    return create(heap, node_count, &signed_manner);
}

/* Who answers wrongly is turned, to the end of the run. A crash of a loyal member is no fault that a later instance
 * could mask beside another one's (it is for ever, rounds.h), and what crashes do, withheld messages do as well. */
#define JUDGE(text, creator)                                                                                           \
    {                                                                                                                  \
        .protocol = (text), .service = "proposal",                                                                     \
        .faults = WORLD_BYZANTINE | WORLD_VALUE | WORLD_TRANSITION | WORLD_DUPLICATE, .create = (creator),             \
        .clear = clear, .watch = {.started = started, .stopped = lost, .stepped = stepped, .turned = lost},            \
        .finish = finish,                                                                                              \
    }

const struct judge_kind judge_byzantine_vectors = JUDGE("byzantine-vectors", create_vectors);
const struct judge_kind judge_oral_messages = JUDGE("oral-messages", create_oral);
const struct judge_kind judge_signed_messages = JUDGE("signed-messages", create_signed);
