/* Consistent snapshots of a group whose members talk: Chandy and Lamport, "Distributed snapshots: determining global
 * states of distributed systems" (ACM TOCS 1985), section 3. Specification: REC-5.
 *
 * The services' messages (their CALLs) travel through this protocol, over reliable FIFO channels (cast/fifo_channel),
 * one in each direction between any two members and one from each member to itself. A snapshot begins at one member,
 * when a client asks or a timer says so. It records its state and sends a marker on every channel before anything
 * else. Who hears of a snapshot by its first marker does the same at once, and takes the channel that the marker came
 * on as empty. On each other channel it records what comes until the marker does. Snapshots are told apart by
 * (initiator, number), and those of several initiators may run at once.
 *
 * Intuition. The marker cuts each channel: what was sent before it belongs to the past of the snapshot, what comes
 * after it to the future. A message can then not come from the future into the past.
 *
 * A client's update begins a snapshot, and its command is the question: each member delivers it, as read, to its
 * service in the state that it records, and the initiator's answer to the client is
 *     array of members, each: array of [node, index, answer, array of [from, the bundle that was under way]]
 * so that one can count tokens, sum balances or look for a deadlock in a state that could have been.
 *
 * The recorded state is a checkpoint (EFFECT_CHECKPOINT as of the record, with the snapshot's name as own part), and
 * the recorded channels are the records CHANNEL after it: a restart gives the service the checkpoint and then the
 * messages. When all members crash with the same snapshot recorded whole, the group so goes on from it.
 *
 * How the rule meets the contract. A service's calls come back to the protocol as events of a later phase, so when a
 * marker is handed in, calls of deliveries before it may still be on their way: they were sent before the record and
 * would go out after the marker. So the member first falls quiet: it takes nothing more from its channels until every
 * delivery has given its RESULT (the calls of a delivery are handed in by the TURN of its RESULT at the latest), and
 * records then, in TURN. To the algorithm that is a marker that travelled a little longer. It waits the same way while
 * an earlier checkpoint is still being written, because node/ writes one at a time.
 *
 * Invariants: CL-1 the cut is consistent (nothing received before its receiver's record was sent after its sender's);
 * CL-2 the recorded channel is what was sent before the sender's record and received after the receiver's; CL-3 what
 * the application conserves is conserved in recorded states and channels together.
 *
 * Limits. Only omission on the channels is masked: with the crash of a member alone its channels begin anew, messages
 * are lost, and snapshots under way are given up; later ones are consistent cuts of what there is then. A channel holds what FIFO_QUEUE_MAX says; a message over that is dropped
 * with a NOTE. */
#ifndef LOCKSTEP_PROTOCOL_RECOVER_CHANDY_LAMPORT_H
#define LOCKSTEP_PROTOCOL_RECOVER_CHANDY_LAMPORT_H

#include "contract/protocol.h"

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum chandy_lamport_ablation {
    CL_MARKER_NOT_FIRST,
    CL_CHANNEL_NOT_RECORDED,
    CL_NON_FIFO,
    CL_RECORD_WITHOUT_QUIET, /* records although calls are still under way between service and protocol */
};

extern const struct protocol chandy_lamport_protocol;

/* ---- what the laboratory looks at ---- */

/* One member's part of a snapshot. Arrays are by place of the other member and live until the member is stepped. */
struct chandy_lamport_cut {
    uint32_t initiator;
    uint64_t number;
    bool complete;           /* every incoming channel is recorded to its end */
    uint64_t index;          /* commands delivered when the state was recorded */
    const uint64_t *sent;    /* messages sent to each, before the record */
    const uint64_t *received; /* messages taken from each, before the record: how many */
    const uint64_t *highest;  /* and the highest number among them: above the sender's `sent` it is an orphan (CL-1) */
    const uint64_t *recorded; /* messages in the channel from each */
    struct span answer;      /* of the service to the question, a RESP3 value; empty: none asked, or not yet there */
};

/* The newest snapshot of that initiator at this member; false when there is none. */
bool chandy_lamport_cut(const void *self, uint32_t initiator, struct chandy_lamport_cut *out);

/* Snapshots of this member, as initiator, that all members have completed. */
uint64_t chandy_lamport_completed(const void *self);

/* Messages dropped because a channel was full. */
uint64_t chandy_lamport_dropped(const void *self);

#endif
