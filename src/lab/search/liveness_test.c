/* Stalls: found, explained by the right instant, and not seen where there are none. */
#include "lab/search/liveness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "lab/search/campaign.h"
#include "lab/search/liveness_watch.h"
#include "lab/judge/watch_pair.h"
#include "lab/search/mutants.h"
#include "protocol/registry.h"

enum { SEEDS_MAX = 200 };

static struct world_options stalling_world(void)
{
    struct world_options world;
    struct mutant mutant;
    campaign_defaults(protocol_find("raft"), &world);
    assert_true(mutant_find(world.protocol, "election-timer-not-rearmed", &mutant));
    world.ablations = mutant.ablation;
    struct campaign_runner *runner = campaign_runner_create(&world);
    struct campaign_result result = {0};
    for (world.seed = 1; world.seed <= SEEDS_MAX && !result.world.violated; world.seed++)
        campaign_runner_run(runner, &world, &result);
    campaign_runner_free(runner);
    world.seed--;
    assert_true(result.world.violated);
    assert_string_equal(result.world.property, "PROGRESS");
    return world;
}

static bool stalls_when_healed_at(struct world_options world, int64_t heal_at_ns)
{
    struct campaign_result result;
    int64_t healed_ns = world.time_ns - world.time_ns / 10 * 7;
    world.heal_at_ns = heal_at_ns;
    world.time_ns = heal_at_ns + healed_ns;
    struct campaign_runner *runner = campaign_runner_create(&world);
    campaign_runner_run(runner, &world, &result);
    campaign_runner_free(runner);
    return result.world.violated;
}

static void the_critical_transition_is_named(void **state)
{
    (void)state;
    struct world_options world = stalling_world();
    struct liveness_cause cause;
    char why[256] = "";
    assert_int_equal(liveness_find(&world, NULL, &cause, why, sizeof why), OK);
    assert_false(cause.from_start);
    print_message("seed %llu: %lld ns, step %llu, node %u: %s, %llu runs\n", (unsigned long long)world.seed,
                  (long long)cause.at_ns, (unsigned long long)cause.step, cause.node, cause.event,
                  (unsigned long long)cause.runs);
    /* Healed before it, all goes well; healed after it, nothing does: seen with runs of the test's own. */
    assert_false(stalls_when_healed_at(world, cause.at_ns));
    assert_true(stalls_when_healed_at(world, cause.at_ns + 1));
    /* It is a timer that runs out, and is not armed again, or a fault that leaves nobody else. */
    assert_true(cause.event[0] != '\0');
    assert_true(cause.at_ns < cause.healed_ns);
    assert_true(cause.runs < 60);
}

static void a_sound_run_has_no_cause(void **state)
{
    (void)state;
    struct world_options world = stalling_world();
    struct liveness_cause cause;
    char why[256] = "";
    world.ablations = 0;
    assert_int_equal(liveness_find(&world, NULL, &cause, why, sizeof why), ERROR_NOT_FOUND);
    assert_non_null(strstr(why, "does not stall"));
}

static void it_can_be_stopped(void **state)
{
    (void)state;
    struct world_options world = stalling_world();
    struct liveness_cause cause;
    char why[256] = "";
    const volatile sig_atomic_t stop = 1;
    assert_int_equal(liveness_find(&world, &stop, &cause, why, sizeof why), ERROR_CLOSED);
}

/* ---- the bound in steps ---- */

static const char *never_broken(void *context, uint32_t place, const struct event *event)
{
    uint32_t *steps = context;
    (void)place;
    (void)event;
    ++*steps;
    return NULL;
}

static void without_a_world_nothing_is_counted(void **state)
{
    (void)state;
    struct liveness_watch watch;
    struct world *none = NULL;
    uint32_t heard = 0;
    struct watch_pair pair;
    struct world_watch other = {.context = &heard, .stepped = never_broken};
    struct world_watch counting = liveness_watch_begin(&watch, &none, 5, 5);
    struct world_watch outer = watch_pair(&pair, &counting, &other);
    struct event event = {.kind = EVENT_TURN};
    for (uint32_t i = 0; i < 2 * 5 * LIVENESS_STEPS_A_NODE_MAX; i++)
        assert_null(outer.stepped(outer.context, 0, &event));
    assert_int_equal(heard, 2 * 5 * LIVENESS_STEPS_A_NODE_MAX);
    assert_null(outer.sent); /* nobody asked to hear it */
}

static void sound_runs_need_far_fewer_steps(void **state)
{
    (void)state;
    struct world_options world;
    struct campaign_result result;
    campaign_defaults(protocol_find("raft"), &world);
    struct campaign_runner *runner = campaign_runner_create(&world);
    uint64_t most = 0;
    for (world.seed = 1; world.seed <= 20; world.seed++) {
        campaign_runner_run(runner, &world, &result);
        assert_false(result.world.violated);
        most = result.liveness_steps > most ? result.liveness_steps : most;
    }
    campaign_runner_free(runner);
    assert_true(most > 0); /* it does count */
    assert_true(most < LIVENESS_STEPS_A_NODE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_critical_transition_is_named),
        cmocka_unit_test(a_sound_run_has_no_cause),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(without_a_world_nothing_is_counted),
        cmocka_unit_test(sound_runs_need_far_fewer_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
