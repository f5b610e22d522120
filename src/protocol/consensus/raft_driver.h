/* What is particular to Raft in the driver that tests of replication protocols share (replica_driver.h). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_DRIVER_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_RAFT_DRIVER_H

#include "protocol/consensus/raft_internal.h"
#include "protocol/consensus/replica_driver.h"

/* Of the whole entry, of which the term and the time are part. */
static inline uint64_t raft_subject_digest(struct span record, const struct effect_deliver *deliver)
{
    struct raft_entry entry;
    assert_true(message_decode(&raft_records.types[RAFT_ENTRY], record, &entry));
    assert_int_equal(entry.index, deliver->index);
    assert_int_equal(entry.count, deliver->count);
    const uint64_t key[2] = {1, 2};
    return hash_keyed(key, record.data, record.size);
}

static inline void raft_subject_describe(const void *self, char *text, size_t size)
{
    const struct raft *raft = self;
    snprintf(text, size, "%s term %llu commit %llu applied %llu last %llu%s", raft_role_name(raft->role),
             (unsigned long long)raft->term, (unsigned long long)raft->commit, (unsigned long long)raft->applied,
             (unsigned long long)raft_last_index(raft), raft->recovering ? " recovering" : "");
}

static inline bool raft_subject_leads(const void *self)
{
    const struct raft *raft = self;
    return raft->role == RAFT_LEADER;
}

static inline uint64_t raft_subject_rank(const void *self)
{
    const struct raft *raft = self;
    return raft->term;
}

static inline void raft_subject_forget_leader(void *self)
{
    struct raft *raft = self;
    raft->leader = 0;
}

static inline int64_t *raft_subject_deadline_ns(void *self)
{
    struct raft *raft = self;
    return &raft->timer.deadline_ns;
}

static inline bool raft_subject_recovering(const void *self)
{
    const struct raft *raft = self;
    return raft->recovering;
}

static inline bool raft_subject_unstored(const void *self)
{
    const struct raft *raft = self;
    return raft->hard_position > raft->disk.stored;
}

static inline uint32_t raft_subject_reads(const void *self)
{
    const struct raft *raft = self;
    return raft->reads.ready.count + raft->reads.flying.count;
}

static const struct driver_subject raft_subject = {
    .protocol = &raft_protocol,
    .slot = RAFT_SLOT,
    .entry = RAFT_ENTRY,
    .election_timer = RAFT_TIMER_ELECTION,
    .stale_read = "RAFT-8 a stale read",
    .two_at_index = "RAFT-5 two entries delivered at one index",
    .two_orderers = "RAFT-1 two leaders in one term",
    .digest = raft_subject_digest,
    .describe = raft_subject_describe,
    .leads = raft_subject_leads,
    .rank = raft_subject_rank,
    .forget_leader = raft_subject_forget_leader,
    .deadline_ns = raft_subject_deadline_ns,
    .recovering = raft_subject_recovering,
    .unstored = raft_subject_unstored,
    .reads = raft_subject_reads,
};

static inline void driver_create(struct driver *driver, uint32_t count, uint64_t seed, uint32_t ablations)
{
    driver_create_of(driver, &raft_subject, count, seed, ablations);
}

static inline struct raft *driver_raft(struct driver *driver, uint32_t place)
{
    return driver->members[place].self;
}

#endif
