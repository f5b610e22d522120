/* Where each record of each group lies: a ring of 16-byte entries for each group, indexed by position. Groups are kept
 * in the order of their ids, so that walking them is repeatable. */
#include "base/panic.h"
#include "storage/wal_internal.h"

/* Place of the group in the table, or where it would be inserted. */
static size_t group_place(const struct wal *wal, uint32_t group)
{
    size_t low = 0, high = wal->group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (wal->groups[middle]->group < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct wal_group *wal_group_find(const struct wal *wal, uint32_t group)
{
    if (wal->group_last != NULL && wal->group_last->group == group)
        return wal->group_last;
    size_t place = group_place(wal, group);
    if (place == wal->group_count || wal->groups[place]->group != group)
        return NULL;
    return wal->groups[place];
}

struct wal_group *wal_group_get(struct wal *wal, uint32_t group)
{
    struct wal_group *found = wal_group_find(wal, group);
    if (found == NULL) {
        if (!wal_grow(wal->heap, (void **)&wal->groups, wal->group_count, &wal->group_size,
                      sizeof(struct wal_group *)))
            return NULL;
        found = heap_alloc_zero(wal->heap, sizeof *found);
        if (found == NULL)
            return NULL;
        found->group = group;
        found->first = found->next = 1;
        size_t place = group_place(wal, group);
        memmove(&wal->groups[place + 1], &wal->groups[place],
                (wal->group_count - place) * sizeof(struct wal_group *));
        wal->groups[place] = found;
        wal->group_count++;
    }
    wal->group_last = found;
    return found;
}

bool wal_index_reserve(struct wal *wal, struct wal_group *group)
{
    uint64_t count = group->next - group->first;
    if (count < group->ring_size)
        return true;
    uint64_t larger = group->ring_size == 0 ? 16 : group->ring_size * 2;
    struct wal_entry *ring = heap_alloc(wal->heap, (size_t)larger * sizeof *ring);
    if (ring == NULL)
        return false;
    for (uint64_t position = group->first; position < group->next; position++)
        ring[position & (larger - 1)] = group->ring[position & (group->ring_size - 1)];
    heap_free(wal->heap, group->ring);
    group->ring = ring;
    group->ring_size = larger;
    return true;
}

void wal_index_push(struct wal_group *group, struct wal_entry entry)
{
    invariant(group->next - group->first < group->ring_size, "room for the entry was made before");
    group->ring[group->next & (group->ring_size - 1)] = entry;
    group->next++;
}

const struct wal_entry *wal_index_at(const struct wal_group *group, uint64_t position)
{
    if (position < group->first || position >= group->next)
        return NULL;
    return &group->ring[position & (group->ring_size - 1)];
}

/* A ring that is mostly empty after a release is given back; a new one grows as needed. */
static void ring_shrink(struct wal *wal, struct wal_group *group)
{
    if (group->first == group->next && group->ring_size > 1024) {
        heap_free(wal->heap, group->ring);
        group->ring = NULL;
        group->ring_size = 0;
    }
}

void wal_index_release(struct wal *wal, struct wal_group *group, uint64_t position)
{
    struct wal_segment *segment = NULL;
    if (position > group->next)
        position = group->next;
    while (group->first < position) {
        uint32_t number = group->ring[group->first & (group->ring_size - 1)].segment;
        if (segment == NULL || segment->number != number)
            segment = wal_segment_find(wal, number);
        invariant(segment != NULL && segment->live > 0, "an entry's segment is held and counts it");
        segment->live--;
        group->first++;
    }
    ring_shrink(wal, group);
}

void wal_groups_sweep(struct wal *wal)
{
    size_t kept = 0;
    for (size_t i = 0; i < wal->group_count; i++) {
        struct wal_group *group = wal->groups[i];
        if (!group->forgotten || group->stored + 1 != group->next) {
            wal->groups[kept++] = group;
            continue;
        }
        if (wal->group_last == group)
            wal->group_last = NULL;
        heap_free(wal->heap, group->ring);
        heap_free(wal->heap, group);
    }
    wal->group_count = kept;
}

void wal_groups_free(struct wal *wal)
{
    for (size_t i = 0; i < wal->group_count; i++) {
        heap_free(wal->heap, wal->groups[i]->ring);
        heap_free(wal->heap, wal->groups[i]);
    }
    heap_free(wal->heap, wal->groups);
}
