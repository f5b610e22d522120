/* Which property and which timers belong to which protocol (explore_properties.h). */
#include "lab/judge/explore_properties.h"

#include <string.h>

#include "lab/judge/explore_rounds.h"
#include "lab/judge/explore_synod.h"
#include "lab/judge/explore_two_generals.h"
#include "protocol/commit/two_phase_commit.h"
#include "protocol/consensus/byzantine_vectors.h"
#include "protocol/consensus/flooding.h"
#include "protocol/consensus/oral_messages.h"
#include "protocol/consensus/paxos.h"
#include "protocol/consensus/pbft.h"
#include "protocol/consensus/raft.h"
#include "protocol/consensus/signed_messages.h"
#include "protocol/consensus/synod.h"
#include "protocol/consensus/two_generals.h"
#include "protocol/recover/chandy_lamport.h"
#include "protocol/replica/anti_entropy.h"

const struct explore_property *explore_property_of(const struct protocol *protocol)
{
    static const struct {
        const struct protocol *protocol;
        const struct explore_property *property;
    } list[] = {{&raft_protocol, &explore_raft_property},
                {&paxos_protocol, &explore_paxos_property},
                {&synod_protocol, &explore_synod_property},
                {&pbft_protocol, &explore_pbft_property},
                {&two_phase_commit_protocol, &explore_two_phase_commit_property},
                {&two_generals_protocol, &explore_two_generals_property},
                {&flooding_protocol, &explore_flooding_property},
                {&flooding_early_protocol, &explore_flooding_early_property},
                {&byzantine_vectors_protocol, &explore_byzantine_vectors_property},
                {&oral_messages_protocol, &explore_oral_messages_property},
                {&signed_messages_protocol, &explore_signed_messages_property}};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (list[i].protocol == protocol)
            return list[i].property;
    return NULL;
}

uint32_t explore_timers_of(const struct protocol *protocol, struct explore_timer *out)
{
    static const struct explore_timer raft[] = {
        {"election", 0, 1, 2, false}, {"heartbeat", 0, 2, 0, false}, {"read", 0, 3, 0, false}};
    static const struct explore_timer pbft[] = {{"view", 0, 1, 0, false}, {"status", 0, 2, 0, false}};
    static const struct explore_timer two_phase_commit[] = {{"wait", 0, 0, EXPLORE_UNLIMITED, false},
                                                            {"ready", 0, 1, EXPLORE_UNLIMITED, false},
                                                            {"resend", 0, 2, EXPLORE_UNLIMITED, false}};
    static const struct explore_timer chandy_lamport[] = {
        {"period", 0, 0, 0, false},
        {"give-up", 0, 1, 0, false},
        {"markers", 0, 2, 1, false},
        {"channels", 1, 3, 1, true},
    };
    if (protocol == &raft_protocol || protocol == &paxos_protocol) { /* their timers have the same names and numbers */
        memcpy(out, raft, sizeof raft);
        return sizeof raft / sizeof raft[0];
    }
    if (protocol == &two_phase_commit_protocol) {
        memcpy(out, two_phase_commit, sizeof two_phase_commit);
        return sizeof two_phase_commit / sizeof two_phase_commit[0];
    }
    if (protocol == &pbft_protocol) {
        memcpy(out, pbft, sizeof pbft);
        return sizeof pbft / sizeof pbft[0];
    }
    if (protocol == &two_generals_protocol) { /* dawn never comes: whatever may happen, may happen before it */
        *out = (struct explore_timer){"dawn", 0, TWO_GENERALS_TIMER, 0, false};
        return 1;
    }
    if (protocol == &synod_protocol)
        return explore_synod_timers(out);
    if (protocol == &anti_entropy_protocol) {
        *out = (struct explore_timer){"digest", 0, 0, 1, true};
        return 1;
    }
    const struct explore_property *property = explore_property_of(protocol);
    if (property != NULL && property->rounds) {
        *out = (struct explore_timer){"round", 0, ROUNDS_TIMER, EXPLORE_UNLIMITED, false};
        return 1;
    }
    if (protocol == &chandy_lamport_protocol) {
        memcpy(out, chandy_lamport, sizeof chandy_lamport);
        return sizeof chandy_lamport / sizeof chandy_lamport[0];
    }
    return 0;
}

/* As many requests as nodes, and the last node. */
#define AS_MANY UINT32_MAX
#define LAST_NODE UINT64_MAX

/* Agreement in rounds: everybody may propose; crashes, or a traitor. Three are enough where messages are signed. */
static void usual_rounds(struct explore_config *out)
{
    bool lies = out->property->lie != NULL;
    out->nodes = out->protocol == &signed_messages_protocol ? 3 : 4;
    out->requests = AS_MANY;
    out->rounds = true;
    out->restarts = false;
    out->values = 2;
    out->crashes = lies ? 0 : 2;
    out->traitors = lies ? LAST_NODE : 0;
}

void explore_usual(const struct protocol *protocol, struct explore_config *out)
{
    bool elects = protocol == &raft_protocol || protocol == &paxos_protocol;
    bool commits = protocol == &two_phase_commit_protocol;
    bool lies = protocol == &pbft_protocol; /* its primaries follow from its members' places: no symmetry */
    *out = (struct explore_config){.protocol = protocol,
                                   .property = explore_property_of(protocol),
                                   .nodes = lies ? 4 : elects || commits ? 3 : 2,
                                   .requests = 1,
                                   .request_at = lies ? 1 : 0,
                                   .copies = 1,
                                   .fifo = elects || lies,
                                   .synchronous = elects || lies,
                                   .doubling = commits,
                                   .restarts = true,
                                   .symmetry = !lies,
                                   .reduction = true};
    out->timer_count = explore_timers_of(protocol, out->timers);
    if (out->property != NULL && out->property->rounds)
        usual_rounds(out);
    if (protocol == &synod_protocol)
        explore_synod_usual(out);
}

void explore_settle(struct explore_config *config)
{
    if (config->requests == AS_MANY)
        config->requests = config->nodes;
    if (config->traitors == LAST_NODE)
        config->traitors = config->nodes > 0 ? UINT64_C(1) << (config->nodes - 1) : 0;
}
