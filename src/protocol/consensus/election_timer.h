/* How long a member waits for a leader before it campaigns.
 *
 * A timeout is drawn from [T, 2T), so that not all campaign at once, and again for each try, so that two candidates do
 * not go on taking each other's votes for ever. The timer is moved lazily: a sign of life only moves the deadline; when
 * the timer fires early, it is armed again. A broken connection to the leader is no proof, but a good reason: the
 * member tries at once, and a few times more within milliseconds, until the others have noticed as well. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_ELECTION_TIMER_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_ELECTION_TIMER_H

#include "base/random.h"
#include "contract/canon.h"
#include "contract/effect.h"

enum { ELECTION_QUICK_TRIES = 8 }; /* early campaigns after the leader's connection broke */

struct election_timer {
    struct random *random;
    int64_t timeout_ns; /* T */
    uint8_t slot;       /* of the contract */
    uint16_t name;
    int64_t deadline_ns, drawn_ns;
    int64_t at_ns; /* when the timer fires that is armed; EFFECT_DISARM: none */
    uint32_t quick_tries;
};

static inline void election_timer_create(struct election_timer *timer, struct random *random, int64_t timeout_ns,
                                         uint8_t slot, uint16_t name)
{
    *timer = (struct election_timer){
        .random = random, .timeout_ns = timeout_ns, .slot = slot, .name = name, .at_ns = EFFECT_DISARM};
}

/* Draws a timeout, and moves the deadline so far away, without touching the timer. */
void election_timer_draw(struct election_timer *timer, int64_t now_ns);

/* The same for a try to be elected, which is repeated soon while there are quick tries. */
void election_timer_try(struct election_timer *timer, int64_t now_ns);

/* A sign of life: moves the deadline away by the timeout that was drawn last. */
void election_timer_postpone(struct election_timer *timer, int64_t now_ns);

/* The connection to the leader broke. */
void election_timer_broken(struct election_timer *timer, int64_t now_ns);

/* Arms the timer, unless it fires before the deadline anyway. */
void election_timer_arm(struct election_timer *timer, struct effects *out);

static inline void election_timer_canonical(const struct election_timer *timer, struct canon *out)
{
    canon_u8(out, timer->at_ns != EFFECT_DISARM);
    canon_u64(out, timer->quick_tries);
}

#endif
