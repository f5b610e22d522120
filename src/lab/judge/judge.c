/* The list of judges. */
#include "lab/judge/judge.h"

#include <string.h>

static const struct judge_kind *const judges[] = {
    &judge_raft,           &judge_two_phase_commit,  &judge_chandy_lamport, &judge_flooding,
    &judge_flooding_early, &judge_byzantine_vectors, &judge_oral_messages,  &judge_signed_messages,
    &judge_two_generals,   &judge_synod,
    &judge_paxos,          &judge_pbft,              &judge_anti_entropy,
};

const struct judge_kind *judge_find(const char *protocol)
{
    for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++)
        if (strcmp(judges[i]->protocol, protocol) == 0)
            return judges[i];
    return NULL;
}
