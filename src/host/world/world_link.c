/* Between nodes: connections, packets on their way in and out, and what waits for a process that is busy.
 *
 * A connection is a pair of beliefs. After a crash the other side hears of the loss within milliseconds, or, now and
 * then, only when the next connection comes up; in a partition nobody is told anything. What was sent on an old
 * connection is lost with it. A pair whose link is cut cannot connect and tries again. */
#include "base/panic.h"
#include "base/time.h"
#include "contract/header.h"
#include "host/world/world_adversary.h"
#include "host/world/world_attack.h"
#include "host/world/world_state.h"

enum {
    NEWS_A_RUN_MAX = 128,     /* inputs of a turn are bounded */
    NEWS_WAITING_MAX = 20000, /* what a paused process's sockets hold; more is lost */
    RECONNECT_MS = 50,
};

static void *take(struct world *world, size_t size)
{
    void *block = heap_alloc(world->heap, size);
    invariant(block != NULL, "the world's region has room for what waits for a process");
    return block;
}

static void news_add(struct process *process, enum peer_news_kind kind, uint32_t place, uint64_t incarnation,
                     struct packet *packet)
{
    struct peer_news *news = take(process->world, sizeof *news);
    *news = (struct peer_news){.kind = kind, .place = place, .incarnation = incarnation, .packet = packet};
    *process->news_last = news;
    process->news_last = &news->next;
    process->news_count++;
    process_wake(process, process->world->now_ns);
}

/* ---- connections ---- */

static uint64_t bit(uint32_t place)
{
    return UINT64_C(1) << place;
}

/* When the first hears of the second, which it has not heard of as often before. */
static int64_t soon(struct process *first, uint32_t second)
{
    struct world *world = first->world;
    if (world->options.calm)
        return world->now_ns + NS_PER_MS;
    struct random dice =
        world_dice(world->options.seed, KEY_CONNECT, world_pair(first->place, second), ++first->connects);
    return world->now_ns + random_between(&dice, NS_PER_MS, 5 * NS_PER_MS);
}

/* Gateways have nothing to say to one another. */
static bool may_talk(const struct process *process, uint32_t place)
{
    return !process_is_gateway(process) || !process_is_gateway(&process->world->processes[place]);
}

void link_boot(struct process *process)
{
    struct world *world = process->world;
    process->connected = 0;
    if (process->twin_of != NULL)
        return; /* it believes in those of the other */
    for (uint32_t place = 0; place < world->node_count; place++)
        if (place != process->place && world->processes[place].up && may_talk(process, place))
            schedule_push(&world->schedule, soon(process, place), WORLD_CONNECT, world_pair(process->place, place),
                          NULL);
}

void link_connect(struct world *world, uint32_t first, uint32_t second)
{
    struct process *a = &world->processes[first], *b = &world->processes[second];
    if (!a->up || !b->up)
        return; /* whoever comes up later connects */
    if ((a->connected & bit(second)) != 0 && (b->connected & bit(first)) != 0)
        return;
    if (network_is_cut(&world->network, first, second) || network_is_cut(&world->network, second, first)) {
        schedule_push(&world->schedule, world->now_ns + RECONNECT_MS * NS_PER_MS, WORLD_CONNECT,
                      world_pair(first, second), NULL);
        return;
    }
    network_connect(&world->network, first, second);
    network_connect(&world->network, second, first);
    a->connected |= bit(second);
    a->peer_life[second] = b->life;
    b->connected |= bit(first);
    b->peer_life[first] = a->life;
    news_add(a, PEER_NEWS_CONNECTED, second, node_incarnation(b->node), NULL);
    news_add(b, PEER_NEWS_CONNECTED, first, node_incarnation(a->node), NULL);
}

void link_gone(struct world *world, uint32_t first, uint32_t second, uint64_t life)
{
    struct process *process = &world->processes[first];
    if (!process->up || (process->connected & bit(second)) == 0 || process->peer_life[second] != life)
        return;
    process->connected &= ~bit(second);
    news_add(process, PEER_NEWS_LOST, second, 0, NULL);
}

void link_crash(struct process *process)
{
    struct world *world = process->world;
    if (process->twin_of != NULL)
        return; /* nobody was connected to it */
    for (uint32_t place = 0; place < world->node_count; place++) {
        struct process *other = &world->processes[place];
        if (place == process->place || !other->up || (other->connected & bit(process->place)) == 0)
            continue;
        if (network_is_cut(&world->network, process->place, place))
            continue;
        struct random dice = world_dice(world->options.seed, KEY_NEWS_OF_CRASH, world_pair(place, process->place),
                                        process->life);
        if (!world->options.calm && random_chance(&dice, 1, 10))
            continue;
        schedule_push(&world->schedule, soon(other, process->place), WORLD_PEER_GONE, world_pair(place, process->place),
                      (void *)(uintptr_t)process->life);
    }
    process->connected = 0;
}

/* Both ends lose the connection, and make a new one. */
void link_reset(struct world *world, uint32_t first, uint32_t second)
{
    link_gone(world, first, second, world->processes[second].life);
    link_gone(world, second, first, world->processes[first].life);
    schedule_push(&world->schedule, soon(&world->processes[first], second), WORLD_CONNECT, world_pair(first, second),
                  NULL);
}

/* ---- packets ---- */

/* Which life of the receiver a packet is sent to: it does not outlive that. */
static void arrive(void *context, struct packet *packet, int64_t arrival_ns)
{
    struct world *world = context;
    packet->connection = world->processes[packet->to].life << 32 | world->processes[packet->from].life;
    schedule_push(&world->schedule, arrival_ns, WORLD_PACKET, packet->to, packet);
}

void link_packet(struct world *world, struct packet *packet)
{
    struct process *process = &world->processes[packet->to];
    uint64_t life = packet->connection >> 32;
    bool lost = !process->up || process->life != life || process->news_count >= NEWS_WAITING_MAX ||
                network_is_cut(&world->network, packet->from, packet->to);
    if (!lost && process->twin != NULL && twin_packet(process, packet))
        lost = true; /* to the other instance */
    if (lost)
        packet_free(&world->network, packet);
    else
        news_add(process, PEER_NEWS_PACKET, packet->from, 0, packet);
}

void link_give(struct process *process, struct packet *packet)
{
    if (process->news_count < NEWS_WAITING_MAX)
        news_add(process, PEER_NEWS_PACKET, packet->from, 0, packet);
    else
        packet_free(&process->world->network, packet);
}

/* Tells the watcher of each message of which the first `count_max` leave. */
static void tell_sent(struct process *process, uint32_t to, struct span bytes, uint32_t count_max)
{
    const struct world_watch *watch = &process->world->options.watch;
    const struct world_tracer *tracer = &process->world->options.tracer;
    for (size_t at = 0; at < bytes.size && count_max > 0; count_max--) {
        size_t size = HEADER_SIZE + (size_t)load_u32(bytes.data + at + 4);
        struct span message = span_of(bytes.data + at, size);
        if (watch->sent != NULL && process_is_watched(process))
            watch->sent(watch->context, process->place, to, message);
        if (tracer->sent != NULL)
            tracer->sent(tracer->context, process->world->now_ns, process->place, to, message);
        at += size;
    }
}

void link_put(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns)
{
    struct world *world = process->world;
    if (world->options.watch.sent != NULL || world->options.tracer.sent != NULL)
        tell_sent(process, to + 1, bytes, count_max);
    network_send(&world->network, process->place, to, bytes, count_max, at_ns, arrive, world);
}

void link_put_late(struct process *process, uint32_t to, struct span message, int64_t arrival_ns)
{
    struct world *world = process->world;
    if (world->options.watch.sent != NULL || world->options.tracer.sent != NULL)
        tell_sent(process, to + 1, message, 1);
    network_send_late(&world->network, process->place, to, message, arrival_ns, arrive, world);
}

void link_pass(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns)
{
    if (process->twin_of != NULL)
        twin_send(process, to, bytes, count_max, at_ns);
    else if (process->adversary != NULL)
        adversary_send(process, to, bytes, count_max, at_ns);
    else
        link_put(process, to, bytes, count_max, at_ns);
}

void link_send(struct process *process, int64_t at_ns, struct cut *cut)
{
    for (uint32_t i = 0; i < process->peer_count; i++) {
        uint32_t peer = process->peers[i];
        struct span bytes = node_output(process->node, peer);
        if (bytes.size == 0)
            continue;
        uint32_t count_max = UINT32_MAX;
        if (cut != NULL)
            count_max = (uint32_t)random_below(&cut->random, (uint64_t)network_message_count(bytes) + 1);
        if (cut != NULL && cut->nothing)
            count_max = 0;
        if (attack_of(process) != NULL)
            attack_filter(process, peer - 1, bytes, count_max, at_ns);
        else
            link_pass(process, peer - 1, bytes, count_max, at_ns);
        node_output_sent(process->node, peer, bytes.size);
    }
}

/* ---- feeding ---- */

static void feed_disk(struct process *process)
{
    while (process->disk_first != NULL) {
        struct disk_done *done = process->disk_first;
        process->disk_first = done->next;
        node_disk_complete(process->node, done->token, done->status);
        heap_free(process->world->heap, done);
    }
    process->disk_last = &process->disk_first;
}

static void feed_packet(struct process *process, const struct packet *packet)
{
    struct world *world = process->world;
    if ((process->connected & bit(packet->from)) == 0)
        return;
    struct span bytes = span_of(packet->parcel->bytes + packet->offset, packet->size);
    int64_t taken = process->attack != NULL
                        ? attack_receive(process, packet->from, bytes)
                        : node_receive(process->node, packet->from + 1, bytes.data, bytes.size);
    if (taken < 0 && process->twin_of == NULL)
        link_reset(world, process->place, packet->from);
}

static void feed_news(struct process *process, const struct peer_news *news)
{
    struct process *other = &process->world->processes[news->place];
    switch (news->kind) {
    case PEER_NEWS_PACKET:
        feed_packet(process, news->packet);
        break;
    case PEER_NEWS_CONNECTED:
        node_peer_connected(process->node, other->id, news->incarnation, span_string(other->address));
        break;
    case PEER_NEWS_LOST:
        node_peer_lost(process->node, other->id);
        break;
    }
}

static void news_free(struct world *world, struct peer_news *news)
{
    if (news->packet != NULL)
        packet_free(&world->network, news->packet);
    heap_free(world->heap, news);
}

void link_feed(struct process *process)
{
    feed_disk(process);
    if (process->twin_of != NULL)
        twin_feed(process);
    process->news_fed = 0;
    for (struct peer_news *news = process->news_first; news != NULL && process->news_fed < NEWS_A_RUN_MAX;
         news = news->next) {
        process->news_fed++;
        feed_news(process, news);
    }
}

/* The turn is over: the bytes that went in may go. */
void link_fed(struct process *process)
{
    for (; process->news_first != NULL && process->news_fed > 0; process->news_fed--) {
        struct peer_news *news = process->news_first;
        process->news_first = news->next;
        process->news_count--;
        news_free(process->world, news);
    }
    if (process->news_first == NULL)
        process->news_last = &process->news_first;
}

void link_disk_done(struct process *process, struct world_disk_operation *operation)
{
    uint64_t token;
    int status;
    process->disk.now_ns = process->world->now_ns;
    if (!world_disk_finish(&process->disk, operation, &token, &status))
        return;
    struct disk_done *done = take(process->world, sizeof *done);
    *done = (struct disk_done){.token = token, .status = status};
    *process->disk_last = done;
    process->disk_last = &done->next;
    process_wake(process, process->world->now_ns);
}

void link_drop_inputs(struct process *process)
{
    struct world *world = process->world;
    while (process->disk_first != NULL) {
        struct disk_done *done = process->disk_first;
        process->disk_first = done->next;
        heap_free(world->heap, done);
    }
    while (process->news_first != NULL) {
        struct peer_news *news = process->news_first;
        process->news_first = news->next;
        news_free(world, news);
    }
    while (process->letters_first != NULL) {
        struct letter *letter = process->letters_first;
        process->letters_first = letter->next;
        letter_free(world, letter);
    }
}
