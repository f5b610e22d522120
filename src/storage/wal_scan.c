/* Finding records and marks in the bytes of a segment, whatever those bytes are. */
#include "storage/wal_internal.h"

/* Decodes what may be a header; true when it looks like an item of ours that ends within the view. */
static bool header_plausible(const struct wal_view *view, uint64_t offset, struct wal_item *out)
{
    if (offset > view->size || view->size - offset < HEADER_SIZE)
        return false;
    struct header *header = &out->header;
    header_decode(view->bytes + offset, header);
    out->record = header->kind == HEADER_RECORD;
    bool mark = header->kind == HEADER_NODE && header->type == WAL_MARK_TYPE && header->length == 0;
    if (header->magic != HEADER_MAGIC || header->version != HEADER_VERSION || header->sender != view->node ||
        !(out->record || mark) || header->sequence - 1 >= WAL_NUMBER_MAX || header->synced > header->sequence ||
        (out->record && header->position - 1 >= WAL_NUMBER_MAX))
        return false;
    out->offset = offset;
    out->end = offset + wal_record_span(header->length);
    return out->end <= view->size;
}

static bool any_bad(const struct wal_view *view, uint64_t first, uint64_t end)
{
    for (uint64_t block = first / WAL_BLOCK_SIZE; view->bad != NULL && block * WAL_BLOCK_SIZE < end; block++)
        if (block * WAL_BLOCK_SIZE < view->size && view->bad[block])
            return true;
    return false;
}

bool wal_item_at(const struct wal_view *view, uint64_t offset, struct wal_item *out)
{
    /* What stands for a block that cannot be read are zeros, which may be right by chance. */
    if (!header_plausible(view, offset, out) || any_bad(view, offset, out->end))
        return false;
    out->body = span_of(view->bytes + offset + HEADER_SIZE, out->header.length);
    uint32_t crc = header_crc(view->seed, view->bytes + offset, out->body, span_of(NULL, 0));
    return crc == out->header.crc;
}

bool wal_item_next(const struct wal_view *view, uint64_t *offset, struct wal_item *out)
{
    while (*offset < view->size) {
        if (wal_item_at(view, *offset, out)) {
            *offset = out->end;
            return true;
        }
        *offset = (*offset / WAL_BLOCK_SIZE + 1) * WAL_BLOCK_SIZE;
    }
    return false;
}

bool wal_view_unreadable(const struct wal_view *view, uint64_t offset)
{
    if (view->bad == NULL)
        return false;
    struct wal_item item;
    if (header_plausible(view, offset, &item) && any_bad(view, offset, item.end))
        return true;
    /* The next write would begin at the next block at the latest. */
    return any_bad(view, offset, wal_round_up(offset, WAL_BLOCK_SIZE) + 1);
}

uint64_t wal_view_torn_size(const struct wal_view *view, uint64_t offset)
{
    struct wal_item item;
    return header_plausible(view, offset, &item) ? item.end - offset : 0;
}
