/* Arbitrary failures: a process in the hands of an adversary (Lamport, Shostak and Pease, "The Byzantine generals
 * problem", TOPLAS 1982; Castro and Liskov, "Practical Byzantine fault tolerance", OSDI 1999, section 2).
 *
 * The process itself runs on as it is, so that its lies are built on true states; the adversary stands between it and
 * the network. By a script it chooses, for each receiver and each stretch of time anew, whether to behave, to change
 * fields of messages, to withhold, delay or repeat them: so different receivers hear different things. The script is a
 * hash of the item's draw: processes with equal draws treat the same receiver in the same way at the same time, and
 * tell it the same kind of lie, which is how they collude. They also share what numbers they have seen.
 *
 * What it cannot do: send in the name of another node (the sender in a header is the connection's), or make a proof of
 * another's key. Checksums are no proofs; they are made anew.
 *
 * The process is turned (world_member_faults.h), from its first moment to the run's end. */
#ifndef LOCKSTEP_HOST_WORLD_ADVERSARY_H
#define LOCKSTEP_HOST_WORLD_ADVERSARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct packet;
struct process;
struct world;

struct adversary_counters {
    uint64_t mutated, withheld, delayed, replayed, forgot, twin_heard, twin_spoke;
};

/* The process is in the adversary's hands, who may do these deeds (enum world_deed); a second call replaces what an
 * earlier one said. */
void adversary_begin(struct process *process, uint32_t deeds, uint64_t draw);
/* It is left alone. A twin is gone. */
void adversary_end(struct process *process);
const struct adversary_counters *adversary_counters(const struct process *process);

/* ---- for world_link.c and world.c ---- */

/* The node's output to a peer (a place), of which the first `count_max` messages leave at `at_ns`. */
void adversary_send(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns);
/* The time of a deed that was scheduled has come (WORLD_ADVERSARY; `object` is what was scheduled with it). */
void adversary_act(struct process *process, void *object);

/* For world_twin.c: the twin heard, or said, something. */
void adversary_count_twin(struct process *process, bool heard);

/* ---- world_twin.c: two instances under one name ---- */

/* A second instance with a copy of the process's disk begins to run beside it, and hears what the process hears, or
 * part of it, chosen by sender from the draw. Its messages leave under the one name. */
void twin_begin(struct process *process, uint64_t draw);
void twin_end(struct process *process);
/* Who of the two hears a place at this time, by that draw: 0, both; 1, the first; 2, the twin. */
uint32_t twin_heard_by(const struct process *process, uint64_t draw, uint32_t from);
/* A packet reached the process's machine: the twin may get a copy. True: the process itself is not to hear it. */
bool twin_packet(struct process *process, const struct packet *packet);
/* Before a run of the twin: it believes in the same connections as the other. */
void twin_feed(struct process *twin);
/* The twin's output to a peer, by its place. */
void twin_send(struct process *twin, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns);

#endif
