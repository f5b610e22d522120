/* A process of the world: boots a node on its region and its disk, runs its turns, and dies.
 *
 * One run of a process is what the real host's loop does between two sleeps: inputs go in, then turns, with the output
 * of each sent at once, until the node wants no more. A run takes a little virtual time, during which inputs gather:
 * so batches come about as they do on a real machine.
 *
 * A doomed process dies inside its next run: after a turn whose output was cut at any message for each peer, and with
 * its log write not begun, or in flight and so lost, kept or torn. */
#include <string.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_proof.h"
#include "host/world/world_state.h"
#include "protocol/replica/voter.h"
#include "service/none/none.h"

enum {
    TURNS_A_RUN_MAX = 32,
    FRONT_BYTES = 8 << 20,
    NODE_WORKING_BYTES = 32 << 20,
    TURN_COST_NS = 4000,
    RETRY_BOOT_MS = 200,
    CLOCK_DRIFT_PPB_MAX = 50000, /* of healthy clocks */
};

/* ---- clocks ---- */

/* elapsed * drift, in parts that 64 bits hold. */
static int64_t drift_of(const struct clock *clock, int64_t elapsed_ns)
{
    return elapsed_ns / NS_PER_S * clock->drift_ppb + elapsed_ns % NS_PER_S * clock->drift_ppb / NS_PER_S;
}

static int64_t drifted(const struct clock *clock, int64_t at_ns)
{
    int64_t elapsed_ns = clock->frozen ? 0 : at_ns - clock->since_ns;
    return elapsed_ns + drift_of(clock, elapsed_ns);
}

int64_t process_mono_ns(const struct process *process, int64_t at_ns)
{
    return process->clock.mono_base_ns + drifted(&process->clock, at_ns);
}

int64_t process_wall_ns(const struct process *process, int64_t at_ns)
{
    return process->clock.wall_base_ns + drifted(&process->clock, at_ns);
}

/* World time at which the process's monotone clock reaches a value, or a little before, by the square of the drift:
 * then what is left is waited for again. */
static int64_t world_time_of(const struct process *process, int64_t mono_ns)
{
    int64_t now_ns = process->world->now_ns;
    int64_t wait_ns = mono_ns - process_mono_ns(process, now_ns);
    if (wait_ns > process->world->end_ns || (process->clock.frozen && wait_ns > 0))
        return INT64_MAX;
    return now_ns + wait_ns - drift_of(&process->clock, wait_ns) + 1;
}

void process_clock_change(struct process *process, int64_t drift_ppb, int64_t wall_step_ns)
{
    int64_t now_ns = process->world->now_ns;
    process->clock = (struct clock){
        .mono_base_ns = process_mono_ns(process, now_ns),
        .wall_base_ns = process_wall_ns(process, now_ns) + wall_step_ns,
        .drift_ppb = drift_ppb,
        .since_ns = now_ns,
        .frozen = process->clock.frozen,
    };
}

void process_clock_freeze(struct process *process, bool frozen)
{
    process_clock_change(process, process->clock.drift_ppb, 0);
    process->clock.frozen = frozen;
    if (!frozen)
        process_wake(process, process->world->now_ns); /* its timers are set anew */
}

/* The monotone clock of a machine begins anew at each start. The wall clock of one that lost its disk does not go back
 * behind its last start, since its incarnation is drawn from it when the old one is forgotten. */
static void clock_boot(struct process *process)
{
    struct world *world = process->world;
    int64_t wall_ns = process_wall_ns(process, world->now_ns);
    if (process->forgot && wall_ns < process->booted_wall_ns + NS_PER_S)
        wall_ns = process->booted_wall_ns + NS_PER_S; /* starts with a clock set back had counted on from there */
    process->clock.wall_base_ns = wall_ns;
    struct random dice = world_dice(world->options.seed, KEY_BOOT, process->place, process->boots);
    process->clock.mono_base_ns = random_between(&dice, NS_PER_S, 1000 * NS_PER_S);
    process->clock.since_ns = world->now_ns;
}

/* ---- making one ---- */

/* Whose entries of the schedule these are: a twin's place is taken. */
static uint32_t target_of(const struct process *process)
{
    return process->twin_of != NULL ? WORLD_TWIN | process->place : process->place;
}

static void disk_schedule(void *context, struct world_disk_operation *operation, int64_t at_ns)
{
    struct process *process = context;
    schedule_push(&process->world->schedule, at_ns, WORLD_DISK_DONE, target_of(process), operation);
}

/* Faults that the group is made for: as many as its protocol masks with so many members, but never a majority. */
static uint32_t masked_at_most(const struct world *world)
{
    uint32_t most = world_k_of(world->options.protocol, world->member_count), minority = (world->member_count - 1) / 2;
    return most < minority ? most : minority;
}

bool process_is_gateway(const struct process *process)
{
    return process->place >= process->world->member_count;
}

bool process_is_watched(const struct process *process)
{
    return !process->turned && !process_is_gateway(process);
}

/* Returns how many of its peers are members. */
static uint32_t fill_peers(struct process *process)
{
    const struct world *world = process->world;
    uint32_t others = 0;
    for (uint32_t i = 0; i < world->member_count; i++)
        if (i != process->place)
            process->peers[others++] = i + 1;
    process->peer_count = others;
    for (uint32_t i = world->member_count; i < world->node_count && !process_is_gateway(process); i++)
        process->peers[process->peer_count++] = i + 1;
    return others;
}

static void make_gateway(struct process *process)
{
    const struct world_options *options = &process->world->options;
    process->spec.protocol = &voter_protocol;
    process->spec.served_by = options->protocol;
    process->spec.vote = options->vote;
    process->spec.service = &none_service;
    process->spec.ablations = options->gateway_ablations;
}

static void options_fill(struct process *process)
{
    struct world *world = process->world;
    uint32_t others = fill_peers(process);
    snprintf(process->address, sizeof process->address, "10.0.0.%u:6379", process->id);
    process->spec = (struct group_spec){
        .group = WORLD_GROUP,
        .name = "world",
        .self = process->id,
        .members = world->members,
        .member_count = world->member_count,
        .k = masked_at_most(world),
        .protocol = world->options.protocol,
        .service = world->options.service,
        .hash_key = {0x6c6f636b73746570, 0x776f726c64},
        .tuning = world->tuning,
        .ablations = world->options.ablations,
    };
    if (process_is_gateway(process))
        make_gateway(process);
    process->spec.tuning.election_timeout_ns = world_election_timeout_ns(world, process->place);
    node_options_default(&process->options);
    process->options.id = process->id;
    process->options.cluster_name = "world";
    process->options.cluster = 0x776f726c64;
    process->options.client_address = process->address;
    process->options.peers = process->peers;
    process->options.peer_count = others;
    process->options.clients = process->peers + others;
    process->options.client_count = process->peer_count - others;
    process->options.groups = &process->spec;
    process->options.group_count = 1;
    process->options.disk = &process->disk.door;
    process->options.wal_segment_bytes = 64 << 10;
    process->options.window = 256;
    process->options.working_bytes = NODE_WORKING_BYTES;
    process->options.peer_output_bytes_max = 1 << 20;
    process->options.request_timeout_ns = 2 * NS_PER_S;
    process->options.allow_ablations = true;
    world_proof_door(process, &process->options.proofs);
}

static size_t region_size(const struct node_options *options)
{
    return (node_heap_size(options) + FRONT_BYTES + 4095) & ~(size_t)4095;
}

size_t process_region_size(const struct world_options *options, uint32_t place)
{
    struct world world = {
        .options = *options, .node_count = world_process_count(options), .member_count = options->node_count};
    world_tuning_largest(&world.tuning);
    struct process process = {.world = &world, .place = place, .id = place + 1};
    options_fill(&process);
    return region_size(&process.options) + 8192;
}

static void inputs_init(struct process *process)
{
    process->disk_first = NULL;
    process->disk_last = &process->disk_first;
    process->news_first = NULL;
    process->news_last = &process->news_first;
    process->letters_first = NULL;
    process->letters_last = &process->letters_first;
    process->news_count = 0;
}

static void make(struct process *process, struct world *world, uint32_t place, struct process *twin_of)
{
    *process = (struct process){
        .world = world,
        .twin_of = twin_of,
        .place = place,
        .id = place + 1,
        .slow_factor = 1,
        .wake_at_ns = INT64_MAX,
        .timer_at_ns = INT64_MAX,
    };
    inputs_init(process);
    int64_t first_boot_ns = 0;
    uint64_t seed = world->options.seed;
    struct random dice = world_dice(seed, KEY_PROCESS, place, 0);
    world_disk_init(&process->disk, world->heap, world_key(seed, KEY_DISK, place, 0), 64 << 20, disk_schedule, process);
    options_fill(process);
    process->clock.wall_base_ns = INT64_C(1700000000) * NS_PER_S;
    if (!world->options.calm) {
        process->clock.drift_ppb = random_between(&dice, -CLOCK_DRIFT_PPB_MAX, CLOCK_DRIFT_PPB_MAX);
        process->clock.wall_base_ns += random_between(&dice, -50 * NS_PER_MS, 50 * NS_PER_MS);
        first_boot_ns = random_between(&dice, 0, 50 * NS_PER_MS);
    }
    process->boot_pending = twin_of == NULL;
    if (twin_of == NULL)
        schedule_push(&world->schedule, first_boot_ns, WORLD_BOOT, place, NULL);
    process->region_size = region_size(&process->options);
    uint8_t *block = heap_alloc(world->heap, process->region_size + 4096);
    invariant(block != NULL, "the world's region has room for its nodes");
    process->region = (void *)(((uintptr_t)block + 4095) & ~(uintptr_t)4095);
}

void process_init(struct process *process, struct world *world, uint32_t place)
{
    make(process, world, place, NULL);
}

void process_init_twin(struct process *twin, struct process *process)
{
    make(twin, process->world, process->place, process);
}

/* ---- birth and death ---- */

void process_wake(struct process *process, int64_t at_ns)
{
    if (!process->up)
        return;
    if (at_ns < process->busy_until_ns)
        at_ns = process->busy_until_ns;
    if (at_ns < process->paused_until_ns)
        at_ns = process->paused_until_ns;
    if (at_ns >= process->wake_at_ns)
        return;
    process->wake_at_ns = at_ns;
    schedule_push(&process->world->schedule, at_ns, WORLD_WAKE, target_of(process), NULL);
}

static void schedule_boot(struct process *process, int64_t delay_ns)
{
    if (process->boot_pending || (process->twin_of != NULL && !process->twin_lives))
        return;
    if (delay_ns == PLAN_FOREVER)
        return;
    process->boot_pending = true;
    schedule_push(&process->world->schedule, process->world->now_ns + delay_ns, WORLD_BOOT, target_of(process), NULL);
}

void process_replace_disk(struct process *process)
{
    trace_mark(process->world, process, WORLD_MARK_FAULT, "gets an empty disk for one that is beyond repair");
    if (process->twin_of == NULL) {
        contract_amnesia(process->world, process);
        process->world->acts.forgot |= UINT64_C(1) << process->place;
    }
    world_disk_crash(&process->disk);
    world_disk_wipe(&process->disk);
    process->amnesiac = process->forgot = true;
    schedule_boot(process, RETRY_BOOT_MS * NS_PER_MS);
}

/* A node that will not start must have a reason that passes, or get another disk. */
static void boot_failed(struct process *process, int error, const char *why)
{
    struct world *world = process->world;
    world_disk_crash(&process->disk);
    trace_mark(world, process, WORLD_MARK_FAULT, "would not start: %s", why);
    if (error == ERROR_NO_SPACE && process->disk.manner.full) {
        schedule_boot(process, RETRY_BOOT_MS * NS_PER_MS);
        return;
    }
    if (process->disk.medium.ill || process->turned) {
        process_replace_disk(process);
        return;
    }
    world_fail(world, "START", "node %u would not start: %s (%s)", process->id, why, error_text(error));
}

static void front_boot(struct process *process)
{
    struct world *world = process->world;
    if (world->raw) {
        raw_door(process);
        return;
    }
    struct front_options options;
    front_options_default(&options);
    options.clients_max = 2 * WORLD_CLIENTS_MAX;
    options.value_bytes_max = 32 << 10;
    options.query_bytes_max = 64 << 10;
    options.output_bytes_max = 1 << 20;
    options.tcp_port = 6379;
    options.process_id = process->id;
    options.config_file = "";
    options.seed = hash_mix(process->options.seed, 1);
    options.now_ns = process->options.now_ns;
    options.wall_ns = process->options.wall_ns;
    process->front = front_create(process->heap, process->node, &options);
    invariant(process->front != NULL, "the node's region has room for its front");
}

void process_boot(struct process *process)
{
    struct world *world = process->world;
    process->boot_pending = false;
    bool dead = world->healed && (world->acts.dead >> process->place & 1) != 0;
    if (process->up || dead || (process->twin_of != NULL && !process->twin_lives))
        return;
    process->heap = heap_init(process->region, process->region_size);
    invariant(process->heap != NULL, "the node's region is large enough for a heap");
    process->boots++;
    clock_boot(process);
    process->disk.now_ns = world->now_ns;
    process->disk.spent_ns = 0;
    process->options.init = !process->amnesiac;
    process->options.seed = world_key(world->options.seed, KEY_BOOT, process->place, ~process->boots);
    process->options.now_ns = process_mono_ns(process, world->now_ns);
    process->options.wall_ns = process_wall_ns(process, world->now_ns);
    if (process->options.wall_ns > process->booted_wall_ns)
        process->booted_wall_ns = process->options.wall_ns;
    char why[200] = "";
    int error = node_create(&process->node, process->heap, &process->options, why, sizeof why);
    if (error != OK) {
        process->node = NULL;
        boot_failed(process, error, why);
        return;
    }
    process->up = true;
    world->acts.powerless &= ~(UINT64_C(1) << process->place);
    process->forgot = false;
    process->begun = false;
    process->life++;
    process->orderer_seen = 0;
    process->digest_index = 0;
    process->wake_at_ns = process->timer_at_ns = INT64_MAX;
    process->paused_until_ns = 0;
    process->busy_until_ns = world->now_ns + process->disk.spent_ns;
    trace_mark(world, process, WORLD_MARK_UP, "starts, incarnation %llu",
               (unsigned long long)node_incarnation(process->node));
    observe_install(process);
    member_faults_install(process);
    front_boot(process);
    link_boot(process);
    process_wake(process, world->now_ns);
}

void process_crash(struct process *process, int64_t restart_delay_ns, uint64_t draw)
{
    struct world *world = process->world;
    if (!process->up)
        return;
    if (restart_delay_ns == PLAN_FOREVER)
        trace_mark(world, process, WORLD_MARK_DOWN, "crashes");
    else
        trace_mark(world, process, WORLD_MARK_DOWN, "crashes, back in %lld ms",
                   (long long)(restart_delay_ns / NS_PER_MS));
    if (world->options.watch.stopped != NULL && process_is_watched(process))
        world->options.watch.stopped(world->options.watch.context, process->place);
    if (process->twin_of == NULL)
        wire_crash(process); /* a twin has no clients */
    world_disk_crash_by(&process->disk, draw);
    link_crash(process);
    link_drop_inputs(process);
    inputs_init(process);
    process->up = false;
    process->doom_turns = 0;
    process->died_at_ns = world->now_ns;
    acts_died(process);
    process->node = NULL;
    process->front = NULL;
    process->heap = NULL;
    schedule_boot(process, restart_delay_ns);
}

/* ---- turns ---- */

static void fail_process(struct process *process)
{
    struct world *world = process->world;
    trace_mark(world, process, WORLD_MARK_FAULT, "stops itself: %s", node_failure(process->node));
    bool excused = process->disk.manner.full || process->disk.manner.unreadable_permille > 0 ||
                   process->disk.medium.ill || process->turned;
    if (!excused)
        world_fail(world, "STOP", "node %u stopped itself: %s", process->id, node_failure(process->node));
    process_crash(process, 500 * NS_PER_MS, world_key(world->options.seed, KEY_CRASH, process->place, process->life));
}

static int64_t turn_time(struct process *process)
{
    return process->world->now_ns + process->disk.spent_ns;
}

/* The death in the middle of a turn. */
static void die_in_turn(struct process *process)
{
    uint64_t draw = process->doom_draw;
    struct cut cut = {.nothing = draw == 0};
    random_seed(&cut.random, hash_mix(draw, 1));
    bool wrote = random_chance(&cut.random, 2, 3) && !cut.nothing;
    link_send(process, turn_time(process), &cut);
    if (process->front != NULL)
        wire_collect(process, &cut);
    if (wrote) {
        bool inline_writes = process->disk.manner.inline_writes;
        process->disk.manner.inline_writes = false;
        (void)node_write(process->node);
        process->disk.manner.inline_writes = inline_writes;
    }
    acts_note_death(process);
    process_crash(process, process->restart_delay_ns, draw);
}

/* One turn and what it sends. True: another is wanted at once. */
static bool turn(struct process *process)
{
    int64_t at_ns = turn_time(process);
    int64_t mono_ns = process_mono_ns(process, at_ns), wall_ns = process_wall_ns(process, at_ns);
    node_turn(process->node, mono_ns, wall_ns);
    if (process->doom_turns > 0 && --process->doom_turns == 0) {
        die_in_turn(process);
        return false;
    }
    link_send(process, at_ns, NULL);
    bool again = false;
    if (process->front != NULL) {
        again = front_turn(process->front, mono_ns, wall_ns);
        wire_collect(process, NULL);
    }
    int written = node_write(process->node);
    if (node_failure(process->node) != NULL) {
        fail_process(process);
        return false;
    }
    return again || written > 0 || node_wants_turn(process->node);
}

static void set_timer(struct process *process)
{
    int64_t mono_ns = node_next_timer_ns(process->node);
    if (process->front != NULL) {
        int64_t front_ns = front_next_timer_ns(process->front);
        mono_ns = front_ns < mono_ns ? front_ns : mono_ns;
    }
    int64_t at_ns = world_time_of(process, mono_ns);
    if (at_ns >= process->timer_at_ns || at_ns >= process->world->end_ns)
        return;
    if (at_ns < process->world->now_ns)
        at_ns = process->world->now_ns;
    process->timer_at_ns = at_ns;
    schedule_push(&process->world->schedule, at_ns, WORLD_TIMER, target_of(process), NULL);
}

/* So that nodes do not keep step with each other. */
static int64_t turn_jitter_ns(struct process *process)
{
    const struct world_options *options = &process->world->options;
    uint64_t key = world_key(options->seed, KEY_TURN, process->place, ++process->runs);
    return options->calm ? 0 : (int64_t)(key & 1023);
}

void process_run(struct process *process)
{
    struct world *world = process->world;
    if (!process->up || process->wake_at_ns != world->now_ns)
        return;
    process->wake_at_ns = INT64_MAX;
    if (world->now_ns < process->paused_until_ns) {
        process_wake(process, process->paused_until_ns);
        return;
    }
    world->stepping = process;
    process->disk.now_ns = world->now_ns;
    process->disk.spent_ns = 0;
    link_feed(process);
    bool more = true, unread = false;
    for (int count = 0; more && process->up && count < TURNS_A_RUN_MAX && !world->stopped; count++) {
        if (process->front != NULL)
            unread = wire_feed(process);
        process->turn = (uint32_t)count + 1;
        more = turn(process) || unread;
        if (count == 0)
            link_fed(process);
    }
    if (process->up) {
        process->busy_until_ns =
            turn_time(process) + TURN_COST_NS * (int64_t)process->slow_factor + turn_jitter_ns(process);
        if (more || process->news_first != NULL)
            process_wake(process, process->busy_until_ns);
        set_timer(process);
    }
    world->stepping = NULL;
}

void process_timer(struct process *process)
{
    if (!process->up || process->timer_at_ns != process->world->now_ns)
        return;
    process->timer_at_ns = INT64_MAX;
    int64_t due_ns = node_next_timer_ns(process->node);
    if (process->front != NULL) {
        int64_t front_ns = front_next_timer_ns(process->front);
        due_ns = front_ns < due_ns ? front_ns : due_ns;
    }
    if (due_ns <= process_mono_ns(process, process->world->now_ns))
        process_wake(process, process->world->now_ns);
    else
        set_timer(process);
}

bool process_status(const struct process *process, struct member_status *out)
{
    if (!process->up)
        return false;
    process->spec.protocol->status(node_member(process->node, WORLD_GROUP), out);
    return true;
}
