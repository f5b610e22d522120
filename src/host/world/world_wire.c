/* Connections of clients: letters between a client and the front of a process, in order in each direction, as TCP
 * keeps them.
 *
 * A wire belongs to one life of a process. When the process dies, most clients are told within milliseconds; the others
 * find out by their own patience. */
#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_state.h"

struct wire *wire_open(struct world *world, struct client *client, uint32_t place)
{
    struct wire *wire = heap_alloc(world->heap, sizeof *wire);
    invariant(wire != NULL, "the world's region has room for a client's connection");
    *wire = (struct wire){.references = 1, .client = client->number, .place = place};
    wire->life = world->processes[place].life;
    return wire;
}

void wire_release(struct world *world, struct wire *wire)
{
    if (--wire->references == 0)
        heap_free(world->heap, wire);
}

void letter_free(struct world *world, struct letter *letter)
{
    if (letter->parcel != NULL)
        parcel_release(world->heap, letter->parcel);
    wire_release(world, letter->wire);
    heap_free(world->heap, letter);
}

static void post(struct world *world, struct wire *wire, bool to_server, enum letter_kind kind, struct span bytes,
                 int64_t from_ns)
{
    struct letter *letter = heap_alloc(world->heap, sizeof *letter);
    invariant(letter != NULL, "the world's region has room for a client's bytes");
    *letter = (struct letter){.kind = kind, .wire = wire};
    wire->references++;
    if (kind == LETTER_BYTES)
        letter->parcel = parcel_create(world->heap, bytes);
    int64_t *last_ns = to_server ? &wire->last_to_server_ns : &wire->last_to_client_ns;
    struct client *client = &world->clients[wire->client];
    uint64_t key = world_key(world->options.seed, KEY_LETTER, (uint64_t)wire->client << 1 | to_server,
                             ++client->letters[to_server ? 0 : 1]);
    int64_t at_ns = from_ns + network_latency(&world->network, key);
    if (at_ns < *last_ns)
        at_ns = *last_ns;
    *last_ns = at_ns;
    schedule_push(&world->schedule, at_ns, to_server ? WORLD_TO_SERVER : WORLD_TO_CLIENT, 0, letter);
}

void wire_send(struct world *world, struct wire *wire, bool to_server, enum letter_kind kind, struct span bytes)
{
    post(world, wire, to_server, kind, bytes, world->now_ns);
}

/* A letter reaches the machine of a process. */
void wire_arrive(struct world *world, struct letter *letter)
{
    struct wire *wire = letter->wire;
    struct process *process = &world->processes[wire->place];
    letter->next = NULL;
    if (!process->up || process->life != wire->life || wire->server_gone) {
        if (!wire->server_gone && letter->kind != LETTER_CLOSE)
            wire_send(world, wire, false, LETTER_CLOSE, (struct span){0});
        wire->server_gone = true;
        letter_free(world, letter);
        return;
    }
    *process->letters_last = letter;
    process->letters_last = &letter->next;
    process_wake(process, world->now_ns);
}

static void accept_wire(struct process *process, struct wire *wire)
{
    char peer[32];
    snprintf(peer, sizeof peer, "10.1.0.%u:%u", wire->client + 1, 40000 + wire->client);
    wire->connection = front_accept(process->front, peer, process->address, wire);
    if (wire->connection != NULL) {
        wire->references++;
        return;
    }
    wire->server_gone = true;
    wire_send(process->world, wire, false, LETTER_CLOSE, (struct span){0});
}

/* The front has no more to do with it. */
static void forget(struct process *process, struct wire *wire)
{
    front_disconnected(process->front, wire->connection);
    wire->connection = NULL;
    wire->server_gone = true;
    wire_release(process->world, wire);
}

/* False: the front does not want to read it now. */
static bool feed_letter(struct process *process, struct letter *letter)
{
    struct wire *wire = letter->wire;
    if (letter->kind == LETTER_OPEN) {
        accept_wire(process, wire);
    } else if (wire->connection != NULL) {
        if (letter->kind == LETTER_CLOSE)
            forget(process, wire);
        else if (!connection_wants_read(wire->connection))
            return false;
        else
            front_receive(process->front, wire->connection, letter->parcel->bytes, letter->parcel->size);
    }
    return true;
}

/* Gives what clients sent to the front. True: something was given. What it does not want to read stays; a closing then
 * overtakes it, as a reset does. */
bool wire_feed(struct process *process)
{
    bool fed = false;
    while (front_next_resumed(process->front) != NULL)
        continue;
    struct letter **link = &process->letters_first;
    while (*link != NULL) {
        struct letter *letter = *link;
        if (!feed_letter(process, letter)) {
            link = &letter->next;
            continue;
        }
        fed = true;
        *link = letter->next;
        letter_free(process->world, letter);
    }
    process->letters_last = link;
    return fed;
}

/* Sends what the front has for its clients; a crash cuts that off for any of them. */
void wire_collect(struct process *process, struct cut *cut)
{
    struct world *world = process->world;
    int64_t at_ns = world->now_ns + process->disk.spent_ns;
    struct connection *connection;
    while ((connection = front_next_ready(process->front)) != NULL) {
        struct wire *wire = connection_host_data(connection);
        struct span bytes = connection_output(connection);
        bool lost = cut != NULL && (random_chance(&cut->random, 1, 2) || cut->nothing);
        if (bytes.size > 0 && !lost)
            post(world, wire, false, LETTER_BYTES, bytes, at_ns);
        connection_output_sent(connection, bytes.size);
        if (!connection_closing(connection))
            continue;
        post(world, wire, false, LETTER_CLOSE, (struct span){0}, at_ns);
        forget(process, wire);
    }
}

void wire_crash(struct process *process)
{
    struct world *world = process->world;
    for (uint32_t i = 0; i < world->client_count; i++) {
        struct wire *wire = world->clients[i].wire;
        if (wire == NULL || wire->place != process->place || wire->life != process->life || wire->server_gone)
            continue;
        wire->server_gone = true;
        struct random dice =
            world_dice(world->options.seed, KEY_NEWS_OF_CRASH, world_pair(process->place, 128 + i), process->life);
        if (world->options.calm || random_chance(&dice, 4, 5))
            post(world, wire, false, LETTER_CLOSE, (struct span){0},
                 world->now_ns + random_between(&dice, NS_PER_MS, 5 * NS_PER_MS));
    }
}
