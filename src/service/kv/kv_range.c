/* Commands that read and set parts of values. */
#include "service/kv/kv_state.h"

void kv_strlen(struct kv_call *call)
{
    const struct entry *entry = kv_store_find(call->kv, kv_call_next(call)).entry;
    kv_call_count(call, entry == NULL ? 0 : entry_value_size(entry));
}

/* Makes the value at least `size` bytes, padded with zeros, under its old deadline. NULL after an answered error. */
static struct entry *extend(struct kv_call *call, struct spot *spot, uint64_t size)
{
    size_t old_size = spot->entry == NULL ? 0 : entry_value_size(spot->entry);
    int64_t deadline_ms = spot->entry == NULL ? KV_NEVER : entry_deadline_ms(spot->entry);
    if (size > ENTRY_VALUE_SIZE_MAX) {
        kv_call_error(call, KV_ERROR_SIZE);
        return NULL;
    }
    if (size < old_size)
        size = old_size;
    struct entry *entry = kv_store_shape(call, spot, size, deadline_ms, spot->entry != NULL);
    if (entry == NULL)
        kv_call_error(call, KV_ERROR_MEMORY);
    else
        memset(entry_value_bytes(entry) + old_size, 0, size - old_size);
    return entry;
}

void kv_append(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    struct span more = kv_call_next(call);
    size_t old_size = spot.entry == NULL ? 0 : entry_value_size(spot.entry);
    struct entry *entry = extend(call, &spot, (uint64_t)old_size + more.size);
    if (entry == NULL)
        return;
    if (more.size > 0)
        memcpy(entry_value_bytes(entry) + old_size, more.data, more.size);
    kv_call_count(call, entry_value_size(entry));
}

void kv_setrange(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    int64_t offset;
    if (!kv_call_integer(call, kv_call_next(call), &offset))
        return;
    struct span part = kv_call_next(call);
    if (offset < 0) {
        kv_call_error(call, KV_ERROR_OFFSET);
        return;
    }
    if (part.size == 0) {
        kv_call_count(call, spot.entry == NULL ? 0 : entry_value_size(spot.entry));
        return;
    }
    /* An offset beyond the limit is as good as any other that is too large, and cannot overflow the sum. */
    uint64_t start = offset > ENTRY_VALUE_SIZE_MAX ? ENTRY_VALUE_SIZE_MAX : (uint64_t)offset;
    struct entry *entry = extend(call, &spot, start + part.size);
    if (entry == NULL)
        return;
    memcpy(entry_value_bytes(entry) + start, part.data, part.size);
    kv_call_count(call, entry_value_size(entry));
}

/* A position that may count from the end, as one from the beginning; negative when it lies before it. */
static int64_t from_beginning(int64_t position, int64_t size)
{
    return position < 0 ? position + size : position;
}

void kv_getrange(struct kv_call *call)
{
    const struct entry *entry = kv_store_find(call->kv, kv_call_next(call)).entry;
    int64_t start;
    int64_t end;
    if (!kv_call_integer(call, kv_call_next(call), &start) || !kv_call_integer(call, kv_call_next(call), &end))
        return;
    struct span value = entry == NULL ? span_of(NULL, 0) : entry_value(entry);
    int64_t size = (int64_t)value.size;
    bool crossed = start < 0 && end < 0 && start > end;
    start = from_beginning(start, size);
    end = from_beginning(end, size);
    if (start < 0)
        start = 0;
    if (end < 0)
        end = 0;
    if (end >= size)
        end = size - 1;
    if (crossed || start > end || size == 0)
        (void)reply_bulk(call->reply, span_of(NULL, 0));
    else
        (void)reply_bulk(call->reply, span_of(value.data + start, (size_t)(end - start + 1)));
}

void kv_substr(struct kv_call *call)
{
    kv_getrange(call);
}
