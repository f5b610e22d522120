/* The members of a group as one of them sees them, for protocols with a leader whom a majority follows: which life of
 * each it hears, who counts, who is silent, and what a majority has reached.
 *
 * Words. A member's *place* is that in the specification's list. A *mark* is a number that rises along the protocol's
 * entries (Raft's index, Paxos' slot); `match` is the mark up to which a member has them on disk. A *beat* is a
 * leader's number for a round of confirmation, by heartbeats and by reads.
 *
 * Invariants. Only members that say that they are voters count, and one that restarted counts only when it has said so
 * again: its disk may be gone. A leader that a majority does not answer for a while is to step down, so that its
 * clients go elsewhere (Ongaro's thesis, 6.2). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PEERS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PEERS_H

#include "base/heap.h"
#include "contract/canon.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/spec.h"
#include "contract/text.h"
#include "protocol/consensus/quorum.h"

enum { PEERS_FLIGHTS_MAX = 4096 }; /* bound of tuning.append_inflight_max */

/* How the leader sends to a member (pacing.h). */
enum pace {
    PACE_PROBE,   /* what it has is not known: one question at a time */
    PACE_STREAM,  /* it is known up to `next`: messages follow each other without waiting */
    PACE_INSTALL, /* what it needs is gone: it has to adopt a checkpoint */
};

struct flight {
    uint64_t last; /* mark */
    uint64_t bytes;
};

struct peer {
    uint32_t node;
    uint64_t incarnation;  /* last one heard of; 0: none */
    bool incarnation_open; /* a new connection: the next message may bring any incarnation */
    bool granted;          /* a candidate's question: it said yes */
    bool recover_answered; /* it answered this member, which forgot what it promised */

    /* what a leader knows */
    bool voter; /* it counts: it said so itself, under this leader */
    bool heard; /* since the window of the quorum check began */
    bool suspected;
    uint64_t match;
    int64_t heard_ns;

    /* what it is sent (pacing.h) */
    enum pace pace;
    bool paused;        /* PROBE, INSTALL: a question is out */
    bool probe_records; /* PROBE: the question carried records */
    bool served;        /* in this TURN it gets a message that tells beat and commit mark */
    bool picked;        /* shares the message that is being gathered */
    bool told;          /* the commit mark must be told now: a client of its waits, or one of the group */
    uint64_t next;      /* the next entry to send: Raft's ordinal, Paxos' slot */
    uint64_t checked_beat, checked_mark; /* heartbeat whose answer must report receipt of the mark; 0: none */
    struct flight *flights; /* ring of unanswered messages */
    uint32_t flight_first, flight_count;
    uint64_t flight_bytes;
    uint64_t sent_bytes; /* unanswered when records were last sent */
    int64_t sent_ns;     /* … and when that was */

    /* its reads (reads.h) */
    bool quick; /* it was among the majority that answered the last read's beat first */
    uint64_t read_gathered, read_flying; /* its READ, waiting for a beat or in one; 0: none */

    /* Forwarded numbers that this member took as leader, ever since it started (intake.h). */
    uint64_t taken_incarnation, taken_last;
    uint64_t refused_last;
};

struct peers {
    struct peer *list; /* by place, the own one included */
    uint32_t *others;  /* nodes of the other members */
    uint32_t *pick;    /* scratch: receivers that are gathered for one message */
    uint32_t self_node, self_place, count, majority;
    uint32_t flight_max;
    struct quorum match_quorum, beat_quorum; /* members that do not count have 0 */
    uint64_t beat;
    bool beat_due, heartbeat_due, told_due;
    bool commit_due; /* what a majority has on disk may have risen */
    int64_t window_end_ns;
};

/* Bytes of the heap that peers_create takes. */
size_t peers_bytes(const struct group_spec *spec);

void peers_create(struct peers *peers, struct heap *heap, const struct group_spec *spec);

/* The member with this node id, or NULL. */
struct peer *peers_find(const struct peers *peers, uint32_t node);

enum peer_life { PEER_SAME, PEER_RESTARTED, PEER_FORMER };

/* Keeps account of the sender's incarnation: the same life as before (or the first), a new one, or a former one whose
 * messages are to be dropped. */
enum peer_life peers_life(struct peer *peer, uint64_t incarnation);

/* This member leads from now on, and knows nothing of the others; `next` is the entry after its last. */
void peers_lead(struct peers *peers, uint64_t next, int64_t now_ns, int64_t timeout_ns);

/* It leads no more: nobody is suspected by it. */
void peers_unlead(struct peers *peers, struct effects *out);

/* The heartbeat timer fired: has a majority been silent for a whole timeout? Else suspects who is silent, and a
 * heartbeat is due. */
bool peers_alone(struct peers *peers, int64_t now_ns, int64_t timeout_ns);
void peers_heartbeat(struct peers *peers, int64_t now_ns, int64_t timeout_ns, struct effects *out);

/* A sign of life from the member with this node id, which is one. */
struct peer *peers_heard(struct peers *peers, uint32_t node, int64_t now_ns, struct effects *out);

/* The member has this on disk; it counts if the member does. */
void peers_match(struct peers *peers, struct peer *peer, uint64_t match);

void peers_voter(struct peers *peers, struct peer *peer, bool voter);

/* A new life of a member, for a leader: until it says so, it has nothing, and does not count. */
void peers_restarted(struct peers *peers, struct peer *peer, uint64_t next);

/* A voter has answered this beat, which the leader did begin. */
void peers_beat(struct peers *peers, const struct peer *peer, uint64_t beat);

/* What this node asked for is committed: the member with this node id is to hear of it in this turn, for its client waits.
 * When it is no member's, a client of the group waits, which compares what several members answer: all are to hear of
 * it. 0 and the own node need no word. */
void peers_tell(struct peers *peers, uint32_t origin);

/* The highest mark and beat that a majority has reached. */
static inline uint64_t peers_matched(const struct peers *peers)
{
    return quorum_reached(&peers->match_quorum, peers->majority);
}

static inline uint64_t peers_beaten(const struct peers *peers)
{
    return quorum_reached(&peers->beat_quorum, peers->majority);
}

/* For contract/canon.h: lives of the others, and the numbers that were taken from them; */
void peers_canonical(const struct peers *peers, struct canon *out);
/* … and what a leader knows, but for `next`, which only the protocol can tell. */
void peers_canonical_leader(const struct peers *peers, struct canon *out);

/* match=1:7,2?:0: what each member has; ? is for those that do not count. */
void peers_print(const struct peers *peers, struct text *out);

#endif
