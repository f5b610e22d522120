/* What the simulated clients ask when they ask by themselves.
 *
 * A handful of keys, so that clients meet: some hold strings, whose written values are all different, some hold
 * counters. Requests come alone, pipelined, or in a transaction. Each is an item of a plan, in words. */
#include <string.h>

#include "base/number.h"
#include "base/panic.h"
#include "host/world/world_state.h"

enum { COUNTER_ONE_IN = 4, TEXT_SIZE = 96, ACCOUNTS = 6, OPENING_BALANCE = 100, AMOUNT_MAX = 30, PROPOSALS = 5,
       TILL_ACCOUNTS = 3 };

static void ask(struct world *world, struct client *client, uint32_t node, const char *text)
{
    world_do(world, &(struct plan_item){.kind = PLAN_REQUEST,
                                        .at_ns = world->now_ns,
                                        .client = client->number,
                                        .node = node,
                                        .text = span_string(text)});
}

/* ---- keys and values ---- */

static bool is_counter(const struct world *world, uint32_t key)
{
    return key < 1 + world->key_count / COUNTER_ONE_IN;
}

static enum world_op draw_op(struct client *client, bool counter)
{
    uint64_t drawn = random_below(&client->random, 100);
    if (drawn < 40)
        return WORLD_OP_GET;
    if (counter)
        return drawn < 94 ? WORLD_OP_INCR : WORLD_OP_DEL;
    if (drawn < 65)
        return WORLD_OP_SET;
    if (drawn < 75)
        return WORLD_OP_APPEND;
    if (drawn < 85)
        return WORLD_OP_GETSET;
    return drawn < 92 ? WORLD_OP_SETNX : WORLD_OP_DEL;
}

/* A value is unlike any other in the run: "3.17;", and "3.h17;" in the healed phase, which counts anew. Keys that are
 * asked for at a node whose word does not count are others, as it may write what it wants, however often, in its own
 * session. */
static void ask_one(struct world *world, struct client *client, uint32_t node, bool write)
{
    uint32_t key = (uint32_t)random_below(&client->random, world->key_count);
    bool counter = is_counter(world, key);
    enum world_op op = draw_op(client, counter);
    if (write && op == WORLD_OP_GET)
        op = counter ? WORLD_OP_INCR : WORLD_OP_SET;
    char text[TEXT_SIZE];
    char own = world->processes[node - 1].turned ? 't' : 'k';
    int length = snprintf(text, sizeof text, "%s %c%c", world_op_name(op), own, (char)('a' + key));
    if (world_op_writes_value(op))
        snprintf(text + length, sizeof text - (size_t)length, " %u.%s%llu;", client->number, world->healed ? "h" : "",
                 (unsigned long long)++client->value_number);
    ask(world, client, node, text);
}

void workload_ask(struct world *world, struct client *client, uint32_t node)
{
    bool write = world->healed && !client->wrote_after_heal;
    uint64_t drawn = random_below(&client->random, 100);
    uint64_t count = 1;
    if (drawn >= 75 && client->failures == 0)
        count = 2 + random_below(&client->random, drawn < 90 ? 4 : 2);
    bool transaction = drawn >= 90 && client->failures == 0;
    if (transaction)
        ask(world, client, node, "MULTI");
    for (uint64_t i = 0; i < count; i++)
        ask_one(world, client, node, write);
    if (transaction)
        ask(world, client, node, "EXEC");
}

/* ---- services that RESP does not reach ---- */

static void ask_account(struct world *world, struct client *client, uint32_t node, bool read)
{
    struct random *random = &client->random;
    char text[TEXT_SIZE] = "TOTAL";
    if (!read && random_chance(random, 1, 5)) {
        char name = (char)('0' + random_below(random, ACCOUNTS));
        snprintf(text, sizeof text, "OPEN account-%c %d", name, OPENING_BALANCE);
    } else if (!read) {
        char from = (char)('0' + random_below(random, ACCOUNTS)), to = (char)('0' + random_below(random, ACCOUNTS));
        snprintf(text, sizeof text, "TRANSFER account-%c account-%c %llu", from, to,
                 (unsigned long long)(1 + random_below(random, AMOUNT_MAX)));
    }
    ask(world, client, node, text);
}

/* As much is paid out as in, so that accounts are often about to be overdrawn. */
static void ask_till(struct world *world, struct client *client, uint32_t node, bool read)
{
    struct random *random = &client->random;
    char text[TEXT_SIZE], name = (char)('0' + random_below(random, TILL_ACCOUNTS));
    unsigned long long amount = 1 + random_below(random, AMOUNT_MAX);
    if (read)
        snprintf(text, sizeof text, "BALANCE account-%c%s", name, random_chance(random, 1, 4) ? "/reversed" : "");
    else
        snprintf(text, sizeof text, "%s account-%c %llu", random_chance(random, 1, 2) ? "DEPOSIT" : "WITHDRAW", name,
                 amount);
    ask(world, client, node, text);
}

/* Few values, so that members often propose the same. */
static void ask_proposal(struct world *world, struct client *client, uint32_t node)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "PROPOSE %llu", (unsigned long long)random_below(&client->random, PROPOSALS));
    ask(world, client, node, text);
}

void workload_ask_raw(struct world *world, struct client *client)
{
    uint32_t node = (uint32_t)random_below(&client->random, world->node_count) + 1;
    bool read = random_chance(&client->random, 1, 4);
    if (strcmp(world->options.service->name, "account") == 0)
        ask_account(world, client, node, read);
    else if (strcmp(world->options.service->name, "till") == 0)
        ask_till(world, client, node, read);
    else if (strcmp(world->options.service->name, "proposal") == 0)
        ask_proposal(world, client, node);
    else
        ask(world, client, node, read ? "COUNT" : "SNAPSHOT");
}
