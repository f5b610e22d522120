/* The rules of one slot (paxos_rules.h): all interleavings of three acceptors and two or three ballots.
 *
 * The model is the synod of "Paxos Made Simple", 2.2, as plain as can be: an acceptor's promise and acceptance, a
 * proposer's promises, messages that may be handled at any time or never. Each ballot's value is its own number, unless
 * phase 1 makes the proposer take another. With every rule PAX-3 and PAX-4 hold in every state; without any one of them
 * some state breaks them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/consensus/paxos_rules.h"

enum { ACCEPTORS = 3, BALLOTS_MAX = 3, STATES_MAX = 1 << 20 };

enum rule { ALL_RULES, NO_PROMISE, NO_ACCEPT_CHECK, NO_REPORT, FIRST_REPORT, SMALL_QUORUM, FORGETFUL };

/* By ballot 1 to n; 0 is none. Everything is a small number, so a state is compared as its bytes. */
struct synod {
    uint8_t promised[ACCEPTORS], accepted[ACCEPTORS], value[ACCEPTORS];
    uint8_t promises[BALLOTS_MAX + 1];                     /* bits of the acceptors that promised this ballot */
    uint8_t best[BALLOTS_MAX + 1], best_value[BALLOTS_MAX + 1]; /* of what they reported */
    uint8_t proposed[BALLOTS_MAX + 1];                     /* value of phase 2a; 0: not yet */
    uint8_t votes[BALLOTS_MAX + 1];                        /* bits of the acceptors that accepted */
    uint8_t forgot;
};

static struct synod states[STATES_MAX];
static uint32_t table[2 * STATES_MAX], state_count;

static struct paxos_ballot ballot_of(uint8_t number)
{
    /* Two nodes take turns: ballots of one round differ in their node. */
    return number == 0 ? (struct paxos_ballot){0} : (struct paxos_ballot){(number + 1u) / 2, number % 2 == 1 ? 1 : 2};
}

static bool quorum(uint8_t set, enum rule without)
{
    uint32_t count = (set & 1u) + (set >> 1 & 1u) + (set >> 2 & 1u);
    return count >= (without == SMALL_QUORUM ? 1u : 2u);
}

static void add(const struct synod *state)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *state; i++)
        hash = (hash ^ ((const uint8_t *)state)[i]) * UINT64_C(1099511628211);
    uint32_t at = (uint32_t)(hash >> 20) & (2 * STATES_MAX - 1);
    for (; table[at] != 0; at = (at + 1) & (2 * STATES_MAX - 1))
        if (memcmp(&states[table[at] - 1], state, sizeof *state) == 0)
            return;
    assert_true(state_count < STATES_MAX);
    states[state_count++] = *state;
    table[at] = state_count;
}

/* Phase 1b, with its report. */
static void promise(struct synod state, uint32_t a, uint8_t b, enum rule without)
{
    if (state.proposed[b] != 0 || (state.promises[b] >> a & 1) != 0)
        return;
    if (!paxos_may_promise(ballot_of(state.promised[a]), ballot_of(b)))
        return;
    if (state.promised[a] < b && without != NO_PROMISE) /* else it is told and not kept */
        state.promised[a] = b;
    state.promises[b] |= (uint8_t)(1u << a);
    bool wins = paxos_report_wins(ballot_of(state.best[b]), ballot_of(state.accepted[a]));
    if (without == FIRST_REPORT)
        wins = state.best[b] == 0 && state.accepted[a] != 0;
    if (without != NO_REPORT && wins) {
        state.best[b] = state.accepted[a];
        state.best_value[b] = state.value[a];
    }
    add(&state);
}

/* Phase 2a. */
static void propose(struct synod state, uint8_t b, enum rule without)
{
    if (state.proposed[b] != 0 || !quorum(state.promises[b], without))
        return;
    state.proposed[b] = state.best[b] != 0 ? state.best_value[b] : b;
    add(&state);
}

/* Phase 2b. */
static void vote(struct synod state, uint32_t a, uint8_t b, enum rule without)
{
    if (state.proposed[b] == 0 || (state.votes[b] >> a & 1) != 0)
        return;
    if (without != NO_ACCEPT_CHECK && !paxos_may_accept(ballot_of(state.promised[a]), ballot_of(b)))
        return;
    if (state.promised[a] < b)
        state.promised[a] = b;
    state.accepted[a] = b;
    state.value[a] = state.proposed[b];
    state.votes[b] |= (uint8_t)(1u << a);
    add(&state);
}

/* An acceptor that loses its disk and goes on as if nothing had happened. */
static void forget(struct synod state, uint32_t a)
{
    if (state.forgot)
        return;
    state.forgot = 1;
    state.promised[a] = state.accepted[a] = state.value[a] = 0;
    add(&state);
}

static bool good(const struct synod *state, uint8_t ballots, enum rule without)
{
    for (uint8_t b = 1; b <= ballots; b++) {
        if (!quorum(state->votes[b], without))
            continue;
        for (uint8_t later = (uint8_t)(b + 1); later <= ballots; later++)
            if (state->proposed[later] != 0 && state->proposed[later] != state->proposed[b])
                return false; /* PAX-3, of which PAX-4 follows */
    }
    return true;
}

static bool explore(uint8_t ballots, enum rule without)
{
    memset(table, 0, sizeof table);
    state_count = 0;
    const struct synod start = {0};
    add(&start);
    for (uint32_t i = 0; i < state_count; i++) {
        const struct synod state = states[i];
        if (!good(&state, ballots, without))
            return false;
        for (uint8_t b = 1; b <= ballots; b++) {
            propose(state, b, without);
            for (uint32_t a = 0; a < ACCEPTORS; a++) {
                promise(state, a, b, without);
                vote(state, a, b, without);
            }
        }
        for (uint32_t a = 0; a < ACCEPTORS && without == FORGETFUL; a++)
            forget(state, a);
    }
    return true;
}

static void ballots_are_totally_ordered(void **state)
{
    (void)state;
    for (uint8_t a = 0; a < 7; a++)
        for (uint8_t b = 0; b < 7; b++) {
            int order = paxos_ballot_compare(ballot_of(a), ballot_of(b));
            assert_int_equal(order < 0, a < b);
            assert_int_equal(order > 0, a > b);
        }
}

/* PAX-3, PAX-4: Lamport 2001, 2.2, P2c. */
static void with_all_rules_one_value_is_chosen(void **state)
{
    (void)state;
    assert_true(explore(2, ALL_RULES));
    assert_true(explore(3, ALL_RULES));
    print_message("%u states of three ballots\n", state_count);
    assert_true(state_count > 10000);
}

static void each_rule_is_needed(void **state)
{
    (void)state;
    assert_false(explore(2, NO_PROMISE));
    assert_false(explore(2, NO_ACCEPT_CHECK));
    assert_false(explore(2, NO_REPORT));
    assert_false(explore(3, FIRST_REPORT));
    assert_false(explore(2, SMALL_QUORUM));
    assert_false(explore(2, FORGETFUL)); /* AG-4: an acceptor that forgets its promise causes two decisions */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ballots_are_totally_ordered),
        cmocka_unit_test(with_all_rules_one_value_is_chosen),
        cmocka_unit_test(each_rule_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
