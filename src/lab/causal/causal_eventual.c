/* Eventual convergence, as far as a finite history can show it: of each key, the last reads of all sessions that began
 * after every write to it had ended must agree, and on a write if any ended ok (Vogels, "Eventually consistent", 2009; the
 * quiescent form of strong convergence). Writes that may yet happen end nothing: a key with one is not judged, unless
 * somebody saw it. */
#include "lab/causal/causal_internal.h"

struct key_end {
    uint32_t last_end;  /* place of the last end of a write in the record */
    bool written, open; /* open: a write without an end, so there is no end of writes */
    uint32_t agreed;    /* the read that the others must agree with, or CAUSAL_NONE */
};

static void gather_ends(const struct causal *causal, struct key_end *keys)
{
    for (uint32_t key = 0; key < causal->key_count; key++)
        keys[key] = (struct key_end){.agreed = CAUSAL_NONE};
    for (uint32_t at = 0; at < causal->count; at++) {
        const struct record_operation *operation = &causal->record->operations[causal->list[at].recorded];
        struct key_end *key = &keys[causal->list[at].key];
        if (!causal->list[at].write)
            continue;
        key->written = true;
        if (operation->outcome == RECORD_OK && operation->completed > key->last_end)
            key->last_end = operation->completed;
        key->open = key->open || operation->outcome != RECORD_OK;
    }
}

/* The two reads that disagree and what they saw; for a read of nothing the last writes of its key. */
static bool suspect(const struct causal *causal, uint32_t read, uint32_t agreed, struct causal_suspects *suspects)
{
    bool room = causal_suspect(suspects, read);
    if (causal->list[read].source != CAUSAL_INITIAL)
        return room && causal_suspect(suspects, agreed) && causal_suspect(suspects, causal->list[read].source) &&
               causal_suspect(suspects, causal->list[agreed].source);
    for (uint32_t s = 0; room && s < causal->session_count; s++) {
        uint32_t write = causal_last_write(causal, s, causal->list[read].key, UINT32_MAX);
        room = write == CAUSAL_NONE || causal_suspect(suspects, write);
    }
    return room;
}

/* Each session's last read of a key counts: it is met first when its session is walked backwards. */
static void check_session(const struct causal *causal, uint32_t session, struct key_end *keys, uint32_t *seen,
                          struct causal_suspects *suspects, struct verdict *out)
{
    for (uint32_t at = causal->first[session + 1]; at-- > causal->first[session] && out->kind == VERDICT_OK;) {
        const struct causal_operation *it = &causal->list[at];
        struct key_end *key = &keys[it->key];
        if (it->write || seen[it->key] == session + 1)
            continue;
        seen[it->key] = session + 1;
        bool late = causal->record->operations[it->recorded].invoked > key->last_end;
        if (!key->written || key->open || !late)
            continue;
        bool lost = it->source == CAUSAL_INITIAL;
        if (key->agreed == CAUSAL_NONE)
            key->agreed = at;
        bool differs = causal->list[key->agreed].source != it->source;
        if (lost || differs)
            causal_illegal(out, lost ? "lost write" : "no convergence");
        if (out->kind == VERDICT_ILLEGAL && !suspect(causal, at, key->agreed, suspects))
            causal_out_of_memory(out);
    }
}

void causal_check_eventual(struct causal *causal, struct causal_suspects *suspects, struct verdict *out)
{
    struct key_end *keys = heap_alloc(causal->heap, ((size_t)causal->key_count + 1) * sizeof *keys);
    uint32_t *seen = heap_alloc_zero(causal->heap, ((size_t)causal->key_count + 1) * sizeof *seen);
    if (keys == NULL || seen == NULL)
        causal_out_of_memory(out);
    else
        gather_ends(causal, keys);
    for (uint32_t session = 0; session < causal->session_count && out->kind == VERDICT_OK; session++)
        check_session(causal, session, keys, seen, suspects, out);
    out->work = causal->count;
    heap_free(causal->heap, keys);
    heap_free(causal->heap, seen);
}
