/* list-append: each read of a key shows in which order everything in it was appended, so the versions of a key are the
 * prefixes of its longest read, and every other read must be one of them.
 *
 * Appends that nobody read come after all others, in an order that nobody saw; txn_graph_unordered() draws what is
 * known of them, and txn_lists_tails.c finds them an order where that matters. */
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_lists.h"

static bool committed_only(const struct lists *lists)
{
    return lists->level != TXN_READ_UNCOMMITTED;
}

uint32_t txn_outer_count(const struct txn_history *history, const struct txn_micro *read)
{
    uint32_t own = 0;
    if (read->internal)
        for (const struct txn_micro *at = history->micros + history->txns[read->txn].first; at < read; at++)
            own += at->key == read->key && at->function != TXN_READ;
    return own <= read->count ? read->count - own : 0;
}

static const char *key_name(const struct lists *lists, uint32_t key, char out[64])
{
    return txn_print_value(lists->history, lists->history->keys[key], out);
}

/* ---- one transaction ---- */

/* Are the own appends before a read at its end, and is the rest what an earlier read of the transaction returned? */
static bool read_fits_own(const struct lists *lists, const struct txn_micro *read)
{
    const struct txn_micro *first = lists->history->micros + lists->history->txns[read->txn].first;
    uint32_t end = read->count;
    for (const struct txn_micro *at = read; at-- > first;) {
        if (at->key != read->key)
            continue;
        if (at->function != TXN_READ) {
            if (end == 0 || read->elements[--end] != at->value)
                return false;
        } else if (at->known && txn_level_is_at_least_repeatable(lists->level)) {
            return at->count == end && (end == 0 || memcmp(at->elements, read->elements, end * sizeof(uint32_t)) == 0);
        }
    }
    return true;
}

/* Adds the transactions that wrote what was read. */
static uint32_t add_writers(const struct lists *lists, const struct txn_micro *read, uint32_t *txns, uint32_t count)
{
    for (uint32_t at = 0; at < read->count; at++) {
        uint32_t writer = txn_writer(lists->history, read->key, read->elements[at]);
        if (writer != TXN_NONE)
            txns[count++] = lists->history->micros[writer].txn;
    }
    return count;
}

/* The reads of the key by the transaction are evidence, with whoever wrote what they returned. */
static void found_internal(struct lists *lists, const struct txn_micro *read)
{
    struct txn_history *history = lists->history;
    const struct txn *txn = &history->txns[read->txn];
    const struct txn_micro *first = history->micros + txn->first;
    char key[64], text[128];
    size_t room = 1;
    for (const struct txn_micro *at = first; at <= read; at++)
        room += at->function == TXN_READ && at->key == read->key ? at->count : 0;
    uint32_t *txns = txn_take(lists->arena, room, sizeof *txns), count = 1;
    if (txns == NULL)
        return;
    txns[0] = read->txn;
    for (const struct txn_micro *at = first; at <= read; at++)
        if (at->function == TXN_READ && at->key == read->key)
            count = add_writers(lists, at, txns, count);
    txn_found(lists->finding, history, "internal", txns, count,
              "read %s = %s, which is not what it had read and appended itself before",
              key_name(lists, read->key, key), txn_print_read(history, read, text));
}

static bool check_internal(struct lists *lists)
{
    for (uint32_t at = 0; at < lists->history->micro_count; at++) {
        const struct txn_micro *read = &lists->history->micros[at];
        if (!read->internal || !read->known || read_fits_own(lists, read))
            continue;
        found_internal(lists, read);
        return false;
    }
    return true;
}

/* ---- versions ---- */

static bool writer_failed(const struct txn_history *history, uint32_t writer)
{
    return writer != TXN_NONE && history->txns[history->micros[writer].txn].outcome == RECORD_FAIL;
}

/* read-uncommitted lets what failed be seen, so its elements are taken out of what was read. */
static bool strip_failed(struct lists *lists)
{
    struct txn_history *history = lists->history;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        struct txn_micro *read = &history->micros[at];
        if (read->function != TXN_READ || !read->known || read->count == 0)
            continue;
        uint32_t *elements = NULL, count = 0;
        for (uint32_t place = 0; place < read->count; place++) {
            bool failed = writer_failed(history, txn_writer(history, read->key, read->elements[place]));
            if (failed && elements == NULL) {
                elements = txn_take(lists->arena, read->count, sizeof *elements);
                if (elements == NULL)
                    return false;
                memcpy(elements, read->elements, place * sizeof *elements);
            }
            if (failed)
                continue;
            if (elements != NULL)
                elements[count] = read->elements[place];
            count++;
        }
        if (elements != NULL) {
            read->elements = elements;
            read->count = count;
        }
    }
    return true;
}

static void found_failed(struct lists *lists, const struct txn_micro *read, uint32_t place)
{
    struct txn_history *history = lists->history;
    char key[64], text[128], value[64];
    uint32_t failed = history->micros[txn_writer(history, read->key, read->elements[place])].txn, after = TXN_NONE;
    for (uint32_t next = place + 1; next < read->count && after == TXN_NONE; next++) {
        uint32_t writer = txn_writer(history, read->key, read->elements[next]);
        if (writer != TXN_NONE && !writer_failed(history, writer))
            after = history->micros[writer].txn;
    }
    uint32_t txns[3] = {read->txn, failed, after};
    key_name(lists, read->key, key);
    txn_print_read(history, read, text);
    txn_print_value(history, read->elements[place], value);
    if (after == TXN_NONE)
        txn_found(lists->finding, history, "G1a", txns, 2, "read %s = %s, but T%u, which appended %s, failed", key,
                  text, (unsigned)history->txns[failed].operation, value);
    else
        txn_found(lists->finding, history, "dirty update", txns, after == read->txn ? 2 : 3,
                  "read %s = %s: T%u, which appended %s, failed, and T%u appended to it all the same", key, text,
                  (unsigned)history->txns[failed].operation, value, (unsigned)history->txns[after].operation);
}

/* Is something wrong with a read by itself? */
static bool read_is_sound(struct lists *lists, const struct txn_micro *read)
{
    struct txn_history *history = lists->history;
    char key[64], text[128], value[64];
    key_name(lists, read->key, key);
    txn_print_read(history, read, text);
    for (uint32_t place = 0; place < read->count; place++) {
        uint32_t element = read->elements[place], writer = txn_writer(history, read->key, element);
        txn_print_value(history, element, value);
        for (uint32_t before = 0; before < place; before++) {
            if (read->elements[before] != element)
                continue;
            uint32_t txns[2] = {read->txn, writer == TXN_NONE ? read->txn : history->micros[writer].txn};
            txn_found(lists->finding, history, "duplicate elements", txns, txns[0] == txns[1] ? 1 : 2,
                      "read %s = %s, where %s is twice, though it was appended once", key, text, value);
            return false;
        }
        if (writer == TXN_NONE) {
            txn_found(lists->finding, history, "garbage read", &read->txn, 1,
                      "read %s = %s, but nobody appended %s to it", key, text, value);
            return false;
        }
        if (committed_only(lists) && writer_failed(history, writer)) {
            found_failed(lists, read, place);
            return false;
        }
    }
    return true;
}

static void find_longest(struct lists *lists)
{
    const struct txn_history *history = lists->history;
    for (uint32_t key = 0; key < history->key_count; key++)
        lists->longest[key] = TXN_NONE;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *micro = &history->micros[at];
        if (micro->function != TXN_READ || !micro->known)
            continue;
        uint32_t *longest = &lists->longest[micro->key];
        if (*longest == TXN_NONE || history->micros[*longest].count < micro->count)
            *longest = at;
    }
}

static bool list_versions(struct lists *lists)
{
    struct txn_history *history = lists->history;
    size_t total = 0;
    history->version_first = txn_take(lists->arena, (size_t)history->key_count + 1, sizeof(uint32_t));
    if (history->version_first == NULL)
        return false;
    for (uint32_t key = 0; key < history->key_count; key++) {
        total += lists->longest[key] == TXN_NONE ? 0 : history->micros[lists->longest[key]].count;
        history->version_first[key + 1] = (uint32_t)total;
    }
    history->versions = txn_take(lists->arena, total, sizeof(uint32_t));
    if (history->versions == NULL || total > UINT32_MAX)
        return false;
    for (uint32_t key = 0; key < history->key_count; key++) {
        if (lists->longest[key] == TXN_NONE)
            continue;
        const struct txn_micro *read = &history->micros[lists->longest[key]];
        for (uint32_t place = 0; place < read->count; place++) {
            uint32_t writer = txn_writer(history, key, read->elements[place]);
            bool odd = writer == TXN_NONE || history->micros[writer].count != 0 || writer_failed(history, writer);
            if (odd && !read_is_sound(lists, read))
                return false;
            history->versions[history->version_first[key] + place] = writer;
            history->micros[writer].count = place + 1;
            history->txns[history->micros[writer].txn].happened = true;
        }
    }
    return true;
}

/* Every read is a prefix of the longest. */
static bool check_prefixes(struct lists *lists)
{
    struct txn_history *history = lists->history;
    char key[64], text[128], other[128];
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *read = &history->micros[at];
        if (read->function != TXN_READ || !read->known || read->count == 0)
            continue;
        const struct txn_micro *longest = &history->micros[lists->longest[read->key]];
        if (memcmp(read->elements, longest->elements, read->count * sizeof(uint32_t)) == 0)
            continue;
        if (!read_is_sound(lists, read))
            return false;
        uint32_t txns[4] = {read->txn, longest->txn}, place = 0;
        while (read->elements[place] == longest->elements[place])
            place++;
        txns[2] = history->micros[txn_writer(history, read->key, read->elements[place])].txn;
        txns[3] = history->micros[history->versions[history->version_first[read->key] + place]].txn;
        txn_found(lists->finding, history, "incompatible order", txns, 4,
                  "read %s = %s and T%u read %s: no order of appends explains both", key_name(lists, read->key, key),
                  txn_print_read(history, read, text), (unsigned)history->txns[longest->txn].operation,
                  txn_print_read(history, longest, other));
        return false;
    }
    return true;
}

/* The append before this one of the same transaction to the same key, or NULL. */
static const struct txn_micro *own_before(const struct txn_history *history, const struct txn_micro *append)
{
    const struct txn_micro *first = history->micros + history->txns[append->txn].first;
    for (const struct txn_micro *at = append; at-- > first;)
        if (at->key == append->key && at->function == TXN_APPEND)
            return at;
    return NULL;
}

/* A transaction's own appends are there in its order. */
static bool check_own_order(struct lists *lists)
{
    struct txn_history *history = lists->history;
    char key[64], value[64], later[64], text[128];
    for (uint32_t key_at = 0; key_at < history->key_count; key_at++)
        for (uint32_t at = history->version_first[key_at]; at < history->version_first[key_at + 1]; at++) {
            const struct txn_micro *append = &history->micros[history->versions[at]];
            const struct txn_micro *before = own_before(history, append);
            if (before == NULL || (before->count != 0 && before->count < append->count))
                continue;
            const struct txn_micro *read = &history->micros[lists->longest[key_at]];
            uint32_t txns[2] = {read->txn, append->txn};
            txn_found(lists->finding, history, "incompatible order", txns, 2,
                      "read %s = %s, but T%u appended %s before %s", key_name(lists, key_at, key),
                      txn_print_read(history, read, text), (unsigned)history->txns[append->txn].operation,
                      txn_print_value(history, before->value, value), txn_print_value(history, append->value, later));
            return false;
        }
    return true;
}

static bool check_intermediate(struct lists *lists)
{
    struct txn_history *history = lists->history;
    char key[64], text[128], value[64];
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *read = &history->micros[at];
        if (read->function != TXN_READ || !read->known || read->count == 0)
            continue;
        uint32_t outer = txn_outer_count(history, read);
        if (outer == 0)
            continue;
        uint32_t version = history->version_first[read->key] + outer - 1;
        const struct txn_micro *last = &history->micros[history->versions[version]];
        if (last->final || last->txn == read->txn)
            continue;
        uint32_t txns[2] = {read->txn, last->txn};
        txn_found(lists->finding, history, "G1b", txns, 2,
                  "read %s = %s, which ends with %s, but that is not the last that T%u appended to it",
                  key_name(lists, read->key, key), txn_print_read(history, read, text),
                  txn_print_value(history, last->value, value), (unsigned)history->txns[last->txn].operation);
        return false;
    }
    return true;
}

/* ---- edges ---- */

static void edges_of_key(struct lists *lists, uint32_t key)
{
    const struct txn_history *history = lists->history;
    for (uint32_t at = history->version_first[key]; at + 1 < history->version_first[key + 1]; at++)
        txn_graph_add(&lists->graph, history->micros[history->versions[at]].txn,
                      history->micros[history->versions[at + 1]].txn, EDGE_WW);
}

static void edges_of_read(struct lists *lists, const struct txn_micro *read)
{
    const struct txn_history *history = lists->history;
    const uint32_t *versions = history->versions + history->version_first[read->key];
    uint32_t count = history->version_first[read->key + 1] - history->version_first[read->key];
    uint32_t outer = txn_outer_count(history, read);
    if (outer > 0)
        txn_graph_add(&lists->graph, history->micros[versions[outer - 1]].txn, read->txn, EDGE_WR);
    if (outer < count)
        txn_graph_add(&lists->graph, read->txn, history->micros[versions[outer]].txn, EDGE_RW);
}

/* Is this an append that happened and that nobody read? */
static bool is_tail_write(const struct txn_history *history, const struct txn_micro *micro)
{
    return micro->function != TXN_READ && micro->count == 0 && micro->final && history->txns[micro->txn].happened;
}

static bool is_tail_read(const struct txn_history *history, const struct txn_micro *micro)
{
    uint32_t count = history->version_first[micro->key + 1] - history->version_first[micro->key];
    return micro->function == TXN_READ && micro->known && txn_outer_count(history, micro) == count;
}

/* Gathers the transactions of micro-operations by key. */
static uint32_t *gather(struct lists *lists, bool (*picks)(const struct txn_history *, const struct txn_micro *),
                        uint32_t **first_out)
{
    const struct txn_history *history = lists->history;
    uint32_t *first = txn_take(lists->arena, (size_t)history->key_count + 2, sizeof *first);
    if (first == NULL)
        return NULL;
    for (uint32_t at = 0; at < history->micro_count; at++)
        if (picks(history, &history->micros[at]))
            first[history->micros[at].key + 2]++;
    for (uint32_t key = 2; key <= history->key_count + 1; key++)
        first[key] += first[key - 1];
    uint32_t *out = txn_take(lists->arena, first[history->key_count + 1], sizeof *out);
    for (uint32_t at = 0; out != NULL && at < history->micro_count; at++)
        if (picks(history, &history->micros[at]))
            out[first[history->micros[at].key + 1]++] = history->micros[at].txn;
    *first_out = first;
    return out;
}

static void edges_of_tails(struct lists *lists)
{
    const struct txn_history *history = lists->history;
    for (uint32_t key = 0; key < history->key_count; key++) {
        uint32_t end = history->version_first[key + 1], before = TXN_NONE;
        if (end > history->version_first[key])
            before = history->micros[history->versions[end - 1]].txn;
        txn_graph_unordered(&lists->graph, before, lists->tail_readers + lists->tail_reader_first[key],
                            lists->tail_reader_first[key + 1] - lists->tail_reader_first[key],
                            lists->tail_writers + lists->tail_writer_first[key],
                            lists->tail_writer_first[key + 1] - lists->tail_writer_first[key], lists->marks);
    }
}

static bool draw(struct lists *lists)
{
    const struct txn_history *history = lists->history;
    txn_graph_begin(&lists->graph, history->txn_count, lists->arena);
    lists->graph.atomic = txn_level_is_at_least_repeatable(lists->level);
    lists->marks = txn_take(lists->arena, history->txn_count, 1);
    lists->tail_writers = gather(lists, is_tail_write, &lists->tail_writer_first);
    lists->tail_readers = gather(lists, is_tail_read, &lists->tail_reader_first);
    if (lists->arena->full)
        return false;
    for (uint32_t key = 0; key < history->key_count; key++)
        edges_of_key(lists, key);
    for (uint32_t at = 0; at < history->micro_count; at++)
        if (history->micros[at].function == TXN_READ && history->micros[at].known)
            edges_of_read(lists, &history->micros[at]);
    edges_of_tails(lists);
    if (lists->level == TXN_STRICT_SERIALIZABLE)
        txn_graph_time(&lists->graph, history);
    return txn_graph_close(&lists->graph, lists->level == TXN_SNAPSHOT_ISOLATION);
}

/* ---- all ---- */

/* The longest reads of the keys that a cycle's writes order are evidence of that order. */
static void found_cycle(struct lists *lists, struct txn_cycle *cycle)
{
    struct txn_history *history = lists->history;
    uint32_t *extra = txn_take(lists->arena, history->key_count, sizeof *extra), extra_count = 0;
    uint8_t *seen = txn_take(lists->arena, history->key_count, 1);
    if (extra == NULL || seen == NULL)
        return;
    for (uint32_t at = 0; at < cycle->count; at++) {
        const struct txn *txn = &history->txns[cycle->txns[at]];
        for (uint32_t micro = txn->first; micro < txn->first + txn->count; micro++) {
            uint32_t key = history->micros[micro].key;
            if (history->micros[micro].count == 0 || history->micros[micro].function == TXN_READ || seen[key])
                continue;
            seen[key] = 1;
            extra[extra_count++] = history->micros[lists->longest[key]].txn;
        }
    }
    txn_found_cycle(lists->finding, history, cycle, extra, extra_count);
}

static void judge(struct lists *lists)
{
    struct txn_finding *finding = lists->finding;
    struct txn_cycle cycle;
    uint32_t *order = txn_take(lists->arena, lists->history->txn_count, 2 * sizeof *order), count = 0;
    if (order == NULL || !draw(lists))
        return;
    finding->work = lists->graph.edge_count;
    if (txn_graph_order(&lists->graph, txn_level_kinds(lists->level), order, &count)) {
        if (lists->level == TXN_SNAPSHOT_ISOLATION && !txn_lists_order_tails(lists, order))
            txn_stuck(finding, "no order was found for appends to one key that nobody read; read every key once more "
                               "at the end, or check serializable");
        else
            txn_fine(finding, lists->history, order, count);
        return;
    }
    if (!lists->arena->full && txn_graph_cycle(&lists->graph, lists->level, &cycle))
        found_cycle(lists, &cycle);
    else
        txn_stuck(finding, "the memory ran out while a cycle was looked for; allow more");
}

void txn_analyse_lists(struct txn_history *history, enum txn_level level, const struct verdict_bounds *bounds,
                       struct txn_finding *finding)
{
    (void)bounds;
    struct lists lists = {.history = history, .arena = history->arena, .level = level, .finding = finding};
    *finding = (struct txn_finding){.result = TXN_STUCK};
    lists.longest = txn_take(lists.arena, history->key_count, sizeof *lists.longest);
    if (lists.longest != NULL && check_internal(&lists) && (committed_only(&lists) || strip_failed(&lists))) {
        find_longest(&lists);
        if (list_versions(&lists) && check_prefixes(&lists) && check_own_order(&lists) &&
            (!committed_only(&lists) || check_intermediate(&lists)))
            judge(&lists);
    }
    if (lists.arena->full && finding->result != TXN_FOUND)
        txn_stuck_memory(finding);
}
