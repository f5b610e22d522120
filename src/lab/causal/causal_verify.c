/* Checking witnesses by definition. It shares the reading of the record with the checkers, and nothing else: what happened
 * before what is a matrix of bits, closed naively. */
#include <string.h>

#include "lab/causal/causal_internal.h"

struct verifier {
    struct causal causal;
    uint32_t *listed; /* by operation of the record: its place in the list + 1, or 0 */
    uint32_t *rank;   /* by place in the list: its place in the part that is checked + 1, or 0 */
    bool *past;       /* past[b * count + a]: a happened before b */
};

static bool *past_of(const struct verifier *verifier, uint32_t b)
{
    return verifier->past + (size_t)b * verifier->causal.count;
}

/* Adds what is before what comes directly before, until nothing changes. */
static void close_past(struct verifier *verifier)
{
    const struct causal *causal = &verifier->causal;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t b = 0; b < causal->count; b++) {
            uint32_t direct[2] = {CAUSAL_NONE, causal->list[b].write ? CAUSAL_NONE : causal->list[b].source};
            if (causal->list[b].place > 1)
                direct[0] = b - 1;
            for (int d = 0; d < 2; d++)
                for (uint32_t a = 0; direct[d] < CAUSAL_THIN_AIR && a < causal->count; a++) {
                    bool before = a == direct[d] || past_of(verifier, direct[d])[a];
                    changed = changed || (before && !past_of(verifier, b)[a]);
                    past_of(verifier, b)[a] |= before;
                }
        }
    }
}

/* Puts a part's order into `rank`. */
static const char *rank_part(struct verifier *verifier, const uint32_t *operations, uint32_t count)
{
    memset(verifier->rank, 0, verifier->causal.count * sizeof *verifier->rank);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = verifier->listed[operations[i]];
        if (at == 0)
            return "the witness names an operation that takes no part";
        if (verifier->rank[at - 1] != 0)
            return "the witness names an operation twice";
        verifier->rank[at - 1] = i + 1;
    }
    return NULL;
}

/* Is every read that `which` asks for explained by the last write of its key, in the part's order, of those that count? */
static const char *explain(struct verifier *verifier, uint32_t session, bool past_only)
{
    const struct causal *causal = &verifier->causal;
    for (uint32_t read = 0; read < causal->count; read++) {
        const struct causal_operation *it = &causal->list[read];
        if (it->write || (session != CAUSAL_NONE && it->session != session))
            continue;
        uint32_t last = CAUSAL_INITIAL;
        for (uint32_t at = 0; at < causal->count; at++) {
            bool counts = causal->list[at].write && causal->list[at].key == it->key && verifier->rank[at] != 0;
            if (past_only)
                counts = counts && past_of(verifier, read)[at];
            else
                counts = counts && verifier->rank[at] < verifier->rank[read];
            if (counts && (last == CAUSAL_INITIAL || verifier->rank[at] > verifier->rank[last]))
                last = at;
        }
        if (last != it->source)
            return "the witness does not explain a read";
    }
    return NULL;
}

/* The part holds what it must, after what was before it (by sessions, and for `reads` by the past). */
static const char *extend(const struct verifier *verifier, bool reads)
{
    const struct causal *causal = &verifier->causal;
    for (uint32_t b = 0; b < causal->count; b++)
        for (uint32_t a = 0; verifier->rank[b] != 0 && a < causal->count; a++) {
            bool earlier = causal->list[a].session == causal->list[b].session && a < b;
            bool ordered = reads ? past_of(verifier, b)[a] : earlier && verifier->rank[a] != 0;
            if (ordered && (verifier->rank[a] == 0 || verifier->rank[a] > verifier->rank[b]))
                return "the witness does not keep the order of what happened before";
        }
    return NULL;
}

static const char *verify_parts(struct verifier *verifier, const struct verdict *verdict, bool pram)
{
    const struct causal *causal = &verifier->causal;
    if (verdict->part_count != causal->session_count)
        return "the witness has not one part for each session";
    for (uint32_t session = 0; session < verdict->part_count; session++) {
        uint32_t begin = verdict->parts[session], end = verdict->parts[session + 1];
        const char *wrong = rank_part(verifier, verdict->operations + begin, end - begin);
        for (uint32_t at = 0; wrong == NULL && at < causal->count; at++) {
            bool must = causal->list[at].session == session || (pram && causal->list[at].write);
            if (must && verifier->rank[at] == 0)
                wrong = "the witness leaves an operation out";
        }
        if (wrong == NULL)
            wrong = extend(verifier, !pram);
        if (wrong == NULL)
            wrong = explain(verifier, session, false);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

/* Each read by itself: some order of its past explains it if and only if no write to its key in its past has the one it
 * saw in its own past. */
static const char *explain_apart(const struct verifier *verifier)
{
    const struct causal *causal = &verifier->causal;
    for (uint32_t read = 0; read < causal->count; read++)
        for (uint32_t at = 0; !causal->list[read].write && at < causal->count; at++) {
            const struct causal_operation *it = &causal->list[read], *write = &causal->list[at];
            if (!write->write || write->key != it->key || at == it->source || !past_of(verifier, read)[at])
                continue;
            if (it->source == CAUSAL_INITIAL || past_of(verifier, at)[it->source])
                return "a read is not explained by its past";
        }
    return NULL;
}

/* ---- session guarantees ---- */

/* Must the read see the write, of the same key? */
static bool must_see(const struct verifier *verifier, enum causal_level level, uint32_t read, uint32_t write)
{
    const struct causal *causal = &verifier->causal;
    uint32_t session = causal->list[read].session;
    for (uint32_t at = 0; at < causal->count; at++) {
        const struct causal_operation *it = &causal->list[at];
        bool earlier = it->session == session && at < read, saw = !it->write && it->source != CAUSAL_INITIAL;
        if (level == CAUSAL_LEVEL_READ_YOUR_WRITES && earlier && at == write)
            return true;
        if (level != CAUSAL_LEVEL_READ_YOUR_WRITES && earlier && saw && it->source == write)
            return true;
        bool now = earlier || at == read;
        if (level == CAUSAL_LEVEL_MONOTONIC_WRITES && now && saw &&
            causal->list[it->source].session == causal->list[write].session && write < it->source)
            return true;
        bool past = at != read && past_of(verifier, read)[at];
        if (level == CAUSAL_LEVEL_WRITES_FOLLOW_READS && past && saw && it->source == write)
            return true;
    }
    return false;
}

static const char *verify_session(struct verifier *verifier, enum causal_level level)
{
    const struct causal *causal = &verifier->causal;
    for (uint32_t b = 0; b < causal->count; b++)
        for (uint32_t a = 0; a < causal->count; a++) {
            const struct causal_operation *from = &causal->list[a], *to = &causal->list[b];
            if (!from->write || from->key != to->key)
                continue;
            if (to->write) {
                bool own = level == CAUSAL_LEVEL_MONOTONIC_WRITES && from->session == to->session && a < b;
                if (own && verifier->rank[a] > verifier->rank[b])
                    return "the order does not keep that of a session's writes";
                continue;
            }
            if (a == to->source || !must_see(verifier, level, b, a))
                continue;
            if (to->source == CAUSAL_INITIAL || verifier->rank[a] > verifier->rank[to->source])
                return "a read returned an older write than one that it had to see";
        }
    return NULL;
}

/* ---- all together ---- */

static const char *verify(struct verifier *verifier, enum causal_level level, const struct verdict *verdict)
{
    const struct causal *causal = &verifier->causal;
    close_past(verifier);
    if (level == CAUSAL_LEVEL_EVENTUAL)
        return NULL;
    if (level == CAUSAL_LEVEL_CAUSAL_MEMORY || level == CAUSAL_LEVEL_PRAM)
        return causal->count == 0 ? NULL : verify_parts(verifier, verdict, level == CAUSAL_LEVEL_PRAM);
    const char *wrong = rank_part(verifier, verdict->operations, verdict->operation_count);
    bool all = level == CAUSAL_LEVEL_CAUSAL || level == CAUSAL_LEVEL_CAUSAL_CONVERGENCE;
    for (uint32_t at = 0; wrong == NULL && at < causal->count; at++)
        if (verifier->rank[at] == 0 && (all || causal->list[at].write))
            wrong = "the witness leaves an operation out";
    if (wrong != NULL)
        return wrong;
    if (!all)
        return verify_session(verifier, level);
    wrong = extend(verifier, true);
    if (wrong == NULL)
        wrong = level == CAUSAL_LEVEL_CAUSAL ? explain_apart(verifier) : explain(verifier, CAUSAL_NONE, true);
    return wrong;
}

const char *causal_verify(const struct record *record, enum causal_level level, const struct verdict *verdict,
                          struct heap *heap)
{
    struct verifier verifier = {0};
    struct verdict ignored = {.kind = VERDICT_OK};
    if (!causal_init(&verifier.causal, record, heap, &ignored)) {
        verdict_clear(&ignored, heap);
        return "the history cannot be read";
    }
    size_t count = verifier.causal.count;
    verifier.listed = heap_alloc_zero(heap, ((size_t)record->operation_count + 1) * sizeof *verifier.listed);
    verifier.rank = heap_alloc_zero(heap, (count + 1) * sizeof *verifier.rank);
    verifier.past = heap_alloc_zero(heap, count * count + 1);
    const char *wrong = "there is not enough memory";
    if (verifier.listed != NULL && verifier.rank != NULL && verifier.past != NULL) {
        for (uint32_t at = 0; at < count; at++)
            verifier.listed[verifier.causal.list[at].recorded] = at + 1;
        wrong = verify(&verifier, level, verdict);
    }
    heap_free(heap, verifier.listed);
    heap_free(heap, verifier.rank);
    heap_free(heap, verifier.past);
    causal_free(&verifier.causal);
    return wrong;
}
