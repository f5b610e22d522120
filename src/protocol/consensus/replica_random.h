/* A replication protocol under random schedules: losses, duplicates, reordering, slow disks, crashes at every point,
 * lost disks, then a healed phase in which everything must come together. Each run prints nothing unless it fails; then
 * its seed. Test-only: raft_random_test.c and paxos_random_test.c are this, with a plan each. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_RANDOM_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_RANDOM_H

#include "base/panic.h"
#include "protocol/consensus/replica_driver.h"

enum { SEEDS = 300, STEPS = 1500 };

struct random_plan {
    const struct driver_subject *subject;
    uint32_t noticed;        /* bits of the ablations that chance must meet … */
    uint32_t ablation_seeds; /* … within as many seeds */
};

static const struct random_plan *plan;

static inline uint32_t up(const struct driver *driver)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < driver->count; i++)
        count += driver->members[i].self != NULL;
    return count;
}

/* Somebody forgot and is not filled yet, or that it is filled is not on its disk; then nobody else may forget. */
static inline bool somebody_recovers(const struct driver *driver)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        const void *self = driver->members[i].self;
        if (self == NULL || driver->subject->recovering(self) || driver->subject->unstored(self))
            return true;
    }
    return false;
}

static inline void fault(struct driver *driver)
{
    struct random *random = &driver->random;
    uint32_t place = (uint32_t)random_below(random, driver->count);
    struct driver_member *member = &driver->members[place];
    if (member->self == NULL) {
        driver_start(driver, place, START_RESTARTED);
    } else if (random_chance(random, 1, 3)) {
        uint64_t keep = member->durable + random_below(random, member->count - member->durable + 1);
        driver_crash_keep(driver, place, keep);
    } else if (random_chance(random, 1, 3)) {
        bool cut = random_chance(random, 1, 2);
        for (uint32_t i = 0; i < driver->count; i++)
            driver->cut[place][i] = driver->cut[i][place] = cut && i != place;
    } else if (random_chance(random, 1, 3) && !somebody_recovers(driver) && driver->count > 2) {
        if (random_chance(random, 1, 2)) {
            driver_wipe(driver, place);
            driver_start(driver, place, START_AMNESIAC);
        } else {
            driver_crash(driver, place);
            uint64_t first = member->has_disk ? member->disk.keep_from : 1;
            uint64_t gap = first + random_below(random, member->count + 2 - first);
            if (gap <= member->count)
                driver_damage(driver, place, gap, gap + random_below(random, member->count + 1 - gap));
            driver_start(driver, place, START_RESTARTED);
        }
    } else if (member->self != NULL) {
        uint32_t other = (uint32_t)random_below(random, driver->count);
        if (other != place)
            driver_peer(driver, place, other, random_chance(random, 1, 2) ? PEER_LOST : PEER_CONNECTED);
    }
}

static inline void network(struct driver *driver)
{
    struct random *random = &driver->random;
    if (driver->network.count == 0)
        return;
    uint32_t window = driver->network.count < 6 ? driver->network.count : 6;
    uint32_t at = random_chance(random, 1, 4) ? (uint32_t)random_below(random, window) : 0;
    if (random_chance(random, 1, 20)) {
        free(driver_take(&driver->network, at).bytes);
        return;
    }
    struct driver_message message = driver_take(&driver->network, at);
    if (random_chance(random, 1, 20)) {
        struct driver_message copy = message;
        copy.bytes = malloc(message.size + 1);
        memcpy(copy.bytes, message.bytes, message.size);
        driver_push(&driver->network, copy);
    }
    driver_receive(driver, message);
}

static inline void client(struct driver *driver)
{
    uint32_t place = (uint32_t)random_below(&driver->random, driver->count);
    if (driver->members[place].self == NULL)
        return;
    if (random_chance(&driver->random, 1, 2))
        driver_update(driver, place, 1 + (uint32_t)random_below(&driver->random, 8));
    else
        driver_read(driver, place, 1 + (uint32_t)random_below(&driver->random, 3));
}

static inline void disk(struct driver *driver)
{
    uint32_t place = (uint32_t)random_below(&driver->random, driver->count);
    struct driver_member *member = &driver->members[place];
    if (member->self == NULL)
        return;
    if (member->count > member->told)
        driver_stored(driver, place, member->told + 1 + random_below(&driver->random, member->count - member->told));
    if (random_chance(&driver->random, 1, 2))
        driver_state(driver, place);
}

static inline void time_passes(struct driver *driver)
{
    int64_t step_ns = random_between(&driver->random, 1, 8 * NS_PER_MS);
    driver->now_ns += step_ns;
    driver->wall_ns += step_ns - random_between(&driver->random, 0, 9 * NS_PER_MS); /* it may step back */
    for (uint32_t i = 0; i < driver->count; i++)
        driver_fire(driver, i);
}

static inline void act(struct driver *driver, bool faults)
{
    uint64_t choice = random_below(&driver->random, 100);
    if (choice < 55)
        network(driver);
    else if (choice < 70)
        disk(driver);
    else if (choice < 80)
        client(driver);
    else if (choice < 98 || !faults)
        time_passes(driver);
    else
        fault(driver);
}

static inline void heal(struct driver *driver)
{
    memset(driver->cut, 0, sizeof driver->cut);
    for (uint32_t i = 0; i < driver->count; i++)
        if (driver->members[i].self == NULL)
            driver_start(driver, i, START_RESTARTED);
    driver_run(driver, 3000);
    int leader = driver_leader(driver);
    assert_true(leader >= 0);
    for (uint32_t i = 0; i < driver->count; i++) {
        driver_update(driver, i, 2);
        driver_read(driver, i, 1);
    }
    driver_run(driver, 1000);
    for (uint32_t i = 0; i < driver->count; i++) {
        const struct driver_member *member = &driver->members[i];
        assert_int_equal(member->applied, driver->delivered);
        assert_true(member->state == driver->members[0].state);
        assert_false(driver->subject->recovering(member->self));
        assert_int_equal(member->orderer, leader + 1);
        assert_int_equal(driver->subject->reads(member->self), 0);
    }
    assert_true(driver->members[leader].reads_done > 0);
}

static inline void set_up(struct driver *driver, uint64_t seed, uint32_t ablations)
{
    static const uint32_t sizes[] = {3, 5, 3, 1, 2, 4};
    driver_create_of(driver, plan->subject, sizes[seed % 6], seed, ablations);
    if (seed % 2 == 0) { /* checkpoints all the time, small messages, a small table */
        driver->tuning.log_entries_max = 40;
        driver->tuning.append_bytes_max = 400;
        driver->tuning.append_inflight_max = 3;
        driver->tuning.checkpoint_log_bytes = 1200;
    }
    for (uint32_t i = 0; i < driver->count; i++)
        driver_start(driver, i, START_FIRST);
}

static uint64_t seed_now;
static uint32_t seeds = SEEDS, steps = STEPS;

static inline void random_schedules_are_safe_and_heal(void **state)
{
    (void)state;
    uint64_t delivered = 0, checkpoints = 0, reads = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        seed_now = seed;
        struct driver driver;
        set_up(&driver, seed, 0);
        for (uint32_t i = 0; i < steps; i++)
            act(&driver, true);
        heal(&driver);
        delivered += driver.delivered;
        for (uint32_t i = 0; i < driver.count; i++) {
            checkpoints += driver.members[i].has_disk;
            reads += driver.members[i].reads_done;
        }
        assert_int_equal(up(&driver), driver.count);
        driver_destroy(&driver);
    }
    print_message("%u seeds: %llu commands, %llu members with checkpoints, %llu reads\n", seeds,
                  (unsigned long long)delivered, (unsigned long long)checkpoints, (unsigned long long)reads);
    assert_true(delivered > 10 * seeds && checkpoints > seeds / 2 && reads > 10 * seeds);
    seed_now = 0;
}

/* Each rule of the plan, switched off, is noticed: two leaders in a term, two values at an index, a stale read, or an
 * invariant. An invariant that stops the process ends the run here, as it would end a member's. */
static jmp_buf stopped;

static inline void stop(const char *what, void *arg)
{
    (void)what;
    (void)arg;
    longjmp(stopped, 1);
}

static inline bool noticed(uint64_t seed, uint32_t ablation)
{
    static struct driver driver; /* static: its value after the jump is that of the moment of the jump */
    set_up(&driver, seed, ablation);
    if (setjmp(stopped) != 0)
        driver.violated = true;
    for (uint32_t i = 0; i < steps && !driver.violated && driver.broken == NULL; i++)
        act(&driver, true);
    bool result = driver.violated || driver.broken != NULL;
    driver_destroy(&driver);
    return result;
}

static inline void ablations_are_noticed(void **state)
{
    (void)state;
    const char *const *names = plan->subject->protocol->ablations;
    uint32_t left = plan->noticed;
    panic_hook_set(stop, NULL);
    for (uint32_t i = 0; names[i] != NULL; i++) {
        uint64_t seed = 1;
        uint32_t ablation = (uint32_t)ABLATION_PROTOCOL_FIRST << i;
        if ((plan->noticed & ablation) == 0)
            continue;
        while (seed <= plan->ablation_seeds && !noticed(seed, ablation))
            seed++;
        print_message("%s: seed %llu\n", names[i], (unsigned long long)seed);
        assert_true(seed <= plan->ablation_seeds);
        left &= ~ablation;
    }
    assert_int_equal(left, 0); /* each that was to be noticed was tried */
    panic_hook_set(NULL, NULL);
}

static inline int report(void **state)
{
    (void)state;
    if (seed_now != 0)
        print_error("failed at seed %llu\n", (unsigned long long)seed_now);
    return 0;
}

/* The whole of a test's main: without arguments the tests; with two of them more (`5000 3000`: seeds, steps of each);
 * with three one seed alone, with its trace (`seed 17 1500`: steps). */
static inline int random_main(const struct random_plan *the_plan, int argc, char **argv)
{
    plan = the_plan;
    if (argc == 3) {
        seeds = (uint32_t)strtoul(argv[1], NULL, 10);
        steps = (uint32_t)strtoul(argv[2], NULL, 10);
    }
    if (argc == 4) {
        seed_now = strtoull(argv[2], NULL, 10);
        steps = (uint32_t)strtoul(argv[3], NULL, 10);
        struct driver driver;
        set_up(&driver, seed_now, 0);
        driver.trace = true;
        for (uint32_t i = 0; i < steps; i++)
            act(&driver, true);
        heal(&driver);
        driver_destroy(&driver);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_schedules_are_safe_and_heal, report),
        cmocka_unit_test(ablations_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
