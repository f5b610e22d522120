/* How a leader sends its entries to each member: when, from where on, and how much at a time.
 *
 * All of a turn's entries go out at its end, in one message for all members that need the same, and without waiting for
 * the answers to earlier ones (pipelining, thesis 10.2.1), up to a bound of messages and bytes that are unanswered.
 * Where it is not known what a member has, one question is out at a time (PROBE); who fell behind what is kept has to
 * adopt a checkpoint (INSTALL). Messages are lost: a heartbeat's answer tells what was received, and if that is less
 * than what was sent before the heartbeat, sending begins anew from there. What is large travels in pieces, and
 * heartbeats overtake it, so it is not thought lost because one of them came first.
 *
 * Entries are named by numbers that rise by one: the protocol knows what they are. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PACING_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PACING_H

#include "protocol/consensus/peers.h"

enum {
    PACING_SENDS_MAX = 4,       /* messages with records to one member in one TURN */
    PACING_LARGE_BYTES = 65536, /* a message over this travels in pieces, and others overtake it */
};

/* Entries that go in one message. */
struct pacing_run {
    uint64_t next; /* the entry after the last */
    uint64_t last; /* the last one's mark */
    uint64_t bytes;
};

/* What a protocol offers; `self` is its member. Lists of receivers live until the effects are interpreted. */
struct pacing_source {
    bool probe_sends; /* a question of PROBE carries records, if there are any; else other messages ask */
    /* Is there an entry `next` to be sent? */
    bool (*has)(const void *self, uint64_t next);
    /* The mark right before the entry `next`. */
    uint64_t (*mark_before)(const void *self, uint64_t next);
    /* Sends entries from `first` on: as many as fit into one message, in PROBE perhaps none. */
    struct pacing_run (*send)(void *self, uint64_t first, const uint32_t *to, uint32_t count, struct effects *out);
    /* Sends news without records: beat, commit mark, sign of life; `ask` wants an answer that tells what is on disk. */
    void (*send_light)(void *self, bool ask, const uint32_t *to, uint32_t count, struct effects *out);
    void (*send_install)(void *self, uint32_t to, struct effects *out);
};

struct pacing_bounds {
    int64_t now_ns;
    const struct tuning *tuning;
    uint64_t head;      /* first entry that is held */
    uint64_t send_from; /* entries before it may go at any moment: a checkpoint is under way */
};

/* Forgets what is known of what the member has; its pace is PROBE. */
void pacing_probe(struct peer *peer, uint64_t next);

/* The leader's TURN, after its reads: sends what is to be sent. */
void pacing_turn(struct peers *peers, const struct pacing_source *source, void *self,
                 const struct pacing_bounds *bounds, struct effects *out);

/* The member has everything up to this mark on disk. */
void pacing_answered(const struct peers *peers, struct peer *peer, uint64_t mark);

/* Its answer to a beat says what it has received. True when something that was sent before that beat is lost. */
bool pacing_lost(struct peer *peer, uint64_t beat, uint64_t received);

#endif
