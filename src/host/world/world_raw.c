/* Clients of services that RESP does not reach: they hand encoded commands to a node and hear its answers.
 *
 * A stand-in for a library embedded in the application's process: no connection, and when the process dies, the client
 * in it forgets what it asked. */
#include <string.h>

#include "base/number.h"
#include "base/panic.h"
#include "contract/command.h"
#include "host/world/world_state.h"
#include "service/account/account.h"
#include "service/token/token.h"

enum { ACCOUNTS = 6, OPENING_BALANCE = 100, AMOUNT_MAX = 30 };

static void argument(struct buffer *out, const char *text)
{
    invariant(command_argument(out, span_string(text)), "a request has room in the node's heap");
}

static void argument_number(struct buffer *out, uint64_t number)
{
    char digits[NUMBER_INTEGER_SIZE_MAX];
    invariant(command_argument(out, span_of(digits, number_print_u64(digits, number))),
              "a request has room in the node's heap");
}

static void draw_account(struct client *client, struct buffer *out)
{
    char name[] = "account-0";
    name[sizeof name - 2] = (char)('0' + random_below(&client->random, ACCOUNTS));
    argument(out, name);
}

static void write_account_update(struct client *client, struct buffer *out)
{
    bool open = random_chance(&client->random, 1, 5);
    size_t at = command_begin(out, open ? ACCOUNT_OPEN : ACCOUNT_TRANSFER, 0, open ? 2 : 3);
    invariant(at != SIZE_MAX, "a request has room in the node's heap");
    draw_account(client, out);
    if (!open)
        draw_account(client, out);
    argument_number(out, open ? OPENING_BALANCE : 1 + random_below(&client->random, AMOUNT_MAX));
    command_end(out, at);
}

static void write_plain(struct buffer *out, uint16_t op)
{
    size_t at = command_begin(out, op, 0, 0);
    invariant(at != SIZE_MAX, "a request has room in the node's heap");
    command_end(out, at);
}

void raw_act(struct world *world, struct client *client)
{
    struct process *process = &world->processes[random_below(&client->random, world->node_count)];
    bool account = strcmp(world->options.service->name, "account") == 0;
    bool read = random_chance(&client->random, 1, 4); /* a token group's update begins a snapshot */
    if (!process->up || process->paused_until_ns > world->now_ns)
        return;
    if (!node_request_room(process->node, WORLD_GROUP, read))
        return;
    struct buffer *out = node_request_begin(process->node, WORLD_GROUP, read);
    if (!account)
        write_plain(out, TOKEN_COUNT);
    else if (read)
        write_plain(out, ACCOUNT_TOTAL);
    else
        write_account_update(client, out);
    node_request_commit(process->node, WORLD_GROUP, read, ++client->value_number << 8 | client->number);
    process_wake(process, world->now_ns);
}

static void on_answer(void *context, uint64_t cookie, const struct answer *answer)
{
    struct process *process = context;
    struct world *world = process->world;
    struct client *client = &world->clients[cookie & 0xff];
    if (answer->kind == ANSWER_VALUE && world->healed)
        client->wrote_after_heal = true;
    world->hash ^= cookie;
}

void raw_door(struct process *process)
{
    struct node_door door = {.context = process, .answer = on_answer};
    node_set_door(process->node, &door);
}
