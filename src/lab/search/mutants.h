/* Mutants: a protocol with one of its rules switched off (an ablation). They measure the laboratory: each rule stands
 * there because something goes wrong without it, and a campaign that does not find what goes wrong looks in the wrong
 * places. (Mutation analysis: DeMillo, Lipton and Sayward, "Hints on Test Data Selection", Computer 1978.)
 *
 * For each mutant several campaigns run from different seeds until one violates something; how many seeds that took is
 * the measure, and its median is reported. What some campaign does not find under a protocol that agrees in rounds is
 * looked for by exploration too: seeds rarely crash two members in the midst of two multicasts in a row. */
#ifndef LOCKSTEP_LAB_MUTANTS_H
#define LOCKSTEP_LAB_MUTANTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "contract/protocol.h"
#include "lab/search/campaign.h"

/* ---- rules that can be switched off ---- */

struct mutant {
    const char *owner; /* the protocol's name, "node", or "voter": of the gateways alone, which then there must be */
    const char *rule;
    uint32_t ablation; /* its bit in a specification */
};

/* The place-th rule that a group with this protocol can do without: the protocol's own in the order of its table, then
 * node's, then the voter's where there may be gateways. False when there are no more. */
bool mutant_at(const struct protocol *protocol, uint32_t place, struct mutant *out);
/* Switches it off in a world. */
void mutant_apply(const struct mutant *mutant, struct world_options *world);
/* Finds "vote-not-stored", "raft:vote-not-stored" or "node:ack-before-sync". */
bool mutant_find(const struct protocol *protocol, const char *name, struct mutant *out);

/* ---- how soon they are found ---- */

enum { MUTANTS_CAMPAIGNS_MAX = 99 };

struct mutants_options {
    uint32_t campaigns;   /* of each mutant, at most MUTANTS_CAMPAIGNS_MAX */
    uint64_t seeds_max;   /* of a campaign: then it has found nothing */
    uint64_t seed_first;  /* of the first campaign; each next one begins a million seeds later */
    uint32_t jobs;
    uint32_t node_count;  /* 0: five, or four where 3k+1 are needed, or as few as mask a failure where members agree in
                             rounds */
    const volatile sig_atomic_t *stop;
    FILE *progress;       /* NULL: none */
};

struct mutant_measure {
    struct mutant mutant;
    uint32_t campaigns, found; /* how many ran, and how many of them found it */
    uint64_t seeds_median;     /* until it was found; seeds_max where most campaigns did not */
    uint64_t seeds_least, seeds_most;
    char properties[96];       /* those that broke, once each, in the order of the campaigns */
    uint32_t explored_steps;   /* of the exploration's trace; 0: it found nothing, or was not needed */
    char explored_property[16];
    bool needed;               /* false: it makes members slower or need more; nothing that a run judges */
    const char *note;          /* why, or NULL */
    double seconds;
};

/* Measures one mutant. 0, or a negative error with a sentence in `why`. When it is stopped, fewer campaigns ran. */
int mutants_measure(const struct protocol *protocol, const struct mutant *mutant,
                    const struct mutants_options *options, struct mutant_measure *out, char *why, size_t why_size);

/* Looks for the mutant by exploration of the usual configuration, and notes what it finds. */
void mutants_explore(const struct protocol *protocol, struct mutant_measure *measure);

/* The options of the world that a protocol's campaigns have when nothing else is said: the service that its judge
 * knows, all faults that it promises something under, five nodes, five clients, a minute. */
void campaign_defaults(const struct protocol *protocol, struct world_options *out);

#endif
