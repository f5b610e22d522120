/* Values that may be missing, in rows: what the protocols of agreement send each other, and the majority of a few.
 *
 * A cell is a value, or UNKNOWN: silence, a tie, or what made no sense. A row of cells is encoded as 9 bytes each: u8
 * (1: known), u64 value, which is 0 where none is known. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_CELLS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_CELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "contract/canon.h"
#include "contract/text.h"

struct cell {
    bool known;
    uint64_t value; /* 0 unless known */
};

enum { CELL_SIZE = 9, CELL_TEXT_MAX = 24 };

static inline struct cell cell_of(uint64_t value)
{
    return (struct cell){.known = true, .value = value};
}

static inline bool cell_equal(struct cell a, struct cell b)
{
    return a.known == b.known && a.value == b.value;
}

/* Writes CELL_SIZE bytes. */
void cell_encode(struct cell cell, uint8_t *out);
/* Reads CELL_SIZE bytes; what is not 1 in the first of them is UNKNOWN, whatever follows. */
struct cell cell_decode(const uint8_t *bytes);

/* The value that more than half of the `count` votes name, else UNKNOWN; UNKNOWN votes count as votes for nothing. */
struct cell cell_majority(const struct cell *votes, uint32_t count);

/* "7" or "UNKNOWN". */
void cell_print(struct cell cell, struct text *out);
/* "1,2,UNKNOWN,4". */
void cells_print(const struct cell *cells, uint32_t count, struct text *out);

static inline void cell_canonical(struct cell cell, struct canon *out)
{
    canon_u8(out, cell.known);
    canon_u64(out, cell.value);
}

/* A row by member, of cells or as encoded, in the order of a renaming. */
void cells_canonical(const struct cell *cells, struct canon *out);
void cells_canonical_row(const uint8_t *bytes, struct canon *out);

/* An integer or null, as RESP3. False: the heap is full. */
bool cell_reply(struct buffer *out, struct cell cell);
/* An array of them. */
bool cells_reply(struct buffer *out, const struct cell *cells, uint32_t count);

#endif
