/* An answer of the node, on its way to its slot. Called inside node_turn, so nothing here hands requests in: a
 * connection that can go on now is only put in a list. */
#include "base/panic.h"
#include "front/front_internal.h"
#include "front/front_text.h"
#include "front/resp_writer.h"

enum { SEQUENCE_MASK = (1 << 24) - 1, PLACE_MASK = (1 << 20) - 1 };

static struct connection *find(struct front *front, uint64_t cookie)
{
    uint32_t place = (uint32_t)(cookie >> 24) & PLACE_MASK;
    uint32_t generation = (uint32_t)(cookie >> 44);
    if (place >= front->place_count || front->places[place].generation != generation)
        return NULL;
    return front->places[place].connection;
}

/* The slot's request is no longer with the node. */
static void settle(struct connection *connection, const struct slot *slot, const struct answer *answer)
{
    if (slot->kind == SLOT_READ)
        connection->reads--;
    else
        connection->updates--;
    bool writes = slot->meaning == MEANING_WRITE || slot->meaning == MEANING_EXEC;
    if (writes && answer->kind == ANSWER_VALUE &&
        (connection->group != connection->last_write_group || answer->index > connection->last_write_index)) {
        connection->last_write_index = answer->index;
        connection->last_write_group = connection->group; /* all that are unanswered are of this group */
    }
}

/* The answer as a RESP3 value, in place or in front->value. */
static struct span value_of(struct connection *connection, const struct slot *slot, const struct answer *answer)
{
    struct front *front = connection->front;
    if (answer->kind != ANSWER_VALUE) {
        front->errors++;
        buffer_clear(&front->value);
        (void)resp_error_write(&front->value, answer->bytes);
    }
    struct span value = answer->kind == ANSWER_VALUE ? answer->bytes : buffer_span(&front->value);
    switch ((enum slot_meaning)slot->meaning) {
    case MEANING_PLAIN:
    case MEANING_WRITE:
        return value;
    case MEANING_EXEC:
        return front_exec_answer(connection, value);
    case MEANING_WATCH:
        return front_watch_answer(connection, value);
    case MEANING_GROUP_LIST:
    case MEANING_GROUP_INFO:
    case MEANING_GROUP_CLIENTS:
        return front_group_answer(connection, value, (enum slot_meaning)slot->meaning);
    }
    return value;
}

/* Where the slot's request is, or false when it needs no slot any more. */
static bool find_slot(const struct connection *connection, uint64_t cookie, uint32_t *sequence)
{
    uint32_t distance = ((uint32_t)cookie - connection->head) & SEQUENCE_MASK;
    *sequence = connection->head + distance;
    return distance < connection_unanswered(connection);
}

void front_ordered(void *context, uint64_t cookie)
{
    struct front *front = context;
    struct connection *connection = find(front, cookie);
    uint32_t sequence;
    if (connection == NULL || connection->gone || !find_slot(connection, cookie, &sequence))
        return;
    struct slot *slot = connection_slot(connection, sequence);
    if (slot->kind != SLOT_READ)
        return;
    slot->kind = SLOT_UPDATE;
    connection->reads--;
    connection->updates++;
    if (connection->stall != STALL_NONE)
        front_unstall(connection);
}

void front_answer(void *context, uint64_t cookie, const struct answer *answer)
{
    struct front *front = context;
    struct connection *connection = find(front, cookie);
    invariant(connection != NULL && connection->pending > 0, "the node answers what the front has asked, once");
    connection->pending--;
    if (connection->gone) {
        if (connection->pending == 0)
            connection_free(connection);
        return;
    }
    uint32_t sequence;
    if (!find_slot(connection, cookie, &sequence))
        return; /* a count for a WAIT that has timed out */
    const struct slot *slot = connection_slot(connection, sequence);
    if (slot->kind == SLOT_WAIT) {
        front_wait_answer(connection, sequence, answer);
    } else {
        settle(connection, slot, answer);
        connection_answer(connection, sequence, value_of(connection, slot, answer));
    }
    if (connection->stall != STALL_NONE)
        front_unstall(connection);
}
