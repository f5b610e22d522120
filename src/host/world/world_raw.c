/* Clients of services that RESP does not reach: they hand encoded commands to a node and hear its answers.
 *
 * A stand-in for a library embedded in the application's process: no connection, and when the process dies, the client
 * in it forgets what it asked. */
#include <string.h>

#include "base/panic.h"
#include "contract/command.h"
#include "host/world/world_state.h"
#include "service/account/account.h"
#include "service/commands.h"
#include "service/proposal/proposal.h"
#include "service/token/token.h"

/* A command as clients write it, and as the service takes it. A token group's update begins a snapshot. */
struct raw_command {
    const char *service, *name;
    uint16_t op;
    bool read;
    uint32_t arguments;
};

static const struct raw_command commands[] = {
    {"account", "OPEN", ACCOUNT_OPEN, false, 2},       {"account", "TRANSFER", ACCOUNT_TRANSFER, false, 3},
    {"account", "BALANCE", ACCOUNT_BALANCE, true, 1},  {"account", "TOTAL", ACCOUNT_TOTAL, true, 0},
    {"till", "DEPOSIT", OP_INCRBY, false, 2},          {"till", "WITHDRAW", OP_DECRBY, false, 2},
    {"till", "BALANCE", OP_GET, true, 1},
    {"token", "SNAPSHOT", TOKEN_COUNT, false, 0},      {"token", "COUNT", TOKEN_COUNT, true, 0},
    {"proposal", "PROPOSE", PROPOSAL_PROPOSE, false, 1}, {"proposal", "PROPOSE", PROPOSAL_PROPOSE, false, 2},
    {"proposal", "DELIVERED", PROPOSAL_DELIVERED, true, 0},
};

static const struct raw_command *find(const struct world *world, const struct words *words)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].service, world->options.service->name) == 0 &&
            word_is(words->list[0], commands[i].name) && words->count == 1 + commands[i].arguments)
            return &commands[i];
    return NULL;
}

bool raw_request(struct world *world, struct client *client, uint32_t place, struct span text,
                 const struct words *words)
{
    struct process *process = &world->processes[place];
    const struct raw_command *command = find(world, words);
    if (command == NULL || !process->up || process->paused_until_ns > world->now_ns ||
        !node_request_room(process->node, WORLD_GROUP, command->read))
        return false;
    struct buffer *out = node_request_begin(process->node, WORLD_GROUP, command->read);
    size_t at = command_begin(out, command->op, 0, (uint16_t)command->arguments);
    invariant(at != SIZE_MAX, "a request has room in the node's heap");
    for (uint32_t i = 1; i < words->count; i++)
        invariant(command_argument(out, words->list[i]), "a request has room in the node's heap");
    command_end(out, at);
    client->requests++;
    if (world->options.ear.answered != NULL)
        request_expect(world, client, EXPECTED_ANSWER, place, text);
    node_request_commit(process->node, WORLD_GROUP, command->read, client->requests << 8 | client->number);
    process_wake(process, world->now_ns);
    return true;
}

/* Answers come in any order. */
static void tell(struct world *world, struct client *client, uint32_t place, uint64_t number,
                 const struct answer *answer)
{
    const struct world_ear *ear = &world->options.ear;
    struct expectations *waiting = &client->waiting;
    for (uint32_t i = waiting->first; i < waiting->count && ear->answered != NULL; i++) {
        const struct expected *expected = &waiting->list[i];
        if (expected->number != number)
            continue;
        struct world_answer told = {
            .client = client->number,
            .place = place,
            .number = number,
            .asked_ns = expected->asked_ns,
            .answered_ns = world->now_ns,
            .kind = answer->kind == ANSWER_VALUE ? WORLD_ANSWER_VALUE : WORLD_ANSWER_ERROR,
            .request = expected->request,
            .bytes = answer->bytes,
        };
        waiting->list[i] = waiting->list[--waiting->count];
        ear->answered(ear->context, world, &told);
        return;
    }
}

static void on_answer(void *context, uint64_t cookie, const struct answer *answer)
{
    struct process *process = context;
    struct world *world = process->world;
    struct client *client = &world->clients[cookie & 0xff];
    if (answer->kind == ANSWER_VALUE && world->healed)
        client->wrote_after_heal = true;
    world->hash ^= cookie;
    tell(world, client, process->place, cookie >> 8, answer);
}

void raw_door(struct process *process)
{
    struct node_door door = {.context = process, .answer = on_answer};
    node_set_door(process->node, &door);
}
