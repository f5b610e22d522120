/* A member of an exploration with its disk and its timers: loaded from an image, and kept again after a step.
 *
 * Each member has a region of memory that stays where it is for the whole exploration, so the pointers inside a heap
 * keep their meaning, and loading a state is copying its bytes. An image holds only the blocks that differ from those
 * of a new member. A second region for each member takes what a restart would give back from its disk. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/explore/explore_rounds.h"

enum { SCRATCH_SPARE = 4096 };

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
    tuning->checkpoint_interval = 8;
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
    if (!explore_is_traitor(x, place))
        explore_start(x, START_FIRST);
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
