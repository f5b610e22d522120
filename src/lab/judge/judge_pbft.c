/* PBFT's invariants across members (AG-9), over those that no fault has turned.
 *
 * What is known of each number is kept for the whole run, also when its members have forgotten it. PBFT-1: in one view
 * no two requests prepare at a number. PBFT-2: once a number is committed anywhere, nothing else is committed there,
 * nor prepares in a later view. PBFT-3 (execution in order, equal states) is the world's digests and the promise of
 * uniform agreement, PBFT-4 node/'s sessions, PBFT-5 the history of the clients of honest nodes, PBFT-6 each member's
 * own check, PBFT-7 the progress that the world asks for after healing. */
#include "lab/judge/judge.h"
#include "protocol/consensus/pbft.h"

enum { NUMBERS_MAX = 1 << 15, VIEWS_KEPT = 4, PLACES_MAX = 64 };

struct prepared {
    uint64_t view;
    struct pbft_value value;
};

struct number {
    bool committed;
    uint64_t committed_view; /* the latest view in which it had prepared where this was seen */
    struct pbft_value value;
    uint32_t count;
    struct prepared prepared[VIEWS_KEPT]; /* the latest views; nothing of older ones is compared */
};

struct pbft_judge {
    void *members[PLACES_MAX];
    uint64_t used; /* numbers up to here are not empty */
    struct number numbers[NUMBERS_MAX];
};

static void *create(struct heap *heap, uint32_t node_count)
{
    (void)node_count;
    return heap_alloc_zero(heap, sizeof(struct pbft_judge));
}

static void clear(void *self)
{
    struct pbft_judge *judge = self;
    for (uint64_t i = 0; i <= judge->used; i++)
        judge->numbers[i] = (struct number){0};
    judge->used = 0;
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct pbft_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
}

static void stopped(void *context, uint32_t place)
{
    struct pbft_judge *judge = context;
    judge->members[place] = NULL;
}

static const char *on_prepared(struct number *number, uint64_t view, const struct pbft_value *value)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < number->count; i++) {
        if (number->prepared[i].view == view)
            return pbft_value_equal(&number->prepared[i].value, value)
                       ? NULL
                       : "PBFT-1 two requests prepared at one number of one view";
        if (number->prepared[i].view < number->prepared[oldest].view)
            oldest = i;
    }
    if (number->count < VIEWS_KEPT)
        oldest = number->count++;
    else if (number->prepared[oldest].view > view)
        return NULL;
    number->prepared[oldest] = (struct prepared){view, *value};
    bool later = number->committed && view > number->committed_view;
    return later && !pbft_value_equal(&number->value, value) ? "PBFT-2 another request prepared after one was committed"
                                                              : NULL;
}

static const char *on_committed(struct number *number, uint64_t view, const struct pbft_value *value)
{
    if (number->committed)
        return pbft_value_equal(&number->value, value) ? NULL : "PBFT-2 two requests are committed at one number";
    number->committed = true;
    number->committed_view = view;
    number->value = *value;
    return NULL;
}

static const char *look_at(struct pbft_judge *judge, const void *member, uint64_t number)
{
    uint64_t view = UINT64_MAX;
    struct pbft_value value, prepared = {0};
    const char *broken = NULL;
    if (number >= NUMBERS_MAX)
        return NULL; /* no run gets so far */
    judge->used = number > judge->used ? number : judge->used;
    if (pbft_prepared_at(member, number, &view, &prepared))
        broken = on_prepared(&judge->numbers[number], view, &prepared);
    if (broken != NULL || !pbft_committed_at(member, number, &value))
        return broken;
    /* Where something else prepared in an earlier view, the view that committed it is not known. */
    if (!pbft_value_equal(&prepared, &value))
        view = UINT64_MAX;
    broken = on_committed(&judge->numbers[number], view, &value);
    return broken;
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct pbft_judge *judge = context;
    const void *member = judge->members[place];
    if (member == NULL || event->kind == EVENT_RESTORE)
        return NULL;
    uint64_t first = pbft_stable(member) + 1;
    for (uint64_t n = first; n < first + pbft_window(member); n++) {
        const char *broken = look_at(judge, member, n);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

const struct judge_kind judge_pbft = {
    .protocol = "pbft",
    .service = "kv",
    .history = "PBFT-5",
    .faults = WORLD_FAULTS_ALL,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .turned = stopped},
};
