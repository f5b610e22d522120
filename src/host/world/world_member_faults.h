/* Faults inside a member: value failures and state-transition failures (Cristian, "Understanding fault-tolerant
 * distributed systems", CACM 1991, "Failure classification"; arbitrary failures are in world_adversary.h).
 *
 * Whoever had one is *turned*: what it claims, and what its clients hear from it, counts no more until the run's end,
 * since a wrong state may stay latent long after the fault has gone. Its node may even find that out itself and stop
 * (a broken invariant): then it is as if it had crashed, and it starts again. */
#ifndef LOCKSTEP_HOST_WORLD_MEMBER_FAULTS_H
#define LOCKSTEP_HOST_WORLD_MEMBER_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct process;

/* Of one process; part of it. Each strike is keyed by the fault's draw and the ordinal of what it may strike. */
struct member_faults {
    uint32_t value_permille, answer_permille, transition_permille; /* 0: none */
    uint64_t value_draw, answer_draw, transition_draw;
    uint64_t values, transitions; /* that could be struck, so far */
    uint32_t branch_events_left;  /* until the wrong branch that is forced now is taken back */
    uint64_t answers_changed, numbers_changed, skipped, doubled, hastened, branches, stopped; /* counters */
};

/* Value failure: of 1,000 answers of its service, and of 1,000 messages that its member sends, so many have another
 * value than they should: well-formed, sealed as its own, wrong. 0 ends it. */
void member_fault_value(struct process *process, uint32_t permille, uint64_t draw);

/* The same of answers alone: what its member tells the others is right. Those with equal draws tell the same lies. */
void member_fault_answers(struct process *process, uint32_t permille, uint64_t draw);

/* State-transition failure: at so many of 1,000 events its member does what the protocol does not allow in its state:
 * the event is skipped, or handed in twice, or a timer fires that was not due, or one of the protocol's rules (its
 * ablations) does not hold for some events. 0 ends it. */
void member_fault_transition(struct process *process, uint32_t permille, uint64_t draw);

/* For world_process.c, after the node was made. */
void member_faults_install(struct process *process);

/* Marks it as turned, and tells the watcher, who is not told of it any more. */
void process_turn(struct process *process);

/* As process_run and process_boot, which they are for who is not turned. A broken invariant of a turned process ends
 * that process, and no other; one that cannot even start gets an empty disk. */
void process_run_guarded(struct process *process);
void process_boot_guarded(struct process *process);

#endif
