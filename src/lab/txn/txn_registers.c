/* rw-register: a read names its write, as values are unique, but the order of the writes of a key is not shown.
 *
 * Inferred, and drawn as edges: what was never written comes first; who read a version and wrote the key replaced that
 * very version (from repeatable-read and snapshot-isolation on: else an update is lost); at strict-serializable a write
 * that began after another ended follows it, and one that ended before a read began precedes what was read. A cycle is
 * an anomaly. When there is none, a serial order, or an order of starts and commits, is searched for: the polygraph of
 * Papadimitriou ("The serializability of concurrent database updates", JACM 1979), whose solution is NP-complete, so
 * the search has bounds. */
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_registers.h"

/* ---- what is wrong by itself ---- */

static const char *key_name(const struct registers *registers, uint32_t key, char out[64])
{
    return txn_print_value(registers->history, registers->history->keys[key], out);
}

/* The latest micro-operation before a read, of its transaction and key, that decides it, or NULL. */
static const struct txn_micro *decided_by(const struct registers *registers, const struct txn_micro *read)
{
    const struct txn_history *history = registers->history;
    const struct txn_micro *first = history->micros + history->txns[read->txn].first;
    for (const struct txn_micro *at = read; read->internal && at-- > first;) {
        if (at->key != read->key)
            continue;
        if (at->function != TXN_READ)
            return at;
        if (at->known && registers->atomic)
            return at;
    }
    return NULL;
}

static bool check_read(struct registers *registers, const struct txn_micro *read, uint32_t writer)
{
    struct txn_history *history = registers->history;
    const struct txn_micro *own = decided_by(registers, read);
    char key[64], value[64];
    key_name(registers, read->key, key);
    txn_print_value(history, read->value, value);
    bool early = writer != TXN_NONE && history->micros[writer].txn == read->txn && own == NULL;
    if ((own != NULL && own->value != read->value) || early) {
        uint32_t txns[3] = {read->txn, read->txn, read->txn}, other = TXN_NONE;
        if (own != NULL && own->value != VALUE_NONE)
            other = txn_writer(history, own->key, own->value);
        txns[1] = writer == TXN_NONE ? read->txn : history->micros[writer].txn;
        txns[2] = other == TXN_NONE ? read->txn : history->micros[other].txn;
        txn_found(registers->finding, history, "internal", txns, 3,
                  "read %s = %s, which is not what it had read or written itself before", key, value);
        return false;
    }
    if (read->value == VALUE_NONE || own != NULL)
        return true;
    if (writer == TXN_NONE) {
        txn_found(registers->finding, history, "garbage read", &read->txn, 1, "read %s = %s, which nobody wrote", key,
                  value);
        return false;
    }
    uint32_t txns[2] = {read->txn, history->micros[writer].txn};
    const struct txn *other = &history->txns[txns[1]];
    bool uncommitted = registers->level == TXN_READ_UNCOMMITTED;
    if (!uncommitted && other->outcome == RECORD_FAIL) {
        txn_found(registers->finding, history, "G1a", txns, 2, "read %s = %s, but T%u, which wrote that, failed", key,
                  value, (unsigned)other->operation);
        return false;
    }
    if (!uncommitted && !history->micros[writer].final) {
        txn_found(registers->finding, history, "G1b", txns, 2,
                  "read %s = %s, which is not the last that T%u wrote to it", key, value, (unsigned)other->operation);
        return false;
    }
    return true;
}

static bool check_reads(struct registers *registers)
{
    struct txn_history *history = registers->history;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *read = &history->micros[at];
        if (read->function != TXN_READ || !read->known)
            continue;
        uint32_t writer = read->value == VALUE_NONE ? TXN_NONE : txn_writer(history, read->key, read->value);
        registers->source[at] = writer;
        if (!check_read(registers, read, writer))
            return false;
        if (writer != TXN_NONE && history->txns[history->micros[writer].txn].outcome != RECORD_FAIL)
            history->txns[history->micros[writer].txn].happened = true;
    }
    return true;
}

/* ---- edges ---- */

static bool is_outer_read(const struct txn_micro *micro)
{
    return micro->function == TXN_READ && micro->known && !micro->internal;
}

/* The last write of the transaction to this key, or NULL. */
static const struct txn_micro *final_write(const struct txn_history *history, uint32_t txn, uint32_t key)
{
    const struct txn_micro *at = history->micros + history->txns[txn].first, *end = at + history->txns[txn].count;
    for (; at < end; at++)
        if (at->key == key && at->final)
            return at;
    return NULL;
}

/* The place where the transaction that replaces what this read saw is noted. */
static uint32_t *successor_of(struct registers *registers, uint32_t read)
{
    uint32_t source = registers->source[read];
    return source == TXN_NONE ? &registers->first_of[registers->history->micros[read].key] : &registers->after[source];
}

static bool find_successors(struct registers *registers)
{
    struct txn_history *history = registers->history;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *read = &history->micros[at];
        if (!is_outer_read(read) || final_write(history, read->txn, read->key) == NULL)
            continue;
        uint32_t *successor = successor_of(registers, at);
        if (*successor == 0) {
            *successor = read->txn + 1;
            continue;
        }
        char key[64], value[64];
        uint32_t source = registers->source[at];
        uint32_t txns[3] = {read->txn, *successor - 1, source == TXN_NONE ? 0 : history->micros[source].txn};
        txn_found(registers->finding, history, "lost update", txns, source == TXN_NONE ? 2 : 3,
                  "and T%u both read %s = %s and wrote it: one of the updates is lost",
                  (unsigned)history->txns[txns[1]].operation, key_name(registers, read->key, key),
                  txn_print_value(history, read->value, value));
        return false;
    }
    return true;
}

static void draw_reads(struct registers *registers)
{
    const struct txn_history *history = registers->history;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *read = &history->micros[at];
        if (read->function != TXN_READ || !read->known)
            continue;
        if (registers->source[at] != TXN_NONE)
            txn_graph_add(&registers->graph, history->micros[registers->source[at]].txn, read->txn, EDGE_WR);
        if (!registers->atomic || read->internal)
            continue;
        uint32_t successor = *successor_of(registers, at);
        if (successor != 0)
            txn_graph_add(&registers->graph, read->txn, successor - 1, EDGE_RW);
    }
}

/* Who read a key before it was written comes before all who wrote it. */
static void draw_first_versions(struct registers *registers)
{
    const struct txn_history *history = registers->history;
    uint32_t *readers = txn_take(registers->arena, history->micro_count, sizeof *readers);
    uint8_t *marks = txn_take(registers->arena, history->txn_count, 1);
    for (uint32_t key = 0; !registers->arena->full && key < history->key_count; key++) {
        uint32_t count = 0;
        for (uint32_t at = registers->read_first[key]; at < registers->read_first[key + 1]; at++)
            if (registers->source[registers->reads[at]] == TXN_NONE)
                readers[count++] = history->micros[registers->reads[at]].txn;
        if (count > 0)
            txn_graph_unordered(&registers->graph, TXN_NONE, readers, count,
                                registers->writers + registers->writer_first[key],
                                registers->writer_first[key + 1] - registers->writer_first[key], marks);
    }
}

/* Gathers by key: transactions that happened and write it, in the order of their invocation; outer reads. */
static bool gather(struct registers *registers)
{
    const struct txn_history *history = registers->history;
    size_t keys = (size_t)history->key_count + 2;
    uint32_t *write_first = txn_take(registers->arena, keys, sizeof(uint32_t));
    uint32_t *read_first = txn_take(registers->arena, keys, sizeof(uint32_t));
    registers->writers = txn_take(registers->arena, history->micro_count, sizeof(uint32_t));
    registers->reads = txn_take(registers->arena, history->micro_count, sizeof(uint32_t));
    if (registers->arena->full)
        return false;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t at = 0; at < history->micro_count; at++) {
            const struct txn_micro *micro = &history->micros[at];
            bool write = micro->final && history->txns[micro->txn].happened;
            if (!write && !is_outer_read(micro))
                continue;
            uint32_t *first = write ? write_first : read_first;
            if (pass == 0)
                first[micro->key + 2]++;
            else
                (write ? registers->writers : registers->reads)[first[micro->key + 1]++] = write ? micro->txn : at;
        }
        for (uint32_t key = 2; pass == 0 && key < keys; key++) {
            write_first[key] += write_first[key - 1];
            read_first[key] += read_first[key - 1];
        }
    }
    registers->writer_first = write_first;
    registers->read_first = read_first;
    return true;
}

static bool draw(struct registers *registers)
{
    struct txn_history *history = registers->history;
    txn_graph_begin(&registers->graph, history->txn_count, registers->arena);
    registers->graph.atomic = registers->atomic;
    registers->first_of = txn_take(registers->arena, history->key_count, sizeof(uint32_t));
    registers->after = txn_take(registers->arena, history->micro_count, sizeof(uint32_t));
    if (registers->arena->full || !gather(registers))
        return false;
    if (registers->atomic && !find_successors(registers))
        return false;
    if (registers->level != TXN_READ_UNCOMMITTED)
        draw_reads(registers);
    if (registers->atomic)
        draw_first_versions(registers);
    if (registers->level == TXN_STRICT_SERIALIZABLE) {
        txn_registers_time(registers);
        txn_graph_time(&registers->graph, history);
    }
    return txn_graph_close(&registers->graph, registers->level == TXN_SNAPSHOT_ISOLATION);
}

/* ---- all ---- */

/* The last to read each version that the cycle wrote: in real time, that tells how long it was there. */
static uint32_t late_readers(struct registers *registers, const struct txn_cycle *cycle, uint32_t *out)
{
    const struct txn_history *history = registers->history;
    uint8_t *inside = txn_take(registers->arena, history->txn_count, 1);
    uint32_t *latest = txn_take(registers->arena, history->micro_count, sizeof *latest), count = 0;
    for (uint32_t at = 0; !registers->arena->full && at < cycle->count; at++)
        inside[cycle->txns[at]] = 1;
    for (uint32_t at = 0; !registers->arena->full && at < history->micro_count; at++) {
        uint32_t source = history->micros[at].function == TXN_READ ? registers->source[at] : TXN_NONE;
        if (source != TXN_NONE && history->micros[at].known && inside[history->micros[source].txn])
            latest[source] = history->micros[at].txn + 1;
    }
    for (uint32_t at = 0; !registers->arena->full && at < history->micro_count; at++)
        if (latest[at] != 0)
            out[count++] = latest[at] - 1;
    return count;
}

static void found_cycle(struct registers *registers)
{
    struct txn_history *history = registers->history;
    struct txn_cycle cycle;
    if (registers->arena->full || !txn_graph_cycle(&registers->graph, registers->level, &cycle)) {
        txn_stuck_memory(registers->finding);
        return;
    }
    /* What was read is known only with who wrote it, which matters for anti-dependencies. */
    uint32_t *extra = txn_take(registers->arena, (size_t)history->micro_count * 2, sizeof *extra), count = 0;
    for (uint32_t at = 0; extra != NULL && at < cycle.count; at++) {
        const struct txn *txn = &history->txns[cycle.txns[at]];
        for (uint32_t micro = txn->first; micro < txn->first + txn->count; micro++)
            if (history->micros[micro].function == TXN_READ && history->micros[micro].known &&
                registers->source[micro] != TXN_NONE)
                extra[count++] = history->micros[registers->source[micro]].txn;
    }
    if (extra != NULL)
        count += late_readers(registers, &cycle, extra + count);
    if (extra != NULL)
        txn_found_cycle(registers->finding, history, &cycle, extra, count);
}

static void judge(struct registers *registers)
{
    const struct txn_history *history = registers->history;
    uint32_t *order = txn_take(registers->arena, history->txn_count, 2 * sizeof *order), count = 0;
    if (order == NULL || !draw(registers))
        return;
    registers->finding->work = registers->graph.edge_count;
    if (!txn_graph_order(&registers->graph, txn_level_kinds(registers->level), order, &count))
        found_cycle(registers);
    else if (!registers->atomic)
        txn_fine(registers->finding, history, order, count);
    else
        txn_registers_search(registers, order);
}

void txn_analyse_registers(struct txn_history *history, enum txn_level level, const struct verdict_bounds *bounds,
                           struct txn_finding *finding)
{
    struct registers registers = {.history = history,
                                  .arena = history->arena,
                                  .level = level,
                                  .bounds = bounds,
                                  .finding = finding,
                                  .atomic = txn_level_is_at_least_repeatable(level)};
    *finding = (struct txn_finding){.result = TXN_STUCK};
    registers.source = txn_take(history->arena, history->micro_count, sizeof *registers.source);
    if (registers.source != NULL && check_reads(&registers))
        judge(&registers);
    if (history->arena->full && finding->result != TXN_FOUND)
        txn_stuck_memory(finding);
}
