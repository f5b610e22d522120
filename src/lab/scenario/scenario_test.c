/* Scenarios, whole: small scripts run in the world, and what they come to; and runs that were written down and
 * replayed. */
#include "lab/scenario/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "lab/search/campaign.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

/* ---- running ---- */

static char path[] = "scenario-test-XXXXXX";

static struct scenario_report run_file(const char *const *breaks)
{
    struct scenario_options options = {.path = path, .breaks = breaks};
    struct scenario_report report;
    scenario_run(&options, &report);
    return report;
}

static struct scenario_report run(const char *script)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(script, file);
    fclose(file);
    return run_file(NULL);
}

static void agrees(const char *script)
{
    struct scenario_report report = run(script);
    if (report.verdict != SCENARIO_AGREES)
        fail_msg("%s\nsays: %s", script, report.sentence);
}

static void comes_to(enum scenario_verdict verdict, const char *script, const char *says)
{
    struct scenario_report report = run(script);
    if (report.verdict != verdict || strstr(report.sentence, says) == NULL)
        fail_msg("%s\ncomes to %d: %s", script, report.verdict, report.sentence);
}

#define RAFT3 "group { protocol = 'raft', nodes = 3 }\n"

/* ---- waiting ---- */

static void what_is_waited_for_is_seen(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 leads with term=1'");
    agrees(RAFT3 "wait('1 sends VOTE', 4)");
    agrees(RAFT3 "wait { '3 follows 1', '2 follows 1', '1 leads' }");
    agrees(RAFT3 "wait '1 has role=leader term=1'");
    agrees(RAFT3 "wait 'any has role=leader' wait '2 is up'");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '2 leads'", "expected: 2 leads; saw: not since 0s");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait('1 sends VOTE', 400)", "4 of 400 times since 0s");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait('1 leads', '100ms')", "not since 0s");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 has term=7'", "not since 0s; now role=leader term=1");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait { '1 leads', '2 leads' }", "expected: 2 leads");
    comes_to(SCENARIO_ERROR, RAFT3 "wait '1 has terms=7'", "the state of node 1 has no word 'terms'; it is: role=");
}

static void time_passes_as_told(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '250ms' crash(1) assert(wait('1 crashes').at_ns == 250000000)");
    agrees(RAFT3 "wait '1 starts' wait '1.5s' crash(2, '20ms') assert(wait('2 starts').at_ns == 1520000000)");
    comes_to(SCENARIO_DISAGREES, "group { protocol = 'raft', nodes = 3, time = '1s' } wait '2s'",
             "the run's time of 1s was over before");
}

/* A story reads on where it stopped: what happens in the same step is not missed, what came before is not seen again. */
static void nothing_is_missed_and_nothing_seen_twice(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 enters CANDIDATE' wait '1 sends VOTE to 2 with pre=0' wait '1 sends VOTE to 3 with pre=0' "
                 "wait '1 leads' expect('1 leads', 1)");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' wait '1 leads'", "expected: 1 leads; saw: not since");
    agrees(RAFT3 "wait '1 leads' wait '500ms' expect '1 leads'");
}

static void handlers_are_stories_too(void **state)
{
    (void)state;
    agrees(RAFT3 "local seen = {}\n"
                 "when('any follows 1', function(view)\n"
                 "    wait('10ms') seen[view.node] = true crash(view.node)\n"
                 "end)\n"
                 "wait { '2 crashes', '3 crashes' } wait '1ms' expect(seen[2] and seen[3], 'both were handled')");
    agrees(RAFT3 "local n = 0 local handler = when('1 sends VOTE', function() n = n + 1 end)\n"
                 "wait '1 enters CANDIDATE' handler:stop() wait '1 leads' expect(n == 2, 'only before it was stopped')");
    comes_to(SCENARIO_ERROR, RAFT3 "when('1 leads', function() error 'oh' end) wait '1s'", ":2: oh");
    comes_to(SCENARIO_ERROR, RAFT3 "when('1 leads', function() group { protocol = 'raft' } end) wait '1s'",
             "not for handlers");
}

static void what_must_not_be_is_noticed(void **state)
{
    (void)state;
    agrees(RAFT3 "never '2 leads' wait '1s'");
    comes_to(SCENARIO_DISAGREES, RAFT3 "never '1 leads with term=1' wait '1s'",
             "expected: never 1 leads with term=1; saw: 1 leads, term 1");
    agrees(RAFT3 "never('1 leads'):stop() wait '1s'");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' expect('any leads', 2)", "saw: 1 leads, term 1");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' expect '2 leads'", "saw: never");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' expect '1 is down'", "expected: 1 is down");
    comes_to(SCENARIO_DISAGREES, RAFT3 "expect(1 == 2, 'one is two')", "expected: one is two; saw: it is not so");
    comes_to(SCENARIO_ERROR, RAFT3 "never '1 is up'", "is a state, not something that happens");
}

/* ---- doing ---- */

static void nodes_are_taken_down_and_brought_back(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 leads' crash(1) wait '1 is down' wait 'any leads with term=2' wait '3s'\n"
                 "expect '1 is down' restart('S1') wait '1 starts' wait '1 has term=2'");
    agrees(RAFT3 "wait '1 leads' pause(1) wait 'any leads with term=2' resume(1) wait { '1 resumes', '1 leaves LEADER' }");
    agrees(RAFT3 "wait '1 leads' amnesia(2, '10ms') wait '2 notes START recovering' wait '2 notes RECOVERING -> VOTER'");
    agrees(RAFT3 "wait '1 leads' disk_stall(1) wait '1 leaves LEADER' undo('disk-stall', 1) wait '1 follows any'");
}

static void links_are_cut_and_healed(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 leads' cut { 1 } wait '1 leaves LEADER' wait 'any leads with term=2' heal() wait '1 has term=2'");
    agrees(RAFT3 "wait '1 leads' cut({ 1 }, '3s') wait '1 leaves LEADER' wait '1 has term=2'");
    agrees(RAFT3 "cut_link(1, 2) cut_link(1, 3) wait('1 enters PRE-CANDIDATE') wait 'any leads' expect('1 leads', 0)");
}

static void messages_have_fates(void **state)
{
    (void)state;
    agrees(RAFT3 "local votes = lose('1 sends VOTE to 2', 1) wait '1 leads' expect(votes:count() == 1, 'one was lost') "
                 "expect('2 receives VOTE with pre=1', 0) expect('3 receives VOTE with pre=1', 1)");
    agrees(RAFT3 "duplicate '1 sends VOTE to 2 with pre=1' wait '1 leads' expect('2 receives VOTE with pre=1', 2)");
    agrees(RAFT3 "delay('1 sends VOTE to 2 with pre=1', '30ms') local sent = wait('1 sends VOTE to 2').at_ns "
                 "assert(wait('2 receives VOTE with pre=1').at_ns - sent >= 30000000)");
    agrees(RAFT3 "corrupt '1 sends VOTE to 2 with pre=1' wait '1 leads' expect('2 receives VOTE with pre=1', 0)");
    agrees(RAFT3 "wait '1 leads' wait '1s' lose(1, 2) wait '1 sends APPEND to 2' wait '1 receives ROUND_ACK from 3'");
    comes_to(SCENARIO_ERROR, RAFT3 "lose '1 receives VOTE'", "strikes messages as they leave");
    comes_to(SCENARIO_ERROR, RAFT3 "wait '1 leads' lose(1, 2, 1)", "message 1 from 1 to 2 has left already");
}

static void arguments_find_their_places(void **state)
{
    (void)state;
    agrees(RAFT3 "slow(1, '1s', 4) slow('1s', 'S1', 4) cut({ 1, 3 }, '1s', 2) slow_link(1, 2, '1s', '5ms') clock_step(2, '5ms') disk_rot(3, 1, 7)");
    comes_to(SCENARIO_ERROR, RAFT3 "crash()", "crash takes node duration amount draw; node is missing");
    comes_to(SCENARIO_ERROR, RAFT3 "crash(4)", "there is no node 4; nodes are 1 to 3");
    comes_to(SCENARIO_ERROR, RAFT3 "crash('any')", "'any' is no node");
    comes_to(SCENARIO_ERROR, RAFT3 "crash(1, {})", "argument 2, a table, fits none of them");
    comes_to(SCENARIO_ERROR, RAFT3 "cut(1)", "set is missing");
    comes_to(SCENARIO_ERROR, RAFT3 "cut {}", "this one is empty");
    comes_to(SCENARIO_ERROR, RAFT3 "undo('lose', 1)", "'lose' is no fault that lasts");
}

static void amounts_and_times_have_bounds(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 leads' disk_rot(1, 1000, 7) disk_latent(2, 1000, 7) clock_drift(3, -500000000) "
                 "clock_step(2, '5256000m') pause(3, 'forever') slow_link(1, 2, '1s', '1440m') wait '100ms'");
    comes_to(SCENARIO_ERROR, RAFT3 "disk_rot(1, 1001)", "disk-rot takes an amount from 0 to 1000, not 1001");
    comes_to(SCENARIO_ERROR, RAFT3 "disk_latent(1, -1)", "disk-latent takes an amount from 0 to 1000, not -1");
    comes_to(SCENARIO_ERROR, RAFT3 "clock_drift(1, 1000000000)", "from -500000000 to 500000000");
    comes_to(SCENARIO_ERROR, RAFT3 "clock_step(1, 'forever')", "clock-step takes an amount");
    comes_to(SCENARIO_ERROR, RAFT3 "omit_send(1, '1s', 1001)", "omit-send takes an amount from 0 to 1000");
    comes_to(SCENARIO_ERROR, RAFT3 "adversary(1, 64)", "adversary takes an amount from 0 to 63");
    comes_to(SCENARIO_ERROR, RAFT3 "cut({ 1 }, 4)", "cut takes an amount from 0 to 3");
    comes_to(SCENARIO_ERROR, RAFT3 "pause(1, '86401s')", "'86401s' is longer than a day");
    comes_to(SCENARIO_ERROR, RAFT3 "delay('1 sends VOTE', 'forever')", "'forever' is longer than a day");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'crash', at = '9223372036s', node = 1, duration = '1s' } }",
             "'9223372036s' is longer than a day");
}

/* ---- asking ---- */

static void answers_are_compared(void **state)
{
    (void)state;
    agrees(RAFT3 "wait '1 leads' ask(1, 'SET x 1'):answers 'OK' ask(2, 'GET x'):answers '1' ask(3, 'GET y'):answers 'nil' "
                 "ask(1, 'SET x a'):answers 'OK' ask(1, 'INCR x'):fails 'ERR'");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' ask(1, 'SET x 1'):answers 'NO'",
             "expected: 1 answers SET x 1 with NO; saw: OK");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' ask(1, 'SET x 1'):fails 'ERR'",
             "expected: 1 refuses SET x 1 with ERR; saw: OK");
    agrees(RAFT3 "wait '1 leads' local r = ask(1, 'INCR n') r:is_open() assert(r:answer() == 1) r:answers '1'");
    agrees(RAFT3 "wait '1 leads' local r = ask(1, 'INCR n') crash(1) r:is_lost() assert(r:answer() == nil)");
    agrees(RAFT3 "wait '1 leads' ask(1, 'SET x a'):answers 'OK' local l = ask(1, 'MGET x y'):answer() "
                 "assert(#l == 2 and l[1] == 'a' and l[2] == false) ask(1, 'MGET x y'):answers '[a, nil]'");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads' cut{1} ask(1, 'SET x 1'):is_open() ask(2, 'GET x'):answers '7'",
             "expected: 2 answers GET x with 7");
}

/* ---- verdicts ---- */

static void violations_are_judged(void **state)
{
    (void)state;
    static const char early[] = "group { protocol = 'raft', nodes = 3, breaks = { 'read-without-round' } }\n"
                                "wait '1 leads' ask(1, 'SET x 1'):answers 'OK' cut { 1 } wait 'any leads with term=2'\n";
    comes_to(SCENARIO_DISAGREES, RAFT3 "violates 'RAFT-1'", "expected: RAFT-1 breaks; saw: it did not, in 60s");
    agrees("group { protocol = 'two-phase-commit', nodes = 3, breaks = { 'decide-alone' } } wait '100ms' violates 'AC1'\n"
           "lose 'P1 sends GLOBAL_COMMIT' ask(1, 'OPEN a 1') wait 'P1 enters COMMIT'");
    comes_to(SCENARIO_DISAGREES,
             "group { protocol = 'two-phase-commit', nodes = 3, breaks = { 'decide-alone' } } wait '100ms'\n"
             "lose 'P1 sends GLOBAL_COMMIT' ask(1, 'OPEN a 1') wait '5s'",
             "expected: no property breaks; saw: AC1: ");
    comes_to(SCENARIO_DISAGREES,
             "group { protocol = 'two-phase-commit', nodes = 3, breaks = { 'decide-alone' } } wait '100ms'\n"
             "violates 'AC2' lose 'P1 sends GLOBAL_COMMIT' ask(1, 'OPEN a 1') wait '5s'",
             "expected: AC2 breaks, and nothing else; saw: AC1: ");
    agrees("group { protocol = 'two-phase-commit', nodes = 3, breaks = { 'decide-alone' } } wait '100ms'\n"
           "lose 'P1 sends GLOBAL_COMMIT' ask(1, 'OPEN a 1') wait 'AC1 breaks'");
    agrees(early);
}

static void runs_follow_one_another(void **state)
{
    (void)state;
    agrees("local function story(nodes) group { protocol = 'raft', nodes = nodes } wait '1 leads' "
           "expect('any sends VOTE', 2 * (nodes - 1)) end story(3) story(5) story(2)");
    comes_to(SCENARIO_DISAGREES, RAFT3 "wait '1 leads'\n" RAFT3 "wait '2 leads'", "expected: 2 leads");
    comes_to(SCENARIO_ERROR, RAFT3 "wait '1 leads' r = ask(1, 'GET x')\n" RAFT3 "r:answers 'nil'",
             "this request belongs to a run that is over");
}

static void errors_say_where(void **state)
{
    (void)state;
    comes_to(SCENARIO_ERROR, "local x = 1\n", "sets up no group");
    comes_to(SCENARIO_ERROR, "local x =\n", ":2: unexpected symbol near <eof>");
    comes_to(SCENARIO_ERROR, "\ngroup { protocol = 'raf' }", ":2: there is no protocol 'raf'; there are raft");
    comes_to(SCENARIO_ERROR, "group {}", ":1: group wants a protocol");
    comes_to(SCENARIO_ERROR, "group { protocol = 'raft', nods = 3 }", "group has no 'nods'; it has protocol");
    comes_to(SCENARIO_ERROR, "group { protocol = 'raft', nodes = 65 }", "nodes must be a number from 1 to 64");
    comes_to(SCENARIO_ERROR, "group { protocol = 'raft', breaks = { 'x' } }", "raft has no rule 'x' to switch off");
    comes_to(SCENARIO_ERROR, "group { protocol = 'raft', time = '3 days' }", "'3 days' is no time");
    comes_to(SCENARIO_ERROR, "group { protocol = 'raft', service = 'x' }", "no such service; there are");
    comes_to(SCENARIO_ERROR, "wait '1 leads'", ":1: there is no group yet");
    comes_to(SCENARIO_ERROR, RAFT3 "\nwait '1 lead'", ":3: \"1 lead\": 'lead' is nothing that a node does here");
    comes_to(SCENARIO_ERROR, RAFT3 "wait(1)", "a sentence such as");
    comes_to(SCENARIO_ERROR, RAFT3 "while true do end", ":2: the script has taken more than 10000000 steps");
    comes_to(SCENARIO_ERROR, RAFT3 "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
             ":2: the script needs more than 64 MiB of memory");
    comes_to(SCENARIO_ERROR, RAFT3 "os.exit(0)", ":2: attempt to index a nil value (global 'os')");
    comes_to(SCENARIO_ERROR, RAFT3 "for i = 1, 1000 do never '1 leads' end", "a run may have 256 rules");
}

static void plans_are_checked(void **state)
{
    (void)state;
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'crush', at = '1s', node = 1 } }", "a plan has no 'crush'; it has crash");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'crash', at = '1s', node = 1 } }", "crash wants 'duration'");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'crash', at = '1s', node = 4, duration = '1s' } }", "there is no node 4");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'crash', at = 1, node = 1, duration = '1s' } }", "a time is a text");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'lose', at = '1s', node = 1, other = 2, number = 1 } }", "lose has no 'at'");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { node = 1 } }", "begins with its kind");
    comes_to(SCENARIO_ERROR, RAFT3 "plan { { 'request', at = '1s', client = 99, node = 1, text = 'GET x' } }",
             "there is no client 99");
}

/* ---- determinism ---- */

static void the_same_script_is_the_same_run(void **state)
{
    (void)state;
    static const char script[] = RAFT3 "wait '1 leads' local t = {} for i = 1, 5 do t['k' .. i] = ask(i % 3 + 1, 'INCR k' .. i) "
                                       "end for k, r in pairs(t) do r:answers '1' end crash(1, '300ms') wait '3s'";
    struct scenario_report first = run(script);
    assert_int_equal(first.verdict, SCENARIO_AGREES);
    for (int i = 0; i < 3; i++) {
        struct scenario_report again = run(script);
        assert_int_equal(again.world.hash, first.world.hash);
        assert_int_equal(again.world.steps, first.world.steps);
    }
}

/* ---- writing down ---- */

/* Runs a seed with faults, noting every item; writes it as a script; runs that. It must be the same run. */
static void write_and_replay(const char *protocol, uint64_t seed, const char *rule, struct heap *heap)
{
    struct world_options options;
    struct campaign_result result;
    struct plan plan;
    struct mutant mutant;
    campaign_defaults(protocol_find(protocol), &options);
    options.node_count = 3;
    options.time_ns = 4 * NS_PER_S;
    options.seed = seed;
    if (rule != NULL) {
        assert_true(mutant_find(options.protocol, rule, &mutant));
        options.ablations = mutant.ablation;
    }
    plan_init(&plan, heap);
    options.record = &plan;
    struct campaign_runner *runner = campaign_runner_create(&options);
    assert_non_null(runner);
    campaign_runner_run(runner, &options, &result);
    campaign_runner_free(runner);
    plan_sort(&plan);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    const char *property = result.world.violated ? result.world.property : NULL;
    assert_int_equal(scenario_write(file, &options, &plan, property, result.world.sentence), 0);
    fclose(file);
    struct scenario_report report = run_file(NULL);
    if (report.verdict != SCENARIO_AGREES)
        fail_msg("seed %d: %s", (int)seed, report.sentence);
    assert_int_equal(report.world.hash, result.world.hash);
    assert_int_equal(report.world.steps, result.world.steps);
    plan_free(&plan);
}

static void what_was_written_down_is_the_same_run(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 30);
    for (uint64_t seed = 1; seed <= 12; seed++)
        write_and_replay("raft", seed, NULL, heap);
    for (uint64_t seed = 1; seed <= 4; seed++)
        write_and_replay("two-phase-commit", seed, NULL, heap);
    for (uint64_t seed = 1; seed <= 2; seed++)
        write_and_replay("chandy-lamport", seed, NULL, heap);
    for (uint64_t seed = 1; seed <= 4; seed++)
        write_and_replay("pbft", seed, NULL, heap);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

/* Among these seeds some violate; each is found again by its property. */
static void what_failed_fails_again(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 30);
    for (uint64_t seed = 1; seed <= 12; seed++)
        write_and_replay("raft", seed, "ack-before-sync", heap);
    heap_destroy_system(heap);
}

/* Every kind and every odd value is written so that it is read back: the plan of the replay, noted, is the same. */
static void every_kind_is_written(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)64 << 20);
    struct world_options options;
    struct plan plan;
    campaign_defaults(protocol_find("pbft"), &options); /* which there are attacks on */
    options.calm = true;
    options.heal_at_ns = PLAN_FOREVER;
    options.time_ns = 2 * NS_PER_S;
    plan_init(&plan, heap);
    for (unsigned kind = 0; kind < PLAN_KIND_COUNT; kind++)
        plan_add(&plan, &(struct plan_item){.kind = (enum plan_kind)kind, .at_ns = 100 + kind, .duration_ns = kind,
                                            .node = 1, .other = 2, .set = 5, .number = UINT64_MAX - kind,
                                            .draw = UINT64_MAX, .amount = 1,
                                            .text = span_string(kind == PLAN_ATTACK ? "half-silent"
                                                                                    : "SET k\"\\\n\t\1\377 v")});
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(scenario_write(file, &options, &plan, NULL, "two\nlines"), 0);
    fclose(file);
    struct scenario_report report = run_file(NULL);
    if (report.verdict == SCENARIO_ERROR)
        fail_msg("%s", report.sentence);
    file = fopen(path, "r");
    char line[400];
    int items = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        items += strncmp(line, "    { \"", 7) == 0;
        if (strncmp(line, "    { \"request\"", 15) == 0)
            assert_non_null(strstr(line, "text = \"SET k\\\"\\\\\\010\\009\\001\\255 v\" }"));
        if (strncmp(line, "    { \"attack\"", 14) == 0)
            assert_non_null(strstr(line, "text = \"half-silent\" }"));
        if (strncmp(line, "    { \"lose\"", 12) == 0)
            assert_non_null(strstr(line, ", number = 0xffffffffffff"));
    }
    fclose(file);
    assert_int_equal(items, PLAN_KIND_COUNT);
    plan_free(&plan);
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_waited_for_is_seen),
        cmocka_unit_test(time_passes_as_told),
        cmocka_unit_test(nothing_is_missed_and_nothing_seen_twice),
        cmocka_unit_test(handlers_are_stories_too),
        cmocka_unit_test(what_must_not_be_is_noticed),
        cmocka_unit_test(nodes_are_taken_down_and_brought_back),
        cmocka_unit_test(links_are_cut_and_healed),
        cmocka_unit_test(messages_have_fates),
        cmocka_unit_test(arguments_find_their_places),
        cmocka_unit_test(amounts_and_times_have_bounds),
        cmocka_unit_test(answers_are_compared),
        cmocka_unit_test(violations_are_judged),
        cmocka_unit_test(runs_follow_one_another),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(the_same_script_is_the_same_run),
        cmocka_unit_test(what_was_written_down_is_the_same_run),
        cmocka_unit_test(what_failed_fails_again),
        cmocka_unit_test(every_kind_is_written),
    };
    int end = mkstemp(path);
    if (end < 0)
        return 1;
    close(end);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    return failed;
}
