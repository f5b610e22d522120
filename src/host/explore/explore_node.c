/* A member of an exploration with its disk and its timers: loaded from an image, stepped, kept again.
 *
 * Each member has a region of memory that stays where it is for the whole exploration, so the pointers inside a heap
 * keep their meaning, and loading a state is copying its bytes. An image holds only the blocks that differ from those
 * of a new member. A second region for each member takes what a restart would give back from its disk. */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/explore/explore_internal.h"

enum { REQUEST_BYTES_MAX = 128, SCRATCH_SPARE = 4096 };

static const int64_t WALL_NS = INT64_C(1700000000000000000); /* it stands still */

struct block_head {
    uint32_t offset;
    uint32_t size;
};

/* ---- memory ---- */

/* Timeouts of one nanosecond: any two events lie at least one apart. */
static void small_tuning(struct tuning *tuning)
{
    spec_defaults(tuning);
    tuning->heartbeat_ns = 1;
    tuning->election_timeout_ns = 1;
    tuning->append_inflight_max = 4;
    tuning->log_entries_max = 32;
}

static void specs_open(struct explorer *x)
{
    for (uint32_t i = 0; i < x->config.nodes; i++)
        x->members[i] = i + 1;
    for (uint32_t i = 0; i < x->config.nodes; i++) {
        x->specs[i] = (struct group_spec){.group = 1,
                                          .name = "explored",
                                          .self = x->members[i],
                                          .members = x->members,
                                          .member_count = x->config.nodes,
                                          .k = 0,
                                          .protocol = x->config.protocol,
                                          .hash_key = {1, 2},
                                          .ablations = x->config.ablations};
        small_tuning(&x->specs[i].tuning);
    }
}

static void *region_map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* A new member in the region, and a copy of its bytes. */
static bool member_create(struct explorer *x, uint32_t place, uint8_t *region, void **self, uint8_t **base,
                          size_t *extent)
{
    struct heap *heap = heap_init(region, x->region_size);
    if (heap == NULL)
        return false;
    *self = x->config.protocol->create(heap, &x->specs[place], x->seed);
    *extent = heap_extent(heap);
    *base = malloc(*extent);
    if (*base == NULL)
        return false;
    memcpy(*base, region, *extent);
    return true;
}

static bool effects_open(struct explorer *x)
{
    const struct protocol *protocol = x->config.protocol;
    x->effects.capacity = protocol->effects_max(&x->specs[0]);
    x->effects.scratch_size = protocol->scratch_max(&x->specs[0]) + SCRATCH_SPARE;
    x->effects.list = malloc(x->effects.capacity * sizeof *x->effects.list);
    x->effects.scratch = malloc(x->effects.scratch_size);
    x->canon_bytes = malloc(EXPLORE_CANON_BYTES);
    return x->effects.list != NULL && x->effects.scratch != NULL && x->canon_bytes != NULL;
}

bool explore_nodes_open(struct explorer *x, char *why, size_t why_size)
{
    specs_open(x);
    x->region_size = (x->config.protocol->heap_size(&x->specs[0]) + 4095) & ~(size_t)4095;
    bool opened = effects_open(x);
    for (uint32_t i = 0; i < x->config.nodes && opened; i++) {
        x->regions[i] = region_map(x->region_size);
        x->restored[i] = region_map(x->region_size);
        opened = x->regions[i] != NULL && x->restored[i] != NULL &&
                 member_create(x, i, x->regions[i], &x->selves[i], &x->base[i], &x->base_extent[i]) &&
                 member_create(x, i, x->restored[i], &x->restored_selves[i], &x->restored_base[i],
                               &x->restored_base_extent[i]);
    }
    if (!opened)
        snprintf(why, why_size, "no memory for %u members of %zu bytes", x->config.nodes, x->region_size);
    return opened;
}

void explore_nodes_close(struct explorer *x)
{
    for (uint32_t i = 0; i < EXPLORE_NODES_MAX; i++) {
        if (x->regions[i] != NULL)
            munmap(x->regions[i], x->region_size);
        if (x->restored[i] != NULL)
            munmap(x->restored[i], x->region_size);
        free(x->base[i]);
        free(x->restored_base[i]);
    }
    free(x->effects.list);
    free(x->effects.scratch);
    free(x->canon_bytes);
}

/* ---- images ---- */

const struct node *explore_node_image(const struct explorer *x, uint32_t id)
{
    return (const struct node *)(const void *)(x->images.bytes + kept_node(x, id)->image);
}

void explore_node_load(struct explorer *x, const struct node *image)
{
    x->node = *image;
    uint8_t *region = x->regions[image->place];
    size_t base = x->base_extent[image->place];
    memcpy(region, x->base[image->place], base < image->extent ? base : image->extent);
    const uint8_t *at = (const uint8_t *)(image + 1);
    struct block_head head;
    for (memcpy(&head, at, sizeof head); head.size > 0; memcpy(&head, at, sizeof head)) {
        memcpy(region + head.offset, at + sizeof head, head.size);
        at += sizeof head + ((head.size + 7) & ~7u);
    }
}

/* Adds runs of blocks that differ from those of a new member. False: no memory. */
static bool save_blocks(struct explorer *x)
{
    const uint8_t *region = x->regions[x->node.place], *base = x->base[x->node.place];
    size_t base_extent = x->base_extent[x->node.place], extent = x->node.extent;
    struct block_head *open = NULL;
    for (size_t offset = 0; offset < extent; offset += EXPLORE_BLOCK) {
        size_t size = extent - offset < EXPLORE_BLOCK ? extent - offset : EXPLORE_BLOCK;
        if (offset + size <= base_extent && memcmp(region + offset, base + offset, size) == 0) {
            open = NULL;
            continue;
        }
        if (open == NULL) {
            open = pool_take(&x->images, sizeof *open);
            if (open == NULL)
                return false;
            open->offset = (uint32_t)offset;
        }
        uint8_t *bytes = pool_take(&x->images, size);
        if (bytes == NULL)
            return false;
        memcpy(bytes, region + offset, size);
        open->size += (uint32_t)size;
    }
    return pool_take(&x->images, sizeof *open) != NULL; /* size 0: the end */
}

uint64_t explore_image_save(struct explorer *x)
{
    x->node.extent = (uint32_t)heap_extent((const struct heap *)(const void *)x->regions[x->node.place]);
    struct node *image = pool_take(&x->images, sizeof *image);
    if (image == NULL)
        return UINT64_MAX;
    *image = x->node;
    if (!save_blocks(x))
        return UINT64_MAX;
    return (uint64_t)((uint8_t *)image - x->images.bytes);
}

/* ---- steps ---- */

static void give(struct explorer *x, const struct event *event)
{
    x->effects.count = 0;
    x->effects.scratch_used = 0;
    x->effects.next_position = (uint64_t)x->node.written + 1;
    x->config.protocol->step(x->selves[x->node.place], event, &x->effects);
    if (x->tracer != NULL && x->tracer->stepped != NULL)
        x->tracer->stepped(x->tracer->context, x->members[x->node.place], event, &x->effects,
                           x->selves[x->node.place]);
    explore_interpret(x);
}

static bool asks_again(const struct explorer *x)
{
    for (uint32_t i = 0; i < x->effects.count; i++)
        if (x->effects.list[i].kind == EFFECT_AGAIN)
            return true;
    return false;
}

/* The event and the TURN that ends its inputs; what a turn stores is one write of the disk. */
static void give_with_turn(struct explorer *x, struct event *event)
{
    uint32_t written = x->node.written;
    give(x, event);
    bool again = true;
    for (uint32_t i = 0; again && x->failed == NULL; i++) {
        if (i == EXPLORE_TURNS_MAX) {
            explore_fail(x, "a member asked for turn after turn without end");
            break;
        }
        const struct event turn = {.kind = EVENT_TURN,
                                   .now_ns = event->now_ns,
                                   .wall_ns = event->wall_ns,
                                   .wall_error_ns = event->wall_error_ns};
        give(x, &turn);
        again = asks_again(x);
    }
    if (x->node.written > written && x->failed == NULL)
        x->node.batches[x->node.batch_count++] = x->node.written;
}

static struct event event_now(struct explorer *x, enum event_kind kind)
{
    x->node.now_ns++;
    return (struct event){.kind = kind, .now_ns = x->node.now_ns, .wall_ns = WALL_NS, .wall_error_ns = 0};
}

static void restore_into(struct explorer *x, void *self, uint32_t cut)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    const struct message_table *table = &x->config.protocol->records;
    for (uint32_t i = 0; i < cut; i++) {
        const struct kept_record *record = kept_record(x, x->node.records[i]);
        bool decoded = message_decode(&table->types[record->type],
                                      span_of(x->bytes.bytes + record->body, record->size), body);
        const struct event event = {.kind = EVENT_RESTORE,
                                    .wall_ns = WALL_NS,
                                    .restore = {.kind = RESTORE_RECORD,
                                                .slot = record->slot,
                                                .type = record->type,
                                                .position = (uint64_t)i + 1,
                                                .body = body,
                                                .record_size = record->size}};
        if (!decoded) {
            explore_fail(x, "a member cannot decode a record that it wrote");
            return;
        }
        x->effects.count = 0;
        x->effects.scratch_used = 0;
        x->config.protocol->step(self, &event, &x->effects);
    }
}

void explore_restore(struct explorer *x, uint32_t cut)
{
    uint32_t place = x->node.place;
    memcpy(x->restored[place], x->restored_base[place], x->restored_base_extent[place]);
    restore_into(x, x->restored_selves[place], cut);
}

static void step_message(struct explorer *x, uint32_t id)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    const struct kept_message *message = kept_message(x, id);
    if (message->to_incarnation != 0 && message->to_incarnation != x->node.incarnation)
        return; /* meant for another life */
    const struct message_table *table = &x->config.protocol->messages;
    if (!message_decode(&table->types[message->type], span_of(x->bytes.bytes + message->body, message->size), body)) {
        explore_fail(x, "a member sent a message that does not decode");
        return;
    }
    struct event event = event_now(x, EVENT_MESSAGE);
    event.message = (struct event_message){.from = {x->members[message->from], 1},
                                           .incarnation = message->incarnation,
                                           .slot = message->slot,
                                           .type = message->type,
                                           .body = body};
    give_with_turn(x, &event);
}

static void step_timer(struct explorer *x, uint32_t at)
{
    struct node *node = &x->node;
    const struct armed armed = node->armed[at];
    node->armed_count--;
    memmove(&node->armed[at], &node->armed[at + 1], (node->armed_count - at) * sizeof node->armed[0]);
    memset(&node->armed[node->armed_count], 0, sizeof node->armed[0]);
    if (node->now_ns + 1 < armed.at_ns)
        node->now_ns = armed.at_ns - 1;
    struct event event = event_now(x, EVENT_TIMEOUT);
    event.timeout = (struct event_timeout){.slot = armed.slot, .name = armed.name, .key = armed.key};
    give_with_turn(x, &event);
}

static void release_held(struct explorer *x)
{
    struct node *node = &x->node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->held_count; i++) {
        if (node->held[i].after > node->told)
            node->held[kept++] = node->held[i];
        else if (x->sent_count < EXPLORE_SENT_MAX)
            x->sent[x->sent_count++] = node->held[i].message;
        else
            explore_fail(x, "a step sent more messages than the explorer keeps (64)");
    }
    node->held_count = kept;
}

static void step_stored(struct explorer *x)
{
    struct node *node = &x->node;
    node->told = node->batches[0];
    if ((x->config.ablations & ABLATION_ACK_BEFORE_SYNC) == 0)
        node->durable = node->told;
    node->batch_count--;
    memmove(node->batches, node->batches + 1, node->batch_count * sizeof node->batches[0]);
    release_held(x);
    struct event event = event_now(x, EVENT_STORED);
    event.stored = (struct event_stored){.position = node->told, .room_bytes = UINT64_C(1) << 40};
    give_with_turn(x, &event);
}

static void step_result(struct explorer *x, bool refuse)
{
    struct node *node = &x->node;
    uint64_t tag = node->results[0];
    node->result_count--;
    memmove(node->results, node->results + 1, node->result_count * sizeof node->results[0]);
    struct event event = event_now(x, EVENT_RESULT);
    event.result = (struct event_result){.tag = tag, .bytes = span_string(refuse ? "-ERR no\r\n" : ":1\r\n")};
    give_with_turn(x, &event);
}

static void step_request(struct explorer *x, uint32_t request)
{
    uint8_t bytes[REQUEST_BYTES_MAX];
    size_t size = explore_request_bundle(x, request, bytes);
    struct event event = event_now(x, EVENT_REQUEST);
    event.request = (struct event_request){.kind = REQUEST_UPDATE,
                                           .incarnation = x->node.incarnation,
                                           .first_number = (uint64_t)x->node.requests + 1,
                                           .count = 1,
                                           .first_incomplete = 1,
                                           .bytes = span_of(bytes, size)};
    x->node.requests++;
    give_with_turn(x, &event);
}

static void step_checkpointed(struct explorer *x)
{
    struct event event = event_now(x, EVENT_STATE);
    event.state = (struct event_state){.kind = STATE_DURABLE, .position = x->node.keep_from};
    x->node.checkpointing = false;
    x->node.keep_from = 0;
    give_with_turn(x, &event);
}

static void start(struct explorer *x, enum start_kind kind)
{
    struct node *node = &x->node;
    node->up = true;
    node->incarnation++;
    struct event event = event_now(x, EVENT_START);
    event.start = (struct event_start){.kind = kind, .incarnation = node->incarnation, .position = node->written};
    give_with_turn(x, &event);
}

static void crash(struct explorer *x, uint32_t cut)
{
    const struct node before = x->node;
    struct node *node = &x->node;
    memset(node, 0, sizeof *node);
    node->place = before.place;
    node->mortal = before.mortal;
    node->incarnation = before.incarnation;
    node->now_ns = before.now_ns;
    node->written = node->told = node->durable = cut;
    memcpy(node->records, before.records, cut * sizeof node->records[0]);
    memcpy(x->regions[node->place], x->base[node->place], x->base_extent[node->place]);
    restore_into(x, x->selves[node->place], cut);
}

const char *explore_node_step(struct explorer *x, uint32_t input)
{
    x->sent_count = 0;
    x->refused = false;
    x->steps++;
    switch (input_kind(input)) {
    case INPUT_MESSAGE:
        step_message(x, input_argument(input));
        break;
    case INPUT_TIMER:
        step_timer(x, input_argument(input));
        break;
    case INPUT_STORED:
        step_stored(x);
        break;
    case INPUT_RESULT:
        step_result(x, input_argument(input) == 1);
        break;
    case INPUT_REQUEST:
        step_request(x, input_argument(input));
        break;
    case INPUT_CRASH:
        crash(x, input_argument(input));
        break;
    case INPUT_RESTART:
        start(x, START_RESTARTED);
        break;
    case INPUT_SEAL:
        x->node.mortal = false;
        break;
    case INPUT_CHECKPOINTED:
        step_checkpointed(x);
        break;
    case INPUT_LOSS:
    case INPUT_DOUBLE:
        break; /* the channel's */
    }
    return x->node.up ? x->config.protocol->check(x->selves[x->node.place]) : NULL;
}

/* ---- keeping ---- */

static uint32_t facts_keep(struct explorer *x)
{
    const struct explore_property *property = x->config.property;
    if (property == NULL)
        return 0;
    struct facts facts;
    memset(&facts, 0, sizeof facts);
    explore_restore(x, x->node.told);
    const struct explore_view view = {.spec = &x->specs[x->node.place],
                                      .self = x->selves[x->node.place],
                                      .restored = x->restored_selves[x->node.place],
                                      .up = x->node.up,
                                      .context = x,
                                      .request_at = explore_request_at};
    property->observe(&view, facts.bytes);
    bool is_new;
    uint32_t *value = table_put(&x->facts_table, fingerprint_of(&facts, sizeof facts), &is_new);
    if (value == NULL || !is_new)
        return value == NULL ? 0 : *value;
    struct facts *kept = pool_take(&x->facts, sizeof *kept);
    if (kept == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    *kept = facts;
    return *value = x->facts_count++;
}

static void keep_new(struct explorer *x, uint32_t id, struct fingerprint key, const char *broken)
{
    struct kept_node *kept = pool_take(&x->nodes, sizeof *kept);
    struct fingerprint *hashes = pool_take(&x->hashes, x->permutation_count * sizeof *hashes);
    uint64_t image = explore_image_save(x);
    if (kept == NULL || hashes == NULL || image == UINT64_MAX) {
        explore_fail(x, "memory");
        return;
    }
    hashes[0] = key;
    for (uint32_t i = 1; i < x->permutation_count; i++)
        hashes[i] = explore_node_fingerprint(x, i);
    *kept = (struct kept_node){.key = key,
                               .place = (uint8_t)x->node.place,
                               .up = x->node.up,
                               .image = image,
                               .hashes = (uint64_t)((uint8_t *)hashes - x->hashes.bytes),
                               .broken = broken};
    kept->facts = facts_keep(x);
    x->node_count = id + 1;
}

uint32_t explore_node_keep(struct explorer *x, const char *broken)
{
    struct fingerprint key = explore_node_fingerprint(x, 0);
    bool is_new;
    uint32_t *value = table_put(&x->node_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return 0;
    }
    if (is_new) {
        *value = x->node_count;
        keep_new(x, *value, key, broken);
    } else if (x->config.audit) {
        explore_audit_note(x, *value);
    }
    return *value;
}

uint32_t explore_node_first(struct explorer *x, uint32_t place, bool mortal)
{
    memset(&x->node, 0, sizeof x->node);
    x->node.place = place;
    x->node.mortal = mortal;
    x->sent_count = 0;
    memcpy(x->regions[place], x->base[place], x->base_extent[place]);
    start(x, START_FIRST);
    return explore_node_keep(x, x->config.protocol->check(x->selves[place]));
}

const struct outcome *explore_outcome(struct explorer *x, uint32_t node, uint32_t input)
{
    const struct fingerprint key = {(uint64_t)node * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)input << 20 ^ input,
                                    (uint64_t)node << 32 | input};
    bool is_new;
    uint32_t *value = table_put(&x->outcome_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return NULL;
    }
    if (!is_new)
        return kept_outcome(x, *value);
    *value = x->outcome_count++;
    explore_node_load(x, explore_node_image(x, node));
    const char *broken = explore_node_step(x, input);
    uint32_t result = x->refused && input_kind(input) == INPUT_REQUEST ? node : explore_node_keep(x, broken);
    struct outcome *outcome = pool_take(&x->outcomes, sizeof *outcome);
    uint32_t *sent = pool_take(&x->sent_pool, x->sent_count * sizeof *sent);
    if (outcome == NULL || sent == NULL || x->failed != NULL) {
        explore_fail(x, "memory");
        return NULL;
    }
    for (uint32_t i = 0; i < x->sent_count; i++)
        sent[i] = x->sent[i];
    *outcome = (struct outcome){.node = result,
                                .first = (uint32_t)((uint8_t *)sent - x->sent_pool.bytes) / 4,
                                .count = (uint16_t)x->sent_count,
                                .refused = x->refused && input_kind(input) == INPUT_REQUEST,
                                .broken = broken};
    return outcome;
}
