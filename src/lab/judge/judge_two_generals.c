/* Two generals (AG-1): TG-1, at dawn of a plan both generals attack or none does. By then every message that was
 * ever to arrive has: so who did not attack will not. A plan is not judged if one of the two started, stopped, or
 * got its link while it was under way. */
#include "lab/judge/judge.h"
#include "protocol/consensus/rounds.h"
#include "protocol/consensus/two_generals.h"

struct generals_judge {
    uint32_t node_count;
    void *members[ROUNDS_MEMBERS_MAX];
    uint64_t judged[ROUNDS_MEMBERS_MAX];    /* number of the newest plan that was, by proposer */
    uint64_t forgotten[ROUNDS_MEMBERS_MAX]; /* plan of the proposer during which its partner started or stopped */
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct generals_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge != NULL)
        judge->node_count = node_count;
    return judge;
}

static void clear(void *self)
{
    struct generals_judge *judge = self;
    *judge = (struct generals_judge){.node_count = judge->node_count};
}

/* It begins or ends a life: of the plan that its proposer has under way it cannot know all. */
static void forget(struct generals_judge *judge, uint32_t place)
{
    uint32_t proposer = (place + judge->node_count - 1) % judge->node_count;
    struct two_generals_plan plan = {0};
    if (judge->members[proposer] != NULL && proposer != place)
        two_generals_proposed(judge->members[proposer], &plan);
    judge->forgotten[proposer] = plan.number;
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct generals_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
    forget(judge, place);
}

static void stopped(void *context, uint32_t place)
{
    struct generals_judge *judge = context;
    judge->members[place] = NULL;
    forget(judge, place);
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct generals_judge *judge = context;
    struct two_generals_plan own, theirs;
    uint32_t partner = (place + 1) % judge->node_count;
    if (judge->members[place] == NULL)
        return NULL;
    two_generals_proposed(judge->members[place], &own);
    if (event->kind == EVENT_PEER)
        judge->forgotten[place] = own.number;
    if (!own.dawned || judge->judged[place] == own.number || judge->node_count < 2)
        return NULL;
    judge->judged[place] = own.number;
    if (judge->members[partner] == NULL || judge->forgotten[place] == own.number)
        return NULL;
    two_generals_heard(judge->members[partner], &theirs);
    bool attacks = theirs.number == own.number && theirs.attacks;
    return attacks == own.attacks ? NULL : "TG-1 one general attacks and the other does not";
}

const struct judge_kind judge_two_generals = {
    .protocol = "two-generals",
    .service = "proposal",
    .faults = WORLD_DUPLICATE,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .turned = stopped},
    .finish = NULL,
};
