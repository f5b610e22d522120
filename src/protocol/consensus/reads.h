/* Linearizable reads that need no entry (Ongaro's thesis, 6.4: the read index).
 *
 * A leader may have been deposed without knowing. So before it serves reads it notes up to which mark (peers.h) all is
 * committed, has a majority confirm in a new beat that it still leads, and lets the reads see at least that. Exactly
 * one beat is in flight; all reads that come in the meantime are gathered for the next. A follower asks the leader for
 * a mark, one question at a time, and serves its reads itself when it has executed that much.
 *
 * A read moves: gathered -> flying (in a beat, or asked) -> ready (waiting to be applied) -> delivered. An answer
 * counts only for the question that is out: each question has a new number, also when it is repeated to another leader,
 * so that no read is served by a mark from before it came. With no leader in sight, reads that are not ready go back to
 * node/ with REPLY_AGAIN.
 *
 * When a leader knows enough to answer is the protocol's matter: it says when its commit mark counts. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_READS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_READS_H

#include "protocol/consensus/leader_messages.h"
#include "protocol/consensus/peers.h"

enum { READS_RANGES_MAX = 64 }; /* runs of consecutive numbers of waiting reads, in each list */

struct reads_range {
    uint64_t first_number;
    uint32_t count;
};

struct reads_list {
    uint32_t count;
    struct reads_range list[READS_RANGES_MAX];
};

struct reads {
    const struct leader_wire *wire;
    struct reads_list gathered, flying, ready;
    bool out, confirmed;   /* `flying` is under way; and may be served */
    uint64_t beat;         /* leader: that confirms it */
    uint64_t number;       /* follower: of the READ that is out */
    uint64_t mark;         /* that it must see */
    int64_t time_ns;
    uint64_t last_number;  /* of READs, used up */
    uint32_t remote_gathered; /* members whose READ waits for a beat */
    uint64_t ready_mark;
    int64_t ready_time_ns;
};

/* REQUEST_READ. `leader`: node that orders, 0 when nobody is known to. */
void reads_request(struct reads *reads, uint32_t leader, uint64_t first_number, uint32_t count, struct effects *out);

/* Another leader, or none. */
void reads_leader_changed(struct reads *reads, uint32_t leader, struct effects *out);

/* This member leads no more. Members that asked ask the next leader, when their timer or a VIEW tells them to. */
void reads_unlead(struct reads *reads, struct peers *peers);

/* A member that asked has another life now. */
void reads_forget(struct reads *reads, struct peer *peer);

/* Leader: READ of a member. */
void reads_on_question(struct reads *reads, struct peer *peer, const struct leader_read *question);

struct reads_leader {
    uint64_t commit; /* mark */
    bool current;    /* the commit mark counts: all that was committed before this leader is below it */
    bool trust;      /* no beat is needed: the rule is switched off */
    int64_t time_ns; /* agreed time of what is served now */
};

/* Leader, in TURN before it sends: ends the beat that a majority answered, begins the next one. */
void reads_lead_turn(struct reads *reads, struct peers *peers, const struct reads_leader *leader, struct effects *out);

/* Follower, in TURN: asks the leader for what was gathered. Asked anew after `again_ns` (reads_timeout). */
void reads_follow_turn(struct reads *reads, uint32_t leader, int64_t now_ns, int64_t again_ns, struct effects *out);

/* Follower: the leader's READ_ACK. */
void reads_on_answer(struct reads *reads, const struct leader_read_ack *ack, struct effects *out);

/* Follower: the timer fired. */
void reads_timeout(struct reads *reads, uint32_t leader, int64_t now_ns, int64_t again_ns, struct effects *out);

struct reads_applied {
    uint64_t mark, index; /* of the last entry that was delivered */
    int64_t time_ns;
    bool leads;
};

/* After deliveries, when the service can serve: reads that are safe now. */
void reads_deliver(struct reads *reads, const struct reads_applied *applied, struct effects *out);

void reads_canonical(const struct reads *reads, struct canon *out);

#endif
