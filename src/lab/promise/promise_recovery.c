/* Rollback recovery: consistent cuts, recovery lines, orphans.
 *
 * A line names one checkpoint of some processes; those that it does not name stay where they are when it is claimed. A
 * cut is the set of places at which the processes are cut; it is consistent when no message that was received before
 * its receiver's cut was sent after its sender's. */
#include <string.h>

#include "lab/promise/promise_internal.h"

enum { P = PROMISE_PROCESSES_MAX };

struct cut {
    uint32_t at[P]; /* place: what comes before it is kept */
};

/* Place of the checkpoint with that number of a process, of those before `end`; the youngest if there are several; 0 for
 * its beginning; PROMISE_NO when it never took it. */
static uint32_t checkpoint_place(const struct observations *all, uint32_t process, uint64_t number, uint32_t end)
{
    for (uint32_t i = end; i-- > 0;) {
        const struct observation *seen = &all->list[i];
        if (seen->kind == OBSERVED_CHECKPOINT && seen->process == process && seen->first == number)
            return i;
    }
    return number == 0 ? 0 : PROMISE_NO;
}

/* The cut of the line that is claimed from `begin` on. `*end` is where the run was then. False: a checkpoint is missing. */
static bool cut_of(const struct observations *all, uint32_t begin, struct cut *cut, uint64_t *named, struct heap *heap,
                   struct verdict *out)
{
    uint64_t line = all->list[begin].second;
    *named = 0;
    for (uint32_t p = 0; p < P; p++)
        cut->at[p] = begin;
    for (uint32_t i = begin; i < all->count; i++) {
        const struct observation *seen = &all->list[i];
        if (seen->kind != OBSERVED_LINE || seen->second != line)
            continue;
        uint32_t place = checkpoint_place(all, seen->process, seen->first, begin);
        if (place == PROMISE_NO) {
            promise_broken(out, heap, "no such checkpoint", (uint32_t[3]){i, PROMISE_NO, PROMISE_NO},
                           "line %llu takes checkpoint %llu of process %u, which it never took",
                           (unsigned long long)line, (unsigned long long)seen->first, seen->process);
            return false;
        }
        cut->at[seen->process] = place;
        *named |= UINT64_C(1) << seen->process;
    }
    return true;
}

/* True when the observation at `i` receives a message. A protocol that does not tell receipts apart only delivers. */
static bool receives(const struct observations *all, uint32_t i, bool has_receipts)
{
    return all->list[i].kind == (has_receipts ? OBSERVED_RECEIVE : OBSERVED_DELIVER);
}

static bool has_receipts(const struct observations *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (all->list[i].kind == OBSERVED_RECEIVE)
            return true;
    return false;
}

/* Place of the first receipt that breaks the cut, or PROMISE_NO. */
static uint32_t first_orphan(const struct observations *all, const struct promise_messages *messages,
                             const struct cut *cut, uint32_t end)
{
    bool receipts = has_receipts(all);
    for (uint32_t i = 0; i < end; i++) {
        if (!receives(all, i, receipts) || i >= cut->at[all->list[i].process])
            continue;
        const struct promise_message *message = &messages->list[promise_message(messages, all->list[i].first)];
        if (message->sent == PROMISE_NO || message->sent >= cut->at[message->sender])
            return i;
    }
    return PROMISE_NO;
}

static void report_orphan(const struct observations *all, const struct promise_messages *messages, uint32_t place,
                          uint64_t line, struct heap *heap, struct verdict *out)
{
    const struct observation *seen = &all->list[place];
    const struct promise_message *message = &messages->list[promise_message(messages, seen->first)];
    promise_broken(out, heap, "orphan message", (uint32_t[3]){message->sent, place, PROMISE_NO},
                   "line %llu keeps that process %u received message %llu, and not that it was sent",
                   (unsigned long long)line, seen->process, (unsigned long long)seen->first);
}

/* Calls `judge` once for each line. */
static void each_line(const struct observations *all, struct heap *heap, struct verdict *out,
                      void (*judge)(const struct observations *all, const struct promise_messages *messages,
                                    uint32_t begin, struct heap *heap, struct verdict *out))
{
    struct promise_messages messages;
    struct promise_map lines;
    promise_map_init(&lines, heap);
    bool room = promise_messages_init(&messages, all, heap);
    for (uint32_t i = 0; room && i < all->count && out->kind == VERDICT_OK; i++) {
        if (all->list[i].kind != OBSERVED_LINE)
            continue;
        uint32_t *known = promise_map_get(&lines, all->list[i].second);
        room = known != NULL;
        if (!room || *known != PROMISE_NO)
            continue;
        *known = i;
        judge(all, &messages, i, heap, out);
    }
    if (!room)
        promise_unknown(out);
    promise_map_free(&lines);
    promise_messages_free(&messages);
}

static void judge_cut(const struct observations *all, const struct promise_messages *messages, uint32_t begin,
                      struct heap *heap, struct verdict *out)
{
    struct cut cut;
    uint64_t named;
    if (!cut_of(all, begin, &cut, &named, heap, out))
        return;
    uint32_t orphan = first_orphan(all, messages, &cut, begin);
    if (orphan != PROMISE_NO)
        report_orphan(all, messages, orphan, all->list[begin].second, heap, out);
}

void promise_check_consistent_cut(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    each_line(observations, heap, out, judge_cut);
}

/* ---- recovery lines ---- */

/* Place of the youngest checkpoint of a process before `end`; 0: its beginning. */
static uint32_t youngest_before(const struct observations *all, uint32_t process, uint32_t end)
{
    for (uint32_t i = end; i-- > 0;)
        if (all->list[i].kind == OBSERVED_CHECKPOINT && all->list[i].process == process)
            return i;
    return 0;
}

/* Rollback propagation (Elnozahy and others, section 2.2): whoever crashed falls back to its youngest checkpoint, then
 * the receiver of each orphan message to the one before the receipt, until there are none. That is the youngest line. */
static void youngest_line(const struct observations *all, const struct promise_messages *messages, uint32_t end,
                          struct cut *cut)
{
    uint64_t up = all->processes;
    for (uint32_t p = 0; p < P; p++)
        cut->at[p] = end;
    for (uint32_t i = 0; i < end; i++)
        if (all->list[i].kind == OBSERVED_CRASH)
            up &= ~(UINT64_C(1) << all->list[i].process);
        else if (all->list[i].kind == OBSERVED_RESTART)
            up |= UINT64_C(1) << all->list[i].process;
    for (uint32_t p = 0; p < P; p++)
        if ((all->processes >> p & 1) != 0 && (up >> p & 1) == 0)
            cut->at[p] = youngest_before(all, p, end);
    for (uint32_t orphan; (orphan = first_orphan(all, messages, cut, end)) != PROMISE_NO;) {
        uint32_t process = all->list[orphan].process;
        cut->at[process] = youngest_before(all, process, orphan);
    }
}

static void judge_line(const struct observations *all, const struct promise_messages *messages, uint32_t begin,
                       struct heap *heap, struct verdict *out)
{
    struct cut cut, best;
    uint64_t named;
    judge_cut(all, messages, begin, heap, out);
    if (out->kind != VERDICT_OK || !cut_of(all, begin, &cut, &named, heap, out))
        return;
    youngest_line(all, messages, begin, &best);
    for (uint32_t p = 0; p < P; p++)
        if ((all->processes >> p & 1) != 0 && cut.at[p] < best.at[p])
            promise_broken(out, heap, "rolled back too far", (uint32_t[3]){begin, PROMISE_NO, PROMISE_NO},
                           "line %llu takes process %u back further than is needed for consistency",
                           (unsigned long long)all->list[begin].second, p);
}

void promise_check_recovery_line(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    each_line(observations, heap, out, judge_line);
}

/* ---- orphans ---- */

/* How many deliveries of each process a state depends on. */
struct past {
    uint32_t of[P];
};

struct delivery_event {
    uint32_t process, number; /* the process's number-th delivery, from 1 */
    uint32_t place;
    uint64_t holders;  /* processes that hold its determinant; its own at first */
    bool stable;
    struct past past;  /* of the state after it */
};

struct tracing {
    const struct observations *all;
    struct heap *heap;
    struct promise_messages messages;
    struct delivery_event *events;
    uint32_t event_count, event_capacity;
    struct past now[P];
    struct past *sent;   /* by message: of the sender's state */
    uint32_t count[P];   /* deliveries of each process that its present state contains */
    uint64_t down;
};

static void merge(struct past *into, const struct past *from)
{
    for (uint32_t p = 0; p < P; p++)
        if (into->of[p] < from->of[p])
            into->of[p] = from->of[p];
}

static bool on_deliver(struct tracing *tracing, uint32_t place)
{
    const struct observation *seen = &tracing->all->list[place];
    if (tracing->event_count == tracing->event_capacity) {
        uint32_t capacity = tracing->event_capacity > 0 ? 2 * tracing->event_capacity : 64;
        struct delivery_event *events = heap_resize(tracing->heap, tracing->events, capacity * sizeof *events);
        if (events == NULL)
            return false;
        tracing->events = events;
        tracing->event_capacity = capacity;
    }
    struct past *now = &tracing->now[seen->process];
    merge(now, &tracing->sent[promise_message(&tracing->messages, seen->first)]);
    now->of[seen->process] = ++tracing->count[seen->process];
    tracing->events[tracing->event_count++] = (struct delivery_event){
        .process = seen->process,
        .number = tracing->count[seen->process],
        .place = place,
        .holders = UINT64_C(1) << seen->process,
        .past = *now,
    };
    return true;
}

/* The determinant of the youngest delivery of that message is held by one more, or is stable. */
static void on_logged(struct tracing *tracing, const struct observation *seen)
{
    for (uint32_t i = tracing->event_count; i-- > 0;) {
        struct delivery_event *event = &tracing->events[i];
        if (event->process != seen->process || tracing->all->list[event->place].first != seen->first)
            continue;
        if (seen->second == 0)
            event->stable = true;
        else if (seen->second < P)
            event->holders |= UINT64_C(1) << seen->second;
        return;
    }
}

/* What crashes takes the determinants that it held with it. */
static void on_crash(struct tracing *tracing, uint32_t process)
{
    tracing->down |= UINT64_C(1) << process;
    for (uint32_t i = 0; i < tracing->event_count; i++)
        if (!tracing->events[i].stable)
            tracing->events[i].holders &= ~(UINT64_C(1) << process);
}

/* The first delivery of a process, of those that its last state contained, that nobody remembers; NULL: none. */
static struct delivery_event *first_lost(struct tracing *tracing, uint32_t process)
{
    for (uint32_t i = 0; i < tracing->event_count; i++) {
        struct delivery_event *event = &tracing->events[i];
        bool kept = event->stable || event->holders != 0;
        if (event->process == process && event->number <= tracing->count[process] && !kept)
            return event;
    }
    return NULL;
}

/* Recovery of a process is over: it has replayed what is remembered, and nobody may depend on more. */
static void on_recovered(struct tracing *tracing, uint32_t process, struct verdict *out)
{
    struct delivery_event *lost = first_lost(tracing, process);
    uint32_t kept = lost != NULL ? lost->number - 1 : tracing->count[process];
    for (uint32_t other = 0; lost != NULL && other < P; other++)
        if (other != process && (tracing->down >> other & 1) == 0 && tracing->now[other].of[process] > kept)
            promise_broken(out, tracing->heap, "orphan process", (uint32_t[3]){lost->place, PROMISE_NO, PROMISE_NO},
                           "process %u depends on the delivery of message %llu at process %u, which nobody remembers",
                           other, (unsigned long long)tracing->all->list[lost->place].first, process);
    tracing->count[process] = kept;
    struct past past = {0};
    for (uint32_t i = 0; i < tracing->event_count; i++) {
        struct delivery_event *event = &tracing->events[i];
        if (event->process != process)
            continue;
        if (event->number > kept) {
            event->number = UINT32_MAX; /* it never was */
            continue;
        }
        past = event->past;
        event->holders |= UINT64_C(1) << process; /* replayed, it is remembered again */
    }
    tracing->now[process] = past;
}

static bool trace_step(struct tracing *tracing, uint32_t place, struct verdict *out)
{
    const struct observation *seen = &tracing->all->list[place];
    switch (seen->kind) {
    case OBSERVED_SEND: {
        uint32_t message = promise_message(&tracing->messages, seen->first);
        tracing->sent[message] = tracing->now[seen->process];
        return true;
    }
    case OBSERVED_DELIVER:
        return on_deliver(tracing, place);
    case OBSERVED_LOGGED:
        on_logged(tracing, seen);
        return true;
    case OBSERVED_CRASH:
        on_crash(tracing, seen->process);
        return true;
    case OBSERVED_RESTART:
        tracing->down &= ~(UINT64_C(1) << seen->process);
        on_recovered(tracing, seen->process, out);
        return true;
    default:
        return true;
    }
}

void promise_check_orphan_freedom(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    struct tracing *tracing = heap_alloc_zero(heap, sizeof *tracing);
    bool room = tracing != NULL;
    if (room) {
        tracing->all = observations;
        tracing->heap = heap;
        room = promise_messages_init(&tracing->messages, observations, heap);
        tracing->sent = heap_alloc_zero(heap, (tracing->messages.count + 1) * sizeof *tracing->sent);
        room = room && tracing->sent != NULL;
    }
    for (uint32_t i = 0; room && i < observations->count && out->kind == VERDICT_OK; i++)
        room = trace_step(tracing, i, out);
    for (uint32_t p = 0; room && p < P; p++) /* whoever never came back is mourned at the end */
        if ((tracing->down >> p & 1) != 0)
            on_recovered(tracing, p, out);
    if (!room)
        promise_unknown(out);
    if (tracing != NULL) {
        heap_free(heap, tracing->events);
        heap_free(heap, tracing->sent);
        promise_messages_free(&tracing->messages);
    }
    heap_free(heap, tracing);
}
