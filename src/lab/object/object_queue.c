/* Queues into which no value is put twice: near-linear.
 *
 * Henzinger, Sezgin and Vafeiadis, "Aspect-oriented linearizability proofs", CONCUR 2013, and Bouajjani, Emmi, Enea and
 * Hamza, "On reducing linearizability to state reachability", ICALP 2015: a history is that of a queue if and only if
 *
 *   - nothing is taken that was not put, or before its put began;
 *   - nothing is taken twice;
 *   - no value that was put wholly before another is taken wholly after it, or left when the other is taken;
 *   - a take that found nothing has a moment at which no value is certainly inside.
 *
 * (Emmi and Enea, "Sound, complete, and tractable linearizability monitoring for concurrent collections", POPL 2018,
 * draw from this that such histories are easy.) A value is certainly inside from the end of its put to the beginning of its
 * take. A take that found nothing is treated as a value of its own that is put and taken at that moment.
 *
 * The order of the values is made from the front: the next is one that no other has to precede, neither by its put nor
 * by its take. Such a one exists, because precedence of intervals has no two independent pairs: among the values
 * without a predecessor by puts there is one without a predecessor by takes. Each operation then comes as early as those before
 * it allow.
 *
 * Takes that may have happened could have removed any value that is left. When such values are the only obstacle, this
 * file has no answer. */
#include <string.h>

#include "lab/object/object_internal.h"

#define NOBODY UINT32_MAX

/* A value, or a take that found nothing. */
struct item {
    uint32_t put, take; /* operations; NOBODY */
    uint32_t put_from, put_to, take_from, take_to; /* places; take_from is RECORD_NEVER when it is left */
    bool empty;
};

struct queue {
    const struct object_part *part;
    struct special *out;
    struct item *items;
    uint32_t count, places;
    bool open_takes, leave_out; /* leave_out: values that are left may be gone */
    uint32_t *work;             /* places + 1, four times */
};

static uint32_t value_of(const struct object_operation *operation)
{
    return operation->function == OBJECT_PUT ? operation->argument : operation->answer;
}

static enum special_end put_item(struct queue *queue, uint32_t at, uint32_t *number)
{
    if (*number != 0 && queue->items[*number - 1].put != NOBODY)
        return SPECIAL_NONE;
    if (*number == 0) {
        queue->items[queue->count++] = (struct item){.put = NOBODY, .take = NOBODY};
        *number = queue->count;
    }
    queue->items[*number - 1].put = at;
    return SPECIAL_LEGAL;
}

static enum special_end take_item(struct queue *queue, uint32_t at, uint32_t *number)
{
    if (*number != 0 && queue->items[*number - 1].take != NOBODY) {
        const struct item *item = &queue->items[*number - 1];
        return object_culprits(queue->out, (uint32_t[]){item->put, item->take, at}, 3);
    }
    if (*number == 0) {
        queue->items[queue->count++] = (struct item){.put = NOBODY, .take = NOBODY};
        *number = queue->count;
    }
    queue->items[*number - 1].take = at;
    return SPECIAL_LEGAL;
}

/* Pairs puts and takes. Puts first, so that a value that is put twice is noticed before anything else. */
static enum special_end pair(struct queue *queue)
{
    const struct object_part *part = queue->part;
    uint32_t *numbers = part->objects->scratch, puts = 0;
    enum special_end end = SPECIAL_LEGAL;
    for (uint32_t at = 0; at < part->count && end == SPECIAL_LEGAL; at++) {
        if (part->operations[at].certainty == OBJECT_RELAXED)
            end = SPECIAL_NONE;
        else if (part->operations[at].function == OBJECT_PUT)
            end = put_item(queue, at, &numbers[value_of(&part->operations[at])]);
    }
    puts = queue->count;
    for (uint32_t at = 0; at < part->count && end == SPECIAL_LEGAL; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->function != OBJECT_TAKE)
            continue;
        queue->open_takes = queue->open_takes || operation->certainty == OBJECT_OPEN;
        if (operation->certainty == OBJECT_HAPPENED && operation->answer != VALUE_NONE)
            end = take_item(queue, at, &numbers[operation->answer]);
    }
    for (uint32_t at = 0; at < part->count; at++)
        if (value_of(&part->operations[at]) != VALUE_NONE)
            numbers[value_of(&part->operations[at])] = 0;
    if (end == SPECIAL_LEGAL && puts < queue->count)
        return object_culprits(queue->out, &queue->items[puts].take, 1);
    return end;
}

/* Works out the items' intervals, and drops those that need not have happened. */
static enum special_end intervals(struct queue *queue)
{
    const struct object_operation *operations = queue->part->operations;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < queue->count; at++) {
        struct item item = queue->items[at];
        const struct object_operation *put = &operations[item.put];
        item.put_from = put->invoked;
        item.put_to = put->certainty == OBJECT_HAPPENED ? put->completed : RECORD_NEVER;
        item.take_from = item.take_to = RECORD_NEVER;
        if (item.take == NOBODY) {
            if (put->certainty == OBJECT_HAPPENED && !queue->leave_out)
                queue->items[kept++] = item;
            continue;
        }
        const struct object_operation *take = &operations[item.take];
        item.take_from = take->invoked > item.put_from ? take->invoked : item.put_from;
        item.take_to = take->completed;
        if (item.put_to > item.take_to)
            item.put_to = item.take_to;
        if (put->certainty == OBJECT_FAILED || put->invoked > take->completed)
            return object_culprits(queue->out, (uint32_t[]){item.put, item.take}, 2);
        queue->items[kept++] = item;
    }
    queue->count = kept;
    return SPECIAL_LEGAL;
}

/* For each place from which an item's put begins or ends: the item + 1. */
static void index_puts(const struct queue *queue, uint32_t *begins, uint32_t *ends)
{
    memset(begins, 0, (size_t)queue->places * sizeof *begins);
    memset(ends, 0, (size_t)queue->places * sizeof *ends);
    for (uint32_t at = 0; at < queue->count; at++) {
        begins[queue->items[at].put_from] = at + 1;
        if (queue->items[at].put_to != RECORD_NEVER)
            ends[queue->items[at].put_to] = at + 1;
    }
}

/* Looks for a value that was put before another and taken after it: going by time, of those whose put has ended the one
 * whose take begins latest is remembered. */
static enum special_end check_order(struct queue *queue)
{
    uint32_t *begins = queue->work, *ends = begins + queue->places, latest = NOBODY;
    index_puts(queue, begins, ends);
    for (uint32_t place = 0; place < queue->places; place++) {
        if (ends[place] != 0) {
            uint32_t at = ends[place] - 1;
            if (latest == NOBODY || queue->items[at].take_from > queue->items[latest].take_from)
                latest = at;
        }
        if (begins[place] == 0 || latest == NOBODY)
            continue;
        const struct item *before = &queue->items[latest], *item = &queue->items[begins[place] - 1];
        if (item->take_to < before->take_from)
            return object_culprits(queue->out, (uint32_t[]){before->put, before->take, item->put, item->take}, 4);
    }
    return SPECIAL_LEGAL;
}

/* Marks the places between which some value is certainly inside: covered[p] is how many are inside just after p. */
static void cover(const struct queue *queue, uint32_t *covered)
{
    memset(covered, 0, ((size_t)queue->places + 1) * sizeof *covered);
    for (uint32_t at = 0; at < queue->count; at++) {
        const struct item *item = &queue->items[at];
        if (item->put_to == RECORD_NEVER || item->put_to >= item->take_from)
            continue;
        covered[item->put_to]++;
        if (item->take_from != RECORD_NEVER)
            covered[item->take_from]--; /* wraps, and the sum unwraps */
    }
    for (uint32_t place = 1; place < queue->places; place++)
        covered[place] += covered[place - 1];
}

/* Adds the takes that found nothing, each at a moment just after a place: the earliest at which nothing is certain to
 * be inside. When there is none, the culprits are too many to name here, so the search has to. */
static enum special_end add_empty(struct queue *queue)
{
    const struct object_part *part = queue->part;
    uint32_t *covered = queue->work, *free_at = covered + queue->places + 1;
    uint32_t next = RECORD_NEVER;
    cover(queue, covered);
    for (uint32_t place = queue->places; place-- > 0;) {
        if (covered[place] == 0)
            next = place;
        free_at[place] = next;
    }
    for (uint32_t at = 0; at < part->count; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->function != OBJECT_TAKE || operation->certainty != OBJECT_HAPPENED ||
            operation->answer != VALUE_NONE)
            continue;
        uint32_t place = free_at[operation->invoked];
        if (place >= operation->completed)
            return SPECIAL_ILLEGAL;
        queue->items[queue->count++] = (struct item){.put = NOBODY,
                                                     .take = at,
                                                     .put_from = place,
                                                     .put_to = place,
                                                     .take_from = place,
                                                     .take_to = place,
                                                     .empty = true};
    }
    return SPECIAL_LEGAL;
}

/* ---- the order of the items ---- */

/* One of the two precedences: items by the beginnings and by the ends of their intervals. */
struct precedence {
    uint32_t *begins, *ends; /* items, sorted */
    uint32_t begin, end;     /* how far: `begins` that are free, `ends` that are out */
};

/* Sorts items by a key below `limit`, stably, by counting; keys of RECORD_NEVER come last. */
static void sort_by(const struct queue *queue, size_t offset, uint32_t *out, uint32_t *counts)
{
    uint32_t limit = queue->places + 1;
    memset(counts, 0, ((size_t)limit + 1) * sizeof *counts);
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t at = 0; at < queue->count; at++) {
            uint32_t key;
            memcpy(&key, (const uint8_t *)&queue->items[at] + offset, sizeof key);
            key = key < queue->places ? key : queue->places;
            if (pass == 0)
                counts[key + 1]++;
            else
                out[counts[key]++] = at;
            if (pass == 0 && at + 1 == queue->count)
                for (uint32_t place = 1; place <= limit; place++)
                    counts[place] += counts[place - 1];
        }
}

/* Whether b's interval lies wholly behind the end of a's; moments of empty takes lie just after their place. */
static bool wholly_before(uint32_t a_to, bool a_empty, uint32_t b_from, bool b_empty)
{
    if (a_to == RECORD_NEVER)
        return false;
    if (a_to == b_from)
        return !a_empty && b_empty;
    return a_to < b_from;
}

/* Frees the items that no item left precedes; notes those that both precedences have freed. */
static void free_items(const struct queue *queue, struct precedence *by, bool takes, const bool *out, uint8_t *freed,
                       uint32_t *ready, uint32_t *ready_count)
{
    const struct item *items = queue->items;
    while (by->end < queue->count && out[by->ends[by->end]])
        by->end++;
    if (by->end == queue->count)
        return;
    const struct item *first = &items[by->ends[by->end]];
    uint32_t to = takes ? first->take_to : first->put_to;
    while (by->begin < queue->count) {
        const struct item *item = &items[by->begins[by->begin]];
        if (wholly_before(to, first->empty, takes ? item->take_from : item->put_from, item->empty))
            break;
        if (++freed[by->begins[by->begin]] == 2)
            ready[(*ready_count)++] = by->begins[by->begin];
        by->begin++;
    }
}

/* Sorts the items into a queue's order. False when there is none. */
static bool sort_items(const struct queue *queue, uint32_t *sorted, uint32_t *room, bool *out, uint8_t *freed)
{
    uint32_t n = queue->count, *counts = queue->work, ready_count = 0, done = 0;
    struct precedence puts = {.begins = room, .ends = room + n}, takes = {.begins = room + 2 * n, .ends = room + 3 * n};
    uint32_t *ready = room + 4 * (size_t)n;
    sort_by(queue, offsetof(struct item, put_from), puts.begins, counts);
    sort_by(queue, offsetof(struct item, put_to), puts.ends, counts);
    sort_by(queue, offsetof(struct item, take_from), takes.begins, counts);
    sort_by(queue, offsetof(struct item, take_to), takes.ends, counts);
    while (done < n) {
        free_items(queue, &puts, false, out, freed, ready, &ready_count);
        free_items(queue, &takes, true, out, freed, ready, &ready_count);
        if (ready_count == 0)
            return false;
        uint32_t item = ready[--ready_count];
        out[item] = true;
        sorted[done++] = item;
    }
    return true;
}

/* Gives each put and take the earliest moment that the items before it allow, and merges the two sequences. Moments are
 * doubled places; an empty take's is between two places. */
static void write_order(const struct queue *queue, const uint32_t *sorted, uint64_t *put_at, uint64_t *take_at)
{
    const struct item *items = queue->items;
    uint64_t put = 0, taken = 0;
    for (uint32_t at = 0; at < queue->count; at++) {
        const struct item *item = &items[sorted[at]];
        uint64_t from = 2 * (uint64_t)item->put_from + item->empty;
        uint64_t take_from = 2 * (uint64_t)item->take_from + item->empty;
        put = put > from ? put : from;
        taken = taken > take_from ? taken : take_from;
        taken = taken > put ? taken : put;
        put_at[at] = put;
        take_at[at] = taken;
    }
    uint32_t *order = queue->out->order, count = 0, next_put = 0;
    for (uint32_t next_take = 0; next_take < queue->count; next_take++) {
        while (next_put < queue->count && !items[sorted[next_put]].empty &&
               (next_put <= next_take || put_at[next_put] <= take_at[next_take]))
            order[count++] = items[sorted[next_put++]].put;
        const struct item *item = &items[sorted[next_take]];
        if (item->take != NOBODY)
            order[count++] = item->take;
        if (item->empty)
            next_put++;
    }
    queue->out->order_count = count;
}

static enum special_end find_order(const struct queue *queue)
{
    struct heap *heap = queue->part->objects->heap;
    size_t n = (size_t)queue->count + 1;
    uint32_t *room = heap_alloc(heap, 6 * n * sizeof *room);
    uint64_t *moments = heap_alloc(heap, 2 * n * sizeof *moments);
    bool *out = heap_alloc_zero(heap, n * sizeof *out);
    uint8_t *freed = heap_alloc_zero(heap, n);
    enum special_end end = SPECIAL_MEMORY;
    if (room != NULL && moments != NULL && out != NULL && freed != NULL) {
        end = sort_items(queue, room, room + n, out, freed) ? SPECIAL_LEGAL : SPECIAL_NONE;
        if (end == SPECIAL_LEGAL)
            write_order(queue, room, moments, moments + n);
    }
    heap_free(heap, room);
    heap_free(heap, moments);
    heap_free(heap, out);
    heap_free(heap, freed);
    return end;
}

static enum special_end decide(struct queue *queue)
{
    queue->count = 0;
    enum special_end end = pair(queue);
    if (end == SPECIAL_LEGAL)
        end = intervals(queue);
    if (end == SPECIAL_LEGAL)
        end = check_order(queue);
    if (end == SPECIAL_LEGAL)
        end = add_empty(queue);
    if (end != SPECIAL_LEGAL || queue->leave_out)
        return end;
    return find_order(queue);
}

enum special_end special_queue(const struct object_part *part, struct special *out)
{
    struct heap *heap = part->objects->heap;
    struct queue queue = {.part = part, .out = out, .places = 2 * part->count + 1};
    out->culprit_count = 0;
    queue.items = heap_alloc(heap, ((size_t)part->count + 1) * sizeof *queue.items);
    queue.work = heap_alloc(heap, 4 * ((size_t)queue.places + 2) * sizeof *queue.work);
    enum special_end end = SPECIAL_MEMORY;
    if (queue.items != NULL && queue.work != NULL)
        end = decide(&queue);
    if (end == SPECIAL_ILLEGAL && queue.open_takes) {
        /* Open takes may have removed what is left: is it wrong without that as well? */
        queue.leave_out = true;
        end = decide(&queue);
        if (end == SPECIAL_LEGAL)
            end = SPECIAL_NONE;
    }
    heap_free(heap, queue.items);
    heap_free(heap, queue.work);
    return end;
}
