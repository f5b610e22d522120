/* Virtual synchrony, after Chockler, Keidar and Vitenberg (2001), section 4: self inclusion, views that rise and are the
 * same everywhere, sending view delivery, and the same set of messages for those who go from one view to the next
 * together. */
#include "lab/promise/promise_internal.h"

enum { P = PROMISE_PROCESSES_MAX };

/* A view as one process lived through it. */
struct stay {
    uint32_t process;
    uint64_t view, next; /* numbers; next 0: none followed */
    uint32_t installed;  /* place */
    uint64_t digest;     /* of the set of messages delivered in it */
    uint32_t delivered;
};

struct stays {
    struct heap *heap;
    struct stay *list;
    uint32_t count, capacity;
    uint32_t current[P]; /* place in the list, or PROMISE_NO: in no view */
};

static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 31) * UINT64_C(0x7fb5d329728ea185);
    word = (word ^ word >> 27) * UINT64_C(0x81dadef4bc2dd44d);
    return word ^ word >> 33;
}

static struct stay *begin_stay(struct stays *stays)
{
    if (stays->count == stays->capacity) {
        uint32_t capacity = stays->capacity > 0 ? 2 * stays->capacity : 64;
        struct stay *list = heap_resize(stays->heap, stays->list, capacity * sizeof *list);
        if (list == NULL)
            return NULL;
        stays->list = list;
        stays->capacity = capacity;
    }
    return &stays->list[stays->count++];
}

static bool on_view(const struct observations *all, struct stays *stays, struct promise_map *first, uint32_t place,
                    struct verdict *out)
{
    const struct observation *seen = &all->list[place];
    if ((seen->second >> seen->process & 1) == 0)
        promise_broken(out, stays->heap, "self inclusion", (uint32_t[3]){place, PROMISE_NO, PROMISE_NO},
                       "process %u installed view %llu without being in it", seen->process,
                       (unsigned long long)seen->first);
    uint32_t *known = promise_map_get(first, seen->first);
    if (known == NULL)
        return false;
    if (*known == PROMISE_NO)
        *known = place;
    else if (all->list[*known].second != seen->second)
        promise_broken(out, stays->heap, "two views of one number", (uint32_t[3]){*known, place, PROMISE_NO},
                       "processes %u and %u installed view %llu with different members", all->list[*known].process,
                       seen->process, (unsigned long long)seen->first);
    uint32_t before = stays->current[seen->process];
    if (before != PROMISE_NO) {
        if (stays->list[before].view >= seen->first)
            promise_broken(out, stays->heap, "view went back",
                           (uint32_t[3]){stays->list[before].installed, place, PROMISE_NO},
                           "process %u installed view %llu after view %llu", seen->process,
                           (unsigned long long)seen->first, (unsigned long long)stays->list[before].view);
        stays->list[before].next = seen->first;
    }
    struct stay *stay = begin_stay(stays);
    if (stay == NULL)
        return false;
    *stay = (struct stay){.process = seen->process, .view = seen->first, .installed = place};
    stays->current[seen->process] = (uint32_t)(stay - stays->list);
    return true;
}

/* The view in which a message was sent is that of its sender then. */
static void on_deliver(const struct observations *all, struct stays *stays, const struct promise_messages *messages,
                       const uint64_t *sent_in, uint32_t place, struct verdict *out)
{
    const struct observation *seen = &all->list[place];
    uint32_t current = stays->current[seen->process];
    uint32_t message = promise_message(messages, seen->first);
    uint64_t view = current != PROMISE_NO ? stays->list[current].view : 0;
    uint32_t sent = messages->list[message].sent;
    if (sent != PROMISE_NO && sent_in[message] != view)
        promise_broken(out, stays->heap, "delivered in another view", (uint32_t[3]){sent, place, PROMISE_NO},
                       "process %u delivered message %llu in view %llu; it was sent in view %llu", seen->process,
                       (unsigned long long)seen->first, (unsigned long long)view,
                       (unsigned long long)sent_in[message]);
    if (current == PROMISE_NO)
        return;
    stays->list[current].digest += mix(seen->first);
    stays->list[current].delivered++;
}

/* Two who went from the same view to the same next one. */
static void check_sets(struct stays *stays, struct verdict *out)
{
    for (uint32_t i = 0; i < stays->count; i++)
        for (uint32_t j = 0; j < i; j++) {
            const struct stay *a = &stays->list[i], *b = &stays->list[j];
            if (a->view == b->view && a->next == b->next && a->next != 0 && a->digest != b->digest)
                promise_broken(out, stays->heap, "different sets", (uint32_t[3]){b->installed, a->installed, PROMISE_NO},
                               "processes %u and %u went from view %llu to view %llu together, and delivered different "
                               "sets of messages in it (%u and %u)",
                               b->process, a->process, (unsigned long long)a->view, (unsigned long long)a->next,
                               b->delivered, a->delivered);
        }
}

static bool walk(const struct observations *all, struct stays *stays, struct promise_map *first,
                 const struct promise_messages *messages, uint64_t *sent_in, struct verdict *out)
{
    for (uint32_t i = 0; i < all->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &all->list[i];
        uint32_t current = stays->current[seen->process];
        if (seen->kind == OBSERVED_VIEW && !on_view(all, stays, first, i, out))
            return false;
        if (seen->kind == OBSERVED_CRASH)
            stays->current[seen->process] = PROMISE_NO;
        if (seen->kind == OBSERVED_SEND && messages->list[promise_message(messages, seen->first)].sent == i)
            sent_in[promise_message(messages, seen->first)] = current != PROMISE_NO ? stays->list[current].view : 0;
        if (seen->kind == OBSERVED_DELIVER)
            on_deliver(all, stays, messages, sent_in, i, out);
    }
    return true;
}

void promise_check_virtual_synchrony(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct stays stays = {.heap = heap};
    for (uint32_t i = 0; i < P; i++)
        stays.current[i] = PROMISE_NO;
    struct promise_map first;
    promise_map_init(&first, heap);
    struct promise_messages messages;
    uint64_t *sent_in = NULL;
    if (promise_messages_init(&messages, observations, heap))
        sent_in = heap_alloc_zero(heap, (messages.count + 1) * sizeof *sent_in);
    if (sent_in == NULL || !walk(observations, &stays, &first, &messages, sent_in, out))
        promise_unknown(out);
    check_sets(&stays, out);
    heap_free(heap, sent_in);
    heap_free(heap, stays.list);
    promise_messages_free(&messages);
    promise_map_free(&first);
}
