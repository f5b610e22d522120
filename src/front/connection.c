/* A client connection: its lists, its slots, and its answers in the order of its requests (connection.h). */
#include "front/connection.h"

#include "base/panic.h"
#include "front/front_internal.h"
#include "front/resp_writer.h"

enum {
    SLOTS_MIN = 8,
    OUTPUT_FIRST_SIZE = 512,   /* reserved at the first answer, so that a hot connection does not grow it in steps */
    OUTPUT_KEPT_MAX = 65536,   /* of an emptied output buffer that is kept for the next answers */
    COOKIE_SEQUENCE_BITS = 24, /* slots are far fewer: see front_create */
    COOKIE_PLACE_BITS = 20,
};

/* ---- lists ---- */

void connection_list_add(struct connection *connection, enum connection_list list)
{
    struct connection_link *link = &connection->links[list];
    if (link->in)
        return;
    struct connection_queue *queue = &connection->front->queues[list];
    *link = (struct connection_link){.previous = queue->last, .in = true};
    if (queue->last != NULL)
        queue->last->links[list].next = connection;
    else
        queue->first = connection;
    queue->last = connection;
}

void connection_list_remove(struct connection *connection, enum connection_list list)
{
    struct connection_link *link = &connection->links[list];
    if (!link->in)
        return;
    struct connection_queue *queue = &connection->front->queues[list];
    if (link->previous != NULL)
        link->previous->links[list].next = link->next;
    else
        queue->first = link->next;
    if (link->next != NULL)
        link->next->links[list].previous = link->previous;
    else
        queue->last = link->previous;
    *link = (struct connection_link){0};
}

struct connection *connection_list_take(struct front *front, enum connection_list list)
{
    struct connection *connection = front->queues[list].first;
    if (connection != NULL)
        connection_list_remove(connection, list);
    return connection;
}

/* ---- slots ---- */

static bool slots_grow(struct connection *connection)
{
    uint32_t capacity = connection->slot_capacity == 0 ? SLOTS_MIN : connection->slot_capacity * 2;
    struct slot *slots = heap_alloc(connection->front->heap, capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t at = connection->head; at != connection->tail; at++)
        slots[at & (capacity - 1)] = connection->slots[at & (connection->slot_capacity - 1)];
    heap_free(connection->front->heap, connection->slots);
    connection->slots = slots;
    connection->slot_capacity = capacity;
    return true;
}

struct slot *connection_slot(struct connection *connection, uint32_t sequence)
{
    return &connection->slots[sequence & (connection->slot_capacity - 1)];
}

/* Is the answer to the present command suppressed? */
static bool take_silence(struct connection *connection)
{
    bool silent = connection->silent || connection->silent_next > 0;
    if (connection->silent_next > 0)
        connection->silent_next--;
    return silent;
}

uint32_t connection_slot_add(struct connection *connection, enum slot_kind kind, enum slot_meaning meaning, bool *ok)
{
    *ok = connection_unanswered(connection) < connection->slot_capacity || slots_grow(connection);
    if (!*ok)
        return 0;
    uint32_t sequence = connection->tail++;
    *connection_slot(connection, sequence) = (struct slot){.kind = (uint8_t)kind,
                                                           .meaning = (uint8_t)meaning,
                                                           .resp3 = connection->resp3,
                                                           .silent = take_silence(connection)};
    return sequence;
}

uint64_t connection_cookie(const struct connection *connection, uint32_t sequence)
{
    return ((uint64_t)connection->generation << (COOKIE_SEQUENCE_BITS + COOKIE_PLACE_BITS)) |
           ((uint64_t)connection->place << COOKIE_SEQUENCE_BITS) |
           (sequence & ((1U << COOKIE_SEQUENCE_BITS) - 1));
}

/* ---- output ---- */

static void output_changed(struct connection *connection)
{
    connection_list_add(connection, LIST_READY);
    uint64_t unsent = connection->output.size - connection->output_sent;
    if (unsent > connection->front->options.output_bytes_max) {
        connection->front->counters.closed_slow++;
        connection_break(connection);
    }
}

/* One RESP3 value in the connection's protocol. */
static bool write_value(struct buffer *out, struct span value, bool resp3, bool null_array)
{
    if (!resp3)
        return resp2_write(out, value, null_array);
    return buffer_append(out, value.data, value.size);
}

static void write_output(struct connection *connection, struct span value, bool resp3, bool null_array)
{
    if (connection->broken || connection->gone)
        return;
    struct buffer *output = &connection->output;
    if (output->capacity == 0)
        (void)buffer_reserve(output, OUTPUT_FIRST_SIZE);
    if (write_value(output, value, resp3, null_array)) {
        output_changed(connection);
    } else {
        connection->front->counters.closed_slow++;
        connection_break(connection);
    }
}

/* Bytes that are in the client's protocol already. */
static void write_raw(struct connection *connection, struct span bytes)
{
    if (connection->broken || connection->gone)
        return;
    if (buffer_append(&connection->output, bytes.data, bytes.size)) {
        output_changed(connection);
    } else {
        connection->front->counters.closed_slow++;
        connection_break(connection);
    }
}

/* ---- answers ---- */

/* Everything that was asked is answered: what waited for that may go on. */
static void all_answered(struct connection *connection)
{
    connection->barrier = false;
    if (connection->ending)
        connection_list_add(connection, LIST_READY);
}

/* Answers that came early leave, as far as there are no gaps. */
static void flush_early(struct connection *connection)
{
    while (connection->head != connection->tail) {
        struct slot *slot = connection_slot(connection, connection->head);
        if (!slot->answered)
            return;
        struct slot early = *slot;
        connection->head++;
        if (early.bytes != NULL) {
            write_raw(connection, span_of(early.bytes, early.size));
            heap_free(connection->front->heap, early.bytes);
        }
    }
}

/* Keeps an answer until the ones before it have left. */
static void answer_early(struct connection *connection, struct slot *slot, struct span value)
{
    slot->answered = true;
    if (slot->silent || connection->broken || connection->gone)
        return;
    struct front *front = connection->front;
    buffer_clear(&front->other);
    if (write_value(&front->other, value, slot->resp3, slot->meaning == MEANING_EXEC)) {
        slot->bytes = heap_alloc(front->heap, front->other.size);
        if (slot->bytes != NULL) {
            memcpy(slot->bytes, front->other.data, front->other.size);
            slot->size = front->other.size;
            return;
        }
    }
    front->counters.closed_slow++;
    connection_break(connection);
}

void connection_answer(struct connection *connection, uint32_t sequence, struct span value)
{
    struct slot *slot = connection_slot(connection, sequence);
    invariant(!slot->answered, "a request is answered once");
    if (sequence != connection->head) {
        answer_early(connection, slot, value);
        return;
    }
    struct slot mine = *slot;
    connection->head++;
    if (!mine.silent)
        write_output(connection, value, mine.resp3, mine.meaning == MEANING_EXEC);
    if (connection->head != connection->tail)
        flush_early(connection);
    if (connection->head == connection->tail)
        all_answered(connection);
}

void connection_answer_new(struct connection *connection, struct span value)
{
    if (connection->head == connection->tail) {
        bool silent = take_silence(connection);
        if (!silent)
            write_output(connection, value, connection->resp3, false);
        return;
    }
    bool ok;
    uint32_t sequence = connection_slot_add(connection, SLOT_LOCAL, MEANING_PLAIN, &ok);
    if (ok)
        connection_answer(connection, sequence, value);
    else
        connection_break(connection);
}

/* ---- ends ---- */

static void early_free(struct connection *connection)
{
    for (uint32_t at = connection->head; at != connection->tail; at++) {
        struct slot *slot = connection_slot(connection, at);
        heap_free(connection->front->heap, slot->bytes);
        slot->bytes = NULL;
    }
}

void connection_break(struct connection *connection)
{
    if (connection->broken)
        return;
    connection->broken = true;
    connection->ending = true;
    buffer_free(&connection->output);
    connection->output_sent = 0;
    early_free(connection);
    resp_parser_free(&connection->parser);
    front_wait_free(connection);
    connection_list_remove(connection, LIST_RUNNABLE);
    connection_list_remove(connection, LIST_ROOM);
    if (!connection->gone)
        connection_list_add(connection, LIST_READY);
}

void connection_end(struct connection *connection)
{
    connection->ending = true;
    if (connection_unanswered(connection) == 0)
        connection_list_add(connection, LIST_READY);
}

void connection_free(struct connection *connection)
{
    struct front *front = connection->front;
    invariant(connection->pending == 0, "a connection is freed after its last answer");
    connection->gone = true;
    connection_break(connection);
    for (int list = 0; list < LIST_COUNT; list++)
        connection_list_remove(connection, (enum connection_list)list);
    early_free(connection);
    front_multi_free(connection);
    front_wait_free(connection);
    resp_parser_free(&connection->parser);
    buffer_free(&connection->output);
    heap_free(front->heap, connection->slots);
    char *texts[] = {connection->peer, connection->local, connection->name, connection->library_name,
                     connection->library_version};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        heap_free(front->heap, texts[i]);
    struct connection_place *place = &front->places[connection->place];
    place->connection = NULL;
    place->next_free = front->free_place;
    front->free_place = connection->place;
    heap_free(front->heap, connection);
}

void connection_shrink(struct connection *connection)
{
    resp_parser_shrink(&connection->parser);
    front_multi_shrink(connection);
    if (connection->output.size == 0)
        buffer_free(&connection->output);
    if (connection_unanswered(connection) == 0 && connection->slots != NULL) {
        heap_free(connection->front->heap, connection->slots);
        connection->slots = NULL;
        connection->slot_capacity = 0;
    }
}

size_t connection_memory(const struct connection *connection)
{
    return sizeof *connection + connection->output.capacity + connection->parser.rest.capacity +
           connection->parser.capacity * sizeof(struct resp_piece) + connection->slot_capacity * sizeof(struct slot);
}

/* ---- for the host ---- */

void *connection_host_data(const struct connection *connection)
{
    return connection->host_data;
}

bool connection_wants_read(const struct connection *connection)
{
    return !connection->ending && connection->stall == STALL_NONE;
}

struct span connection_output(struct connection *connection)
{
    const struct buffer *output = &connection->output;
    return output->size == 0 ? (struct span){0}
                             : span_of(output->data + connection->output_sent, output->size - connection->output_sent);
}

void connection_output_sent(struct connection *connection, size_t size)
{
    struct buffer *output = &connection->output;
    if (connection->broken)
        return; /* what was being sent is gone */
    invariant(size <= output->size - connection->output_sent, "no more is sent than there is");
    connection->output_sent += size;
    connection->front->counters.bytes_out += size;
    if (connection->output_sent < output->size)
        return;
    connection->output_sent = 0;
    buffer_clear(output);
    if (output->capacity > OUTPUT_KEPT_MAX)
        buffer_free(output);
}

bool connection_closing(const struct connection *connection)
{
    return connection->broken || (connection->ending && connection_unanswered(connection) == 0);
}
