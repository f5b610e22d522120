/* Orders of delivery: FIFO, causal, total.
 *
 * A message to one process (`to` is not 0) is owed to that one only, but what it tells counts as cause for all. */
#include <string.h>

#include "lab/promise/promise_internal.h"

enum { P = PROMISE_PROCESSES_MAX };

/* ---- FIFO and causal ---- */

/* What one message's sender knew when it sent: of each process, how many of its messages. */
struct past {
    uint32_t known[P];
};

struct sender {
    uint32_t *messages; /* dense numbers, in the order of sending */
    uint32_t count, capacity;
};

struct ordering {
    const struct observations *observations;
    struct heap *heap;
    struct promise_messages messages;
    struct sender senders[P];
    uint64_t *delivered;  /* by message: set of processes that have delivered it so far */
    uint32_t *rank;       /* by message: its place among those of its sender */
    struct past *pasts;   /* by message; causal only */
    struct past knows[P]; /* of each process now */
    uint32_t next[P][P];  /* of a process and a sender: the first message that is owed and not delivered */
};

static bool ordering_init(struct ordering *ordering, const struct observations *observations, bool causal,
                          struct heap *heap)
{
    ordering->observations = observations;
    ordering->heap = heap;
    if (!promise_messages_init(&ordering->messages, observations, heap))
        return false;
    size_t count = ordering->messages.count;
    ordering->delivered = heap_alloc_zero(heap, count * sizeof *ordering->delivered);
    ordering->rank = heap_alloc_zero(heap, count * sizeof *ordering->rank);
    ordering->pasts = causal ? heap_alloc(heap, count * sizeof *ordering->pasts) : NULL;
    return ordering->delivered != NULL && ordering->rank != NULL && (ordering->pasts != NULL || !causal);
}

static void ordering_free(struct ordering *ordering)
{
    for (uint32_t i = 0; i < P; i++)
        heap_free(ordering->heap, ordering->senders[i].messages);
    heap_free(ordering->heap, ordering->delivered);
    heap_free(ordering->heap, ordering->rank);
    heap_free(ordering->heap, ordering->pasts);
    promise_messages_free(&ordering->messages);
}

static bool append(struct ordering *ordering, struct sender *sender, uint32_t message)
{
    if (sender->count == sender->capacity) {
        uint32_t capacity = sender->capacity > 0 ? 2 * sender->capacity : 64;
        uint32_t *messages = heap_resize(ordering->heap, sender->messages, capacity * sizeof *messages);
        if (messages == NULL)
            return false;
        sender->messages = messages;
        sender->capacity = capacity;
    }
    ordering->rank[message] = sender->count;
    sender->messages[sender->count++] = message;
    return true;
}

static bool owed(const struct ordering *ordering, uint32_t message, uint32_t process)
{
    const struct observation *sent = &ordering->observations->list[ordering->messages.list[message].sent];
    return sent->second == 0 || sent->second == process;
}

/* The first message of a sender, of those before `end`, that the process is owed and has not delivered; or PROMISE_NO. */
static uint32_t first_missing(struct ordering *ordering, uint32_t process, uint32_t sender, uint32_t end)
{
    uint32_t *next = &ordering->next[process][sender];
    for (; *next < end; (*next)++) {
        uint32_t message = ordering->senders[sender].messages[*next];
        if (owed(ordering, message, process) && (ordering->delivered[message] >> process & 1) == 0)
            return message;
    }
    return PROMISE_NO;
}

static void report(struct ordering *ordering, const char *anomaly, uint32_t place, uint32_t missing,
                   struct verdict *out)
{
    const struct observation *seen = &ordering->observations->list[place];
    const struct promise_message *message = &ordering->messages.list[missing];
    promise_broken(out, ordering->heap, anomaly, (uint32_t[3]){message->sent, place, PROMISE_NO},
                   "process %u delivered message %llu without having delivered message %llu of process %u before it",
                   seen->process, (unsigned long long)seen->first, (unsigned long long)message->id, message->sender);
}

static void on_deliver(struct ordering *ordering, uint32_t place, bool causal, struct verdict *out)
{
    const struct observation *seen = &ordering->observations->list[place];
    uint32_t message = promise_message(&ordering->messages, seen->first);
    const struct promise_message *sent = &ordering->messages.list[message];
    if (sent->sent == PROMISE_NO || sent->sent > place)
        return; /* invented: reliable-delivery says so */
    uint32_t process = seen->process;
    ordering->delivered[message] |= UINT64_C(1) << process;
    for (uint32_t sender = 0; sender < P; sender++) {
        uint32_t end = causal ? ordering->pasts[message].known[sender] : 0;
        if (sender == sent->sender)
            end = ordering->rank[message];
        uint32_t missing = first_missing(ordering, process, sender, end);
        if (missing != PROMISE_NO)
            report(ordering, causal ? "causal order" : "FIFO order", place, missing, out);
        if (causal && ordering->knows[process].known[sender] < ordering->pasts[message].known[sender])
            ordering->knows[process].known[sender] = ordering->pasts[message].known[sender];
    }
}

static bool on_send(struct ordering *ordering, uint32_t place, bool causal)
{
    const struct observation *seen = &ordering->observations->list[place];
    uint32_t message = promise_message(&ordering->messages, seen->first);
    if (ordering->messages.list[message].sent != place)
        return true; /* the same once more */
    struct sender *sender = &ordering->senders[seen->process];
    if (!append(ordering, sender, message))
        return false;
    ordering->knows[seen->process].known[seen->process] = sender->count;
    if (causal)
        ordering->pasts[message] = ordering->knows[seen->process];
    return true;
}

static void check_order(const struct observations *observations, bool causal, struct heap *heap, struct verdict *out)
{
    struct ordering *ordering = heap_alloc_zero(heap, sizeof *ordering);
    if (ordering == NULL) {
        promise_unknown(out);
        return;
    }
    bool room = ordering_init(ordering, observations, causal, heap);
    for (uint32_t i = 0; room && i < observations->count && out->kind == VERDICT_OK; i++) {
        if (observations->list[i].kind == OBSERVED_SEND)
            room = on_send(ordering, i, causal);
        else if (observations->list[i].kind == OBSERVED_DELIVER)
            on_deliver(ordering, i, causal, out);
    }
    if (!room)
        promise_unknown(out);
    ordering_free(ordering);
    heap_free(heap, ordering);
}

void promise_check_fifo_order(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check_order(observations, false, heap, out);
}

void promise_check_causal_order(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check_order(observations, true, heap, out);
}

/* ---- total ---- */

/* Places of the first delivery of each message at one process; PROMISE_NO: none. */
static void places_at(const struct observations *observations, const struct promise_messages *messages,
                      uint32_t process, uint32_t *places)
{
    memset(places, 0xff, messages->count * sizeof *places);
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_DELIVER || seen->process != process)
            continue;
        uint32_t message = promise_message(messages, seen->first);
        if (places[message] == PROMISE_NO)
            places[message] = i;
    }
}

/* `process` delivered in its order what the other delivered at `places`: these must rise. */
static void check_pair(const struct observations *observations, const struct promise_messages *messages,
                       uint32_t process, uint32_t other, const uint32_t *places, struct heap *heap,
                       struct verdict *out)
{
    uint32_t latest = PROMISE_NO; /* place at the other of what this one delivered so far */
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_DELIVER || seen->process != process)
            continue;
        uint32_t place = places[promise_message(messages, seen->first)];
        if (place == PROMISE_NO)
            continue;
        if (latest != PROMISE_NO && place < latest) {
            promise_broken(out, heap, "total order", (uint32_t[3]){place, latest, i},
                           "process %u delivered message %llu before message %llu, and process %u the other way round",
                           other, (unsigned long long)seen->first,
                           (unsigned long long)observations->list[latest].first, process);
            return;
        }
        latest = place;
    }
}

void promise_check_total_order(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct promise_messages messages;
    uint32_t *places = NULL;
    if (promise_messages_init(&messages, observations, heap))
        places = heap_alloc(heap, (messages.count + 1) * sizeof *places);
    if (places == NULL)
        promise_unknown(out);
    for (uint32_t other = 0; places != NULL && other < P; other++) {
        if ((observations->processes >> other & 1) == 0)
            continue;
        places_at(observations, &messages, other, places);
        for (uint32_t process = 0; process < other && out->kind == VERDICT_OK; process++)
            if ((observations->processes >> process & 1) != 0)
                check_pair(observations, &messages, process, other, places, heap, out);
    }
    heap_free(heap, places);
    promise_messages_free(&messages);
}
