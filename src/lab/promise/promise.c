/* The list of promises, observations, and what the checkers share. Each family has a file:
 *     promise_consensus  agreement, validity, integrity, termination     promise_view      virtual synchrony
 *     promise_order      FIFO, causal, total                              promise_commit    AC1 to AC5
 *     promise_delivery   reliable, uniform and atomic delivery            promise_lock      mutual exclusion, fencing
 *     promise_detector   completeness, accuracy                           promise_recovery  cuts, lines, orphans */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "lab/promise/promise_internal.h"

/* ---- names ---- */

static const struct {
    const char *name, *first, *second;
} kinds[] = {
#define OBSERVED_TEXT(name, text, first, second, what) {text, first, second},
    OBSERVED(OBSERVED_TEXT)
#undef OBSERVED_TEXT
};

const char *observed_name(enum observed kind)
{
    return (unsigned)kind < OBSERVED_COUNT ? kinds[kind].name : "?";
}

const char *observed_first(enum observed kind)
{
    return (unsigned)kind < OBSERVED_COUNT ? kinds[kind].first : "";
}

const char *observed_second(enum observed kind)
{
    return (unsigned)kind < OBSERVED_COUNT ? kinds[kind].second : "";
}

bool observed_find(struct span name, enum observed *out)
{
    for (unsigned kind = 0; kind < OBSERVED_COUNT; kind++)
        if (strlen(kinds[kind].name) == name.size && memcmp(kinds[kind].name, name.data, name.size) == 0) {
            *out = (enum observed)kind;
            return true;
        }
    return false;
}

size_t observation_print(const struct observation *observation, char *out, size_t size)
{
    const char *first = observed_first(observation->kind), *second = observed_second(observation->kind);
    int length = snprintf(out, size, "process %u: %s", observation->process, observed_name(observation->kind));
    if (length >= 0 && (size_t)length < size && first[0] != '\0')
        length += snprintf(out + length, size - (size_t)length, " %s %llu", first,
                           (unsigned long long)observation->first);
    if (length >= 0 && (size_t)length < size && second[0] != '\0')
        length += snprintf(out + length, size - (size_t)length, " %s %llu", second,
                           (unsigned long long)observation->second);
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}

/* ---- observations ---- */

void observations_init(struct observations *observations, struct heap *heap, uint64_t processes)
{
    *observations = (struct observations){.heap = heap, .processes = processes};
}

void observations_free(struct observations *observations)
{
    heap_free(observations->heap, observations->list);
    observations_init(observations, observations->heap, observations->processes);
}

void observations_clear(struct observations *observations)
{
    observations->count = 0;
    observations->incomplete = false;
}

void observe(struct observations *observations, enum observed kind, uint32_t process, uint64_t first, uint64_t second,
             int64_t time_ns)
{
    invariant(process < PROMISE_PROCESSES_MAX, "observed processes are numbered 0 to 63");
    if (observations->count == observations->capacity) {
        uint32_t capacity = observations->capacity > 0 ? 2 * observations->capacity : 256;
        struct observation *list = heap_resize(observations->heap, observations->list, capacity * sizeof *list);
        if (list == NULL) {
            observations->incomplete = true;
            return;
        }
        observations->list = list;
        observations->capacity = capacity;
    }
    observations->processes |= UINT64_C(1) << process;
    observations->list[observations->count++] = (struct observation){
        .kind = kind, .process = process, .first = first, .second = second, .time_ns = time_ns};
}

/* ---- verdicts ---- */

void promise_broken(struct verdict *verdict, struct heap *heap, const char *anomaly, const uint32_t places[3],
                    const char *format, ...)
{
    if (verdict->kind != VERDICT_OK)
        return;
    verdict->kind = VERDICT_ILLEGAL;
    snprintf(verdict->anomaly, sizeof verdict->anomaly, "%s", anomaly);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->reason, sizeof verdict->reason, format, arguments);
    va_end(arguments);
    verdict->operations = heap_alloc(heap, 3 * sizeof *verdict->operations);
    for (int i = 0; verdict->operations != NULL && i < 3; i++)
        if (places[i] != PROMISE_NO)
            verdict->operations[verdict->operation_count++] = places[i];
}

void promise_unknown(struct verdict *verdict)
{
    if (verdict->kind != VERDICT_OK)
        return;
    verdict->kind = VERDICT_UNKNOWN;
    snprintf(verdict->reason, sizeof verdict->reason, "there is not enough memory");
}

uint64_t promise_crashed(const struct observations *observations)
{
    uint64_t crashed = 0;
    for (uint32_t i = 0; i < observations->count; i++)
        if (observations->list[i].kind == OBSERVED_CRASH)
            crashed |= UINT64_C(1) << observations->list[i].process;
    return crashed;
}

uint64_t promise_correct(const struct observations *observations)
{
    uint64_t down = 0;
    for (uint32_t i = 0; i < observations->count; i++) {
        uint64_t bit = UINT64_C(1) << observations->list[i].process;
        if (observations->list[i].kind == OBSERVED_CRASH)
            down |= bit;
        if (observations->list[i].kind == OBSERVED_RESTART)
            down &= ~bit;
    }
    return observations->processes & ~down;
}

/* ---- maps ---- */

void promise_map_init(struct promise_map *map, struct heap *heap) { *map = (struct promise_map){.heap = heap}; }

void promise_map_free(struct promise_map *map)
{
    heap_free(map->heap, map->keys);
    heap_free(map->heap, map->values);
    promise_map_init(map, map->heap);
}

static uint32_t slot_of(const struct promise_map *map, uint64_t key)
{
    uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t slot = (uint32_t)(hash >> 32) & (map->capacity - 1);
    while (map->values[slot] != PROMISE_NO && map->keys[slot] != key)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

uint32_t *promise_map_find(const struct promise_map *map, uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    uint32_t slot = slot_of(map, key);
    return map->values[slot] == PROMISE_NO ? NULL : &map->values[slot];
}

static bool grow(struct promise_map *map)
{
    struct promise_map larger = {.heap = map->heap, .capacity = map->capacity > 0 ? 2 * map->capacity : 64};
    larger.keys = heap_alloc(map->heap, larger.capacity * sizeof *larger.keys);
    larger.values = heap_alloc(map->heap, larger.capacity * sizeof *larger.values);
    if (larger.keys == NULL || larger.values == NULL) {
        promise_map_free(&larger);
        return false;
    }
    memset(larger.values, 0xff, larger.capacity * sizeof *larger.values);
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->values[i] == PROMISE_NO)
            continue;
        uint32_t slot = slot_of(&larger, map->keys[i]);
        larger.keys[slot] = map->keys[i];
        larger.values[slot] = map->values[i];
    }
    larger.used = map->used;
    promise_map_free(map);
    *map = larger;
    return true;
}

uint32_t *promise_map_get(struct promise_map *map, uint64_t key)
{
    if (2 * (map->used + 1) > map->capacity && !grow(map))
        return NULL;
    uint32_t slot = slot_of(map, key);
    if (map->values[slot] == PROMISE_NO) {
        map->keys[slot] = key;
        map->used++;
    }
    return &map->values[slot];
}

/* ---- messages ---- */

static struct promise_message *message_of(struct promise_messages *messages, uint64_t id)
{
    uint32_t *place = promise_map_get(&messages->map, id);
    if (place == NULL)
        return NULL;
    if (*place != PROMISE_NO)
        return &messages->list[*place];
    if (messages->count == messages->capacity) {
        uint32_t capacity = messages->capacity > 0 ? 2 * messages->capacity : 64;
        struct promise_message *list = heap_resize(messages->map.heap, messages->list, capacity * sizeof *list);
        if (list == NULL)
            return NULL;
        messages->list = list;
        messages->capacity = capacity;
    }
    *place = messages->count;
    messages->list[messages->count] = (struct promise_message){.id = id, .sent = PROMISE_NO, .sender = PROMISE_NO};
    return &messages->list[messages->count++];
}

bool promise_messages_init(struct promise_messages *messages, const struct observations *observations,
                           struct heap *heap)
{
    *messages = (struct promise_messages){0};
    promise_map_init(&messages->map, heap);
    for (uint32_t i = 0; i < observations->count; i++) {
        const struct observation *seen = &observations->list[i];
        bool names = seen->kind == OBSERVED_SEND || seen->kind == OBSERVED_RECEIVE || seen->kind == OBSERVED_DELIVER ||
                     seen->kind == OBSERVED_LOGGED;
        if (!names)
            continue;
        struct promise_message *message = message_of(messages, seen->first);
        if (message == NULL) {
            promise_messages_free(messages);
            return false;
        }
        if (seen->kind == OBSERVED_SEND && message->sent == PROMISE_NO) {
            message->sent = i;
            message->sender = seen->process;
        }
        if (seen->kind == OBSERVED_DELIVER)
            message->delivered |= UINT64_C(1) << seen->process;
    }
    return true;
}

void promise_messages_free(struct promise_messages *messages)
{
    heap_free(messages->map.heap, messages->list);
    promise_map_free(&messages->map);
    *messages = (struct promise_messages){.map = messages->map};
}

uint32_t promise_message(const struct promise_messages *messages, uint64_t id)
{
    const uint32_t *place = promise_map_find(&messages->map, id);
    invariant(place != NULL, "a message that is asked for was observed");
    return *place;
}

/* ---- the list ---- */

static const struct promise promises[] = {
    {"agreement", "Hadzilacos and Toueg, \"Fault-tolerant broadcasts and related problems\" (1993), section 3",
     "no two correct processes decide differently", promise_check_agreement},
    {"uniform-agreement", "Charron-Bost and Schiper, \"Uniform consensus is harder than consensus\" (2004)",
     "no two processes decide differently, whether they crash later or not", promise_check_uniform_agreement},
    {"validity", "Hadzilacos and Toueg (1993)", "what is decided was proposed before", promise_check_validity},
    {"integrity", "Hadzilacos and Toueg (1993)", "a process decides at most once", promise_check_integrity},
    {"termination", "Hadzilacos and Toueg (1993)",
     "every correct process decides in each instance for which something was proposed", promise_check_termination},
    {"fifo-order", "Hadzilacos and Toueg (1993), section 2",
     "nobody delivers a message before an earlier one of the same sender", promise_check_fifo_order},
    {"causal-order", "Birman and Joseph, \"Reliable communication in the presence of failures\" (1987)",
     "nobody delivers a message before one that happened before it", promise_check_causal_order},
    {"total-order", "Defago, Schiper and Urban, \"Total order broadcast and multicast algorithms\" (2004)",
     "two processes that both deliver two messages deliver them in the same order", promise_check_total_order},
    {"reliable-delivery", "Hadzilacos and Toueg (1993), section 2",
     "what one correct process delivers or sends, all correct ones deliver, once, and only what was sent",
     promise_check_reliable_delivery},
    {"uniform-delivery", "Hadzilacos and Toueg (1993), section 2",
     "what any process delivers, also one that crashes then, all correct ones deliver", promise_check_uniform_delivery},
    {"atomic-delivery", "Defago, Schiper and Urban (2004)", "reliable delivery in total order",
     promise_check_atomic_delivery},
    {"virtual-synchrony", "Chockler, Keidar and Vitenberg, \"Group communication specifications\" (2001), section 4",
     "processes that go from one view to the next together delivered the same messages in it, each in the view that it "
     "was sent in",
     promise_check_virtual_synchrony},
    {"atomic-commit", "Bernstein, Hadzilacos and Goodman (1987), section 7.3",
     "AC1 to AC5: all decide alike and once, commit only on all votes and always without failures, and all decide",
     promise_check_atomic_commit},
    {"mutual-exclusion", "Dijkstra (1965); fencing: Gray and Cheriton, \"Leases\" (1989)",
     "one holder at a time, tokens that rise, and no resource that takes an older token after a younger one",
     promise_check_mutual_exclusion},
    {"detector-completeness", "Chandra and Toueg, \"Unreliable failure detectors\" (1996), section 2",
     "in the end every crashed process is suspected by every correct one", promise_check_detector_completeness},
    {"detector-accuracy", "Chandra and Toueg (1996)", "nobody is suspected before it crashes",
     promise_check_detector_accuracy},
    {"detector-eventual-accuracy", "Chandra and Toueg (1996)", "in the end no correct process is suspected",
     promise_check_detector_eventual_accuracy},
    {"consistent-cut", "Chandy and Lamport, \"Distributed snapshots\" (1985)",
     "the checkpoints of the line contain no message received that was not sent", promise_check_consistent_cut},
    {"recovery-line", "Elnozahy, Alvisi, Wang and Johnson, \"A survey of rollback-recovery protocols\" (2002)",
     "the line is consistent, and no younger one is", promise_check_recovery_line},
    {"orphan-freedom", "Alvisi and Marzullo, \"Message logging: pessimistic, optimistic, causal\" (1998)",
     "nobody who is up depends on a delivery that no process that is up, and no disk, remembers",
     promise_check_orphan_freedom},
    {NULL, NULL, NULL, NULL},
};

const struct promise *promise_list(void) { return promises; }

const struct promise *promise_find(struct span name)
{
    for (const struct promise *promise = promises; promise->name != NULL; promise++)
        if (strlen(promise->name) == name.size && memcmp(promise->name, name.data, name.size) == 0)
            return promise;
    return NULL;
}
