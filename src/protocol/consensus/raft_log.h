/* The index of Raft's log in memory: where each entry is, not what it says.
 *
 * A ring of fixed size. Entries have *ordinals* that count them; a leader's ordinals never change their meaning, which
 * makes "the next entry for this follower" a number that needs no look-up. Looking up an index is a binary search,
 * with the last entry tried first, since that is nearly always the one meant.
 *
 * Invariants: indices are contiguous; terms and positions never fall along the log; base is the boundary right before
 * the first entry held. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_LOG_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raft_slot {
    uint64_t index; /* of the first command */
    uint64_t term;
    uint64_t position; /* of the stored record, here */
    int64_t time_ns;
    uint32_t count;  /* commands, at least 1 */
    uint32_t size;   /* bytes of the stored record with its prefix */
    uint32_t origin; /* node of the session; 0 for a no-op */
};

struct raft_log {
    struct raft_slot *ring;
    uint64_t mask; /* slots - 1 */
    uint64_t head; /* ordinal of the first entry held */
    uint64_t tail; /* ordinal that the next entry gets */
    uint64_t base_index, base_term;
    int64_t base_time_ns;
    uint64_t stored;  /* entries before this ordinal are on disk */
    uint64_t checked; /* entries before this ordinal have passed raft_log_check */
};

/* Slots that a log of at most `entries_max` entries takes: the next power of two, at least 16. */
uint64_t raft_log_capacity(uint32_t entries_max);

/* An empty log over borrowed slots. */
void raft_log_init(struct raft_log *log, struct raft_slot *ring, uint64_t capacity);

static inline struct raft_slot *raft_log_at(const struct raft_log *log, uint64_t ordinal)
{
    return &log->ring[ordinal & log->mask];
}

/* Last index of the entry: its boundary. */
static inline uint64_t raft_slot_last(const struct raft_slot *slot)
{
    return slot->index + slot->count - 1;
}

static inline uint64_t raft_log_count(const struct raft_log *log)
{
    return log->tail - log->head;
}

static inline uint64_t raft_log_room(const struct raft_log *log)
{
    return log->mask + 1 - raft_log_count(log);
}

static inline uint64_t raft_log_last_index(const struct raft_log *log)
{
    return log->tail == log->head ? log->base_index : raft_slot_last(raft_log_at(log, log->tail - 1));
}

static inline uint64_t raft_log_last_term(const struct raft_log *log)
{
    return log->tail == log->head ? log->base_term : raft_log_at(log, log->tail - 1)->term;
}

static inline int64_t raft_log_last_time(const struct raft_log *log)
{
    return log->tail == log->head ? log->base_time_ns : raft_log_at(log, log->tail - 1)->time_ns;
}

/* Boundary and term right before the entry with this ordinal (head to tail). */
static inline uint64_t raft_log_before_index(const struct raft_log *log, uint64_t ordinal)
{
    return ordinal == log->head ? log->base_index : raft_slot_last(raft_log_at(log, ordinal - 1));
}

static inline uint64_t raft_log_before_term(const struct raft_log *log, uint64_t ordinal)
{
    return ordinal == log->head ? log->base_term : raft_log_at(log, ordinal - 1)->term;
}

/* Ordinal of the entry that covers `index`. False when none held does. */
bool raft_log_find(const struct raft_log *log, uint64_t index, uint64_t *ordinal);

/* Ordinal of the entry after the boundary `index` (the tail when it is the last). False when `index` is no boundary of
 * the log held; the base is one. */
bool raft_log_after(const struct raft_log *log, uint64_t index, uint64_t *ordinal);

/* Ordinal after the last entry that ends at or before `index` and has a term of at most `term`: where two logs may
 * still agree (thesis section 3.5, the hints). The head when there is no such entry. */
uint64_t raft_log_after_term(const struct raft_log *log, uint64_t index, uint64_t term);

/* Appends; the caller made sure that it is contiguous and that there is room (invariants). */
void raft_log_append(struct raft_log *log, const struct raft_slot *slot);

/* Drops the entries from this ordinal on. */
void raft_log_truncate(struct raft_log *log, uint64_t ordinal);

/* Drops the entries before this ordinal. */
void raft_log_evict(struct raft_log *log, uint64_t ordinal);

/* Empties the log; it goes on after `index`. Ordinals go on as well. */
void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term, int64_t time_ns);

/* Everything up to this position is on disk. Returns the last index that is, or the base. Amortised O(1). */
uint64_t raft_log_stored(struct raft_log *log, uint64_t position);

/* Checks what was appended since the last call. NULL, or what is wrong. Amortised O(1). */
const char *raft_log_check(struct raft_log *log);

#endif
