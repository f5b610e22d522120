/* Signed messages, SM(m): Byzantine agreement with m traitors among n >= m + 2, in m + 1 rounds.
 *
 * Lamport, Shostak and Pease, "The Byzantine generals problem" (TOPLAS 1982), section 4; in the form of Dolev and
 * Strong, "Authenticated algorithms for Byzantine agreement" (SIAM J. Computing 1983): two values of a commander
 * are enough to show that it is a traitor, so no more than two are kept and passed on. Specification: AG-8.
 *
 * Every member is the commander of an SM(m) of its own value, all at once. In round 1 a commander signs its value
 * and sends it. A value that comes in round r with at least r signatures of different members, the commander's
 * first and the sender's last, is accepted, and passed on in round r + 1 with the own signature. After m + 1 rounds
 * an element is the commander's value if one was accepted, and UNKNOWN if none or two were.
 *
 * Intuition. A traitor can withhold, and sign different things as commander, but not change what another signed. A
 * value that reaches a loyal member in the last round has passed m + 1 signers, one of them loyal, who told everybody.
 *
 * Invariants. IC1: loyal members hold the same element for each commander. IC2: a loyal commander's element is its
 * value. SM-1: nothing is accepted without its signatures. Assumptions: A1 to A3 (oral_messages.h), A4 signatures
 * of loyal members cannot be forged, and anybody can verify them (signed_chain.h says what stands for them here).
 *
 * m is n - 2 (at least 1), the most that says anything: with n - 1 traitors the one who is loyal agrees with itself.
 *
 * Limits: SIGNED_MEMBERS_MAX members. Rounds, restarts: rounds.h. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_SIGNED_MESSAGES_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_SIGNED_MESSAGES_H

#include "contract/protocol.h"
#include "protocol/consensus/agreement.h"
#include "protocol/consensus/rounds.h"
#include "protocol/consensus/signed_chain.h"

enum { SIGNED_MEMBERS_MAX = SIGNED_CHAIN_MAX };

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum signed_messages_ablation {
    SIGNED_ACCEPT_FORGED,  /* signatures are not verified */
    SIGNED_ACCEPT_SHORT,   /* a value in round r needs no r signatures */
    SIGNED_ONE_ROUND_LESS, /* m rounds */
};

enum { SIGNED_RELAY, SIGNED_MESSAGES };

#define SIGNED_RELAY_FIELDS(FIELD, S) FIELD(S, U64, instance) FIELD(S, U32, round) FIELD(S, BYTES, chains)
MESSAGE_STRUCT(signed_relay, SIGNED_RELAY_FIELDS)

extern const struct protocol signed_messages_protocol;

/* m for a group of that size. */
uint32_t signed_messages_m(uint32_t member_count);

/* ---- what the laboratory looks at ---- */

void signed_messages_look(const void *self, struct agreement_seen *out);
/* Chains that were not accepted since the start: signatures that are wrong, too few, or in the wrong order. */
uint64_t signed_messages_rejected(const void *self);

#endif
