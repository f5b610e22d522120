/* The front (front.h): connections come, bring bytes, and go; what stopped goes on.
 *
 * A connection stops parsing (it *stalls*) when its next command must wait: for its own unanswered requests, or for
 * room in the node's window. What was received of it is kept, the host is asked not to read more, and a connection that can
 * go on is in one of two lists, which front_turn works off: RUNNABLE, whose own answers have come, and ROOM, in the
 * order in which they found the window full. Nothing here waits, and nothing looks at all connections but the commands
 * that list them; the sweep that finds idle ones looks at a few a turn. */
#include "front/front.h"

#include <stdio.h>

#include "base/panic.h"
#include "base/time.h"
#include "front/front_internal.h"

enum {
    SWEEP_PLACES = 16,         /* connections looked at in a turn */
    SCRATCH_KEPT_MAX = 1 << 20, /* bytes of a shared buffer that are kept for the next use */
};
static const int64_t IDLE_NS = 2 * NS_PER_S;            /* then memory is given back */
static const int64_t TIMEOUT_LOOK_NS = 100 * NS_PER_MS; /* how often the sweep looks for idle clients */

const char front_full_error[] = "-ERR max number of clients reached\r\n";

void front_options_default(struct front_options *out)
{
    *out = (struct front_options){
        .clients_max = 10000,
        .value_bytes_max = UINT64_C(64) << 20,
        .query_bytes_max = UINT64_C(65) << 20,
        .output_bytes_max = UINT64_C(256) << 20,
        .pipeline_max = 1024,
    };
}

static uint64_t bounded(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void options_bound(struct front *front)
{
    struct front_options *options = &front->options;
    /* A sequence number in a cookie has 24 bits, a place 20, and an argument's place in its command 32. */
    options->pipeline_max = (uint32_t)bounded(options->pipeline_max, 1, 1 << 20);
    options->clients_max = (uint32_t)bounded(options->clients_max, 1, FRONT_PLACES_MAX / 2);
    front->limits = (struct resp_limits){
        .value_bytes_max = bounded(options->value_bytes_max, 1, UINT32_MAX / 2),
        .query_bytes_max = bounded(options->query_bytes_max, 1024, UINT32_MAX / 4 * 3),
        .arguments_max = FRONT_ARGUMENTS_MAX,
    };
}

struct front *front_create(struct heap *heap, struct node *node, const struct front_options *options)
{
    struct front *front = heap_alloc_zero(heap, sizeof *front);
    if (front == NULL)
        return NULL;
    front->heap = heap;
    front->node = node;
    front->options = *options;
    options_bound(front);
    front->now_ns = front->started_ns = options->now_ns;
    front->wall_ns = options->wall_ns;
    front->free_place = UINT32_MAX;
    front->command_bytes_max = UINT64_MAX;
    struct node_group_status status;
    if (node_group_status(node, 0, &status) && status.spec->tuning.command_bytes_max > 0)
        front->command_bytes_max = status.spec->tuning.command_bytes_max;
    resp_scratch_init(&front->parse, heap);
    buffer_init(&front->value, heap);
    buffer_init(&front->text, heap);
    buffer_init(&front->other, heap);
    node_set_door(node, &(struct node_door){.context = front, .answer = front_answer, .ordered = front_ordered});
    return front;
}

void front_destroy(struct front *front)
{
    for (uint32_t place = 0; place < front->place_count; place++) {
        struct connection *connection = front->places[place].connection;
        if (connection != NULL) {
            connection->pending = 0; /* the node goes too, and answers nobody any more */
            connection_free(connection);
        }
    }
    resp_scratch_free(&front->parse);
    buffer_free(&front->value);
    buffer_free(&front->text);
    buffer_free(&front->other);
    heap_free(front->heap, front->places);
    heap_free(front->heap, front);
}

/* ---- accepting ---- */

/* A free place; UINT32_MAX when there is none. */
static uint32_t place_take(struct front *front)
{
    uint32_t place = front->free_place;
    if (place != UINT32_MAX) {
        front->free_place = front->places[place].next_free;
        return place;
    }
    if (front->place_count == FRONT_PLACES_MAX)
        return UINT32_MAX;
    if (front->place_count == front->place_capacity) {
        uint32_t capacity = front->place_capacity == 0 ? 64 : front->place_capacity * 2;
        struct connection_place *places = heap_resize(front->heap, front->places, capacity * sizeof *places);
        if (places == NULL)
            return UINT32_MAX;
        front->places = places;
        front->place_capacity = capacity;
    }
    front->places[front->place_count] = (struct connection_place){0};
    return front->place_count++;
}

static char *text_copy(struct heap *heap, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text);
    char *copy = heap_alloc(heap, size + 1);
    if (copy != NULL) {
        if (size > 0)
            memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

static struct connection *connection_create(struct front *front)
{
    struct connection *connection = heap_alloc_zero(front->heap, sizeof *connection);
    if (connection == NULL)
        return NULL;
    uint32_t place = place_take(front);
    if (place == UINT32_MAX) {
        heap_free(front->heap, connection);
        return NULL;
    }
    struct connection_place *entry = &front->places[place];
    entry->connection = connection;
    entry->generation = entry->generation >= (1U << 20) - 1 ? 1 : entry->generation + 1; /* never 0: nor is a cookie */
    connection->front = front;
    connection->place = place;
    connection->generation = entry->generation;
    resp_parser_init(&connection->parser, front->heap);
    buffer_init(&connection->output, front->heap);
    return connection;
}

struct connection *front_accept(struct front *front, const char *peer, const char *local, void *host_data)
{
    struct connection *connection =
        front->counters.clients < front->options.clients_max ? connection_create(front) : NULL;
    if (connection == NULL) {
        front->counters.refused_connections++;
        return NULL;
    }
    connection->host_data = host_data;
    connection->peer = text_copy(front->heap, peer);
    connection->local = text_copy(front->heap, local);
    if (connection->peer == NULL || connection->local == NULL) {
        connection_free(connection);
        front->counters.refused_connections++;
        return NULL;
    }
    connection->id = ++front->next_client_id;
    connection->created_ns = connection->active_ns = front->now_ns;
    front->counters.clients++;
    front->counters.connections++;
    return connection;
}

void front_disconnected(struct front *front, struct connection *connection)
{
    invariant(!connection->gone, "a connection is gone once");
    connection->gone = true;
    connection_break(connection);
    front_multi_free(connection);
    for (int list = 0; list < LIST_COUNT; list++)
        connection_list_remove(connection, (enum connection_list)list);
    front->counters.clients--;
    if (connection->pending == 0)
        connection_free(connection);
}

/* ---- receiving ---- */

static void protocol_error(struct front *front, struct connection *connection)
{
    front->counters.protocol_errors++;
    buffer_clear(&front->value);
    (void)reply_error(&front->value, front->parse.why);
    connection_answer_new(connection, buffer_span(&front->value));
    connection_end(connection);
}

/* Executes what is whole, of what is kept and then of `input`, until nothing is or the connection stops. */
static void process(struct front *front, struct connection *connection, struct span input)
{
    while (!connection->ending && connection->stall == STALL_NONE) {
        struct resp_command command;
        enum resp_status status =
            resp_parser_next(&connection->parser, &front->parse, &front->limits, &input, &command);
        if (status == RESP_MORE)
            break;
        if (status == RESP_BAD) {
            protocol_error(front, connection);
            break;
        }
        if (status == RESP_COMMAND && front_execute(front, connection, &command) == FRONT_STALL)
            break;
        if (!connection->broken)
            resp_parser_advance(&connection->parser, &input, command.size);
    }
    if (connection->ending)
        resp_parser_free(&connection->parser);
    else if (input.size > 0 && !resp_parser_keep(&connection->parser, input))
        connection_break(connection);
}

static void scratch_shrink(struct buffer *buffer)
{
    if (buffer->capacity > SCRATCH_KEPT_MAX)
        buffer_free(buffer);
}

void front_receive(struct front *front, struct connection *connection, const uint8_t *bytes, size_t size)
{
    front->counters.bytes_in += size;
    connection->active_ns = front->now_ns;
    if (connection->ending)
        return;
    if (connection->stall != STALL_NONE) {
        if (!resp_parser_keep(&connection->parser, span_of(bytes, size)))
            connection_break(connection);
        return;
    }
    process(front, connection, span_of(bytes, size));
    scratch_shrink(&front->value);
    scratch_shrink(&front->text);
    scratch_shrink(&front->other);
}

/* ---- going on ---- */

enum front_outcome front_stall(struct connection *connection, enum stall stall)
{
    connection->stall = (uint8_t)stall;
    connection->told_full = true;
    if (stall == STALL_ROOM_READ || stall == STALL_ROOM_UPDATE)
        connection_list_add(connection, LIST_ROOM);
    return FRONT_STALL;
}

void front_unstall(struct connection *connection)
{
    bool free = false;
    switch ((enum stall)connection->stall) {
    case STALL_NONE:
    case STALL_ROOM_READ:
    case STALL_ROOM_UPDATE:
        return;
    case STALL_ORDER:
        free = connection->reads == 0;
        break;
    case STALL_PIPELINE:
        free = connection_unanswered(connection) <= connection->front->options.pipeline_max / 2;
        break;
    case STALL_BARRIER:
        free = connection_unanswered(connection) == 0;
        break;
    }
    if (free && !connection->ending)
        connection_list_add(connection, LIST_RUNNABLE);
}

static void resume(struct front *front, struct connection *connection)
{
    connection->stall = STALL_NONE;
    process(front, connection, (struct span){0});
    if (connection->told_full && connection_wants_read(connection)) {
        connection->told_full = false;
        connection_list_add(connection, LIST_RESUMED);
    }
}

static bool has_room(const struct front *front, const struct connection *connection)
{
    return node_request_room(front->node, connection->stall_group, connection->stall == STALL_ROOM_READ);
}

/* Those that found no room go first: they have waited longest. A connection whose kind of request has no room keeps its
 * place, and stops those behind it, so none is overtaken for ever. */
static void resume_all(struct front *front)
{
    struct connection *connection;
    while ((connection = front->queues[LIST_ROOM].first) != NULL && has_room(front, connection)) {
        connection_list_remove(connection, LIST_ROOM);
        resume(front, connection);
    }
    while ((connection = connection_list_take(front, LIST_RUNNABLE)) != NULL)
        resume(front, connection);
}

static void sweep(struct front *front)
{
    for (uint32_t i = 0; i < SWEEP_PLACES && i < front->place_count; i++) {
        front->sweep_place = (front->sweep_place + 1) % front->place_count;
        struct connection *connection = front->places[front->sweep_place].connection;
        if (connection == NULL || connection->broken)
            continue;
        int64_t idle_ns = front->now_ns - connection->active_ns;
        if (idle_ns > IDLE_NS)
            connection_shrink(connection);
        if (front->client_timeout_ns > 0 && idle_ns > front->client_timeout_ns &&
            connection_unanswered(connection) == 0)
            connection_end(connection);
    }
}

bool front_turn(struct front *front, int64_t now_ns, int64_t wall_ns)
{
    front->now_ns = now_ns;
    front->wall_ns = wall_ns;
    front->handed_in = false;
    front_wait_turn(front);
    resume_all(front);
    sweep(front);
    return front->handed_in;
}

int64_t front_next_timer_ns(const struct front *front)
{
    int64_t next = front_wait_next_ns(front);
    if (front->client_timeout_ns > 0 && front->counters.clients > 0 && front->now_ns + TIMEOUT_LOOK_NS < next)
        next = front->now_ns + TIMEOUT_LOOK_NS;
    return next;
}

struct connection *front_next_ready(struct front *front)
{
    return connection_list_take(front, LIST_READY);
}

struct connection *front_next_resumed(struct front *front)
{
    return connection_list_take(front, LIST_RESUMED);
}

const struct front_counters *front_counters(const struct front *front)
{
    return &front->counters;
}
