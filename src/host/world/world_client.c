/* Simulated clients: what they ask over one connection each, and how they ask by themselves.
 *
 * By itself a client is a closed loop with thinking time: it connects to any node, asks, waits, thinks, asks again.
 * When its patience ends or the connection breaks, what was under way stays open for ever (it may have happened, or may
 * yet), and the client goes to another node with new operations. It never asks the same again: a repeated request is a
 * new operation. Under a plan it does what the items say, until the world heals. */
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

static bool by_itself(const struct world *world)
{
    return world->options.plan == NULL || world->healed;
}

static void schedule_client(struct world *world, struct client *client, uint32_t kind, int64_t delay_ns)
{
    schedule_push_ranked(&world->schedule, RANK_ITEM, world->now_ns + delay_ns, kind, client->number,
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
    client->random = world_dice(world->options.seed, KEY_CLIENT, number, 0);
    client->readonly = number > 0 && random_chance(&client->random, 1, 8) && !world->options.calm;
    client->resp3 = random_chance(&client->random, 1, 2) && !world->options.calm;
    buffer_init(&client->in, world->heap);
    buffer_init(&client->out, world->heap);
    if (by_itself(world))
        act_later(world, client, random_between(&client->random, 0, 500 * NS_PER_MS));
}

/* Clients that fail wait longer and longer, as good ones do: else what stays open piles up. */
static int64_t back_off(struct client *client, int64_t least_ns, int64_t most_ns)
{
    uint32_t doublings = client->failures < BACK_OFF_DOUBLINGS_MAX ? client->failures : BACK_OFF_DOUBLINGS_MAX;
    int64_t delay_ns = random_between(&client->random, least_ns, most_ns) << doublings;
    return delay_ns < BACK_OFF_S_MAX * NS_PER_S ? delay_ns : BACK_OFF_S_MAX * NS_PER_S;
}

/* ---- the connection ---- */

void client_flush(struct world *world, struct client *client)
{
    client->flushes = false;
    if (client->out.size == 0 || client->wire == NULL)
        return;
    trace_client(world, client, "asks", buffer_span(&client->out));
    wire_send(world, client->wire, true, LETTER_BYTES, buffer_span(&client->out));
    buffer_clear(&client->out);
}

static void disconnect(struct world *world, struct client *client, bool tell)
{
    struct wire *wire = client->wire;
    if (wire == NULL)
        return;
    client_flush(world, client);
    if (tell)
        wire_send(world, wire, true, LETTER_CLOSE, (struct span){0});
    wire->client_gone = true;
    client->wire = NULL;
    reply_abandon(world, client);
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    wire_release(world, wire);
}

static void give_up(struct world *world, struct client *client, bool tell)
{
    trace_client(world, client, "gives up", (struct span){0});
    disconnect(world, client, tell);
    client->failures++;
    if (by_itself(world))
        act_later(world, client, back_off(client, NS_PER_MS, RECONNECT_MS_MAX * NS_PER_MS));
}

static void greet(struct world *world, struct client *client, const char *greeting)
{
    invariant(buffer_append(&client->out, greeting, strlen(greeting)), "the world's region has room for a request");
    request_expect(world, client, EXPECTED_GREETING, SIZE_MAX, (struct span){0});
}

static void connect_to(struct world *world, struct client *client, uint32_t place)
{
    client->wire = wire_open(world, client, place);
    wire_send(world, client->wire, true, LETTER_OPEN, (struct span){0});
    if (client->resp3)
        greet(world, client, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
    if (client->readonly)
        greet(world, client, "*1\r\n$8\r\nREADONLY\r\n");
}

/* ---- items ---- */

/* What is asked at one instant leaves as one letter. */
static void flush_soon(struct world *world, struct client *client)
{
    if (client->flushes)
        return;
    client->flushes = true;
    schedule_client(world, client, WORLD_CLIENT_FLUSH, 0);
}

bool client_request(struct world *world, const struct plan_item *item)
{
    struct words words;
    if (item->client >= world->client_count || item->node == 0 || item->node > world->node_count ||
        !words_split(item->text, &words))
        return false;
    struct client *client = &world->clients[item->client];
    if (world->raw)
        return raw_request(world, client, item->node - 1, item->text, &words);
    if (client->wire != NULL && client->wire->place != item->node - 1)
        disconnect(world, client, true);
    if (client->wire == NULL)
        connect_to(world, client, item->node - 1);
    request_write(world, client, item->text, &words);
    flush_soon(world, client);
    return true;
}

bool client_leave(struct world *world, const struct plan_item *item)
{
    if (item->client >= world->client_count || world->clients[item->client].wire == NULL)
        return false;
    disconnect(world, &world->clients[item->client], true);
    return true;
}

static void leave(struct world *world, struct client *client)
{
    world_do(world, &(struct plan_item){.kind = PLAN_LEAVE, .at_ns = world->now_ns, .client = client->number});
}

/* ---- by itself ---- */

static void draw_act(struct world *world, struct client *client)
{
    enum world_purpose purpose = world->healed ? KEY_CLIENT_HEALED : KEY_CLIENT_ACT;
    client->random = world_dice(world->options.seed, purpose, client->number, ++client->acts);
}

/* When all has healed, people have taken a node out of their lists that is dead, or whose word does not count. */
static bool is_shunned(const struct world *world, uint32_t place)
{
    return world->healed && (world->processes[place].turned || (world->acts.dead >> place & 1) != 0);
}

/* Any gateway; or any member, where there is none. */
static uint32_t draw_place(struct world *world, struct client *client)
{
    uint32_t gateways = world->node_count - world->member_count;
    if (gateways > 0)
        return world->member_count + (uint32_t)random_below(&client->random, gateways);
    uint32_t place = (uint32_t)random_below(&client->random, world->node_count);
    for (uint32_t i = 0; i < world->node_count && is_shunned(world, place); i++)
        place = (place + 1) % world->node_count;
    return place;
}

void client_act(struct world *world, struct client *client, uint64_t epoch)
{
    if (epoch != client->epoch || world->now_ns >= world->quiet_at_ns)
        return;
    draw_act(world, client);
    if (world->raw) {
        workload_ask_raw(world, client);
        act_later(world, client, random_between(&client->random, world->think_ns / 2, 2 * world->think_ns));
        return;
    }
    bool leaves = random_chance(&client->random, 1, LEAVE_ONE_IN);
    if (client->wire != NULL && (leaves || is_shunned(world, client->wire->place)))
        leave(world, client);
    uint32_t place = draw_place(world, client);
    if (client->wire != NULL)
        place = client->wire->place;
    workload_ask(world, client, place + 1);
    client->epoch++;
    schedule_client(world, client, WORLD_CLIENT_LATE, world->client_timeout_ns);
}

void client_late(struct world *world, struct client *client, uint64_t epoch)
{
    if (epoch != client->epoch)
        return;
    trace_client(world, client, "gives up", (struct span){0});
    leave(world, client);
    client->failures++;
    act_later(world, client, back_off(client, NS_PER_MS, RECONNECT_MS_MAX * NS_PER_MS));
}

void client_heal(struct world *world, struct client *client)
{
    client->acts = 0;
    client->failures = 0;
    client->value_number = 0;
    draw_act(world, client);
    client->epoch++;
    if (client->transaction) /* of a plan that never ended it */
        disconnect(world, client, true);
    bool waits = client->waiting.count > client->waiting.first && !world->raw;
    int64_t delay_ns = random_between(&client->random, 0, world->think_ns);
    schedule_client(world, client, waits ? WORLD_CLIENT_LATE : WORLD_CLIENT_ACT,
                    waits ? world->client_timeout_ns : delay_ns);
}

/* ---- answers ---- */

static void client_bytes(struct world *world, struct client *client, const struct parcel *parcel)
{
    bool broken = false;
    invariant(buffer_append(&client->in, parcel->bytes, parcel->size), "the world's region has room for an answer");
    trace_client(world, client, "hears", span_of(parcel->bytes, parcel->size));
    bool whole = reply_take(world, client, &broken);
    if (broken)
        give_up(world, client, true);
    else if (whole && by_itself(world))
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
