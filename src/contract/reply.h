/* Answers as RESP3 values, written into a buffer. Errors begin with their code word: "ERR syntax error". */
#ifndef LOCKSTEP_CONTRACT_REPLY_H
#define LOCKSTEP_CONTRACT_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* All return false only when the buffer's heap is full. */
bool reply_simple(struct buffer *out, const char *text);            /* +OK */
bool reply_error(struct buffer *out, const char *text);             /* -ERR … */
bool reply_integer(struct buffer *out, int64_t value);              /* :1 */
bool reply_bulk(struct buffer *out, struct span bytes);             /* $3 abc */
bool reply_null(struct buffer *out);                                /* _ */
bool reply_array(struct buffer *out, uint64_t count);               /* *n, then n values */
bool reply_map(struct buffer *out, uint64_t pairs);                 /* %n, then 2n values */
bool reply_set(struct buffer *out, uint64_t count);                 /* ~n */
bool reply_double(struct buffer *out, double value);                /* ,1.5 */
bool reply_boolean(struct buffer *out, bool value);                 /* #t */
bool reply_verbatim(struct buffer *out, struct span bytes);         /* =n txt:… */
bool reply_append(struct buffer *out, struct span value);           /* a value that is encoded already */

#endif
