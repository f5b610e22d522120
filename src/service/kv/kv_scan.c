/* Commands that walk through the keys: KEYS, SCAN, RANDOMKEY.
 *
 * SCAN's cursor is a position in hash order: the upper 53 bits of the next hash to look at, so that clients which keep
 * numbers as doubles do not spoil it. The order does not depend on the table's size, so a key that is there during the
 * whole walk is returned exactly once, whatever grows or shrinks meanwhile. */
#include "service/kv/kv_glob.h"
#include "service/kv/kv_state.h"

enum {
    CURSOR_SHIFT = 11, /* of a 64-bit hash */
    SCAN_COUNT = 10,
    SCAN_COUNT_MAX = 8192, /* keys looked at in one call, whatever the client asks for */
    RANDOM_CHOICE = 16,    /* keys among which RANDOMKEY chooses */
};

static bool exists(const struct kv *kv, const struct entry *entry)
{
    return entry_deadline_ms(entry) > kv->now_ms;
}

/* Appends the key of an entry if it exists and matches; returns how many keys that were. */
static uint64_t answer_key(struct kv_call *call, const struct entry *entry, struct span pattern)
{
    bool all = pattern.size == 1 && pattern.data[0] == '*';
    if (!exists(call->kv, entry) || !(all || kv_glob_match(pattern, entry_key(entry))))
        return 0;
    (void)reply_bulk(call->reply, entry_key(entry));
    return 1;
}

void kv_keys(struct kv_call *call)
{
    struct span pattern = kv_call_next(call);
    size_t begin = call->reply->size;
    uint64_t count = 0;
    struct table_cursor cursor;
    kv_table_seek(call->kv->table, 0, &cursor);
    for (struct entry *entry; (entry = kv_table_next(call->kv->table, &cursor)) != NULL;)
        count += answer_key(call, entry, pattern);
    kv_call_array_insert(call, begin, count);
}

struct scan {
    uint64_t cursor;
    int64_t count;
    struct span pattern;
    bool none; /* TYPE names a type that nothing here has */
};

/* A cursor is a plain decimal number. */
static bool cursor_read(struct span text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return text.size > 0;
}

static bool scan_read(struct kv_call *call, struct scan *scan)
{
    *scan = (struct scan){.count = SCAN_COUNT, .pattern = span_of("*", 1)};
    if (!cursor_read(kv_call_next(call), &scan->cursor)) {
        kv_call_error(call, KV_ERROR_CURSOR);
        return false;
    }
    while (call->rest.size > 0) {
        struct span word = kv_call_next(call);
        bool valued = call->rest.size > 0;
        if (valued && kv_argument_is(word, "COUNT")) {
            if (!kv_call_integer(call, kv_call_next(call), &scan->count))
                return false;
            valued = scan->count >= 1;
        } else if (valued && kv_argument_is(word, "MATCH")) {
            scan->pattern = kv_call_next(call);
        } else if (valued && kv_argument_is(word, "TYPE")) {
            scan->none = !kv_argument_is(kv_call_next(call), "STRING");
        } else {
            valued = false;
        }
        if (!valued) {
            kv_call_error(call, KV_ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

/* Appends the keys of one call; returns the next cursor, 0 at the end. It stops only between different cursors. */
static uint64_t scan_walk(struct kv_call *call, const struct scan *scan, uint64_t *found)
{
    const struct table *table = call->kv->table;
    int64_t count = scan->count < SCAN_COUNT_MAX ? scan->count : SCAN_COUNT_MAX;
    uint64_t last = scan->cursor;
    struct table_cursor cursor;
    if (scan->cursor > UINT64_MAX >> CURSOR_SHIFT)
        return 0;
    kv_table_seek(table, scan->cursor << CURSOR_SHIFT, &cursor);
    struct entry *entry = kv_table_next(table, &cursor);
    for (int64_t seen = 0; entry != NULL; seen++) {
        if (seen >= count) {
            uint64_t position = kv_table_hash(table, entry_key(entry)) >> CURSOR_SHIFT;
            if (position != last)
                return position;
        }
        if (seen + 1 >= count)
            last = kv_table_hash(table, entry_key(entry)) >> CURSOR_SHIFT;
        if (!scan->none)
            *found += answer_key(call, entry, scan->pattern);
        entry = kv_table_next(table, &cursor);
    }
    return 0;
}

void kv_scan(struct kv_call *call)
{
    struct scan scan;
    if (!scan_read(call, &scan))
        return;
    size_t begin = call->reply->size;
    uint64_t found = 0;
    uint64_t next = scan_walk(call, &scan, &found);
    kv_call_array_insert(call, begin, found);
    /* The cursor comes first in the answer, but is known last. */
    size_t end = call->reply->size;
    char text[NUMBER_INTEGER_SIZE_MAX];
    if (reply_bulk(call->reply, span_of(text, number_print_u64(text, next)))) {
        uint8_t head[NUMBER_INTEGER_SIZE_MAX + 16];
        size_t size = call->reply->size - end;
        memcpy(head, call->reply->data + end, size);
        memmove(call->reply->data + begin + size, call->reply->data + begin, end - begin);
        memcpy(call->reply->data + begin, head, size);
    }
    kv_call_array_insert(call, begin, 2);
}

void kv_randomkey(struct kv_call *call)
{
    const struct table *table = call->kv->table;
    const struct entry *choice[RANDOM_CHOICE];
    uint32_t count = 0;
    struct table_cursor cursor;
    kv_table_seek(table, call->random, &cursor);
    /* Once around the table at most, beginning at a place drawn at random; expired keys are passed over. */
    for (uint64_t seen = 0; seen < table->count && count < RANDOM_CHOICE; seen++) {
        struct entry *entry = kv_table_next(table, &cursor);
        if (entry == NULL) {
            kv_table_seek(table, 0, &cursor);
            entry = kv_table_next(table, &cursor);
        }
        if (entry != NULL && exists(call->kv, entry))
            choice[count++] = entry;
    }
    if (count == 0)
        (void)reply_null(call->reply);
    else
        (void)reply_bulk(call->reply, entry_key(choice[hash_mix(call->random, 0) % count]));
}
