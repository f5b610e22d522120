/* Filling a trace: growing arrays and clean strings. */
#include "lab/trace/trace.h"

#include <string.h>

static const char *const mark_names[] = {
    [WORLD_MARK_NOTE] = "note",   [WORLD_MARK_UP] = "up",         [WORLD_MARK_DOWN] = "down",
    [WORLD_MARK_PAUSED] = "paused", [WORLD_MARK_RUNS] = "runs",   [WORLD_MARK_CUT] = "cut",
    [WORLD_MARK_HEALED] = "healed", [WORLD_MARK_LOST] = "lost",   [WORLD_MARK_FAULT] = "fault",
    [WORLD_MARK_FAULT_END] = "fault-end", [WORLD_MARK_CLIENT] = "client", [WORLD_MARK_VIOLATION] = "violation",
};
enum { MARK_COUNT = sizeof mark_names / sizeof mark_names[0] };

const char *trace_mark_name(enum world_mark mark)
{
    return (unsigned)mark < MARK_COUNT ? mark_names[mark] : "?";
}

bool trace_mark_find(struct span name, enum world_mark *out)
{
    for (unsigned i = 0; i < MARK_COUNT; i++)
        if (span_equal(name, span_string(mark_names[i]))) {
            *out = (enum world_mark)i;
            return true;
        }
    return false;
}

void trace_init(struct trace *trace, struct heap *heap)
{
    *trace = (struct trace){.heap = heap, .title = TRACE_NONE, .protocol = TRACE_NONE, .last_step = TRACE_NONE};
    intern_init(&trace->strings, heap);
}

void trace_free(struct trace *trace)
{
    heap_free(trace->heap, trace->items);
    heap_free(trace->heap, trace->deeds);
    heap_free(trace->heap, trace->targets);
    heap_free(trace->heap, trace->arrows);
    heap_free(trace->heap, trace->lines);
    heap_free(trace->heap, trace->spans);
    intern_free(&trace->strings);
    trace_init(trace, trace->heap);
}

/* ---- strings ---- */

/* Bytes of the UTF-8 character that begins here, 0: none does. Overlong forms of two bytes are refused; others are
 * rare enough in texts of our own. */
static size_t character_size(const uint8_t *at, size_t left)
{
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (size > left || at[0] < ' ' || at[0] == 0x7f)
        return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf4 && at[1] > 0x8f) || (at[0] == 0xef && at[1] == 0xbf && at[2] > 0xbd))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

uint32_t trace_string(struct trace *trace, struct span text)
{
    uint8_t clean[TRACE_TEXT_MAX];
    size_t length = 0;
    for (size_t i = 0; i < text.size;) {
        size_t size = character_size(text.data + i, text.size - i);
        size_t taken = size == 0 ? 1 : size;
        if (length + taken > sizeof clean)
            break;
        if (size == 0)
            clean[length] = '?';
        else
            memcpy(clean + length, text.data + i, size);
        length += taken;
        i += taken;
    }
    uint32_t id = intern_id(&trace->strings, span_of(clean, length));
    if (id == INTERN_NONE)
        trace->cut = true;
    return id;
}

void trace_set_title(struct trace *trace, const char *title, const char *protocol)
{
    trace->title = trace_string(trace, span_string(title));
    trace->protocol = trace_string(trace, span_string(protocol));
}

/* ---- items ---- */

/* Room for `extra` more elements. */
static bool grow(struct trace *trace, void **array, uint32_t count, uint32_t *capacity, uint32_t extra, size_t size)
{
    if (extra <= *capacity - count)
        return true;
    uint64_t wanted = (uint64_t)*capacity * 2 + extra + 64;
    void *moved = wanted > UINT32_MAX - 1 ? NULL : heap_resize(trace->heap, *array, wanted * size);
    if (moved == NULL) {
        trace->cut = true;
        return false;
    }
    *array = moved;
    *capacity = (uint32_t)wanted;
    return true;
}

struct trace_item *trace_add_item(struct trace *trace, const struct trace_item *item)
{
    if (trace->item_count >= TRACE_ITEMS_MAX)
        trace->cut = true;
    void *items = trace->items;
    bool room = !trace->cut &&
                grow(trace, &items, trace->item_count, &trace->item_capacity, 1, sizeof *trace->items);
    trace->items = items;
    if (!room)
        return NULL;
    if (item->kind == TRACE_STEP)
        trace->last_step = trace->item_count;
    struct trace_item *added = &trace->items[trace->item_count++];
    *added = *item;
    added->line = added->arrow = TRACE_NONE;
    added->deed_first = trace->deed_count;
    added->deed_count = 0;
    return added;
}

bool trace_add_deed(struct trace *trace, const struct trace_deed *deed, const uint32_t *targets, uint32_t target_count)
{
    void *deeds = trace->deeds, *all = trace->targets;
    bool room = !trace->cut && trace->last_step != TRACE_NONE &&
                grow(trace, &deeds, trace->deed_count, &trace->deed_capacity, 1, sizeof *trace->deeds) &&
                grow(trace, &all, trace->target_count, &trace->target_capacity, target_count, sizeof *trace->targets);
    trace->deeds = deeds;
    trace->targets = all;
    if (!room)
        return false;
    struct trace_deed *added = &trace->deeds[trace->deed_count++];
    *added = *deed;
    added->target_first = trace->target_count;
    added->target_count = target_count;
    added->arrow_first = TRACE_NONE;
    if (target_count > 0)
        memcpy(trace->targets + trace->target_count, targets, target_count * sizeof *targets);
    trace->target_count += target_count;
    trace->items[trace->last_step].deed_count++;
    return true;
}
