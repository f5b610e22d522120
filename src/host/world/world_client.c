/* Simulated clients: closed loops with thinking time, over one connection each.
 *
 * A client connects to any node, asks, waits, thinks, asks again. When its patience ends or the connection breaks, what
 * was under way stays open for ever (it may have happened, or may yet), and the client goes to another node with new
 * operations. It never asks the same again: a repeated request is a new operation. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_state.h"

enum { RECONNECT_MS_MAX = 100, LEAVE_ONE_IN = 40, BACK_OFF_DOUBLINGS_MAX = 5, BACK_OFF_S_MAX = 2 };

const char *world_op_name(enum world_op op)
{
    static const char *const names[WORLD_OP_COUNT] = {
        [WORLD_OP_GET] = "GET",       [WORLD_OP_SET] = "SET", [WORLD_OP_GETSET] = "GETSET", [WORLD_OP_SETNX] = "SETNX",
        [WORLD_OP_APPEND] = "APPEND", [WORLD_OP_DEL] = "DEL", [WORLD_OP_INCR] = "INCR",
    };
    return names[op];
}

static void schedule_client(struct world *world, struct client *client, uint32_t kind, int64_t delay_ns)
{
    schedule_push(&world->schedule, world->now_ns + delay_ns, kind, client->number,
                  (void *)(uintptr_t)client->epoch);
}

static void act_later(struct world *world, struct client *client, int64_t delay_ns)
{
    client->epoch++;
    schedule_client(world, client, WORLD_CLIENT_ACT, delay_ns);
}

void client_init(struct client *client, struct world *world, uint32_t number)
{
    *client = (struct client){.number = number};
    random_seed(&client->random, random_u64(&world->random));
    client->readonly = number > 0 && random_chance(&client->random, 1, 8);
    client->resp3 = random_chance(&client->random, 1, 2);
    buffer_init(&client->in, world->heap);
    act_later(world, client, random_between(&client->random, 0, 500 * NS_PER_MS));
}

/* Clients that fail wait longer and longer, as good ones do: else what stays open piles up. */
static int64_t back_off(struct client *client, int64_t least_ns, int64_t most_ns)
{
    uint32_t doublings = client->failures < BACK_OFF_DOUBLINGS_MAX ? client->failures : BACK_OFF_DOUBLINGS_MAX;
    int64_t delay_ns = random_between(&client->random, least_ns, most_ns) << doublings;
    return delay_ns < BACK_OFF_S_MAX * NS_PER_S ? delay_ns : BACK_OFF_S_MAX * NS_PER_S;
}

static void disconnect(struct world *world, struct client *client, bool tell)
{
    struct wire *wire = client->wire;
    if (wire == NULL)
        return;
    if (tell)
        wire_send(world, wire, true, LETTER_CLOSE, (struct span){0});
    wire->client_gone = true;
    client->wire = NULL;
    wire_release(world, wire);
}

static void give_up(struct world *world, struct client *client, bool tell)
{
    trace_client(world, client, "gives up", (struct span){0});
    client->failures++;
    workload_abandon(world, client);
    disconnect(world, client, tell);
    buffer_clear(&client->in);
    act_later(world, client, back_off(client, NS_PER_MS, RECONNECT_MS_MAX * NS_PER_MS));
}

static void connect_anywhere(struct world *world, struct client *client, struct buffer *out)
{
    uint32_t place = (uint32_t)random_below(&client->random, world->node_count);
    client->wire = wire_open(world, client, place);
    client->replies_skipped = 0;
    wire_send(world, client->wire, true, LETTER_OPEN, (struct span){0});
    bool room = true;
    if (client->resp3) {
        static const char hello[] = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";
        room = buffer_append(out, hello, sizeof hello - 1);
        client->replies_skipped++;
    }
    if (client->readonly) {
        static const char readonly[] = "*1\r\n$8\r\nREADONLY\r\n";
        room = room && buffer_append(out, readonly, sizeof readonly - 1);
        client->replies_skipped++;
    }
    invariant(room, "the world's region has room for a request");
}

void client_act(struct world *world, struct client *client, uint64_t epoch)
{
    if (epoch != client->epoch || world->now_ns >= world->quiet_at_ns)
        return;
    if (world->raw) {
        raw_act(world, client);
        act_later(world, client, random_between(&client->random, world->think_ns / 2, 2 * world->think_ns));
        return;
    }
    if (client->wire != NULL && random_chance(&client->random, 1, LEAVE_ONE_IN))
        disconnect(world, client, true);
    struct buffer out;
    buffer_init(&out, world->heap);
    if (client->wire == NULL)
        connect_anywhere(world, client, &out);
    workload_ask(world, client, &out);
    trace_client(world, client, "asks", buffer_span(&out));
    wire_send(world, client->wire, true, LETTER_BYTES, buffer_span(&out));
    buffer_free(&out);
    client->epoch++;
    schedule_client(world, client, WORLD_CLIENT_LATE, world->client_timeout_ns);
}

void client_late(struct world *world, struct client *client, uint64_t epoch)
{
    if (epoch == client->epoch)
        give_up(world, client, true);
}

static void client_bytes(struct world *world, struct client *client, const struct parcel *parcel)
{
    bool broken = false;
    invariant(buffer_append(&client->in, parcel->bytes, parcel->size), "the world's region has room for an answer");
    trace_client(world, client, "hears", span_of(parcel->bytes, parcel->size));
    bool whole = workload_answer(world, client, &broken);
    if (broken)
        give_up(world, client, true);
    else if (whole)
        act_later(world, client, back_off(client, world->think_ns / 4, 2 * world->think_ns));
}

void client_letter(struct world *world, struct letter *letter)
{
    struct wire *wire = letter->wire;
    struct client *client = &world->clients[wire->client];
    if (!wire->client_gone && client->wire == wire) {
        if (letter->kind == LETTER_BYTES)
            client_bytes(world, client, letter->parcel);
        else
            give_up(world, client, false);
    }
    letter_free(world, letter);
}
