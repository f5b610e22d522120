/* Cells (cells.h). The majority is Boyer and Moore's vote ("MJRTY: a fast majority vote algorithm", 1981): one pass
 * finds the only candidate, a second one counts it. */
#include "protocol/consensus/cells.h"

#include "contract/reply.h"

void cell_encode(struct cell cell, uint8_t *out)
{
    out[0] = cell.known;
    store_u64(out + 1, cell.known ? cell.value : 0);
}

struct cell cell_decode(const uint8_t *bytes)
{
    return bytes[0] == 1 ? cell_of(load_u64(bytes + 1)) : (struct cell){0};
}

struct cell cell_majority(const struct cell *votes, uint32_t count)
{
    struct cell candidate = {0};
    uint32_t lead = 0, agreeing = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lead == 0)
            candidate = votes[i];
        if (cell_equal(votes[i], candidate))
            lead++;
        else
            lead--;
    }
    for (uint32_t i = 0; i < count; i++)
        agreeing += cell_equal(votes[i], candidate);
    return 2 * agreeing > count ? candidate : (struct cell){0};
}

void cell_print(struct cell cell, struct text *out)
{
    if (cell.known)
        text_add_u64(out, cell.value);
    else
        text_add(out, "UNKNOWN");
}

void cells_print(const struct cell *cells, uint32_t count, struct text *out)
{
    for (uint32_t i = 0; i < count; i++) {
        text_add(out, i > 0 ? "," : "");
        cell_print(cells[i], out);
    }
}

void cells_canonical(const struct cell *cells, struct canon *out)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        cell_canonical(cells[canon_place(out, i)], out);
}

void cells_canonical_row(const uint8_t *bytes, struct canon *out)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        cell_canonical(cell_decode(bytes + (size_t)canon_place(out, i) * CELL_SIZE), out);
}

bool cell_reply(struct buffer *out, struct cell cell)
{
    return cell.known ? reply_integer(out, (int64_t)cell.value) : reply_null(out);
}

bool cells_reply(struct buffer *out, const struct cell *cells, uint32_t count)
{
    bool written = reply_array(out, count);
    for (uint32_t i = 0; i < count; i++)
        written = written && cell_reply(out, cells[i]);
    return written;
}
