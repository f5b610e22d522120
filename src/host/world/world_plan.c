/* Plans: lists of items, and the names of their kinds. */
#include "host/world/world_plan.h"

#include <string.h>

#include "base/panic.h"

const char *plan_kind_name(enum plan_kind kind)
{
#define PLAN_KIND_TEXT(name, text, fields, what) text,
    static const char *const names[] = {PLAN_KINDS(PLAN_KIND_TEXT)};
#undef PLAN_KIND_TEXT
    return (unsigned)kind < PLAN_KIND_COUNT ? names[kind] : "?";
}

const char *plan_kind_fields(enum plan_kind kind)
{
#define PLAN_KIND_FIELDS(name, text, fields, what) fields,
    static const char *const all[] = {PLAN_KINDS(PLAN_KIND_FIELDS)};
#undef PLAN_KIND_FIELDS
    return (unsigned)kind < PLAN_KIND_COUNT ? all[kind] : "";
}

bool plan_kind_find(struct span name, enum plan_kind *out)
{
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        const char *known = plan_kind_name((enum plan_kind)i);
        if (strlen(known) == name.size && memcmp(known, name.data, name.size) == 0) {
            *out = (enum plan_kind)i;
            return true;
        }
    }
    return false;
}

bool plan_kind_is_fate(enum plan_kind kind)
{
    return kind == PLAN_LOSE || kind == PLAN_DUPLICATE || kind == PLAN_REORDER || kind == PLAN_CORRUPT ||
           kind == PLAN_DELAY;
}

void plan_init(struct plan *plan, struct heap *heap)
{
    *plan = (struct plan){.heap = heap};
}

void plan_free(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        heap_free(plan->heap, (void *)(uintptr_t)plan->items[i].text.data);
    heap_free(plan->heap, plan->items);
    plan_init(plan, plan->heap);
}

static struct span copy_text(struct heap *heap, struct span text)
{
    if (text.size == 0)
        return (struct span){0};
    uint8_t *copy = heap_alloc(heap, text.size);
    invariant(copy != NULL, "a plan's heap has room for its texts");
    memcpy(copy, text.data, text.size);
    return span_of(copy, text.size);
}

void plan_add(struct plan *plan, const struct plan_item *item)
{
    if (plan->count == plan->capacity) {
        uint32_t capacity = plan->capacity > 0 ? 2 * plan->capacity : 64;
        struct plan_item *items = heap_resize(plan->heap, plan->items, capacity * sizeof *items);
        invariant(items != NULL, "a plan's heap has room for its items");
        plan->items = items;
        plan->capacity = capacity;
    }
    struct plan_item *added = &plan->items[plan->count++];
    *added = *item;
    added->text = copy_text(plan->heap, item->text);
}

/* Merges two sorted neighbours; of equal ones those of the first come first. */
static void merge(const struct plan_item *from, size_t middle, size_t end, struct plan_item *to)
{
    size_t left = 0, right = middle;
    for (size_t i = 0; i < end; i++) {
        bool first = right == end || (left < middle && from[left].at_ns <= from[right].at_ns);
        to[i] = first ? from[left++] : from[right++];
    }
}

/* Merge sort from the bottom up: stable, and in time even for plans of a million items. */
void plan_sort(struct plan *plan)
{
    if (plan->count < 2)
        return;
    struct plan_item *spare = heap_alloc(plan->heap, plan->capacity * sizeof *spare);
    invariant(spare != NULL, "a plan's heap has room to sort it");
    for (size_t width = 1; width < plan->count; width *= 2) {
        for (size_t at = 0; at < plan->count; at += 2 * width) {
            size_t left = plan->count - at;
            size_t middle = width < left ? width : left;
            merge(plan->items + at, middle, 2 * width < left ? 2 * width : left, spare + at);
        }
        struct plan_item *sorted = spare;
        spare = plan->items;
        plan->items = sorted;
    }
    heap_free(plan->heap, spare);
}
