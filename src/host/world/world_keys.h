/* Random draws by key: a hash of the run's seed, what the draw is for, whose it is, and its ordinal there. So a draw
 * does not depend on how many others were made before it, and taking something out of a run moves none of the rest. */
#ifndef LOCKSTEP_HOST_WORLD_KEYS_H
#define LOCKSTEP_HOST_WORLD_KEYS_H

#include <stdint.h>

#include "base/hash.h"
#include "base/random.h"

/* What a draw is for. Owner and ordinal in brackets. */
enum world_purpose {
    KEY_TUNING,         /* the tuning of the run */
    KEY_NETWORK,        /* latency of the run's links */
    KEY_LATENCY,        /* seed of the latencies and fates of messages */
    KEY_CLIENTS,        /* how clients are */
    KEY_CLIENT,         /* manner of a client (client) */
    KEY_CLIENT_ACT,     /* what a client does (client, its act) */
    KEY_CLIENT_HEALED,  /* the same in the healed phase */
    KEY_LETTER,         /* latency of a client's letter (client and direction, number) */
    KEY_PROCESS,        /* clock of a node, time of its first boot (place) */
    KEY_DISK,           /* seed of a disk (place) */
    KEY_DISKS,          /* manners of the disks */
    KEY_BOOT,           /* clock and seeds (place, boot) */
    KEY_TURN,           /* seed of the costs of turns (place) */
    KEY_CONNECT,        /* delay of a connection (pair of places, number) */
    KEY_CRASH,          /* a crash that nobody planned (place, life) */
    KEY_NEWS_OF_CRASH,  /* whether and when a peer or client hears of it (who and whom, life) */
    KEY_FAULTS,         /* seed of the generator of faults */
    KEY_DEAD,           /* who dies for ever */
};

static inline uint64_t world_key(uint64_t seed, enum world_purpose purpose, uint64_t owner, uint64_t ordinal)
{
    return hash_mix(hash_mix(seed, (uint64_t)purpose << 56 ^ owner), ordinal);
}

/* A generator for a handful of draws under one key. */
static inline struct random world_dice(uint64_t seed, enum world_purpose purpose, uint64_t owner, uint64_t ordinal)
{
    struct random random;
    random_seed(&random, world_key(seed, purpose, owner, ordinal));
    return random;
}

#endif
