/* Requests to the disk that are under way. A token names a slot and the serial of its use, so that a completion which
 * comes twice or too late finds nothing. */
#include "base/panic.h"
#include "storage/wal_internal.h"

enum { TOKEN_SLOT_BITS = 24 };

struct wal_request *wal_request_new(struct wal *wal, enum wal_request_kind kind, uint64_t *token)
{
    size_t slot = 0;
    while (slot < wal->request_count && wal->requests[slot]->kind != WAL_REQUEST_FREE)
        slot++;
    if (slot == wal->request_count) {
        if (!wal_grow(wal->heap, (void **)&wal->requests, slot, &wal->request_size, sizeof(struct wal_request *)))
            return NULL;
        wal->requests[slot] = heap_alloc_zero(wal->heap, sizeof(struct wal_request));
        if (wal->requests[slot] == NULL)
            return NULL;
        wal->request_count++;
        invariant(wal->request_count < (size_t)1 << TOKEN_SLOT_BITS, "few requests of the log are under way");
    }
    struct wal_request *request = wal->requests[slot];
    request->kind = kind;
    request->serial++;
    *token = disk_token(DISK_TOKEN_LOG, (uint64_t)request->serial << TOKEN_SLOT_BITS | slot);
    return request;
}

void wal_request_done(struct wal_request *request)
{
    request->kind = WAL_REQUEST_FREE;
}

struct wal_request *wal_request_find(const struct wal *wal, uint64_t token_value)
{
    size_t slot = (size_t)(token_value & (((uint64_t)1 << TOKEN_SLOT_BITS) - 1));
    if (slot >= wal->request_count)
        return NULL;
    struct wal_request *request = wal->requests[slot];
    if (request->kind == WAL_REQUEST_FREE || request->serial != (uint32_t)(token_value >> TOKEN_SLOT_BITS))
        return NULL;
    return request;
}
