/* Names for what is wrong with a minimal counter-history. */
#include "lab/object/object_internal.h"

struct counted {
    uint32_t reads, writes, total; /* certain ones; a successful compare-and-set counts as a write */
    uint32_t conditional, puts, takes, empty, failed, acquires, releases;
    const struct object_operation *read, *other;
};

static struct counted count(const struct object_part *part)
{
    struct counted counted = {0};
    for (uint32_t at = 0; at < part->count; at++) {
        const struct object_operation *operation = &part->operations[at];
        if (operation->certainty == OBJECT_RELAXED)
            continue;
        counted.total++;
        counted.failed += operation->certainty == OBJECT_FAILED;
        counted.reads += operation->function == OBJECT_READ;
        counted.writes += operation->function == OBJECT_WRITE;
        counted.conditional += operation->function == OBJECT_CAS;
        counted.acquires += operation->function == OBJECT_ACQUIRE;
        counted.releases += operation->function == OBJECT_RELEASE;
        counted.puts += operation->function == OBJECT_PUT;
        counted.takes += operation->function == OBJECT_TAKE;
        counted.empty += operation->function == OBJECT_TAKE && operation->answer == VALUE_NONE;
        if (operation->function == OBJECT_READ || operation->function == OBJECT_TAKE)
            counted.read = operation;
        else
            counted.other = operation;
    }
    return counted;
}

static const char *register_anomaly(const struct counted *counted)
{
    bool future = counted->read != NULL && counted->other != NULL && counted->total == 2 &&
                  counted->other->function == OBJECT_WRITE && counted->other->argument == counted->read->answer;
    if (counted->failed > 0)
        return counted->reads > 0 ? "aborted read" : "failed write that took effect";
    if (counted->total == 1)
        return counted->reads > 0 ? "read of what nobody wrote" : "compare-and-set of what nobody wrote";
    if (future)
        return "read from the future";
    if (counted->conditional > 0)
        return counted->conditional > 1 ? "lost update" : "stale compare-and-set";
    if (counted->reads == 1)
        return "stale read";
    return counted->reads > 1 ? "reads in no order" : "lost update";
}

static const char *line_anomaly(const struct object_part *part, const struct counted *counted)
{
    bool queue = part->objects->type == OBJECT_QUEUE;
    if (counted->failed > 0)
        return queue ? "dequeue of what was refused" : "pop of what was refused";
    if (counted->empty > 0)
        return queue ? "dequeue that missed an element" : "pop that missed an element";
    if (counted->total == 1)
        return queue ? "dequeue of what nobody enqueued" : "pop of what nobody pushed";
    if (counted->total == 2 && counted->takes == 1)
        return queue ? "dequeue from the future" : "pop from the future";
    bool same = true;
    uint32_t value = VALUE_NONE;
    for (uint32_t at = 0; at < part->count; at++)
        if (part->operations[at].certainty != OBJECT_RELAXED && part->operations[at].function == OBJECT_TAKE) {
            same = same && (value == VALUE_NONE || value == part->operations[at].answer);
            value = part->operations[at].answer;
        }
    if (same && counted->takes > 1)
        return queue ? "duplicate dequeue" : "duplicate pop";
    return queue ? "elements out of order" : "elements not in the order of a stack";
}

static bool shows_twice(const struct record *record, uint32_t list)
{
    if (list == VALUE_NONE || record_kind(record, list) != VALUE_LIST)
        return false;
    const uint32_t *elements = record_elements_of(record, list);
    for (uint32_t at = 0; at < record_size_of(record, list); at++)
        for (uint32_t before = 0; before < at; before++)
            if (elements[before] == elements[at])
                return true;
    return false;
}

static const char *set_anomaly(const struct record *record, const struct counted *counted)
{
    if (counted->failed > 0)
        return "element that was refused";
    if (counted->total == 1 && counted->read != NULL && shows_twice(record, counted->read->answer))
        return "element twice in one read";
    if (counted->total == 1)
        return "element that nobody added";
    return counted->reads > 1 ? "reads in no order" : "stale read";
}

const char *object_anomaly(const struct object_part *part)
{
    struct counted counted = count(part);
    switch (part->objects->type) {
    case OBJECT_REGISTER:
        return register_anomaly(&counted);
    case OBJECT_SET:
        return set_anomaly(part->objects->record, &counted);
    case OBJECT_QUEUE:
    case OBJECT_STACK:
        return line_anomaly(part, &counted);
    case OBJECT_MUTEX:
    case OBJECT_FENCED_MUTEX:
        if (counted.releases > 0 && counted.acquires == 0)
            return "release of what nobody held";
        return part->objects->type == OBJECT_MUTEX ? "two holders" : "two holders, or a token that fell";
    case OBJECT_COUNTER:
        return counted.reads > 1 ? "reads in no order" : "wrong count";
    case OBJECT_MULTI_REGISTER:
        return "registers that never were so together";
    case OBJECT_KV:
        break;
    }
    return "stale or lost";
}
