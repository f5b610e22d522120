/* What becomes of a group whose members fail and are repaired: an exact Markov model.
 *
 * A member is up, crashed (its disk keeps what it stored) or without its disk. Each that is up crashes at the rate
 * 1/MTTF; each that is not without its disk loses it at the rate 1/disk MTTF; crashed ones come back at the rate
 * 1/MTTR, and lost disks are replaced and filled again from the others at the rate 1/disk MTTR, as many at a time as
 * there are crews. Members fail independently of each other, and all times are exponentially distributed: that makes
 * the pair (members crashed, disks lost) a Markov chain, for which every number below is exact. Without disks that
 * fail it is the birth-death chain over failed members.
 *
 * - The group is available while a quorum of members is up.
 * - A disk is filled again only while a quorum is up, since it is the quorum that knows what to fill it with.
 * - An acknowledged write is on the disks of a quorum, so it survives the loss of members - quorum disks at once. One
 *   more, and those that remain may not have it, and cannot know: that counts as loss of data, and the group does not
 *   go on by itself. For availability an operator is assumed to restore the disks one by one, at the same pace.
 * - A protocol that keeps nothing on disk loses in a crash what another loses with its disk.
 *
 * MTTF, MTTR, availability and reliability are those of Avizienis, Laprie, Randell and Landwehr, "Basic concepts and
 * taxonomy of dependable and secure computing", TDSC 1(1), 2004, section 2; the chain is the standard one of k-out-of-n
 * systems (Trivedi, "Probability and statistics with reliability, queuing, and computer science applications", 2002,
 * chapter 8). */
#ifndef LOCKSTEP_LAB_PLAN_MODEL_H
#define LOCKSTEP_LAB_PLAN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

/* Members of a group that is modelled: the chain has (n+1)(n+2)/2 states, and time grows with their cube. */
enum { PLAN_MEMBERS_MAX = 25 };

/* A year, in seconds: 365.25 days. */
#define PLAN_YEAR_S 31557600.0

/* Times are in seconds; INFINITY means never. */
struct plan_group {
    uint32_t members;
    uint32_t quorum; /* members that must be up; 1 to members */
    uint32_t crews;  /* repairs at a time; 0: as many as there are members */
    bool durable;    /* crashes leave what was stored */
    double mttf_s;
    double mttr_s;
    double disk_mttf_s; /* INFINITY: disks are not lost */
    double disk_mttr_s; /* as long as it takes to replace one and fill it again */
};

struct plan_outlook {
    double member_unavailability; /* share of time, in the long run */
    double unavailability;        /* of the quorum */
    double outages_s;             /* mean time from the beginning of an outage to the beginning of the next */
    double outage_s;              /* mean time that one lasts */
    double quorum_loss_s;         /* mean time to the first outage, all members being up at first */
    double data_loss_s;           /* mean time to the loss of data; INFINITY: never */
    double mission_s;             /* as asked for */
    double mission_outage;        /* probability of an outage in that time, the complement of the reliability R(t) */
    double mission_data_loss;     /* probability of a loss of data in that time */
};

/* True when the group can be modelled; else false, with a sentence that says what is wrong with which number. */
bool plan_group_check(const struct plan_group *group, char *why, size_t why_size);

/* Computes everything, for a group that passes the check. ERROR_NO_MEMORY when the heap has no room: 64 MiB are enough
 * for the largest. Without repair (an MTTR of INFINITY) the long-run shares are 1, and outages_s and outage_s are
 * INFINITY: the first outage is the last. */
int plan_outlook(const struct plan_group *group, double mission_s, struct heap *heap, struct plan_outlook *out);

/* ---- the rates, for those that walk through the same states: the solver and the simulation ---- */

struct plan_rates {
    double crash;        /* of one more member that is up */
    double disk_up;      /* the disk of a member that is up is lost */
    double disk_crashed; /* the disk of a crashed member is lost */
    double restart;      /* a crashed member comes back */
    double refill;       /* a lost disk has been replaced and filled */
};

/* Rates out of a state, with `up` members up, `crashed` and `lost` the others. */
struct plan_rates plan_rates_of(const struct plan_group *group, uint32_t up, uint32_t crashed, uint32_t lost);

/* Whether so many that are crashed or without disk are an outage, or a loss of data. */
bool plan_is_outage(const struct plan_group *group, uint32_t crashed, uint32_t lost);
bool plan_is_data_loss(const struct plan_group *group, uint32_t crashed, uint32_t lost);

#endif
