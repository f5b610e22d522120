/* Canonical bytes of node states and messages, and their fingerprints under each renaming of the members.
 *
 * A disk is recognised by what it gives back: for each cut that a crash can make, the canonical state of a member that
 * was restored from it. Records that were superseded, and how often the same was stored, so make no difference. When no
 * crash can come any more, the disk does not matter at all, but for what is still to be stored and the messages that
 * wait for it. */
#include <stdalign.h>
#include <string.h>

#include "base/hash.h"
#include "contract/command.h"
#include "host/explore/explore_internal.h"

static uint64_t bundle_name(void *context, const struct canon *canon, struct span bytes)
{
    (void)context;
    struct bundle bundle;
    if (bytes.size == 0)
        return 0;
    if (explore_request_of(bytes) == EXPLORE_NO_REQUEST || !bundle_open(bytes, &bundle))
        return hash_mix(1, fingerprint_of(bytes.data, bytes.size).low);
    uint64_t name = hash_mix(explore_request_of(bytes), canon_node_name(canon, bundle.node));
    return hash_mix(hash_mix(name, bundle.incarnation), bundle.first_number);
}

static void write_body(struct explorer *x, struct canon *out, const struct message_type *type, const uint8_t *body);

static void write_records(struct explorer *x, struct canon *out, struct span records)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    struct record_view record;
    const struct message_table *table = &x->config.protocol->records;
    while (record_next(&records, &record)) {
        canon_u64(out, record.type);
        if (record.type < table->count && message_decode(&table->types[record.type], record.body, body))
            write_body(x, out, &table->types[record.type], body);
        else
            canon_bytes(out, record.body.data, record.body.size);
    }
}

static void write_bulk(struct canon *out, struct span bytes)
{
    bool bundle = bytes.size == 0 || explore_request_of(bytes) != EXPLORE_NO_REQUEST;
    canon_u8(out, bundle);
    if (bundle) {
        canon_bundle(out, bytes);
        return;
    }
    canon_u64(out, bytes.size);
    canon_bytes(out, bytes.data, bytes.size);
}

/* A message or record by the kinds of its fields. Depth: records in a message hold no records. */
static void write_body(struct explorer *x, struct canon *out, const struct message_type *type, const uint8_t *body)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const uint8_t *at = body + type->fields[i].offset;
        uint32_t half;
        uint64_t word;
        struct span bulk;
        switch (type->fields[i].kind) {
        case FIELD_U8:
            canon_u8(out, *at);
            break;
        case FIELD_U32:
            memcpy(&half, at, sizeof half);
            canon_u64(out, half);
            break;
        case FIELD_NODE:
            memcpy(&half, at, sizeof half);
            canon_node(out, half);
            break;
        case FIELD_U64:
        case FIELD_I64:
        case FIELD_INCARNATION:
            memcpy(&word, at, sizeof word);
            canon_u64(out, word);
            break;
        case FIELD_TIME:
            break;
        case FIELD_BYTES:
            memcpy(&bulk, at, sizeof bulk);
            write_bulk(out, bulk);
            break;
        case FIELD_RECORDS:
            memcpy(&bulk, at, sizeof bulk);
            write_records(x, out, bulk);
            break;
        }
    }
}

/* ---- what protocols ask for ---- */

static void write_record(void *context, struct canon *out, uint64_t position)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    struct explorer *x = context;
    if (position > x->node.written) {
        canon_u8(out, 2); /* a member that names what it never stored: its check() is to say so */
        return;
    }
    const struct kept_record *record = kept_record(x, x->node.records[position - 1]);
    const struct message_type *type = &x->config.protocol->records.types[record->type];
    canon_u64(out, record->type);
    if (message_decode(type, span_of(x->bytes.bytes + record->body, record->size), body))
        write_body(x, out, type, body);
}

uint8_t explore_request_at(void *context, uint64_t position)
{
    alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    struct explorer *x = context;
    if (position == 0 || position > x->node.written)
        return EXPLORE_NO_REQUEST;
    const struct kept_record *record = kept_record(x, x->node.records[position - 1]);
    const struct message_type *type = &x->config.protocol->records.types[record->type];
    const struct field *last = &type->fields[type->field_count - 1];
    struct span bulk;
    if (last->kind != FIELD_BYTES ||
        !message_decode(type, span_of(x->bytes.bytes + record->body, record->size), body))
        return EXPLORE_NO_REQUEST;
    memcpy(&bulk, body + last->offset, sizeof bulk);
    return explore_request_of(bulk);
}

static struct canon canon_begin(struct explorer *x, uint32_t permutation, uint8_t *bytes)
{
    return (struct canon){.bytes = bytes,
                          .capacity = EXPLORE_CANON_BYTES,
                          .member_count = x->config.nodes,
                          .places = x->permutations[permutation],
                          .members = x->members,
                          .context = x,
                          .bundle = bundle_name,
                          .record = write_record,
                          .written = x->node.written};
}

static struct fingerprint canon_end(struct explorer *x, const struct canon *canon)
{
    if (canon->overflow)
        explore_fail(x, "a canonical state is larger than the explorer keeps (64 KiB)");
    return fingerprint_of(canon->bytes, canon->size);
}

/* ---- node states ---- */

/* The canonical state of a member that is restored from the first `cut` records. Kept for all renamings at once. */
static struct fingerprint cut_fingerprint(struct explorer *x, uint32_t cut, uint32_t permutation)
{
    struct fingerprint key = fingerprint_of(x->node.records, cut * sizeof x->node.records[0]);
    key.low += x->node.place + 1;
    bool is_new;
    uint32_t *value = table_put(&x->cut_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return key;
    }
    if (is_new) {
        struct fingerprint *kept = pool_take(&x->hashes, x->permutation_count * sizeof *kept);
        if (kept == NULL) {
            explore_fail(x, "memory");
            return key;
        }
        *value = (uint32_t)((uint64_t)((uint8_t *)kept - x->hashes.bytes) / sizeof *kept);
        uint8_t bytes[EXPLORE_CANON_BYTES];
        explore_restore(x, cut);
        for (uint32_t i = 0; i < x->permutation_count; i++) {
            struct canon out = canon_begin(x, i, bytes);
            out.written = cut;
            x->config.protocol->canonical(x->restored_selves[x->node.place], &out);
            kept[i] = canon_end(x, &out);
        }
    }
    return hashes_at(x, (uint64_t)*value * sizeof(struct fingerprint))[permutation];
}

static void write_disk(struct explorer *x, struct canon *out, uint32_t permutation)
{
    const struct node *node = &x->node;
    canon_u64(out, node->written - node->told);
    canon_u64(out, node->batch_count);
    for (uint32_t i = 0; i < node->batch_count; i++)
        canon_u64(out, node->batches[i] - node->told);
    canon_u8(out, node->mortal);
    if (!node->mortal)
        return;
    canon_u64(out, node->written - node->durable);
    for (uint32_t cut = node->durable; cut <= node->written; cut++) {
        struct fingerprint print = cut_fingerprint(x, cut, permutation);
        canon_bytes(out, &print, sizeof print);
    }
}

static void write_waiting(struct explorer *x, struct canon *out, uint32_t permutation)
{
    const struct node *node = &x->node;
    canon_u64(out, node->armed_count);
    struct fingerprint armed = {0, 0}; /* in no order: a renaming may change it */
    for (uint32_t i = 0; i < node->armed_count; i++) {
        const struct armed *timer = &node->armed[i];
        bool by_place = timer->kind < EXPLORE_TIMERS_MAX && x->config.timers[timer->kind].by_place;
        const uint64_t words[] = {(uint64_t)timer->slot << 16 | timer->name,
                                  by_place ? canon_node_name(out, x->members[timer->key]) : timer->key,
                                  x->config.rounds ? (uint64_t)(timer->at_ns - node->now_ns) : 0};
        armed = fingerprint_add(armed, fingerprint_of(words, sizeof words));
    }
    canon_bytes(out, &armed, sizeof armed);
    canon_u8(out, node->checkpointing);
    canon_u64(out, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        canon_u64(out, node->results[i]);
    canon_u64(out, node->held_count);
    struct fingerprint sum = {0, 0}; /* what waits for the same write is in no order */
    for (uint32_t i = 0; i < node->held_count; i++) {
        struct {
            struct fingerprint print;
            uint64_t after;
        } each = {hashes_at(x, kept_message(x, node->held[i].message)->hashes)[permutation],
                  node->held[i].after - node->told};
        sum = fingerprint_add(sum, fingerprint_of(&each, sizeof each));
    }
    canon_bytes(out, &sum, sizeof sum);
}

struct fingerprint explore_node_fingerprint(struct explorer *x, uint32_t permutation)
{
    struct canon out = canon_begin(x, permutation, x->canon_bytes);
    canon_node(&out, x->members[x->node.place]);
    canon_u8(&out, x->node.up);
    canon_u64(&out, x->node.incarnation);
    canon_u8(&out, x->node.requests);
    x->config.protocol->canonical(x->selves[x->node.place], &out);
    write_disk(x, &out, permutation);
    write_waiting(x, &out, permutation);
    return canon_end(x, &out);
}

/* ---- messages ---- */

void explore_message_fingerprints(struct explorer *x, const struct kept_message *message, const uint8_t *body,
                                  struct fingerprint *prints)
{
    alignas(16) uint8_t decoded[MESSAGE_STRUCT_SIZE_MAX];
    const struct message_table *table = &x->config.protocol->messages;
    bool known = message->type < table->count &&
                 message_decode(&table->types[message->type], span_of(body, message->size), decoded);
    void (*by_place)(uint16_t, uint32_t, uint32_t, const void *, struct canon *) =
        x->config.property != NULL ? x->config.property->message_canonical : NULL;
    if (!known)
        explore_fail(x, "a member sent a message that does not decode");
    for (uint32_t i = 0; i < x->permutation_count; i++) {
        struct canon out = canon_begin(x, i, x->canon_bytes);
        canon_node(&out, x->members[message->from]);
        canon_node(&out, x->members[message->to]);
        canon_u64(&out, message->incarnation);
        canon_u64(&out, message->to_incarnation);
        canon_u64(&out, (uint64_t)message->slot << 16 | message->type);
        if (known && by_place != NULL)
            by_place(message->type, message->from, message->to, decoded, &out);
        else if (known)
            write_body(x, &out, &table->types[message->type], decoded);
        prints[i] = canon_end(x, &out);
    }
}

struct fingerprint explore_ghost_fingerprint(struct explorer *x, const void *ghost, uint32_t permutation)
{
    struct canon out = canon_begin(x, permutation, x->canon_bytes);
    x->config.property->ghost_canonical(ghost, &out);
    return canon_end(x, &out);
}
