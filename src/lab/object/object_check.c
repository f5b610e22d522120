/* The check of a record, object by object: a special case where one applies, else the search; then words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/object/linearizable.h"
#include "lab/object/object_internal.h"

enum { SHOWN_OPERATIONS_MAX = 8 };

struct check {
    struct objects objects;
    struct object_search search;
    struct heap *heap;
    struct verdict *verdict;
    uint32_t *order; /* of all parts so far, places in their part, then ids */
    uint32_t order_count;
    uint32_t *parts;
    enum search_end gave_up; /* FOUND while none has */
    bool only_legal;        /* nobody wants to know what is wrong */
};

__attribute__((format(printf, 2, 3))) static void say(struct verdict *verdict, const char *format, ...)
{
    size_t size = strlen(verdict->reason);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->reason + size, sizeof verdict->reason - size, format, arguments);
    va_end(arguments);
}

enum special_end object_culprits(struct special *out, const uint32_t *list, uint32_t count)
{
    out->culprit_count = 0;
    for (uint32_t at = 0; at < count; at++) {
        bool known = list[at] == UINT32_MAX;
        for (uint32_t other = 0; other < out->culprit_count; other++)
            known = known || out->culprits[other] == list[at];
        if (!known)
            out->culprits[out->culprit_count++] = list[at];
    }
    return SPECIAL_ILLEGAL;
}

static enum special_end try_special(struct check *check, const struct object_part *part, struct special *special)
{
    special->order = check->order + check->order_count;
    special->order_count = special->culprit_count = 0;
    switch (check->objects.type) {
    case OBJECT_REGISTER:
        return special_register(part, special);
    case OBJECT_QUEUE:
        return special_queue(part, special);
    case OBJECT_SET:
        return special_set(part, special);
    case OBJECT_STACK:
        return special_stack(part, special);
    case OBJECT_MULTI_REGISTER:
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
    case OBJECT_COUNTER:
    case OBJECT_KV:
        break;
    }
    return SPECIAL_NONE;
}

/* ---- illegal ---- */

/* The key of all operations that are not relaxed; VALUE_NONE when they have several, or none. */
static uint32_t common_key(const struct record *record, const struct object_part *part)
{
    uint32_t key = VALUE_NONE;
    for (uint32_t at = 0, seen = 0; at < part->count; at++) {
        if (part->operations[at].certainty == OBJECT_RELAXED)
            continue;
        uint32_t its = record->operations[part->operations[at].id].key;
        if (seen++ > 0 && its != key)
            return VALUE_NONE;
        key = its;
    }
    return key;
}

static void say_illegal(struct check *check, const struct object_part *part, bool minimal)
{
    const struct record *record = check->objects.record;
    struct verdict *verdict = check->verdict;
    char text[256];
    uint32_t shown = 0;
    /* The names are those of minimal ones. */
    const char *plain = check->search.level == OBJECT_SEQUENTIAL ? "not sequentially consistent" : "not linearizable";
    snprintf(verdict->anomaly, sizeof verdict->anomaly, "%s", minimal ? object_anomaly(part) : plain);
    uint32_t key = common_key(record, part);
    if (key != VALUE_NONE) {
        record_print(record, key, text, 80);
        say(verdict, "key %s: ", text);
    }
    say(verdict, "%s: ", verdict->anomaly);
    for (uint32_t at = 0; at < part->count; at++) {
        if (part->operations[at].certainty == OBJECT_RELAXED)
            continue;
        if (shown == SHOWN_OPERATIONS_MAX) {
            say(verdict, "; ...");
            break;
        }
        record_print_operation(record, part->operations[at].id, text, sizeof text);
        say(verdict, shown++ == 0 ? "%s" : "; %s", text);
    }
    say(verdict, shown == 1 ? ": nothing explains it" : ": no order explains all of them");
    if (!minimal)
        say(verdict, " (fewer may do: the bounds of the search were reached)");
}

/* Keeps the operations that are not relaxed. */
static void keep_culprits(struct check *check, const struct object_part *part)
{
    struct verdict *verdict = check->verdict;
    verdict->operations = heap_alloc(check->heap, ((size_t)part->count + 1) * sizeof *verdict->operations);
    for (uint32_t at = 0; at < part->count && verdict->operations != NULL; at++)
        if (part->operations[at].certainty != OBJECT_RELAXED)
            verdict->operations[verdict->operation_count++] = part->operations[at].id;
}

static void report_illegal(struct check *check, const struct object_part *part)
{
    check->verdict->kind = VERDICT_ILLEGAL;
    bool minimal = object_minimise(&check->search, part);
    say_illegal(check, part, minimal);
    keep_culprits(check, part);
}

/* A special case has named operations that cannot be explained by themselves. Of registers and queues what is not among
 * them has no part in it: an order that explains them explains them without other values' operations, too. Reads of
 * sets show those. */
static void report_culprits(struct check *check, const struct object_part *part, const struct special *special)
{
    struct object_operation operations[SPECIAL_CULPRITS_MAX];
    uint32_t count = 0;
    for (uint32_t at = 0; at < part->count; at++) {
        bool is_culprit = false;
        for (uint32_t number = 0; number < special->culprit_count; number++)
            is_culprit = is_culprit || special->culprits[number] == at;
        if (is_culprit)
            operations[count++] = part->operations[at];
        else
            part->operations[at].certainty = OBJECT_RELAXED;
    }
    if (check->objects.type == OBJECT_SET) {
        report_illegal(check, part);
        return;
    }
    struct object_part few = {.objects = part->objects, .operations = operations, .count = count};
    report_illegal(check, &few);
}

/* ---- one object ---- */

/* The search; of a stack after its overlapping pairs were taken out. Then `thin` is what was searched. */
static enum search_end search_part(struct check *check, const struct object_part *part, struct object_part *thin,
                                   uint32_t *order, uint32_t *count)
{
    *thin = (struct object_part){0};
    if (part->objects->type != OBJECT_STACK)
        return object_search(&check->search, part, order, count);
    uint32_t *pair_of = heap_alloc(check->heap, ((size_t)part->count + 1) * sizeof *pair_of);
    uint32_t *thin_order = heap_alloc(check->heap, ((size_t)part->count + 1) * sizeof *thin_order);
    enum search_end end = SEARCH_MEMORY;
    uint32_t thin_count = 0;
    if (pair_of != NULL && thin_order != NULL && stack_thin(part, thin, pair_of))
        end = object_search(&check->search, thin, thin_order, &thin_count);
    if (end == SEARCH_FOUND)
        *count = stack_put_back(part, thin, pair_of, thin_order, thin_count, order);
    heap_free(check->heap, pair_of);
    heap_free(check->heap, thin_order);
    return end;
}

/* Checks a part; true when it is legal, and its order has been added. */
static bool check_part(struct check *check, const struct object_part *part)
{
    struct special special;
    struct object_part thin = {0};
    enum special_end special_end = try_special(check, part, &special);
    uint32_t *order = check->order + check->order_count, count = special.order_count;
    enum search_end end = SEARCH_FOUND;
    if (special_end == SPECIAL_ILLEGAL && check->only_legal)
        return false;
    if (special_end == SPECIAL_ILLEGAL && special.culprit_count > 0) {
        report_culprits(check, part, &special);
        return false;
    }
    if (special_end == SPECIAL_MEMORY)
        end = SEARCH_MEMORY;
    else if (special_end == SPECIAL_ILLEGAL)
        end = SEARCH_EXHAUSTED;
    else if (special_end == SPECIAL_NONE)
        end = search_part(check, part, &thin, order, &count);
    check->search.work += special_end == SPECIAL_NONE ? 0 : part->count;
    if (end == SEARCH_EXHAUSTED) {
        if (!check->only_legal)
            report_illegal(check, thin.operations != NULL ? &thin : part);
        heap_free(check->heap, thin.operations);
        return false;
    }
    heap_free(check->heap, thin.operations);
    if (end != SEARCH_FOUND) {
        check->gave_up = end;
        return false;
    }
    for (uint32_t at = 0; at < count; at++)
        order[at] = part->operations[order[at]].id;
    check->order_count += count;
    return true;
}

/* ---- all ---- */

static void say_unknown(struct check *check, enum search_end end)
{
    struct verdict *verdict = check->verdict;
    verdict->kind = VERDICT_UNKNOWN;
    const char *what = end == SEARCH_WORK ? "work" : end == SEARCH_TIME ? "time" : "memory";
    say(verdict, "the bound on %s was reached after %" PRIu64 " steps of the search (--%s raises it)", what,
        check->search.work, what);
}

static bool check_begin(struct check *check, const struct verdict_bounds *bounds)
{
    struct heap *heap = check->heap;
    size_t operations = check->objects.record->operation_count;
    check->search = (struct object_search){
        .checker = linearizable_create(heap), .history = history_create(heap), .bounds = bounds};
    check->order = heap_alloc(heap, (operations + 1) * sizeof *check->order);
    check->parts = heap_alloc(heap, ((size_t)check->objects.count + 2) * sizeof *check->parts);
    check->gave_up = SEARCH_FOUND;
    if (check->search.checker == NULL || check->search.history == NULL || check->order == NULL ||
        check->parts == NULL)
        return false;
    if (bounds->time_ns_max != 0)
        check->search.checker->stop_ns = linearizable_clock_ns() + bounds->time_ns_max;
    return true;
}

static void check_end(struct check *check)
{
    linearizable_free(check->search.checker);
    history_free(check->search.history);
    heap_free(check->heap, check->order);
    heap_free(check->heap, check->parts);
    objects_free(&check->objects);
}

/* Checks every object apart; true when all are legal. */
static bool check_objects(struct check *check)
{
    for (uint32_t object = 0; object < check->objects.count; object++) {
        struct object_part part = objects_part(&check->objects, object);
        check->parts[object] = check->order_count;
        bool legal = check_part(check, &part);
        if (!legal && (check->only_legal || check->verdict->kind == VERDICT_ILLEGAL))
            return false;
    }
    check->parts[check->objects.count] = check->order_count;
    return check->gave_up == SEARCH_FOUND;
}

static void report_ok(struct check *check)
{
    struct verdict *verdict = check->verdict;
    verdict->kind = VERDICT_OK;
    verdict->operations = check->order;
    verdict->operation_count = check->order_count;
    verdict->parts = check->parts;
    verdict->part_count = check->objects.count;
    check->order = check->parts = NULL;
}

static void check_linearizable(struct check *check)
{
    if (check_objects(check))
        report_ok(check);
    else if (check->verdict->kind != VERDICT_ILLEGAL)
        say_unknown(check, check->gave_up);
}

/* When each object is linearizable, one order explains all: by the moments at which the operations can be executed, the
 * earliest that those before them in their object's order allow. */
static bool merge_orders(struct check *check)
{
    const struct record *record = check->objects.record;
    size_t count = check->order_count;
    struct object_pair *pairs = heap_alloc(check->heap, (2 * count + 1) * sizeof *pairs);
    if (pairs == NULL)
        return false;
    for (uint32_t object = 0; object < check->objects.count; object++)
        for (uint32_t at = check->parts[object], moment = 0; at < check->parts[object + 1]; at++) {
            uint32_t invoked = record->operations[check->order[at]].invoked;
            moment = invoked > moment ? invoked : moment;
            pairs[at] = (struct object_pair){.key = moment, .operation = check->order[at]};
        }
    struct object_pair *sorted = object_sort(pairs, pairs + count, (uint32_t)count);
    for (uint32_t at = 0; at < count; at++)
        check->order[at] = sorted[at].operation;
    heap_free(check->heap, pairs);
    return true;
}

static void report_one_part(struct check *check)
{
    check->objects.count = check->order_count > 0 ? 1 : 0;
    check->parts[0] = 0;
    check->parts[1] = check->order_count;
    report_ok(check);
}

static void check_sequential(struct check *check)
{
    struct object_part all = {.objects = &check->objects,
                              .operations = check->objects.operations,
                              .count = check->objects.record->operation_count};
    check->only_legal = true;
    check->search.level = OBJECT_LINEARIZABLE;
    if (check_objects(check) && merge_orders(check)) {
        report_one_part(check);
        return;
    }
    check->search.level = OBJECT_SEQUENTIAL;
    enum search_end end = object_sequential(&check->search, &all, check->order, &check->order_count);
    if (end == SEARCH_EXHAUSTED) {
        report_illegal(check, &all);
    } else if (end == SEARCH_FOUND) {
        for (uint32_t at = 0; at < check->order_count; at++)
            check->order[at] = all.operations[check->order[at]].id;
        report_one_part(check);
    } else {
        say_unknown(check, end);
    }
}

void object_check(const struct record *record, enum object_type type, enum object_level level,
                  const struct verdict_bounds *bounds, struct heap *heap, struct verdict *verdict)
{
    char why[OBJECT_WHY_SIZE];
    struct check check = {.heap = heap, .verdict = verdict};
    *verdict = (struct verdict){.kind = VERDICT_UNKNOWN};
    if (record->incomplete) {
        say(verdict, "the memory for the history ran out");
        return;
    }
    if (!objects_read(&check.objects, record, type, heap, why)) {
        say(verdict, "%s", why);
        return;
    }
    if (!check_begin(&check, bounds))
        say_unknown(&check, SEARCH_MEMORY);
    else if (level == OBJECT_LINEARIZABLE)
        check_linearizable(&check);
    else
        check_sequential(&check);
    verdict->work = check.search.work;
    check_end(&check);
}
