/* The index of deadlines (kv_deadline.h).
 *
 * Invariants: no node comes before its parent; the field of a node's entry has the node's deadline and place. The node
 * being moved is kept aside and written once, when its place is found. One empty chunk is kept, so that a population
 * which swings about a boundary does not allocate each time. */
#include "service/kv/kv_deadline.h"

#include "base/panic.h"

enum {
    CHUNK_BITS = 9,
    CHUNK_NODES = 1 << CHUNK_BITS,
    CHILDREN = 4,
    TRIM_CHUNKS = 8,
};

static struct deadline *node_at(const struct deadlines *deadlines, uint32_t place)
{
    return &deadlines->chunks[place >> CHUNK_BITS][place & (CHUNK_NODES - 1)];
}

static bool comes_before(const struct deadline *a, const struct deadline *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    if (a->hash != b->hash)
        return a->hash < b->hash;
    return span_compare(entry_key(a->entry), entry_key(b->entry)) < 0;
}

static void put(struct deadlines *deadlines, uint32_t place, struct deadline node)
{
    *node_at(deadlines, place) = node;
    entry_field(node.entry)->place = place;
}

/* Moves a node that may come before its parent up from `place`. */
static void sift_up(struct deadlines *deadlines, uint32_t place, struct deadline node)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / CHILDREN;
        if (!comes_before(&node, node_at(deadlines, parent)))
            break;
        put(deadlines, place, *node_at(deadlines, parent));
        place = parent;
    }
    put(deadlines, place, node);
}

/* Moves a node that may come after a child of its down from `place`. */
static void sift_down(struct deadlines *deadlines, uint32_t place, struct deadline node)
{
    for (;;) {
        uint64_t first = (uint64_t)place * CHILDREN + 1;
        if (first >= deadlines->count)
            break;
        uint32_t least = (uint32_t)first;
        for (uint32_t child = least + 1; child < first + CHILDREN && child < deadlines->count; child++)
            if (comes_before(node_at(deadlines, child), node_at(deadlines, least)))
                least = child;
        if (!comes_before(node_at(deadlines, least), &node))
            break;
        put(deadlines, place, *node_at(deadlines, least));
        place = least;
    }
    put(deadlines, place, node);
}

static void settle(struct deadlines *deadlines, uint32_t place, struct deadline node)
{
    if (place > 0 && comes_before(&node, node_at(deadlines, (place - 1) / CHILDREN)))
        sift_up(deadlines, place, node);
    else
        sift_down(deadlines, place, node);
}

void kv_deadlines_init(struct deadlines *deadlines, struct heap *heap)
{
    *deadlines = (struct deadlines){.heap = heap};
}

bool kv_deadlines_reserve(struct deadlines *deadlines)
{
    if (deadlines->count < (uint64_t)deadlines->chunk_count * CHUNK_NODES)
        return true;
    if (deadlines->chunk_count == deadlines->chunk_capacity) {
        uint32_t capacity = deadlines->chunk_capacity == 0 ? 8 : 2 * deadlines->chunk_capacity;
        struct deadline **chunks = heap_resize(deadlines->heap, deadlines->chunks, capacity * sizeof *chunks);
        if (chunks == NULL)
            return false;
        deadlines->chunks = chunks;
        deadlines->chunk_capacity = capacity;
    }
    struct deadline *chunk = heap_alloc(deadlines->heap, CHUNK_NODES * sizeof *chunk);
    if (chunk == NULL)
        return false;
    deadlines->chunks[deadlines->chunk_count++] = chunk;
    return true;
}

void kv_deadlines_add(struct deadlines *deadlines, int64_t at_ms, uint64_t hash, struct entry *entry)
{
    invariant(deadlines->count < (uint64_t)deadlines->chunk_count * CHUNK_NODES, "KV-DEADLINE room was reserved");
    entry_field(entry)->at_ms = at_ms;
    sift_up(deadlines, deadlines->count++, (struct deadline){.at_ms = at_ms, .hash = hash, .entry = entry});
}

void kv_deadlines_remove(struct deadlines *deadlines, struct entry *entry)
{
    uint32_t place = entry_field(entry)->place;
    invariant(place < deadlines->count && node_at(deadlines, place)->entry == entry,
              "KV-DEADLINE an entry knows its place");
    entry_field(entry)->at_ms = KV_NEVER;
    struct deadline last = *node_at(deadlines, --deadlines->count);
    if (place < deadlines->count)
        settle(deadlines, place, last);
}

void kv_deadlines_move(struct deadlines *deadlines, struct entry *entry, int64_t at_ms)
{
    struct deadline_field *field = entry_field(entry);
    struct deadline node = *node_at(deadlines, field->place);
    invariant(node.entry == entry, "KV-DEADLINE an entry knows its place");
    node.at_ms = field->at_ms = at_ms;
    settle(deadlines, field->place, node);
}

void kv_deadlines_rehome(struct deadlines *deadlines, struct entry *entry)
{
    node_at(deadlines, entry_field(entry)->place)->entry = entry;
}

const struct deadline *kv_deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count == 0 ? NULL : node_at(deadlines, 0);
}

void kv_deadlines_clear(struct deadlines *deadlines)
{
    deadlines->count = 0;
}

void kv_deadlines_trim(struct deadlines *deadlines)
{
    for (int i = 0; i < TRIM_CHUNKS; i++) {
        if (deadlines->count + 2u * CHUNK_NODES > (uint64_t)deadlines->chunk_count * CHUNK_NODES)
            return;
        heap_free(deadlines->heap, deadlines->chunks[--deadlines->chunk_count]);
    }
}

void kv_deadlines_check(const struct deadlines *deadlines)
{
    for (uint32_t place = 0; place < deadlines->count; place++) {
        const struct deadline *node = node_at(deadlines, place);
        invariant(entry_field(node->entry)->place == place && entry_field(node->entry)->at_ms == node->at_ms,
                  "KV-DEADLINE node and entry agree");
        invariant(place == 0 || !comes_before(node, node_at(deadlines, (place - 1) / CHILDREN)),
                  "KV-DEADLINE no node comes before its parent");
    }
}
