/* Which property and which timers belong to which protocol (explore_properties.h). */
#include "lab/judge/explore_properties.h"

#include <string.h>

#include "lab/judge/explore_two_generals.h"
#include "protocol/commit/two_phase_commit.h"
#include "protocol/consensus/paxos.h"
#include "protocol/consensus/raft.h"
#include "protocol/consensus/two_generals.h"
#include "protocol/recover/chandy_lamport.h"
#include "protocol/replica/anti_entropy.h"

const struct explore_property *explore_property_of(const struct protocol *protocol)
{
    if (protocol == &raft_protocol)
        return &explore_raft_property;
    if (protocol == &two_generals_protocol)
        return &explore_two_generals_property;
    if (protocol == &paxos_protocol)
        return &explore_paxos_property;
    return protocol == &two_phase_commit_protocol ? &explore_two_phase_commit_property : NULL;
}

uint32_t explore_timers_of(const struct protocol *protocol, struct explore_timer *out)
{
    static const struct explore_timer raft[] = {
        {"election", 0, 1, 2, false}, {"heartbeat", 0, 2, 0, false}, {"read", 0, 3, 0, false}};
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
    if (protocol == &two_generals_protocol) { /* dawn never comes: whatever may happen, may happen before it */
        *out = (struct explore_timer){"dawn", 0, TWO_GENERALS_TIMER, 0, false};
        return 1;
    }
    if (protocol == &anti_entropy_protocol) {
        *out = (struct explore_timer){"digest", 0, 0, 1, false};
        return 1;
    }
    if (protocol == &chandy_lamport_protocol) {
        memcpy(out, chandy_lamport, sizeof chandy_lamport);
        return sizeof chandy_lamport / sizeof chandy_lamport[0];
    }
    return 0;
}
