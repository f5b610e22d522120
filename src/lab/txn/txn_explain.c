/* What was found, in words: each edge of a cycle is explained by what the two transactions wrote and read. */
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_internal.h"

static unsigned name_of(const struct txn_history *history, uint32_t txn)
{
    return (unsigned)history->txns[txn].operation;
}

const char *txn_print_value(const struct txn_history *history, uint32_t value, char out[64])
{
    if (value == VALUE_NONE)
        snprintf(out, 64, "nothing");
    else
        record_print(history->record, value, out, 64);
    return out;
}

/* The list that a read returned in the record, whole even when this history is a part that has less of it. */
static uint32_t recorded_list(const struct txn_history *history, const struct txn_micro *read)
{
    const struct record *record = history->record;
    const struct txn *txn = &history->txns[read->txn];
    const struct record_operation *operation = &record->operations[txn->operation];
    uint32_t value = operation->answered == VALUE_NONE ? operation->called : operation->answered;
    if (operation->key != VALUE_NONE || value == VALUE_NONE)
        return value;
    uint32_t micro = record_elements_of(record, value)[read - history->micros - txn->first];
    return record_size_of(record, micro) == 3 ? record_elements_of(record, micro)[2] : VALUE_NONE;
}

const char *txn_print_read(const struct txn_history *history, const struct txn_micro *read, char out[128])
{
    enum { ROOM = 100, SHOWN_MAX = 8 };
    char value[64];
    if (!history->lists) {
        snprintf(out, 128, "%s", txn_print_value(history, read->value, value));
        return out;
    }
    uint32_t list = recorded_list(history, read), count = 0;
    if (list != VALUE_NONE && record_kind(history->record, list) == VALUE_LIST)
        count = record_size_of(history->record, list);
    /* Of a long list the end says most. */
    uint32_t at = count > SHOWN_MAX ? count - SHOWN_MAX : 0;
    size_t used = (size_t)snprintf(out, 128, at > 0 ? "[... " : "[");
    for (; at < count && used < ROOM; at++) {
        txn_print_value(history, record_elements_of(history->record, list)[at], value);
        int wrote = snprintf(out + used, ROOM + 20 - used, "%s%s", value, at + 1 < count ? " " : "");
        used += (size_t)wrote < ROOM + 20 - used ? (size_t)wrote : ROOM + 19 - used;
    }
    snprintf(out + used, 128 - used, "]");
    return out;
}

/* ---- findings ---- */

static void add_text(struct txn_finding *finding, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void add_text(struct txn_finding *finding, const char *format, va_list arguments)
{
    size_t used = strlen(finding->reason);
    vsnprintf(finding->reason + used, sizeof finding->reason - used, format, arguments);
}

void txn_found(struct txn_finding *finding, struct txn_history *history, const char *anomaly, const uint32_t *txns,
               uint32_t count, const char *format, ...)
{
    finding->result = TXN_FOUND;
    snprintf(finding->anomaly, sizeof finding->anomaly, "%s", anomaly);
    finding->txns = txn_take(history->arena, count, sizeof *txns);
    finding->count = finding->txns == NULL ? 0 : count;
    if (finding->txns != NULL)
        memcpy(finding->txns, txns, count * sizeof *txns);
    snprintf(finding->reason, sizeof finding->reason, "%s: T%u ", anomaly, name_of(history, txns[0]));
    va_list arguments;
    va_start(arguments, format);
    add_text(finding, format, arguments);
    va_end(arguments);
}

void txn_stuck(struct txn_finding *finding, const char *format, ...)
{
    finding->result = TXN_STUCK;
    finding->reason[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    add_text(finding, format, arguments);
    va_end(arguments);
}

void txn_stuck_memory(struct txn_finding *finding)
{
    txn_stuck(finding, "the memory for the check ran out; allow more, or check a shorter history");
}

void txn_fine(struct txn_finding *finding, const struct txn_history *history, uint32_t *order, uint32_t count)
{
    finding->result = TXN_FINE;
    finding->txns = order;
    finding->count = 0;
    for (uint32_t at = 0; at < count; at++)
        if (history->txns[order[at]].happened)
            order[finding->count++] = order[at];
}

/* ---- edges ---- */

struct pair {
    const struct txn_micro *from, *to;
};

static bool list_edge(const struct txn_history *history, enum txn_edge_kind kind, const struct pair *pair)
{
    const struct txn_micro *from = pair->from, *to = pair->to;
    if (kind == EDGE_WR)
        return from->count != 0 && txn_outer_count(history, to) == from->count;
    if (kind == EDGE_RW)
        return to->count == 0 || txn_outer_count(history, from) < to->count;
    return to->count == 0 || (from->count != 0 && from->count < to->count);
}

/* Did the transaction of a write read, before it, this value of the same register? */
static bool replaces(const struct txn_history *history, const struct txn_micro *write, uint32_t value)
{
    const struct txn_micro *at = history->micros + history->txns[write->txn].first;
    for (; at < write; at++)
        if (at->function == TXN_READ && at->key == write->key && at->known && at->value == value)
            return true;
    return false;
}

static bool register_edge(const struct txn_history *history, enum txn_edge_kind kind, const struct pair *pair)
{
    const struct txn_micro *from = pair->from, *to = pair->to;
    if (kind == EDGE_WR)
        return from->value == to->value;
    if (kind == EDGE_RW)
        return from->value != to->value && !from->internal;
    return replaces(history, to, from->value);
}

static bool finds_pair(const struct txn_history *history, uint32_t from, uint32_t to, enum txn_edge_kind kind,
                       struct pair *out)
{
    const struct txn *first = &history->txns[from], *second = &history->txns[to];
    for (uint32_t at = 0; at < first->count; at++) {
        const struct txn_micro *left = &history->micros[first->first + at];
        if ((left->function == TXN_READ) != (kind == EDGE_RW) || (left->function == TXN_READ && !left->known))
            continue;
        for (uint32_t other = 0; other < second->count; other++) {
            const struct txn_micro *right = &history->micros[second->first + other];
            if (left->key != right->key || (right->function == TXN_READ) != (kind == EDGE_WR))
                continue;
            if (right->function == TXN_READ && !right->known)
                continue;
            *out = (struct pair){left, right};
            if (history->lists ? list_edge(history, kind, out) : register_edge(history, kind, out))
                return true;
        }
    }
    return false;
}

static size_t print_edge(const struct txn_history *history, uint32_t from, uint32_t to, enum txn_edge_kind kind,
                         char *out, size_t size)
{
    char key[64], value[64], read[128];
    unsigned a = name_of(history, from), b = name_of(history, to);
    struct pair pair;
    int wrote;
    if (kind == EDGE_TIME && history->txns[from].completed < history->txns[to].invoked) {
        wrote = snprintf(out, size, "T%u ended before T%u began", a, b);
    } else if (kind == EDGE_TIME) {
        wrote = snprintf(out, size, "T%u's write comes before T%u's, whose value was read after T%u had ended", a, b,
                         a);
    } else if (!finds_pair(history, from, to, kind, &pair)) {
        wrote = snprintf(out, size, "T%u comes before T%u", a, b);
    } else {
        txn_print_value(history, history->keys[pair.from->key], key);
        if (kind == EDGE_WR)
            wrote = snprintf(out, size, "T%u read %s = %s, which T%u wrote", b, key,
                             txn_print_read(history, pair.to, read), a);
        else if (kind == EDGE_RW)
            wrote = snprintf(out, size, "T%u read %s = %s, which T%u's %s of %s overwrote", a, key,
                             txn_print_read(history, pair.from, read), b, history->lists ? "append" : "write",
                             txn_print_value(history, pair.to->value, value));
        else
            wrote = snprintf(out, size, "T%u wrote %s to %s after T%u's %s", b,
                             txn_print_value(history, pair.to->value, value), key, a,
                             txn_print_value(history, pair.from->value, read));
    }
    return wrote < 0 ? 0 : (size_t)wrote;
}

/* ---- cycles ---- */

/* What a transaction read from outside of this key, if it did. */
static const struct txn_micro *outer_read(const struct txn_history *history, uint32_t txn, uint32_t key)
{
    const struct txn_micro *at = history->micros + history->txns[txn].first, *end = at + history->txns[txn].count;
    for (; at < end; at++)
        if (at->key == key)
            return at->function == TXN_READ && at->known ? at : NULL;
    return NULL;
}

static bool writes_key(const struct txn_history *history, uint32_t txn, uint32_t key)
{
    const struct txn_micro *at = history->micros + history->txns[txn].first, *end = at + history->txns[txn].count;
    for (; at < end; at++)
        if (at->key == key && at->function != TXN_READ)
            return true;
    return false;
}

/* Did both read the same version of a key, and write it? */
static bool loses_update(const struct txn_history *history, uint32_t one, uint32_t other)
{
    const struct txn *txn = &history->txns[one];
    for (uint32_t at = txn->first; at < txn->first + txn->count; at++) {
        uint32_t key = history->micros[at].key;
        const struct txn_micro *left = outer_read(history, one, key), *right = outer_read(history, other, key);
        if (left == NULL || right == NULL || !writes_key(history, one, key) || !writes_key(history, other, key))
            continue;
        if (history->lists ? left->count == right->count : left->value == right->value)
            return true;
    }
    return false;
}

void txn_found_cycle(struct txn_finding *finding, struct txn_history *history, struct txn_cycle *cycle,
                     const uint32_t *extra, uint32_t extra_count)
{
    bool rw = cycle->kinds[0] == EDGE_RW || cycle->kinds[cycle->count - 1] == EDGE_RW;
    if (cycle->count == 2 && rw && loses_update(history, cycle->txns[0], cycle->txns[1]))
        snprintf(cycle->anomaly, sizeof cycle->anomaly, "lost update");
    finding->result = TXN_FOUND;
    memcpy(finding->anomaly, cycle->anomaly, sizeof finding->anomaly);
    size_t size = sizeof finding->reason, used = (size_t)snprintf(finding->reason, size, "%s: ", cycle->anomaly);
    for (uint32_t at = 0; at < cycle->count && used + 1 < size; at++) {
        if (at > 0)
            used += (size_t)snprintf(finding->reason + used, size - used, "; ");
        uint32_t next = cycle->txns[(at + 1) % cycle->count];
        if (used + 1 < size)
            used += print_edge(history, cycle->txns[at], next, (enum txn_edge_kind)cycle->kinds[at],
                               finding->reason + used, size - used);
    }
    finding->txns = txn_take(history->arena, cycle->count + extra_count, sizeof(uint32_t));
    uint8_t *seen = txn_take(history->arena, history->txn_count, 1);
    finding->count = 0;
    if (finding->txns == NULL || seen == NULL)
        return;
    for (uint32_t at = 0; at < cycle->count + extra_count; at++) {
        uint32_t txn = at < cycle->count ? cycle->txns[at] : extra[at - cycle->count];
        if (!seen[txn])
            finding->txns[finding->count++] = txn;
        seen[txn] = 1;
    }
}
