/* A test's node: implements what the front calls of node/node.h, in one process and without protocol, over a small
 * table of strings. A test decides when requests are answered, whether there is room, and what cannot be done. Included
 * by tests and fuzz targets only; it defines the functions, so exactly one file of a program includes it. */
#ifndef LOCKSTEP_FRONT_FAKE_NODE_H
#define LOCKSTEP_FRONT_FAKE_NODE_H

#include <stdlib.h>

#include "base/heap_system.h"
#include "base/number.h"
#include "base/panic.h"
#include "contract/reply.h"
#include "front/front.h"
#include "service/commands.h"

enum { FAKE_KEYS_MAX = 64, FAKE_REQUESTS_MAX = 4096 };

struct fake_entry {
    char key[64];
    size_t key_size;
    uint8_t *value; /* from malloc: NULL is no entry */
    size_t value_size;
    uint64_t version;
};

struct fake_request {
    uint64_t cookie;
    size_t offset, size; /* of its command in the lane's bytes */
};

struct fake_lane {
    struct buffer bytes;
    size_t command_at;
    struct fake_request *requests; /* those not answered yet, in order */
    uint32_t count;
    bool building;
};

struct fake_count {
    uint64_t cookie, index;
};

struct node {
    struct heap *heap;
    struct node_door door;
    struct group_spec spec;
    struct protocol protocol;
    struct service service;
    struct node_counters counters;
    struct fake_lane lanes[2]; /* updates, reads */
    struct fake_entry entries[FAKE_KEYS_MAX];
    struct fake_count counts[1024];
    uint32_t count_requests;
    uint64_t index;
    uint32_t stored_by; /* what counts are answered with */
    uint64_t executed_updates, executed_reads, executed_local, counts_asked;
    uint32_t room[2];   /* requests that may be unanswered */
    bool hold[2];       /* answer nothing of that lane */
    bool hold_counts;
    bool no_local_reads, leaderless, follower;
    struct directory directory;
    uint32_t hosted;    /* bits of groups beside 0 that have a member here */
    uint32_t last_group; /* of the last request that was begun */
    const char *refuse; /* answer updates with this text */
    enum answer_kind refuse_kind;
};

static inline struct node *fake_node_create(struct heap *heap)
{
    struct node *node = calloc(1, sizeof *node);
    invariant(node != NULL, "the test has memory");
    node->heap = heap;
    node->protocol.name = "raft";
    node->service.name = "kv";
    node->spec = (struct group_spec){.name = "main", .self = 1, .member_count = 3, .protocol = &node->protocol,
                                     .service = &node->service};
    spec_defaults(&node->spec.tuning);
    directory_init(&node->directory);
    node->stored_by = 3;
    node->room[0] = node->room[1] = FAKE_REQUESTS_MAX;
    for (int lane = 0; lane < 2; lane++) {
        buffer_init(&node->lanes[lane].bytes, heap);
        node->lanes[lane].requests = calloc(FAKE_REQUESTS_MAX, sizeof(struct fake_request));
    }
    return node;
}

static inline void fake_node_destroy(struct node *node)
{
    for (int i = 0; i < FAKE_KEYS_MAX; i++)
        free(node->entries[i].value);
    for (int lane = 0; lane < 2; lane++) {
        buffer_free(&node->lanes[lane].bytes);
        free(node->lanes[lane].requests);
    }
    free(node);
}

/* ---- its service ---- */

static inline struct fake_entry *fake_find(struct node *node, struct span key, bool make)
{
    struct fake_entry *unused = NULL;
    for (int i = 0; i < FAKE_KEYS_MAX; i++) {
        struct fake_entry *entry = &node->entries[i];
        if (entry->value != NULL && span_equal(span_of(entry->key, entry->key_size), key))
            return entry;
        if (entry->value == NULL && unused == NULL)
            unused = entry;
    }
    if (!make || unused == NULL || key.size > sizeof unused->key)
        return NULL;
    if (key.size > 0)
        memcpy(unused->key, key.data, key.size);
    unused->key_size = key.size;
    return unused;
}

static inline void fake_set(struct node *node, struct span key, struct span value)
{
    struct fake_entry *entry = fake_find(node, key, true);
    if (entry == NULL)
        return;
    free(entry->value);
    entry->value = malloc(value.size + 1);
    invariant(entry->value != NULL, "the test has memory");
    if (value.size > 0)
        memcpy(entry->value, value.data, value.size);
    entry->value_size = value.size;
    entry->version = node->index;
}

static inline void fake_execute(struct node *node, const struct command *command, struct buffer *reply);

static inline void fake_exec(struct node *node, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments, watched = {0}, part;
    (void)argument_next(&rest, &watched);
    while (watched.size >= 12) {
        uint64_t version = load_u64(watched.data);
        uint32_t size = load_u32(watched.data + 8);
        const struct fake_entry *entry = fake_find(node, span_of(watched.data + 12, size), false);
        if ((entry == NULL ? 0 : entry->version) != version) {
            (void)reply_null(reply);
            return;
        }
        watched = span_of(watched.data + 12 + size, watched.size - 12 - size);
    }
    (void)reply_array(reply, command->argc - 1);
    while (argument_next(&rest, &part)) {
        struct command inner;
        invariant(command_open(part, &inner), "an argument of EXEC is a whole command");
        fake_execute(node, &inner, reply);
    }
}

static inline void fake_increment(struct node *node, struct span key, struct buffer *reply)
{
    const struct fake_entry *entry = fake_find(node, key, false);
    int64_t value = 0;
    if (entry != NULL && !number_parse_i64(span_of(entry->value, entry->value_size), &value)) {
        (void)reply_error(reply, "ERR value is not an integer or out of range");
        return;
    }
    char digits[NUMBER_INTEGER_SIZE_MAX];
    fake_set(node, key, span_of(digits, number_print_i64(digits, value + 1)));
    (void)reply_integer(reply, value + 1);
}

static inline void fake_execute(struct node *node, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments, key = {0}, value = {0};
    (void)argument_next(&rest, &key);
    const struct fake_entry *entry = fake_find(node, key, false);
    switch ((enum command_op)command->op) {
    case OP_SET:
        (void)argument_next(&rest, &value);
        fake_set(node, key, value);
        (void)reply_simple(reply, "OK");
        return;
    case OP_GET:
        if (entry == NULL)
            (void)reply_null(reply);
        else
            (void)reply_bulk(reply, span_of(entry->value, entry->value_size));
        return;
    case OP_INCR:
        fake_increment(node, key, reply);
        return;
    case OP_GROUP_DIRECTORY: {
        uint8_t bytes[DIRECTORY_BYTES_MAX];
        (void)reply_bulk(reply, span_of(bytes, directory_encode(&node->directory, bytes)));
        return;
    }
    case OP_KEYS: /* a set, to see it translated */
        (void)reply_set(reply, 1);
        (void)reply_double(reply, 1.5);
        return;
    case OP_WATCH:
        (void)reply_array(reply, command->argc);
        do {
            entry = fake_find(node, key, false);
            (void)reply_integer(reply, entry == NULL ? 0 : (int64_t)entry->version);
        } while (argument_next(&rest, &key));
        return;
    case OP_EXEC:
        fake_exec(node, command, reply);
        return;
    default:
        (void)reply_error(reply, "ERR the fake does not know it");
        return;
    }
}

/* ---- its turn ---- */

static inline void fake_answer_one(struct node *node, bool read, const struct fake_request *request)
{
    struct fake_lane *lane = &node->lanes[read];
    struct command command;
    invariant(command_open(span_of(lane->bytes.data + request->offset, request->size), &command),
              "the front hands in whole commands");
    struct buffer reply;
    buffer_init(&reply, node->heap);
    if (!read)
        node->index++;
    if (read)
        node->executed_reads++;
    else
        node->executed_updates++;
    struct answer answer = {.kind = ANSWER_VALUE, .index = node->index};
    if (node->refuse != NULL && !read) {
        answer.kind = node->refuse_kind;
        answer.bytes = span_string(node->refuse);
    } else {
        fake_execute(node, &command, &reply);
        answer.bytes = buffer_span(&reply);
    }
    node->door.answer(node->door.context, request->cookie, &answer);
    buffer_free(&reply);
}

/* Answers the first `count` requests of a lane. */
static inline void fake_answer(struct node *node, bool read, uint32_t count)
{
    struct fake_lane *lane = &node->lanes[read];
    if (count > lane->count)
        count = lane->count;
    for (uint32_t i = 0; i < count; i++)
        fake_answer_one(node, read, &lane->requests[i]);
    lane->count -= count;
    memmove(lane->requests, lane->requests + count, lane->count * sizeof *lane->requests);
    if (lane->count == 0)
        buffer_clear(&lane->bytes);
}

/* All unanswered reads become updates (node/node.h). */
static inline void fake_order_reads(struct node *node)
{
    struct fake_lane *from = &node->lanes[1], *to = &node->lanes[0];
    for (uint32_t i = 0; i < from->count; i++) {
        struct fake_request request = from->requests[i];
        invariant(to->count < FAKE_REQUESTS_MAX, "a test asks little");
        struct span command = span_of(from->bytes.data + request.offset, request.size);
        request.offset = to->bytes.size;
        invariant(buffer_append(&to->bytes, command.data, command.size), "the test has memory");
        to->requests[to->count++] = request;
        node->door.ordered(node->door.context, request.cookie);
    }
    from->count = 0;
    buffer_clear(&from->bytes);
}

static inline void fake_answer_counts(struct node *node)
{
    uint32_t count = node->count_requests;
    node->count_requests = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct answer answer = {.kind = ANSWER_COUNT, .count = node->stored_by};
        node->door.answer(node->door.context, node->counts[i].cookie, &answer);
    }
}

static inline void fake_turn(struct node *node)
{
    if (!node->hold[0])
        fake_answer(node, false, UINT32_MAX);
    if (!node->hold[1])
        fake_answer(node, true, UINT32_MAX);
    if (!node->hold_counts)
        fake_answer_counts(node);
}

/* ---- what the front calls ---- */

const struct directory *node_directory(const struct node *node)
{
    return &node->directory;
}

bool node_hosts(const struct node *node, uint32_t group)
{
    return group == 0 || (node->hosted >> group & 1) != 0;
}

bool node_group_number(const struct node *node, uint32_t place, uint32_t *group)
{
    (void)node;
    *group = place;
    return place == 0;
}

bool node_request_room(const struct node *node, uint32_t group, bool read)
{
    (void)group;
    return node->lanes[read].count < node->room[read];
}

struct buffer *node_request_begin(struct node *node, uint32_t group, bool read)
{
    node->last_group = group;
    struct fake_lane *lane = &node->lanes[read];
    invariant(!lane->building, "one command at a time");
    lane->building = true;
    lane->command_at = lane->bytes.size;
    return &lane->bytes;
}

void node_request_commit(struct node *node, uint32_t group, bool read, uint64_t cookie)
{
    (void)group;
    struct fake_lane *lane = &node->lanes[read];
    invariant(lane->building && cookie != 0 && lane->count < node->room[read], "a request is committed into room");
    lane->building = false;
    lane->requests[lane->count++] = (struct fake_request){
        .cookie = cookie, .offset = lane->command_at, .size = lane->bytes.size - lane->command_at};
}

void node_request_abandon(struct node *node, uint32_t group, bool read)
{
    (void)group;
    node->lanes[read].building = false;
    node->lanes[read].bytes.size = node->lanes[read].command_at;
}

void node_request_count(struct node *node, uint32_t group, uint64_t index, uint64_t cookie)
{
    (void)group;
    node->counts_asked++;
    if (node->count_requests == 1024) {
        struct answer answer = {.kind = ANSWER_REFUSED, .bytes = span_string("BUSY")};
        node->door.answer(node->door.context, cookie, &answer);
        return;
    }
    node->counts[node->count_requests++] = (struct fake_count){.cookie = cookie, .index = index};
}

bool node_read_local(struct node *node, uint32_t group, struct span bytes, struct buffer *reply)
{
    (void)group;
    struct command command;
    if (node->no_local_reads || !command_open(bytes, &command))
        return false;
    node->executed_local++;
    fake_execute(node, &command, reply);
    return true;
}

bool node_group_status(const struct node *node, uint32_t group, struct node_group_status *out)
{
    if (group != 0)
        return false;
    *out = (struct node_group_status){
        .spec = &node->spec,
        .member = {.role = node->leaderless ? "candidate" : node->follower ? "follower" : "leader",
                   .term = 7,
                   .orderer = node->leaderless ? 0 : node->follower ? 2 : 1,
                   .commit_index = node->index,
                   .applied_index = node->index,
                   .last_index = node->index,
                   .voter = true},
        .items = 5,
        .bytes_used = 12345,
    };
    return true;
}

bool node_member_progress(const struct node *node, uint32_t group, uint32_t place, struct member_progress *out)
{
    if (group != 0 || place >= 2 || node->follower)
        return false;
    *out = (struct member_progress){.node = place + 2, .stored_index = node->index};
    return true;
}

bool node_peer_status(const struct node *node, uint32_t place, struct node_peer_status *out)
{
    (void)node;
    if (place >= 2)
        return false;
    *out = (struct node_peer_status){.node = place + 2, .connected = place == 0,
                                     .client_address = span_string(place == 0 ? "127.0.0.1:7002" : "127.0.0.1:7003")};
    return true;
}

const struct node_counters *node_counters(const struct node *node)
{
    return &node->counters;
}

uint32_t node_id(const struct node *node)
{
    (void)node;
    return 1;
}

uint64_t node_incarnation(const struct node *node)
{
    (void)node;
    return 3;
}

void node_set_door(struct node *node, const struct node_door *door)
{
    node->door = *door;
}

const char *reject_text(enum reject reason)
{
    (void)reason;
    return "reason";
}

/* ---- a world of one front, for tests ---- */

struct fake_world {
    struct heap *heap;
    struct node *node;
    struct front *front;
    int64_t now_ns;
};

/* One heap serves all worlds of a test, one after the other: making one costs more than most tests. */
static inline struct fake_world fake_world_create(const struct front_options *options)
{
    static struct heap *heap;
    if (heap == NULL)
        heap = heap_create_system((size_t)1 << 32);
    struct fake_world world = {.heap = heap, .now_ns = 1000000000};
    invariant(world.heap != NULL, "the test has memory");
    world.node = fake_node_create(world.heap);
    struct front_options chosen;
    if (options != NULL)
        chosen = *options;
    else
        front_options_default(&chosen);
    chosen.now_ns = world.now_ns;
    chosen.wall_ns = INT64_C(1700000000123456000);
    world.front = front_create(world.heap, world.node, &chosen);
    invariant(world.front != NULL, "the front has room");
    return world;
}

/* Returns the bytes of heap that nobody gave back. */
static inline size_t fake_world_destroy(struct fake_world *world)
{
    front_destroy(world->front);
    fake_node_destroy(world->node);
    return heap_used(world->heap);
}

/* Turns until nobody hands anything in any more. */
static inline void fake_world_turn(struct fake_world *world)
{
    for (int i = 0; i < 1000; i++) {
        fake_turn(world->node);
        if (!front_turn(world->front, world->now_ns, INT64_C(1700000000123456000)))
            break;
    }
}

#endif
