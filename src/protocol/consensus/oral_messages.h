/* Oral messages, OM(m): Byzantine agreement with m traitors among n >= 3m + 1, in m + 1 rounds.
 *
 * Lamport, Shostak and Pease, "The Byzantine generals problem" (TOPLAS 1982), section 3; the tree without recursion is
 * that of Bar-Noy, Dolev, Dwork and Strong, "Shifting gears: changing algorithms on the fly to expedite Byzantine
 * agreement" (1992), section 3. Specification: AG-8.
 *
 * Every member is the commander of an OM(m) of its own value, all at once: so all loyal members end with the same
 * vector (interactive consistency), and each element by itself is the classical problem with that commander.
 *
 * The tree. A path is a sequence of different members, the commander first: what the last of them says that the one
 * before said that … the commander said. In round 1 a commander tells its value (paths of one). In round r each
 * passes on, to each receiver, all values of paths of r - 1 members that go neither through itself nor through the
 * receiver; the receiver files them under the path that ends with the sender. Silence is UNKNOWN (the paper's
 * default). In the end a path's value is the majority of the own value for it and those of the paths one longer,
 * from the leaves up: what OM(m - 1) of each relay makes of it.
 *
 * Invariants. IC1 (BA1): loyal members hold the same element for each commander. IC2 (BA2): a loyal commander's element
 * is its value. Assumptions: A1 what is sent arrives, A2 a receiver knows the sender (the connection's), A3 silence is
 * noticed (a round ends by time).
 *
 * Cost: (n-1)(n-2)…(n-r) values in round r for each commander, n times that for all (oral_messages_test.c counts).
 *
 * m is the most that the size of the group allows, (n - 1) / 3, but at least 1 (so that three members show why that is
 * too few), and at most ORAL_M_MAX.
 *
 * Limits: ORAL_MEMBERS_MAX members; a tree has n^(m+1) places. Rounds, restarts: rounds.h. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_ORAL_MESSAGES_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_ORAL_MESSAGES_H

#include "contract/protocol.h"
#include "protocol/consensus/agreement.h"
#include "protocol/consensus/rounds.h"

enum { ORAL_MEMBERS_MAX = 12, ORAL_M_MAX = 3 };

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum oral_messages_ablation {
    ORAL_ONE_ROUND_LESS,     /* m rounds: OM(m - 1) */
    ORAL_LAST_WORD,          /* a relay's word instead of the majority */
    ORAL_WAIT_FOR_ALL,       /* silence is not noticed: a round ends when all have been heard */
};

enum { ORAL_RELAY, ORAL_MESSAGES };

#define ORAL_RELAY_FIELDS(FIELD, S) FIELD(S, U64, instance) FIELD(S, U32, round) FIELD(S, BYTES, values)
MESSAGE_STRUCT(oral_relay, ORAL_RELAY_FIELDS)

extern const struct protocol oral_messages_protocol;

/* m for a group of that size. */
uint32_t oral_messages_m(uint32_t member_count);

/* ---- what the laboratory looks at ---- */

/* How many values a message of that round holds. */
uint32_t oral_messages_values(uint32_t member_count, uint32_t round);
/* Those of a message between two places, under a renaming. */
void oral_messages_canonical_row(uint32_t round, uint32_t from, uint32_t to, struct span row, struct canon *out);

void oral_messages_look(const void *self, struct agreement_seen *out);
/* Values that this member sent since it started. */
uint64_t oral_messages_values_sent(const void *self);

#endif
