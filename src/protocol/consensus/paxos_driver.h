/* What is particular to Paxos in the driver that tests of replication protocols share (replica_driver.h). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_DRIVER_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_DRIVER_H

#include "protocol/consensus/paxos_internal.h"
#include "protocol/consensus/replica_driver.h"

/* Of the value, its slot and its time; not the ballot, which may differ. */
static inline uint64_t paxos_subject_digest(struct span record, const struct effect_deliver *deliver)
{
    struct paxos_entry entry;
    assert_true(message_decode(&paxos_records.types[PAXOS_ENTRY], record, &entry));
    assert_int_equal(entry.count, deliver->count);
    const uint64_t key[2] = {1, 2};
    uint64_t value = hash_keyed(key, entry.bundle.data, entry.bundle.size);
    return hash_mix(hash_mix(value, entry.slot), (uint64_t)deliver->time_ns ^ entry.count);
}

static inline void paxos_subject_describe(const void *self, char *text, size_t size)
{
    const struct paxos *paxos = self;
    snprintf(text, size, "%s promised %llu.%u commit %llu applied %llu top %llu%s", paxos_role_name(paxos->role),
             (unsigned long long)paxos->promised.round, paxos->promised.node, (unsigned long long)paxos->commit,
             (unsigned long long)paxos->applied, (unsigned long long)paxos_top_slot(paxos),
             paxos->recovering ? " recovering" : "");
}

static inline bool paxos_subject_leads(const void *self)
{
    const struct paxos *paxos = self;
    return paxos->role == PAXOS_LEADER;
}

static inline uint64_t paxos_subject_rank(const void *self)
{
    const struct paxos *paxos = self;
    return paxos->promised.round;
}

static inline void paxos_subject_forget_leader(void *self)
{
    struct paxos *paxos = self;
    paxos->leader = 0;
}

static inline int64_t *paxos_subject_deadline_ns(void *self)
{
    struct paxos *paxos = self;
    return &paxos->timer.deadline_ns;
}

static inline bool paxos_subject_recovering(const void *self)
{
    const struct paxos *paxos = self;
    return paxos->recovering;
}

static inline bool paxos_subject_unstored(const void *self)
{
    const struct paxos *paxos = self;
    return paxos->state_position > paxos->disk.stored;
}

static inline uint32_t paxos_subject_reads(const void *self)
{
    const struct paxos *paxos = self;
    return paxos->reads.ready.count + paxos->reads.flying.count;
}

static const struct driver_subject paxos_subject = {
    .protocol = &paxos_protocol,
    .slot = PAXOS_SLOT,
    .entry = PAXOS_ENTRY,
    .election_timer = PAXOS_TIMER_ELECTION,
    .stale_read = "MPX-4 a stale read",
    .two_at_index = "PAX-4 two values delivered at one index",
    .two_orderers = NULL,
    .digest = paxos_subject_digest,
    .describe = paxos_subject_describe,
    .leads = paxos_subject_leads,
    .rank = paxos_subject_rank,
    .forget_leader = paxos_subject_forget_leader,
    .deadline_ns = paxos_subject_deadline_ns,
    .recovering = paxos_subject_recovering,
    .unstored = paxos_subject_unstored,
    .reads = paxos_subject_reads,
};

static inline void driver_create(struct driver *driver, uint32_t count, uint64_t seed, uint32_t ablations)
{
    driver_create_of(driver, &paxos_subject, count, seed, ablations);
}

static inline struct paxos *driver_paxos(struct driver *driver, uint32_t place)
{
    return driver->members[place].self;
}

#endif
