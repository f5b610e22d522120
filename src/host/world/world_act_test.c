/* What is done to a world from outside: items at their time and in the midst of a step, bounds on who is faulty, and
 * what scripts may ask. */
#include "host/world/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "protocol/registry.h"
#include "service/registry.h"

static void *region;
static size_t region_size;
static struct heap *heap;
static struct plan plan;
static struct world *made;

/* What a script hears. */
static struct {
    char answers[8][32];
    uint32_t answered;
    uint64_t numbers[8];
    uint32_t starts, downs, pauses, runs, cuts, healed; /* marks */
    uint32_t first_orderer;
    uint32_t steps_of_first, steps_after_death;
    bool struck;
    int64_t struck_at_ns, down_at_ns;
    uint64_t sent_after_cut;
} heard;

static void on_answer(void *context, struct world *world, const struct world_answer *answer)
{
    (void)context;
    assert_true(answer->answered_ns == world_now_ns(world) && answer->asked_ns < answer->answered_ns);
    assert_true(heard.answered < 8);
    size_t size = answer->bytes.size < 31 ? answer->bytes.size : 31;
    if (size > 0)
        memcpy(heard.answers[heard.answered], answer->bytes.data, size);
    heard.numbers[heard.answered++] = answer->number;
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    (void)context;
    (void)text;
    heard.starts += mark == WORLD_MARK_UP;
    heard.downs += mark == WORLD_MARK_DOWN;
    heard.pauses += mark == WORLD_MARK_PAUSED;
    heard.runs += mark == WORLD_MARK_RUNS;
    heard.cuts += mark == WORLD_MARK_CUT;
    heard.healed += mark == WORLD_MARK_HEALED;
    if (mark == WORLD_MARK_DOWN && place == 0)
        heard.down_at_ns = at_ns;
}

static void on_effect(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                      const struct effect *effect)
{
    (void)context;
    (void)at_ns;
    (void)place;
    (void)spec;
    if (effect->kind == EFFECT_VIEW && effect->view.orderer == spec->self && heard.first_orderer == 0)
        heard.first_orderer = spec->self;
}

static struct world_options calm(void)
{
    return (struct world_options){
        .seed = 1,
        .protocol = protocol_find("raft"),
        .service = service_find("kv"),
        .node_count = 3,
        .client_count = 1,
        .time_ns = 3 * NS_PER_S,
        .heal_at_ns = PLAN_FOREVER,
        .plan = &plan,
        .calm = true,
        .tracer = {.mark = on_mark, .effect = on_effect},
        .ear = {.answered = on_answer},
    };
}

static int begin_all(void **state)
{
    (void)state;
    struct world_options options = calm();
    options.node_count = 5;
    region_size = world_region_size(&options);
    region = mmap(NULL, region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    heap = heap_create_system(64 << 20);
    return region == MAP_FAILED || heap == NULL;
}

static int end_all(void **state)
{
    (void)state;
    heap_destroy_system(heap);
    return munmap(region, region_size);
}

static int begin(void **state)
{
    (void)state;
    memset(&heard, 0, sizeof heard);
    plan_init(&plan, heap);
    return 0;
}

static int end(void **state)
{
    (void)state;
    plan_free(&plan);
    return heap_used(heap) != 0;
}

static struct world_result run(const struct world_options *options)
{
    struct world_result result;
    world_run(region, region_size, options, &result, &made);
    if (result.violated)
        print_message("seed %llu: %s %s\n", (unsigned long long)options->seed, result.property, result.sentence);
    return result;
}

static void request(int64_t at_ms, uint32_t node, const char *text)
{
    plan_add(&plan, &(struct plan_item){
                        .kind = PLAN_REQUEST, .at_ns = at_ms * NS_PER_MS, .node = node, .text = span_string(text)});
}

/* ---- calm worlds ---- */

static void a_calm_world_is_told_who_leads(void **state)
{
    (void)state;
    struct world_options options = calm();
    struct world_result result = run(&options);
    assert_false(result.violated || result.outside_contract);
    assert_int_equal(heard.first_orderer, 1);
    assert_int_equal(world_orderer(made), 1);
    struct member_status status;
    assert_true(world_member_status(made, 2, &status));
    assert_int_equal(status.orderer, 1);
    assert_int_equal(result.time_ns, options.time_ns);

    memset(&heard, 0, sizeof heard);
    const int64_t timeouts_ns[] = {900 * NS_PER_MS, 0, 150 * NS_PER_MS};
    options.election_timeouts_ns = timeouts_ns;
    for (options.seed = 1; options.seed < 6; options.seed++)
        run(&options);
    assert_int_equal(heard.first_orderer, 3);
}

static void requests_get_their_answers(void **state)
{
    (void)state;
    request(1000, 1, "SET x 7");
    request(1100, 2, "get x");
    request(1200, 2, "MULTI");
    request(1200, 2, "INCR x");
    request(1200, 2, "EXEC");
    request(1300, 3, "HURRY x");
    struct world_options options = calm();
    struct world_result result = run(&options);
    assert_false(result.violated);
    assert_int_equal(heard.answered, 6);
    static const char *const expected[] = {"+OK\r\n", "$1\r\n7\r\n", "+OK\r\n", "+QUEUED\r\n", "*1\r\n:8\r\n", "-ERR"};
    for (uint32_t i = 0; i < 6; i++) {
        assert_memory_equal(heard.answers[i], expected[i], strlen(expected[i]));
        assert_int_equal(heard.numbers[i], i + 1);
    }
    assert_int_equal(world_requests(made, 0), 6);
    size_t count;
    const struct world_operation *operations = world_history(made, &count);
    assert_int_equal(count, 3);
    assert_int_equal(operations[2].integer, 8);
    assert_false(world_history_whole(made)); /* it does not know how to hurry */
    assert_memory_equal(world_key_name(made, operations[0].key).data, "x", 1);
}

/* ---- faults ---- */

static void add(enum plan_kind kind, int64_t at_ms, int64_t duration_ms, uint32_t node)
{
    plan_add(&plan, &(struct plan_item){.kind = kind,
                                        .at_ns = at_ms * NS_PER_MS,
                                        .duration_ns = duration_ms < 0 ? PLAN_FOREVER : duration_ms * NS_PER_MS,
                                        .node = node});
}

static void items_begin_and_end_at_their_time(void **state)
{
    (void)state;
    add(PLAN_PAUSE, 500, 100, 2);
    add(PLAN_PAUSE, 550, 200, 2); /* the last one to end counts */
    add(PLAN_CRASH, 1000, 500, 3);
    plan_add(&plan, &(struct plan_item){.kind = PLAN_CUT,
                                        .at_ns = 2000 * NS_PER_MS,
                                        .duration_ns = 100 * NS_PER_MS,
                                        .set = 1,
                                        .amount = 3});
    add(PLAN_CRASH, 2500, -1, 2);
    add(PLAN_CRASH, 2600, -1, 2); /* is down already */
    struct world_options options = calm();
    struct world_result result = run(&options);
    assert_false(result.violated);
    assert_int_equal(heard.starts, 4);
    assert_int_equal(heard.downs, 2);
    assert_true(heard.pauses > 0);
    assert_int_equal(heard.cuts, 1);
    assert_int_equal(heard.healed, 1);
    assert_false(world_is_up(made, 1));
    assert_true(world_is_up(made, 2));
    assert_int_equal(world_faulty(made), 2);
    assert_int_equal(result.faulty_most, 1);
    assert_false(result.outside_contract);
}

static void a_permanent_fault_ends_when_the_world_heals(void **state)
{
    (void)state;
    add(PLAN_CRASH, 500, -1, 2);
    struct world_options options = calm();
    options.heal_at_ns = NS_PER_S;
    options.ear.answered = NULL; /* clients ask by themselves then */
    struct world_result result = run(&options);
    assert_false(result.violated);
    assert_true(world_is_up(made, 1) && world_is_healed(made));
}

/* Who is dead stays so; the others heal and go on while they are a majority. */
static void the_dead_do_not_come_back(void **state)
{
    (void)state;
    struct world_options options = calm();
    options.heal_at_ns = NS_PER_S;
    options.dead = 1;
    options.ear.answered = NULL; /* clients ask by themselves then */
    struct world_result result = run(&options);
    assert_false(result.violated || result.outside_contract);
    uint32_t up = 0;
    for (uint32_t place = 0; place < 3; place++)
        up += world_is_up(made, place);
    assert_int_equal(up, 2);
    assert_int_equal(result.faulty_most, 1);
    options.dead = 2;
    result = run(&options);
    assert_true(result.violated && result.outside_contract);
    assert_string_equal(result.property, "PROGRESS");
}

static void nonsense_is_not_done(void **state)
{
    (void)state;
    add(PLAN_CRASH, 500, 100, 9);
    add(PLAN_CRASH, 500, 100, 0);
    add(PLAN_CUT_LINK, 500, 100, 1);
    plan_add(&plan, &(struct plan_item){.kind = PLAN_REQUEST, .at_ns = 1, .client = 7, .node = 1});
    plan_add(&plan, &(struct plan_item){.kind = PLAN_LEAVE, .at_ns = 1, .client = 7});
    struct world_options options = calm();
    struct world_result result = run(&options);
    assert_int_equal(result.faults_struck, 0);
}

/* ---- from a tracer's callback ---- */

static void on_first_view(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                          const struct effect *effect)
{
    (void)context;
    (void)spec;
    if (effect->kind != EFFECT_VIEW || effect->view.orderer != spec->self || heard.struck)
        return;
    heard.struck = true;
    heard.struck_at_ns = at_ns;
    world_do(made, &(struct plan_item){.kind = PLAN_CRASH, .node = place + 1, .duration_ns = PLAN_FOREVER});
    world_do(made, &(struct plan_item){.kind = PLAN_PAUSE, .node = place + 1, .duration_ns = NS_PER_S});
}

static void count_sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    (void)context;
    (void)to;
    (void)message;
    heard.sent_after_cut += heard.struck && place == 0;
}

static void a_leader_may_die_in_the_step_that_made_it_one(void **state)
{
    (void)state;
    struct world_options options = calm();
    options.tracer.effect = on_first_view;
    options.watch.sent = count_sent;
    struct world_result result = run(&options);
    assert_false(result.violated);
    assert_true(heard.struck);
    assert_int_equal(heard.down_at_ns, heard.struck_at_ns);
    assert_int_equal(heard.sent_after_cut, 0); /* a draw of 0 lets nothing out */
    assert_int_equal(heard.pauses, 0);         /* it was gone */
    assert_false(world_is_up(made, 0));
    assert_int_equal(world_orderer(made), 2 + (world_orderer(made) == 3));
}

/* ---- bounds ---- */

static struct world_options storm(uint64_t seed)
{
    return (struct world_options){
        .seed = seed,
        .protocol = protocol_find("raft"),
        .service = service_find("kv"),
        .node_count = 5,
        .client_count = 2,
        .time_ns = 20 * NS_PER_S,
        .faults = (WORLD_ALL_FAULTS | WORLD_OMISSION) & ~(uint32_t)WORLD_POWER,
    };
}

static void no_more_than_k_are_faulty(void **state)
{
    (void)state;
    uint32_t most[4] = {0};
    for (uint32_t k = 1; k <= 3; k++)
        for (uint64_t seed = 1; seed <= 12; seed++) {
            struct world_options options = storm(seed);
            options.k = k;
            struct world_result result = run(&options);
            assert_true(result.faulty_most <= k);
            most[k] = result.faulty_most > most[k] ? result.faulty_most : most[k];
            assert_int_equal(result.outside_contract, result.faulty_most > 2);
            assert_true(!result.violated || result.outside_contract);
        }
    assert_int_equal(most[1], 1);
    assert_int_equal(most[2], 2);
    assert_int_equal(most[3], 3);
}

static void the_power_may_fail_within_the_contract(void **state)
{
    (void)state;
    struct world_options options = storm(3);
    options.faults = WORLD_POWER;
    struct world_result result = run(&options);
    assert_true((result.classes_drawn & WORLD_POWER) != 0 && result.faults_struck >= 5);
    assert_false(result.violated || result.outside_contract);
}

static void what_the_card_does_not_claim_is_said(void **state)
{
    (void)state;
    struct world_options options = calm();
    add(PLAN_CRASH, 500, 100, 1);
    add(PLAN_CRASH, 510, 100, 2);
    struct world_result result = run(&options);
    assert_true(result.outside_contract);
    assert_non_null(strstr(result.outside, "2 of 3 members were faulty at once"));

    plan_free(&plan);
    plan_add(&plan, &(struct plan_item){.kind = PLAN_VALUE, .at_ns = NS_PER_S, .duration_ns = 1, .node = 2});
    result = run(&options);
    assert_non_null(strstr(result.outside, "value is not among"));

    plan_free(&plan);
    add(PLAN_CRASH, 500, 200, 1);
    add(PLAN_AMNESIA, 600, 100, 2);
    result = run(&options);
    assert_non_null(strstr(result.outside, "node 2 lost its disk while node 1 did not count"));

    options.protocol = protocol_find("two-phase-commit");
    options.service = service_find("account");
    plan_free(&plan);
    add(PLAN_CRASH, 500, 100, 1);
    assert_true(run(&options).outside_contract); /* by its card; */
    options.claims = WORLD_CRASH;
    assert_false(run(&options).outside_contract); /* by what its checker promises */
}

static void groups_have_names(void **state)
{
    (void)state;
    assert_int_equal(world_fault_find("crash"), WORLD_CRASH);
    assert_int_equal(world_fault_find("timing"), WORLD_PAUSE | WORLD_SLOW | WORLD_DELAY | WORLD_CLOCK);
    assert_int_equal(world_fault_find("fire"), 0);
    const struct protocol *raft = protocol_find("raft");
    assert_int_equal(world_faults_claimed(raft) & (WORLD_VALUE | WORLD_TRANSITION | WORLD_BYZANTINE | WORLD_ROT), 0);
    assert_int_equal(WORLD_ALL_FAULTS & ~world_faults_claimed(raft), 0);
    assert_int_equal(world_k_of(raft, 5), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_calm_world_is_told_who_leads, begin, end),
        cmocka_unit_test_setup_teardown(requests_get_their_answers, begin, end),
        cmocka_unit_test_setup_teardown(items_begin_and_end_at_their_time, begin, end),
        cmocka_unit_test_setup_teardown(a_permanent_fault_ends_when_the_world_heals, begin, end),
        cmocka_unit_test_setup_teardown(the_dead_do_not_come_back, begin, end),
        cmocka_unit_test_setup_teardown(nonsense_is_not_done, begin, end),
        cmocka_unit_test_setup_teardown(a_leader_may_die_in_the_step_that_made_it_one, begin, end),
        cmocka_unit_test_setup_teardown(no_more_than_k_are_faulty, begin, end),
        cmocka_unit_test_setup_teardown(the_power_may_fail_within_the_contract, begin, end),
        cmocka_unit_test_setup_teardown(what_the_card_does_not_claim_is_said, begin, end),
        cmocka_unit_test_setup_teardown(groups_have_names, begin, end),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
