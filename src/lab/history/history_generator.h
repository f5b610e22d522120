/* Random histories of a simulated linearizable store: for tests. It executes each operation at one moment between its
 * invocation and its answer, with a naive store of its own, so it shares nothing with the checker. */
#ifndef LOCKSTEP_LAB_HISTORY_GENERATOR_H
#define LOCKSTEP_LAB_HISTORY_GENERATOR_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "lab/history/history.h"

enum {
    GENERATOR_CLIENTS_MAX = 32,
    GENERATOR_KEYS_MAX = 16,
    GENERATOR_TEXT_SIZE = 48,
};

/* What the store does wrong, once, in the middle of the history. */
enum generator_fault { GENERATOR_CORRECT, GENERATOR_STALE_READ, GENERATOR_LOST_UPDATE, GENERATOR_TWICE };

struct generator_options {
    uint32_t clients, keys, operations;
    uint32_t open_percent; /* of operations whose end nobody sees; half of them never execute */
    const enum history_function *functions;
    uint32_t function_count;
    enum generator_fault fault;
};

struct generator_cell {
    bool full;
    char text[GENERATOR_TEXT_SIZE], before[GENERATOR_TEXT_SIZE]; /* before: what it held some writes ago */
};

struct generator_client {
    enum { GENERATOR_IDLE, GENERATOR_INVOKED, GENERATOR_EXECUTED } phase;
    uint32_t operation, key;
    bool open;
    struct history_call call;
    struct history_answer answer;
    char name[8], argument[16], expected[GENERATOR_TEXT_SIZE], shown[GENERATOR_TEXT_SIZE];
};

static inline struct history_answer generator_show(struct generator_client *client, const struct generator_cell *cell)
{
    strcpy(client->shown, cell->text);
    return cell->full ? (struct history_answer){.kind = HISTORY_BYTES, .bytes = span_string(client->shown)}
                      : (struct history_answer){.kind = HISTORY_NIL};
}

static inline struct history_answer generator_integer(long long number)
{
    return (struct history_answer){.kind = HISTORY_INTEGER, .integer = number};
}

static inline void generator_put(struct generator_cell *cell, const char *text)
{
    if (strlen(text) < GENERATOR_TEXT_SIZE)
        strcpy(cell->text, text);
    cell->full = true;
}

static inline struct history_answer generator_execute(struct generator_client *client, struct generator_cell *cell)
{
    bool full = cell->full;
    struct history_answer answer;
    char *end;
    switch (client->call.function) {
    case HISTORY_GET:
        return generator_show(client, cell);
    case HISTORY_STRLEN:
        return generator_integer(full ? (long long)strlen(cell->text) : 0);
    case HISTORY_EXISTS:
        return generator_integer(full);
    case HISTORY_SET:
        generator_put(cell, client->argument);
        return (struct history_answer){.kind = HISTORY_DONE};
    case HISTORY_SET_NX:
        if (!full)
            generator_put(cell, client->argument);
        return generator_integer(!full);
    case HISTORY_SET_XX:
        if (full)
            generator_put(cell, client->argument);
        return (struct history_answer){.kind = full ? HISTORY_DONE : HISTORY_NIL};
    case HISTORY_GETSET:
        answer = generator_show(client, cell);
        generator_put(cell, client->argument);
        return answer;
    case HISTORY_CAS:
        if (!full || strcmp(cell->text, client->expected) != 0)
            return generator_integer(0);
        generator_put(cell, client->argument);
        return generator_integer(1);
    case HISTORY_INCR: {
        long long number = full ? strtoll(cell->text, &end, 10) : 0;
        if (full && (*end != '\0' || *cell->text == '\0' || strlen(cell->text) > 17))
            return (struct history_answer){.kind = HISTORY_ERROR};
        snprintf(cell->text, sizeof cell->text, "%lld", number + client->call.number);
        cell->full = true;
        return generator_integer(number + client->call.number);
    }
    case HISTORY_APPEND:
        if (!full)
            cell->text[0] = '\0';
        cell->full = true;
        strcat(cell->text, client->argument);
        return generator_integer((long long)strlen(cell->text));
    case HISTORY_DEL:
        cell->full = false;
        return generator_integer(full);
    case HISTORY_GETDEL:
        answer = generator_show(client, cell);
        cell->full = false;
        return answer;
    case HISTORY_FUNCTION_COUNT:
        break;
    }
    return (struct history_answer){.kind = HISTORY_ERROR};
}

static inline void generator_invoke(struct generator_client *client, const struct generator_options *options,
                                    struct generator_cell *cells, struct history *history, struct random *random,
                                    uint32_t process, uint32_t number, int64_t now_ns)
{
    client->key = (uint32_t)random_below(random, options->keys);
    snprintf(client->name, sizeof client->name, "k%u", (unsigned)client->key % 100);
    snprintf(client->argument, sizeof client->argument, "%u", (unsigned)number + 100);
    enum history_function function = options->functions[random_below(random, options->function_count)];
    /* Strings that grow past the cell, or past what an integer holds, would need a finer store. */
    if (function == HISTORY_APPEND && strlen(cells[client->key].text) > 6)
        function = HISTORY_SET;
    strcpy(client->expected, cells[client->key].text);
    client->call = (struct history_call){
        .process = process,
        .function = function,
        .key = span_string(client->name),
        .argument = span_string(client->argument),
        .expected = span_string(client->expected),
        .number = random_between(random, 1, 3),
    };
    client->operation = history_invoke(history, &client->call, now_ns);
    client->phase = GENERATOR_INVOKED;
    client->open = random_chance(random, options->open_percent, 100);
}

/* Executes with the fault; true when the fault had an effect that no correct store could have. */
static inline bool generator_fail(struct generator_client *client, struct generator_cell *cell,
                                  enum generator_fault fault)
{
    struct generator_cell kept = *cell;
    enum history_function function = client->call.function;
    bool adds = function == HISTORY_INCR && cell->full;
    bool stale = cell->full && cell->before[0] != '\0' && strcmp(cell->before, cell->text) != 0;
    if (fault == GENERATOR_STALE_READ && function == HISTORY_GET && stale) {
        strcpy(client->shown, cell->before);
        client->answer = (struct history_answer){.kind = HISTORY_BYTES, .bytes = span_string(client->shown)};
        return true;
    }
    client->answer = generator_execute(client, cell);
    if (fault == GENERATOR_LOST_UPDATE && adds && !client->open)
        *cell = kept;
    else if (fault == GENERATOR_TWICE && adds && !client->open)
        generator_execute(client, cell);
    else
        return false;
    return true;
}

/* Appends a whole history. True when the fault struck. */
static inline bool generator_run(struct history *history, struct random *random,
                                 const struct generator_options *options)
{
    static struct generator_client clients[GENERATOR_CLIENTS_MAX];
    static struct generator_cell cells[GENERATOR_KEYS_MAX];
    memset(clients, 0, sizeof clients);
    memset(cells, 0, sizeof cells);
    bool struck = options->fault == GENERATOR_CORRECT;
    uint32_t invoked = 0;
    for (int64_t now_ns = 0; invoked < options->operations; now_ns += 1000) {
        uint32_t process = (uint32_t)random_below(random, options->clients);
        struct generator_client *client = &clients[process];
        struct generator_cell *cell = &cells[client->key];
        if (client->phase == GENERATOR_IDLE) {
            generator_invoke(client, options, cells, history, random, process, ++invoked, now_ns);
            if (!client->open || random_chance(random, 1, 2))
                continue;
            client->phase = GENERATOR_IDLE;
        } else if (client->phase == GENERATOR_INVOKED) {
            if (!struck && invoked > options->operations / 2)
                struck = generator_fail(client, cell, options->fault);
            else
                client->answer = generator_execute(client, cell);
            client->phase = client->open ? GENERATOR_IDLE : GENERATOR_EXECUTED;
        } else {
            history_ok(history, client->operation, &client->answer, now_ns);
            /* With one client, what was there before the latest write is certainly stale. */
            if (invoked % 4 == 0)
                strcpy(cell->before, cell->text);
            client->phase = GENERATOR_IDLE;
            continue;
        }
        if (client->phase == GENERATOR_IDLE)
            history_info(history, client->operation, now_ns);
    }
    return struck;
}

#endif
