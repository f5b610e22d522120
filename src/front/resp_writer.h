/* Answers as they go to a client. Services and the front write RESP3 values; a client that speaks RESP2 gets the
 * nearest RESP2 value. */
#ifndef LOCKSTEP_FRONT_RESP_WRITER_H
#define LOCKSTEP_FRONT_RESP_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* Appends one whole RESP3 value as RESP2: null as a null bulk (a null that is the whole answer as a null array when
 * `null_array`), map and set as arrays, double and big number as bulks, boolean as integer, verbatim string as bulk,
 * bulk error as error. False when the heap is full or the value is malformed; then nothing has been appended. */
bool resp2_write(struct buffer *out, struct span value, bool null_array);

/* Size of the first value in `bytes`, or 0 when it is malformed or not whole. */
size_t resp_value_size(struct span bytes);

/* Of an aggregate at the start of `bytes` (array, set, map, push): its element count (a map's pairs count twice) and
 * the size of its head. False when it is none. */
bool resp_aggregate(struct span bytes, uint64_t *count, size_t *head_size);

/* Appends an error with a text of any origin: what would break the line becomes a space. */
bool resp_error_write(struct buffer *out, struct span text);

#endif
