/* The explorer on real protocols: small configurations are explored to the end without a violation, each reduction
 * gives the same as the search without it, rules that are switched off are found, the audit finds canonical states that
 * leave something out, and two-phase commit is compared with a model of the literature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/judge/explore_properties.h"
#include "protocol/commit/two_phase_commit.h"
#include "protocol/consensus/paxos.h"
#include "protocol/consensus/raft.h"
#include "protocol/consensus/synod.h"

static struct explore_config config_of(const struct protocol *protocol)
{
    struct explore_config config = {.protocol = protocol,
                                    .property = explore_property_of(protocol),
                                    .nodes = 3,
                                    .requests = 1,
                                    .copies = 1,
                                    .restarts = true,
                                    .symmetry = true,
                                    .reduction = true,
                                    .memory_bytes_max = (size_t)900 << 20};
    config.timer_count = explore_timers_of(protocol, config.timers);
    return config;
}

static void limit(struct explore_config *config, uint8_t first, uint8_t second, uint8_t third)
{
    config->timers[0].limit = first;
    config->timers[1].limit = second;
    config->timers[2].limit = third;
}

static struct explore_result run(const struct explore_config *config)
{
    char why[300];
    struct explorer *explorer = explore_create(config, why, sizeof why);
    if (explorer == NULL)
        fail_msg("%s", why);
    struct explore_result result;
    explore_run(explorer, &result);
    if (result.verdict == EXPLORE_FAILED)
        fail_msg("%s", result.bound);
    explore_destroy(explorer);
    return result;
}

static struct explore_result complete(const struct explore_config *config)
{
    struct explore_result result = run(config);
    if (result.verdict == EXPLORE_VIOLATED)
        fail_msg("after %u steps: %s", result.trace_length, result.violation);
    assert_int_equal(result.verdict, EXPLORE_COMPLETE);
    return result;
}

static void found(const struct explore_config *config, const char *tag)
{
    struct explore_result result = run(config);
    assert_int_equal(result.verdict, EXPLORE_VIOLATED);
    assert_true(result.trace_length > 0);
    if (strncmp(result.violation, tag, strlen(tag)) != 0)
        fail_msg("found '%s' instead of %s", result.violation, tag);
}

/* ---- complete explorations ---- */

static void two_phase_commit_is_explored_to_the_end(void **state)
{
    (void)state;
    struct explore_config config = config_of(&two_phase_commit_protocol);
    config.refusals = true;
    config.doubling = true;
    limit(&config, 1, 1, 1);
    struct explore_result result = complete(&config);
    assert_true(result.joint_states > 10000);
    assert_true(result.states >= result.joint_states);
}

static void raft_is_explored_to_the_end(void **state)
{
    (void)state;
    struct explore_config config = config_of(&raft_protocol);
    config.fifo = config.synchronous = true;
    struct explore_result result = complete(&config);
    assert_true(result.states > 100000);
}

/* Every state without symmetry is one of those that the states with it stand for. */
static void symmetry_loses_nothing(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&two_phase_commit_protocol, &raft_protocol};
    for (size_t i = 0; i < 2; i++) {
        struct explore_config config = config_of(protocols[i]);
        config.reduction = false;
        limit(&config, 1, 0, 0);
        struct explore_result with = complete(&config);
        config.symmetry = false;
        struct explore_result without = complete(&config);
        assert_int_equal(with.orbit_states, without.states);
        assert_true(with.states * 4 < without.states);
    }
}

/* The reduction leaves out states that have less under way, never what members and ghost can be together. */
static void reduction_loses_no_joint_state(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&two_phase_commit_protocol, &raft_protocol};
    for (size_t i = 0; i < 2; i++)
        for (uint32_t crashes = 0; crashes < 2 - (uint32_t)i; crashes++) {
            struct explore_config config = config_of(protocols[i]);
            limit(&config, 1, 0, 0);
            config.crashes = crashes;
            config.nodes = crashes == 0 ? 3 : 2;
            struct explore_result with = complete(&config);
            config.reduction = false;
            config.audit = true;
            struct explore_result without = complete(&config);
            assert_true(with.states < without.states);
            assert_int_equal(with.joint_states, without.joint_states);
            assert_int_equal(with.node_states, without.node_states);
        }
}

static void depth_first_finds_the_same_states(void **state)
{
    (void)state;
    struct explore_config config = config_of(&raft_protocol);
    limit(&config, 1, 0, 0);
    config.reduction = false;
    struct explore_result breadth = complete(&config);
    config.depth_first = true;
    struct explore_result depth = complete(&config);
    assert_int_equal(breadth.states, depth.states);
    assert_int_equal(breadth.transitions, depth.transitions);
}

static void runs_are_repeatable(void **state)
{
    (void)state;
    struct explore_config config = config_of(&raft_protocol);
    limit(&config, 1, 0, 0);
    struct explore_result first = complete(&config), second = complete(&config);
    assert_memory_equal(&first, &second, sizeof first);
}

static void bounds_are_said(void **state)
{
    (void)state;
    struct explore_config config = config_of(&raft_protocol);
    config.states_max = 500;
    struct explore_result result = run(&config);
    assert_int_equal(result.verdict, EXPLORE_BOUNDED);
    assert_string_equal(result.bound, "states");
    config.states_max = 0;
    config.depth_max = 6;
    result = run(&config);
    assert_int_equal(result.verdict, EXPLORE_BOUNDED);
    assert_string_equal(result.bound, "depth");
    assert_int_equal(result.depth, 6);
}

static void what_cannot_be_explored_is_refused(void **state)
{
    (void)state;
    char why[300];
    struct explore_config config = config_of(&raft_protocol);
    config.nodes = EXPLORE_NODES_MAX + 1;
    assert_null(explore_create(&config, why, sizeof why));
    assert_non_null(strstr(why, "1 to 5 nodes"));
    config = config_of(&raft_protocol);
    config.request_at = 4;
    assert_null(explore_create(&config, why, sizeof why));
    struct protocol mute = raft_protocol;
    mute.canonical = NULL;
    config = config_of(&mute);
    assert_null(explore_create(&config, why, sizeof why));
    assert_non_null(strstr(why, "canonical"));
}

/* ---- rules that are switched off ---- */

static void ablations_of_two_phase_commit_are_found(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        const char *tag;
    } cases[] = {{ABLATION_PROTOCOL_FIRST << TPC_VOTE_BEFORE_READY_STORED, "AC-D"},
                 {ABLATION_PROTOCOL_FIRST << TPC_DECIDE_ALONE, "AC1"},
                 {ABLATION_PROTOCOL_FIRST << TPC_INIT_ANSWERS_ABORT_WITHOUT_MOVING, "AC1"},
                 {ABLATION_PROTOCOL_FIRST << TPC_SEND_BEFORE_DECISION_STORED, "AC"},
                 {ABLATION_PROTOCOL_FIRST << TPC_FORGET_BEFORE_ALL_ACKS, "AC1"},
                 {ABLATION_ACK_BEFORE_SYNC, "AC"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct explore_config config = config_of(&two_phase_commit_protocol);
        config.nodes = 2;
        config.crashes = 1;
        config.doubling = true;
        limit(&config, 1, 1, 1);
        complete(&config);
        config.ablations = cases[i].bits;
        if (i == 4)
            config.nodes = 3; /* whoever acknowledges second must be another than the coordinator's own participant */
        found(&config, cases[i].tag);
    }
}

static void ablations_of_raft_are_found(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        const char *tag;
    } cases[] = {{RAFT_ABLATION_VOTE_NOT_STORED, "RAFT-1"},
                 {RAFT_ABLATION_VOTE_ANY_LOG, "RAFT-4"},
                 {ABLATION_ACK_BEFORE_SYNC, "RAFT-1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct explore_config config = config_of(&raft_protocol);
        config.fifo = config.synchronous = true;
        config.crashes = 1;
        config.ablations = cases[i].bits;
        found(&config, cases[i].tag);
    }
}

/* AC5: with restarts everybody can always still decide; without, who is READY is blocked when its coordinator is gone,
 * as every commit protocol with two phases must be (Skeen 1981). */
static void two_phases_block(void **state)
{
    (void)state;
    struct explore_config config = config_of(&two_phase_commit_protocol);
    config.nodes = 2;
    config.request_at = 1;
    config.crashes = 1;
    config.doubling = true;
    config.progress = true;
    complete(&config);
    config.restarts = false;
    found(&config, "AC5");
}

/* ---- the audit ---- */

static void (*whole)(const void *self, struct canon *out);

/* Writes what the real one does, but for the last bytes: histories and whatever else comes late. */
static void without_the_end(const void *self, struct canon *out)
{
    size_t before = out->size;
    whole(self, out);
    out->size = before + (out->size - before) / 3;
}

static void audit_accepts_what_is_whole(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&two_phase_commit_protocol, &raft_protocol};
    for (size_t i = 0; i < 2; i++) {
        struct explore_config config = config_of(protocols[i]);
        config.audit = true;
        config.crashes = 1;
        config.nodes = 2 + (uint32_t)i;
        config.fifo = config.synchronous = i == 1;
        limit(&config, 1, 1, 1);
        struct explore_result result = complete(&config);
        assert_true(result.audited > 100);
        assert_int_equal(result.audit_failures, 0);
    }
}

static void audit_rejects_what_leaves_something_out(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&two_phase_commit_protocol, &raft_protocol};
    for (size_t i = 0; i < 2; i++) {
        struct protocol mutant = *protocols[i];
        whole = mutant.canonical;
        mutant.canonical = without_the_end;
        struct explore_config config = config_of(protocols[i]);
        config.protocol = &mutant;
        config.property = NULL;
        config.audit = true;
        limit(&config, 1, 1, 1);
        struct explore_result result = run(&config);
        assert_true(result.audit_failures > 0);
    }
}

/* A crash leaves as much of what is not durable yet, whatever the number of records before: equal states have logs of
 * different lengths. Candidates were in different campaigns before. */
static void audit_accepts_what_is_whole_through_crashes(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&synod_protocol, &paxos_protocol, &raft_protocol};
    for (size_t i = 0; i < 3; i++) {
        struct explore_config config = config_of(protocols[i]);
        config.audit = config.fifo = config.synchronous = true;
        config.requests = i == 0 ? 2 : 1;
        config.crashes = 1;
        config.states_max = 60000;
        limit(&config, i == 0 ? 1 : 2, 0, 0);
        struct explore_result result = run(&config);
        assert_true(result.audited > 1000);
        assert_int_equal(result.audit_failures, 0);
    }
}

/* Leaves out most of what a member that has not started yet holds; its first byte says whether it has. */
static void without_the_restored(const void *self, struct canon *out)
{
    size_t before = out->size;
    whole(self, out);
    if (out->bytes[before] == 0)
        out->size = before + 1;
}

/* Then all disks look alike, which nobody sees before somebody crashes: what comes back differs. */
static void audit_rejects_what_only_a_crash_shows(void **state)
{
    (void)state;
    const struct protocol *const protocols[] = {&paxos_protocol, &raft_protocol};
    for (size_t i = 0; i < 2; i++)
        for (uint32_t crashes = 0; crashes < 2; crashes++) {
            struct protocol mutant = *protocols[i];
            whole = mutant.canonical;
            mutant.canonical = without_the_restored;
            struct explore_config config = config_of(protocols[i]);
            config.protocol = &mutant;
            config.property = NULL;
            config.audit = config.fifo = config.synchronous = true;
            config.crashes = crashes;
            config.states_max = 100000;
            limit(&config, 2, 0, 0);
            struct explore_result result = run(&config);
            assert_true(result.audited > 100);
            assert_int_equal(result.audit_failures > 0, crashes > 0);
        }
}

/* ---- the literature's model ---- */

/* TwoPhase of Gray and Lamport, "Consensus on transaction commit" (ACM TODS 2006), written as naively as possible:
 * three resource managers, a transaction manager, messages that stay. */
enum { RMS = 3, WORKING = 0, PREPARED = 1, COMMITTED = 2, ABORTED = 3, TM_INIT = 0 };

struct model {
    uint8_t rm[RMS];
    uint8_t tm;            /* TM_INIT, COMMITTED, ABORTED */
    uint8_t tm_prepared;   /* bit by resource manager */
    uint8_t prepared_sent; /* the message Prepared, bit by sender */
    uint8_t commit_sent, abort_sent;
};

static uint32_t code_of(const struct model *m)
{
    uint32_t code = m->tm;
    for (int i = 0; i < RMS; i++)
        code = code * 4 + m->rm[i];
    return ((code * 8 + m->tm_prepared) * 8 + m->prepared_sent) * 4 + m->commit_sent * 2u + m->abort_sent;
}

enum { CODES = 4 * 64 * 64 * 4, MODEL_STATES_MAX = 1000 };
static bool in_model[CODES], reached[CODES];
static struct model model_states[MODEL_STATES_MAX];
static uint32_t model_count;

static void add(const struct model *m)
{
    if (in_model[code_of(m)])
        return;
    in_model[code_of(m)] = true;
    assert_true(model_count < MODEL_STATES_MAX);
    model_states[model_count++] = *m;
}

static void add_manager_steps(const struct model *from)
{
    struct model to;
    for (int i = 0; i < RMS; i++) {
        uint8_t bit = (uint8_t)(1u << i);
        if (from->tm == TM_INIT && (from->prepared_sent & bit) != 0) {
            to = *from; /* TMRcvPrepared */
            to.tm_prepared |= bit;
            add(&to);
        }
    }
    to = *from;
    to.tm = COMMITTED; /* TMCommit */
    to.commit_sent = 1;
    if (from->tm == TM_INIT && from->tm_prepared == (1 << RMS) - 1)
        add(&to);
    to = *from;
    to.tm = ABORTED; /* TMAbort */
    to.abort_sent = 1;
    if (from->tm == TM_INIT)
        add(&to);
}

static void add_resource_steps(const struct model *from, int i)
{
    struct model to = *from;
    uint8_t bit = (uint8_t)(1u << i);
    if (from->rm[i] == WORKING) {
        to.rm[i] = PREPARED; /* RMPrepare */
        to.prepared_sent |= bit;
        add(&to);
        to = *from;
        to.rm[i] = ABORTED; /* RMChooseToAbort */
        add(&to);
    }
    to = *from;
    to.rm[i] = COMMITTED; /* RMRcvCommitMsg */
    if (from->commit_sent)
        add(&to);
    to = *from;
    to.rm[i] = ABORTED; /* RMRcvAbortMsg */
    if (from->abort_sent)
        add(&to);
}

static void explore_model(void)
{
    memset(in_model, 0, sizeof in_model);
    model_count = 0;
    add(&(struct model){{0}, 0, 0, 0, 0, 0});
    for (uint32_t i = 0; i < model_count; i++) {
        const struct model from = model_states[i];
        add_manager_steps(&from);
        for (int rm = 0; rm < RMS; rm++)
            add_resource_steps(&from, rm);
    }
}

/* Once it has decided to abort, a coordinator does not care any more whose votes it had: ours forgets them, and theirs
 * has states that differ in nothing else. */
static uint32_t model_without_votes_of_aborted(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < model_count; i++)
        count += model_states[i].tm != ABORTED || model_states[i].tm_prepared == 0;
    return count;
}

/* Ours on their variables. What is durable counts, because what they call one step, we do when the disk has it: state
 * and message together. The coordinator is member 1; what it decided, once all have acknowledged and it has forgotten,
 * is what they did. */
static struct model projection(const void *const *facts)
{
    static const uint8_t names[] = {WORKING, PREPARED, COMMITTED, ABORTED, ABORTED};
    const struct explore_tpc_facts *coordinator = facts[0];
    struct model m = {.tm = names[coordinator->restored_decision]};
    for (int i = 0; i < RMS; i++) {
        const struct explore_tpc_part *part = &((const struct explore_tpc_facts *)facts[i])->parts[0][0];
        m.rm[i] = names[part->restored_state];
        if (part->restored_voted)
            m.prepared_sent = (uint8_t)(m.prepared_sent | 1u << i);
    }
    bool ended = coordinator->restored_sequence == 1 && coordinator->restored_decision == TRANSACTION_INIT &&
                 !coordinator->restored_undecided;
    if (ended)
        m.tm = m.rm[0];
    m.tm_prepared = m.tm == ABORTED ? 0 : m.tm == COMMITTED ? (1 << RMS) - 1 : coordinator->votes;
    m.commit_sent = m.tm == COMMITTED;
    m.abort_sent = m.tm == ABORTED;
    return m;
}

struct counted {
    uint32_t states, outside, unexplained;
};

/* Cooperative termination, which the model does not have: who had promised aborts because another participant, who had
 * not, says that it did; the manager has not decided. */
static bool told_by_another(const struct model *m)
{
    bool promised = false, alone = false;
    for (int i = 0; i < RMS; i++) {
        bool sent = (m->prepared_sent & 1u << i) != 0;
        promised |= m->rm[i] == ABORTED && sent;
        alone |= m->rm[i] == ABORTED && !sent;
    }
    return promised && alone && m->tm == TM_INIT;
}

static void count_projection(void *context, const void *const *facts, const void *ghost, uint32_t depth)
{
    struct counted *counted = context;
    (void)ghost;
    (void)depth;
    struct model m = projection(facts);
    uint32_t code = code_of(&m);
    if (reached[code])
        return;
    reached[code] = true;
    counted->states++;
    counted->outside += !in_model[code];
    counted->unexplained += !in_model[code] && !told_by_another(&m);
}

static struct counted project(uint8_t ready_timeouts, uint32_t crashes)
{
    struct counted counted = {0};
    memset(reached, 0, sizeof reached);
    struct explore_config config = config_of(&two_phase_commit_protocol);
    config.request_at = 1;
    config.symmetry = false; /* each state is to be seen under its own names */
    config.doubling = true;
    config.refusals = true;
    config.crashes = crashes;
    limit(&config, 1, ready_timeouts, 1);
    config.visit = count_projection;
    config.context = &counted;
    complete(&config);
    return counted;
}

static void two_phase_commit_is_the_literature_s(void **state)
{
    (void)state;
    explore_model();
    assert_int_equal(model_count, 288);
    struct counted plain = project(0, 0);
    print_message("TwoPhase has %u states, %u apart from votes of the aborted; we reach %u, %u of them outside\n",
                  model_count, model_without_votes_of_aborted(), plain.states, plain.outside);
    struct counted crashed = project(0, 1);
    print_message("with one crash we reach %u, %u of them outside\n", crashed.states, crashed.outside);
    assert_int_equal(crashed.states - crashed.outside, plain.states);
    assert_int_equal(crashed.unexplained, 0); /* who comes back READY asks at once */
    struct counted cooperative = project(1, 0);
    print_message("with cooperative termination we reach %u, %u of them outside\n", cooperative.states,
                  cooperative.outside);
    assert_int_equal(plain.outside, 0);
    assert_int_equal(plain.states, model_without_votes_of_aborted());
    assert_int_equal(cooperative.states - cooperative.outside, plain.states);
    assert_int_equal(cooperative.unexplained, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_phase_commit_is_explored_to_the_end),
        cmocka_unit_test(raft_is_explored_to_the_end),
        cmocka_unit_test(symmetry_loses_nothing),
        cmocka_unit_test(reduction_loses_no_joint_state),
        cmocka_unit_test(depth_first_finds_the_same_states),
        cmocka_unit_test(runs_are_repeatable),
        cmocka_unit_test(bounds_are_said),
        cmocka_unit_test(what_cannot_be_explored_is_refused),
        cmocka_unit_test(ablations_of_two_phase_commit_are_found),
        cmocka_unit_test(ablations_of_raft_are_found),
        cmocka_unit_test(two_phases_block),
        cmocka_unit_test(audit_accepts_what_is_whole),
        cmocka_unit_test(audit_rejects_what_leaves_something_out),
        cmocka_unit_test(audit_accepts_what_is_whole_through_crashes),
        cmocka_unit_test(audit_rejects_what_only_a_crash_shows),
        cmocka_unit_test(two_phase_commit_is_the_literature_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
