/* The in-memory index of the log (raft_log.h). */
#include "protocol/consensus/raft_log.h"

#include "base/panic.h"

uint64_t raft_log_capacity(uint32_t entries_max)
{
    uint64_t capacity = 16;
    while (capacity < entries_max)
        capacity *= 2;
    return capacity;
}

void raft_log_init(struct raft_log *log, struct raft_slot *ring, uint64_t capacity)
{
    invariant((capacity & (capacity - 1)) == 0, "the ring's size is a power of two");
    *log = (struct raft_log){.ring = ring, .mask = capacity - 1};
}

/* The first ordinal in [head, tail) whose entry ends at or after `index`, or the tail. */
static uint64_t first_ending_from(const struct raft_log *log, uint64_t index)
{
    uint64_t low = log->head, high = log->tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (raft_slot_last(raft_log_at(log, middle)) < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool raft_log_find(const struct raft_log *log, uint64_t index, uint64_t *ordinal)
{
    if (index <= log->base_index || index > raft_log_last_index(log))
        return false;
    *ordinal = first_ending_from(log, index);
    return true;
}

bool raft_log_after(const struct raft_log *log, uint64_t index, uint64_t *ordinal)
{
    if (index == raft_log_last_index(log)) {
        *ordinal = log->tail;
        return true;
    }
    if (index == log->base_index) {
        *ordinal = log->head;
        return true;
    }
    if (index < log->base_index || index > raft_log_last_index(log))
        return false;
    uint64_t found = first_ending_from(log, index);
    *ordinal = found + 1;
    return raft_slot_last(raft_log_at(log, found)) == index;
}

uint64_t raft_log_after_term(const struct raft_log *log, uint64_t index, uint64_t term)
{
    uint64_t low = log->head, high = log->tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct raft_slot *slot = raft_log_at(log, middle);
        if (raft_slot_last(slot) <= index && slot->term <= term)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void raft_log_append(struct raft_log *log, const struct raft_slot *slot)
{
    invariant(raft_log_room(log) > 0, "the log's table has room for an entry that is appended");
    invariant(slot->count > 0 && slot->index == raft_log_last_index(log) + 1, "an appended entry follows the last");
    *raft_log_at(log, log->tail++) = *slot;
}

void raft_log_truncate(struct raft_log *log, uint64_t ordinal)
{
    invariant(ordinal >= log->head && ordinal <= log->tail, "the log is cut inside itself");
    log->tail = ordinal;
    if (log->stored > ordinal)
        log->stored = ordinal;
    if (log->checked > ordinal)
        log->checked = ordinal;
}

void raft_log_evict(struct raft_log *log, uint64_t ordinal)
{
    invariant(ordinal >= log->head && ordinal <= log->tail, "the log is shortened inside itself");
    if (ordinal == log->head)
        return;
    const struct raft_slot *last = raft_log_at(log, ordinal - 1);
    log->base_index = raft_slot_last(last);
    log->base_term = last->term;
    log->base_time_ns = last->time_ns;
    log->head = ordinal;
    if (log->stored < ordinal)
        log->stored = ordinal;
    if (log->checked < ordinal)
        log->checked = ordinal;
}

void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term, int64_t time_ns)
{
    log->head = log->stored = log->checked = log->tail;
    log->base_index = index;
    log->base_term = term;
    log->base_time_ns = time_ns;
}

uint64_t raft_log_stored(struct raft_log *log, uint64_t position)
{
    while (log->stored < log->tail && raft_log_at(log, log->stored)->position <= position)
        log->stored++;
    return raft_log_before_index(log, log->stored);
}

const char *raft_log_check(struct raft_log *log)
{
    if (log->head > log->tail || raft_log_count(log) > log->mask + 1)
        return "RAFT-LOG the table's ends are wrong";
    if (log->stored < log->head || log->stored > log->tail || log->checked < log->head || log->checked > log->tail)
        return "RAFT-LOG the marks lie outside the table";
    for (; log->checked < log->tail; log->checked++) {
        const struct raft_slot *slot = raft_log_at(log, log->checked);
        if (slot->count == 0 || slot->index != raft_log_before_index(log, log->checked) + 1)
            return "RAFT-LOG indices are not contiguous";
        if (slot->term < raft_log_before_term(log, log->checked))
            return "RAFT-LOG terms fall along the log";
        if (log->checked > log->head && slot->position <= raft_log_at(log, log->checked - 1)->position)
            return "RAFT-LOG positions do not rise along the log";
    }
    return NULL;
}
