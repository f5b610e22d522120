/* Making a member, and ending one. All memory of a member is taken here, from the node's heap; the heaps of its protocol
 * and its service are regions of it, whose sizes are functions of the specification and which are touched lazily. */
#include "base/panic.h"
#include "node/node_internal.h"

enum { SCRATCH_ALIGNMENT = 16 };

size_t member_heap_size(const struct node_options *options, const struct group_spec *spec)
{
    size_t size = spec->protocol->heap_size(spec) + spec->tuning.service_heap_bytes + sizeof(struct member);
    size += spec->protocol->effects_max(spec) * sizeof(struct effect) + spec->protocol->scratch_max(spec);
    return size + (size_t)2 * options->window * (sizeof(struct pending) + sizeof(struct outgoing));
}

/* Bytes of a record's fixed fields and its bulk's length: where the bulk begins. */
static void measure_records(struct member *member)
{
    const struct message_table *table = &member->protocol->records;
    invariant(table->count <= RECORD_TYPES_MAX, "a protocol has at most 32 types of records");
    for (uint32_t type = 0; type < table->count; type++) {
        uint32_t size = 0;
        for (uint32_t i = 0; i < table->types[type].field_count; i++) {
            switch (table->types[type].fields[i].kind) {
            case FIELD_U8: size += 1; break;
            case FIELD_U32: case FIELD_NODE: case FIELD_BYTES: size += 4; break;
            case FIELD_U64: case FIELD_I64: case FIELD_TIME: case FIELD_INCARNATION: size += 8; break;
            case FIELD_RECORDS: break;
            }
        }
        member->record_head_size[type] = size;
    }
}

static void make_buffers(struct member *member)
{
    struct heap *heap = member->node->heap;
    session_table_init(&member->sessions, heap);
    buffer_init(&member->reply, heap);
    buffer_init(&member->held, heap);
    buffer_init(&member->results, heap);
    buffer_init(&member->calls, heap);
    buffer_init(&member->to_self, heap);
    buffer_init(&member->state_part, heap);
    buffer_init(&member->checkpointing.piece, heap);
}

/* A heap inside a region of the node's. */
static struct heap *make_heap(struct node *node, size_t size)
{
    void *region = heap_alloc(node->heap, size);
    return region == NULL ? NULL : heap_init(region, size);
}

static bool make_memory(struct node *node, struct member *member)
{
    const struct group_spec *spec = member->spec;
    member->heap = make_heap(node, spec->protocol->heap_size(spec));
    member->service_heap = make_heap(node, spec->tuning.service_heap_bytes);
    member->effects.capacity = spec->protocol->effects_max(spec);
    member->effects.list = heap_alloc(node->heap, member->effects.capacity * sizeof(struct effect));
    member->effects.scratch_size = spec->protocol->scratch_max(spec);
    member->effects.scratch = heap_alloc(node->heap, member->effects.scratch_size + SCRATCH_ALIGNMENT);
    member->decoded = heap_alloc(node->heap, MESSAGE_STRUCT_SIZE_MAX);
    member->counts = heap_alloc(node->heap, COUNTS_MAX * sizeof(struct count_request));
    make_buffers(member);
    bool lanes = lane_init(member, false);
    lanes = lane_init(member, true) && lanes;
    return lanes && member->heap != NULL && member->service_heap != NULL && member->effects.list != NULL &&
           member->effects.scratch != NULL && member->decoded != NULL && member->counts != NULL;
}

bool member_make(struct node *node, struct member *member, const struct group_spec *spec, uint64_t seed)
{
    *member = (struct member){.node = node, .spec = spec, .protocol = spec->protocol, .service = spec->service,
                              .tick_at_ns = SERVICE_NO_TICK, .timer_next_ns = INT64_MAX};
    random_seed(&member->random, seed ^ 0x72656164);
    member_clients_init(member);
    if (!make_memory(node, member)) {
        member_free(member);
        return false;
    }
    measure_records(member);
    member->self = spec->protocol->create(member->heap, spec, seed);
    member->service_self = spec->service->create(member->service_heap, spec);
    invariant(member->self != NULL && member->service_self != NULL, "heap_size covers a new member");
    return true;
}

void member_close_files(struct member *member)
{
    if (member->checkpointing.writer != NULL) checkpoint_writer_free(member->checkpointing.writer);
    if (member->adopting.writer != NULL) checkpoint_writer_free(member->adopting.writer);
    if (member->adopting.reader != NULL) checkpoint_reader_free(member->adopting.reader);
    if (member->serving != NULL) checkpoint_reader_free(member->serving);
    member->checkpointing.writer = member->adopting.writer = NULL;
    member->adopting.reader = member->serving = NULL;
}

static void free_buffers(struct member *member)
{
    member_clients_free(member);
    session_table_clear(&member->sessions);
    buffer_free(&member->reply);
    buffer_free(&member->held);
    buffer_free(&member->results);
    buffer_free(&member->calls);
    buffer_free(&member->to_self);
    buffer_free(&member->state_part);
    buffer_free(&member->checkpointing.piece);
    if (member->adopting.front.heap != NULL) buffer_free(&member->adopting.front);
    if (member->adopting.staged.heap != NULL) buffer_free(&member->adopting.staged);
}

void member_free(struct member *member)
{
    struct heap *heap = member->node->heap;
    free_buffers(member);
    lane_free(member, &member->lanes[0]);
    lane_free(member, &member->lanes[1]);
    heap_free(heap, member->counts);
    heap_free(heap, member->decoded);
    heap_free(heap, member->effects.scratch);
    heap_free(heap, member->effects.list);
    heap_free(heap, member->service_heap);
    heap_free(heap, member->heap);
}
