/* The event queue of the world: a binary heap in one growing array (Williams, "Algorithm 232: heapsort", CACM 1964).
 *
 * A run has some hundred entries waiting, so the array stays in the first-level cache and a calendar queue would gain
 * nothing. Entries are never cancelled: their owner recognises one that no longer applies when it comes up. */
#include "host/world/world_schedule.h"

#include "base/panic.h"

enum { CAPACITY_FIRST = 256, RANK_SHIFT = 62 };

void schedule_init(struct schedule *schedule, struct heap *heap)
{
    *schedule = (struct schedule){.heap = heap};
}

void schedule_free(struct schedule *schedule)
{
    heap_free(schedule->heap, schedule->entries);
    schedule_init(schedule, schedule->heap);
}

static bool earlier(const struct schedule_entry *a, const struct schedule_entry *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

static void grow(struct schedule *schedule)
{
    size_t capacity = schedule->capacity > 0 ? 2 * schedule->capacity : CAPACITY_FIRST;
    struct schedule_entry *entries =
        heap_resize(schedule->heap, schedule->entries, capacity * sizeof *schedule->entries);
    invariant(entries != NULL, "the world's region has room for its schedule");
    schedule->entries = entries;
    schedule->capacity = capacity;
}

void schedule_push(struct schedule *schedule, int64_t at_ns, uint32_t kind, uint32_t target, void *object)
{
    schedule_push_ranked(schedule, RANK_REST, at_ns, kind, target, object);
}

void schedule_push_ranked(struct schedule *schedule, enum schedule_rank rank, int64_t at_ns, uint32_t kind,
                          uint32_t target, void *object)
{
    if (schedule->count == schedule->capacity)
        grow(schedule);
    struct schedule_entry entry = {
        .at_ns = at_ns,
        .sequence = (uint64_t)rank << RANK_SHIFT | schedule->next_sequence++,
        .kind = kind,
        .target = target,
        .object = object,
    };
    size_t hole = schedule->count++;
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (!earlier(&entry, &schedule->entries[parent]))
            break;
        schedule->entries[hole] = schedule->entries[parent];
        hole = parent;
    }
    schedule->entries[hole] = entry;
}

bool schedule_pop(struct schedule *schedule, struct schedule_entry *out)
{
    if (schedule->count == 0)
        return false;
    struct schedule_entry *entries = schedule->entries;
    *out = entries[0];
    struct schedule_entry last = entries[--schedule->count];
    size_t hole = 0;
    for (size_t child = 1; child < schedule->count; child = 2 * hole + 1) {
        if (child + 1 < schedule->count && earlier(&entries[child + 1], &entries[child]))
            child++;
        if (!earlier(&entries[child], &last))
            break;
        entries[hole] = entries[child];
        hole = child;
    }
    if (schedule->count > 0)
        entries[hole] = last;
    return true;
}
