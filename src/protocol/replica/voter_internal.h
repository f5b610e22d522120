/* What the files of the voter share; nobody else includes this.
 *     voter.c       asking, and believing
 *     voter_tell.c  what must hold; the state for people, status pages and the explorer */
#ifndef LOCKSTEP_PROTOCOL_REPLICA_VOTER_INTERNAL_H
#define LOCKSTEP_PROTOCOL_REPLICA_VOTER_INTERNAL_H

#include "protocol/replica/voter.h"
#include "protocol/replica/votes.h"

struct voter {
    const struct group_spec *spec;
    bool arbitrary; /* any member may lie: all are asked, in proof */
    uint32_t k;     /* lies that are masked */
    uint32_t quorum; /* members on whose disks lies what was answered */
    uint64_t key[2]; /* of digests */
    uint64_t incarnation;
    uint64_t connected; /* members, by place */
    uint32_t orderer;   /* as some member said; 0: nobody is known */
    struct votes updates, looks;
    uint64_t looks_head, looks_tail; /* those that wait */
    bool timer_armed;
    uint64_t wrong[VOTES_MEMBERS_MAX];    /* answers other than those believed, by place */
    uint64_t answered[VOTES_MEMBERS_MAX]; /* highest index that each member answered from */
    uint64_t index;                       /* highest one that was believed, as the last member to agree says */
    uint64_t agreed, ordered;             /* looks */
    uint64_t dropped;                     /* messages that are no answers */
    uint64_t touched_first, touched_last; /* updates since the last check; none: first > last */
    int64_t now_ns;
};

/* Who takes requests: the voter itself, or nobody (0) while too few members can be reached. */
uint32_t voter_orderer(const struct voter *self);
const char *voter_check(void *self);
void voter_status(const void *self, struct member_status *out);
bool voter_progress(const void *self, uint32_t place, struct member_progress *out);
void voter_print(const void *self, struct text *out);
void voter_canonical(const void *self, struct canon *out);

#endif
