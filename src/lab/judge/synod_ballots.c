/* What a spectator knows of ballots (synod_ballots.h). */
#include "lab/judge/synod_ballots.h"

#include <string.h>

void synod_ballots_init(struct synod_ballots *ballots, uint32_t members)
{
    *ballots = (struct synod_ballots){.members = members};
}

static bool chosen(const struct synod_ballots *ballots, const struct synod_ballot_seen *one)
{
    return 2 * (uint32_t)__builtin_popcountll(one->places) > ballots->members;
}

static void make_room(struct synod_ballots *ballots)
{
    uint32_t at = 0;
    while (at + 1 < ballots->count && chosen(ballots, &ballots->list[at]))
        at++;
    ballots->count--;
    memmove(&ballots->list[at], &ballots->list[at + 1], (ballots->count - at) * sizeof ballots->list[0]);
    ballots->list[ballots->count] = (struct synod_ballot_seen){0};
}

/* The ballot's entry, made where there is none. */
static struct synod_ballot_seen *entry(struct synod_ballots *ballots, struct paxos_ballot ballot, uint64_t value)
{
    uint32_t at = 0;
    int order = 1;
    for (; at < ballots->count; at++) {
        const struct synod_ballot_seen *one = &ballots->list[at];
        order = paxos_ballot_compare((struct paxos_ballot){one->round, one->node}, ballot);
        if (order >= 0)
            break;
    }
    if (at < ballots->count && order == 0) {
        if (ballots->list[at].value != value)
            ballots->list[at].values = 2;
        return &ballots->list[at];
    }
    if (ballots->count == SYNOD_BALLOTS_MAX) {
        make_room(ballots);
        return entry(ballots, ballot, value);
    }
    memmove(&ballots->list[at + 1], &ballots->list[at], (ballots->count - at) * sizeof ballots->list[0]);
    ballots->list[at] =
        (struct synod_ballot_seen){.round = ballot.round, .node = ballot.node, .values = 1, .value = value};
    ballots->count++;
    return &ballots->list[at];
}

void synod_ballots_propose(struct synod_ballots *ballots, struct paxos_ballot ballot, uint64_t value)
{
    (void)entry(ballots, ballot, value);
}

void synod_ballots_accept(struct synod_ballots *ballots, struct paxos_ballot ballot, uint64_t value, uint32_t place)
{
    entry(ballots, ballot, value)->places |= UINT64_C(1) << place;
}

void synod_ballots_decide(struct synod_ballots *ballots, uint64_t value)
{
    if (ballots->decisions == 0) {
        ballots->decision = value;
        ballots->decisions = 1;
    } else if (ballots->decision != value) {
        ballots->decisions = 2;
    }
}

const char *synod_ballots_agree(const struct synod_ballots *ballots)
{
    return ballots->decisions > 1 ? "PAX-4 two members take different values for decided" : NULL;
}

const char *synod_ballots_follow(const struct synod_ballots *ballots)
{
    const struct synod_ballot_seen *lowest = NULL;
    bool decided = false;
    for (uint32_t i = 0; i < ballots->count; i++) {
        const struct synod_ballot_seen *one = &ballots->list[i];
        if (one->values > 1)
            return "PAX-1 two values are proposed or accepted in one ballot";
        if (lowest != NULL && one->value != lowest->value)
            return "PAX-3 a ballot proposes another value than a majority has accepted in a lower one";
        if (!chosen(ballots, one))
            continue;
        lowest = lowest == NULL ? one : lowest;
        decided = decided || one->value == ballots->decision;
    }
    if (ballots->decisions > 0 && !decided)
        return "PAX-D a value is taken for decided that no majority has on disk in one ballot";
    return NULL;
}
