/* The world: making one from its options, its loop, and its end. The other files of this folder do the work:
 *
 *     world_schedule  what happens next            world_process  nodes: boot, turns, death
 *     world_network   fates of messages            world_link     connections between nodes, their inputs
 *     world_disk      files, crashes of disks      world_wire     connections of clients
 *     world_faults    what strikes whom            world_client   closed loops; world_workload what they ask
 *     world_act       does what a plan says        world_request, world_reply  words, RESP, history
 *     world_contract  who is faulty, and the card  world_raw      clients without RESP
 *     world_observe   hash, invariants, digests    world_query    what others may ask
 *     world_trace     what tracers are told        world_disk_faults, world_network_faults  ill disks and links
 *     world_adversary, world_twin, world_member_faults, world_mutate  members that are wrong
 *     world_attack    the door of attacks that know the protocol
 *
 * Limits: at most 64 nodes and 64 clients; one group. */
#include "host/world/world.h"

#include <stdarg.h>
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_adversary.h"
#include "host/world/world_attack.h"
#include "host/world/world_state.h"

enum {
    WORLD_BYTES = 256 << 20,     /* disks, history and everything on its way */
    SERVICE_HEAP_BYTES = 16 << 20,
    APPEND_BYTES_MIN = 64,
    APPEND_DOUBLINGS = 12,
    APPENDS_INFLIGHT_MAX = 16,
    HEALED_S_MIN = 10,           /* of virtual time */
    CALM_TIMEOUT_MS = 200,       /* of the first node's election, where nothing is drawn */
    QUIET_S = 3,                 /* at the end nobody asks, so that everybody can catch up */
    WATCHDOG_ENTRIES_A_NS = 100000,
};

/* ---- violations ---- */

static void violate(struct world *world, const char *property, const char *sentence)
{
    struct world_result *result = world->result;
    world->stopped = true;
    if (result->violated)
        return;
    result->violated = true;
    snprintf(result->property, sizeof result->property, "%s", property);
    snprintf(result->sentence, sizeof result->sentence, "%s, at %lld.%03lld s", sentence,
             (long long)(world->now_ns / NS_PER_S), (long long)(world->now_ns / NS_PER_MS % 1000));
    trace_mark(world, world->stepping, WORLD_MARK_VIOLATION, "%s: %s", property, sentence);
}

void world_violate(struct world *world, const char *property, const char *sentence)
{
    violate(world, property, sentence);
}

void world_fail(struct world *world, const char *property, const char *format, ...)
{
    char sentence[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    violate(world, property, sentence);
}

void world_fail_tagged(struct world *world, const struct process *process, const char *text)
{
    char property[32];
    size_t length = strcspn(text, " ");
    snprintf(property, sizeof property, "%.*s", (int)(length < 31 ? length : 31), text);
    const char *sentence = text[length] == ' ' ? text + length + 1 : text;
    world_fail(world, property, "%s, on node %u", sentence, process->id);
}

size_t world_where(const struct world *world, char *out, size_t size)
{
    int length = snprintf(out, size, "at %lld us, node %u, after %s", (long long)(world->now_ns / 1000),
                          world->stepping != NULL ? world->stepping->id : 0,
                          world->event != NULL ? event_kind_name(world->event->kind) : "nothing");
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}

/* ---- making ---- */

void world_tuning_largest(struct tuning *out)
{
    spec_defaults(out);
    out->append_bytes_max = APPEND_BYTES_MIN << (APPEND_DOUBLINGS - 1);
    out->append_inflight_max = APPENDS_INFLIGHT_MAX;
    out->log_entries_max = 4096;
    out->checkpoint_interval = 16;
    out->checkpoint_log_bytes = 128 << 10;
    out->service_heap_bytes = SERVICE_HEAP_BYTES;
    out->command_bytes_max = 64 << 10;
}

/* Small bounds, so that a minute sees many checkpoints, adoptions and cut messages; drawn, so that no run of luck in
 * one choice hides something. */
static void draw_tuning(struct world *world)
{
    struct random random = world_dice(world->options.seed, KEY_TUNING, 0, 0);
    world_tuning_largest(&world->tuning);
    struct tuning *tuning = &world->tuning;
    if (world->options.calm) {
        tuning->election_timeout_ns = CALM_TIMEOUT_MS * NS_PER_MS;
        tuning->heartbeat_ns = tuning->election_timeout_ns / 4;
        if (world->options.append_bytes_max > 0 && world->options.append_bytes_max < tuning->append_bytes_max)
            tuning->append_bytes_max = world->options.append_bytes_max;
        if (world->options.checkpoint_log_bytes > 0 &&
            world->options.checkpoint_log_bytes < tuning->checkpoint_log_bytes)
            tuning->checkpoint_log_bytes = world->options.checkpoint_log_bytes;
        return;
    }
    tuning->election_timeout_ns = random_between(&random, 150, 600) * NS_PER_MS;
    tuning->heartbeat_ns = tuning->election_timeout_ns / random_between(&random, 3, 6);
    tuning->signatures = world_key(world->options.seed, KEY_TUNING, 1, 0) & 1; /* of messages that bear proofs */
    tuning->append_bytes_max = (uint64_t)APPEND_BYTES_MIN << random_below(&random, APPEND_DOUBLINGS);
    tuning->append_inflight_max = (uint32_t)(1 + random_below(&random, APPENDS_INFLIGHT_MAX));
    tuning->checkpoint_log_bytes = UINT64_C(2048) << random_below(&random, 7);
}

int64_t world_election_timeout_ns(const struct world *world, uint32_t place)
{
    const int64_t *given = world->options.election_timeouts_ns;
    bool member = place < world->member_count;
    if (given != NULL && member && given[place] > 0)
        return given[place];
    if (!world->options.calm || place == 0 || !member)
        return world->tuning.election_timeout_ns;
    return CALM_TIMEOUT_MS * NS_PER_MS * 5 / 2 + place * CALM_TIMEOUT_MS * NS_PER_MS / 2;
}

static void *take(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "the world's region has room for what lives as long as the run");
    return block;
}

static void draw_clients(struct world *world)
{
    struct random random = world_dice(world->options.seed, KEY_CLIENTS, 0, 0);
    world->key_count = (uint32_t)(2 + random_below(&random, 5));
    world->think_ns = random_between(&random, 70, 500) * NS_PER_MS;
    world->client_timeout_ns = random_between(&random, 1000, 5000) * NS_PER_MS;
    world->client_count = world->options.client_count;
    world->clients = take(world->heap, world->client_count * sizeof *world->clients);
    for (uint32_t i = 0; i < world->client_count; i++)
        client_init(&world->clients[i], world, i);
}

static void set_times(struct world *world)
{
    int64_t time_ns = world->options.time_ns;
    world->heal_at_ns = world->options.heal_at_ns != 0 ? world->options.heal_at_ns : time_ns / 10 * 7;
    if (world->heal_at_ns == PLAN_FOREVER) {
        world->end_ns = time_ns;
        world->quiet_at_ns = time_ns;
        return;
    }
    int64_t healed_ns = time_ns - world->heal_at_ns;
    if (healed_ns < HEALED_S_MIN * NS_PER_S)
        healed_ns = HEALED_S_MIN * NS_PER_S;
    world->end_ns = world->heal_at_ns + healed_ns;
    world->quiet_at_ns = world->end_ns - QUIET_S * NS_PER_S;
}

/* Tokens never rest, so their network is a slow one: else a minute had millions of events. */
static void draw_latency(struct world *world)
{
    struct network_manner *manner = &world->network.manner;
    if (world->options.calm) {
        manner->latency_ns = world->options.latency_ns > 0 ? world->options.latency_ns : NS_PER_MS;
        manner->latency_tail_ns = 0;
        return;
    }
    struct random random = world_dice(world->options.seed, KEY_NETWORK, 0, 0);
    bool tokens = strcmp(world->options.service->name, "token") == 0;
    manner->latency_ns = random_between(&random, 50, 2000) * NS_PER_US * (tokens ? 100 : 1);
    manner->latency_tail_ns = manner->latency_ns / random_between(&random, 2, 8);
}

static void draw_disks(struct world *world)
{
    struct random random = world_dice(world->options.seed, KEY_DISKS, 0, 0);
    uint64_t inline_in_four = random_below(&random, 5); /* how many disks write inline */
    uint32_t lost = (uint32_t)random_below(&random, 900), kept = (uint32_t)random_below(&random, 1000 - lost);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_disk_manner *manner = &world->processes[i].disk.manner;
        manner->lost_permille = lost;
        manner->kept_permille = kept;
        if (world->options.calm) {
            manner->latency_ns = 100 * NS_PER_US;
            manner->latency_tail_ns = 0;
            continue;
        }
        manner->inline_writes = random_chance(&random, inline_in_four, 4);
        uint64_t doubled = random_below(&random, 4);
        manner->latency_ns = random_between(&random, 50, 99) * ((int64_t)NS_PER_US << doubled);
        manner->latency_tail_ns = manner->latency_ns / 4;
    }
}

static bool serves_resp(const struct world_options *options)
{
    return strcmp(options->service->name, "kv") == 0;
}

static struct world *make(void *region, size_t region_size, const struct world_options *options,
                          struct world_result *result)
{
    struct heap *heap = heap_init(region, region_size);
    invariant(heap != NULL, "the world's region is large enough for a heap");
    struct world *world = take(heap, sizeof *world);
    world->heap = heap;
    world->options = *options;
    world->result = result;
    world->member_count = options->node_count;
    world->node_count = world_process_count(options);
    world->raw = !serves_resp(options);
    schedule_init(&world->schedule, heap);
    set_times(world);
    schedule_push_ranked(&world->schedule, RANK_END, world->heal_at_ns, WORLD_HEAL, 0, NULL);
    draw_tuning(world);
    network_init(&world->network, heap, world_key(options->seed, KEY_LATENCY, 0, 0), world->node_count);
    world->network.record = options->record;
    draw_latency(world);
    world->digests = take(heap, DIGESTS_KEPT * sizeof *world->digests);
    for (uint32_t i = 0; i < world->member_count; i++)
        world->members[i] = i + 1;
    world->processes = take(heap, world->node_count * sizeof *world->processes);
    for (uint32_t i = 0; i < world->node_count; i++)
        process_init(&world->processes[i], world, i);
    draw_disks(world);
    draw_clients(world);
    acts_init(world);
    faults_init(world);
    return world;
}

/* ---- the loop ---- */

static void heal(struct world *world)
{
    world->healed = true;
    faults_stop(world);
    acts_heal(world);
    for (uint32_t i = 0; i < world->client_count; i++)
        client_heal(world, &world->clients[i]);
}

static void happen(struct world *world, const struct schedule_entry *entry)
{
    uint32_t place = entry->target % WORLD_TWIN;
    struct process *process = &world->processes[place < world->node_count ? place : 0];
    if ((entry->target & WORLD_TWIN) != 0)
        process = process->twin;
    switch ((enum world_kind)entry->kind) {
    case WORLD_WAKE:
        process_run_guarded(process);
        break;
    case WORLD_TIMER:
        process_timer(process);
        break;
    case WORLD_BOOT:
        process_boot_guarded(process);
        break;
    case WORLD_PACKET:
        link_packet(world, entry->object);
        break;
    case WORLD_DISK_DONE:
        link_disk_done(process, entry->object);
        break;
    case WORLD_CONNECT:
        link_connect(world, entry->target >> 8, entry->target & 0xff);
        break;
    case WORLD_PEER_GONE:
        link_gone(world, entry->target >> 8, entry->target & 0xff, (uint64_t)(uintptr_t)entry->object);
        break;
    case WORLD_CLIENT_ACT:
        client_act(world, &world->clients[entry->target], (uint64_t)(uintptr_t)entry->object);
        break;
    case WORLD_CLIENT_LATE:
        client_late(world, &world->clients[entry->target], (uint64_t)(uintptr_t)entry->object);
        break;
    case WORLD_CLIENT_FLUSH:
        client_flush(world, &world->clients[entry->target]);
        break;
    case WORLD_TO_SERVER:
        wire_arrive(world, entry->object);
        break;
    case WORLD_TO_CLIENT:
        client_letter(world, entry->object);
        break;
    case WORLD_FAULT:
        faults_strike(world, entry->target, entry->object);
        break;
    case WORLD_ITEM:
        acts_item(world, entry->object, entry->target != 0);
        break;
    case WORLD_HEAL:
        heal(world);
        break;
    case WORLD_END:
        acts_end(world, (uint64_t)(uintptr_t)entry->object);
        break;
    case WORLD_ADVERSARY:
        adversary_act(process, entry->object);
        break;
    case WORLD_ATTACK:
        attack_act(process);
        break;
    case WORLD_ALARM:
        world->options.alarm.rings(world->options.alarm.context, world, (uint64_t)(uintptr_t)entry->object);
        break;
    }
}

/* A cluster that is busy without time passing would never end. */
static void watch_time(struct world *world, int64_t at_ns, uint64_t *standing)
{
    *standing = at_ns > world->now_ns ? 0 : *standing + 1;
    if (*standing > WATCHDOG_ENTRIES_A_NS)
        world_fail(world, "PROGRESS", "time stands still: the nodes keep each other busy without end");
}

static void loop(struct world *world)
{
    struct schedule_entry entry;
    uint64_t standing = 0;
    while (!world->stopped && schedule_next_ns(&world->schedule) < world->end_ns) {
        schedule_pop(&world->schedule, &entry);
        watch_time(world, entry.at_ns, &standing);
        if (world->acts.due && entry.at_ns > world->now_ns)
            contract_judge(world);
        world->now_ns = entry.at_ns;
        happen(world, &entry);
    }
    if (!world->stopped)
        world->now_ns = world->end_ns;
}

void world_sum_up(const struct world *world, struct world_result *result)
{
    result->steps = world->steps;
    result->hash = world->hash;
    result->time_ns = world->now_ns;
    const struct network *network = &world->network;
    result->faults_struck = world->acts.struck + network->lost + network->duplicated + network->reordered +
                            network->corrupted + network->delayed;
}

void world_run(void *region, size_t region_size, const struct world_options *options, struct world_result *result,
               struct world **made)
{
    *result = (struct world_result){0};
    struct world *world = make(region, region_size, options, result);
    *made = world;
    world_alarm(world, 0, 0);
    loop(world);
    if (!world->stopped && world->healed)
        observe_end(world);
    world_sum_up(world, result);
}

void world_alarm(struct world *world, int64_t at_ns, uint64_t number)
{
    if (world->options.alarm.rings == NULL)
        return;
    if (at_ns < world->now_ns)
        at_ns = world->now_ns;
    schedule_push_ranked(&world->schedule, RANK_ITEM, at_ns, WORLD_ALARM, 0, (void *)(uintptr_t)number);
}

size_t world_region_size(const struct world_options *options)
{
    uint32_t count = options->node_count + world_twins_max(options->node_count);
    size_t gateway = options->gateways > 0 ? process_region_size(options, options->node_count) : 0;
    return WORLD_BYTES + count * process_region_size(options, 0) + options->gateways * gateway;
}
