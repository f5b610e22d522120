/* Where does a RESP value end? For those who read answers: the C library, the command line, the benchmark. */
#ifndef LOCKSTEP_HOST_REAL_RESP_SCAN_H
#define LOCKSTEP_HOST_REAL_RESP_SCAN_H

#include <stdint.h>

#include "base/bytes.h"

/* Bytes of the first whole value, nested ones included; 0 if it is not whole yet; ERROR_INVALID if the bytes are no
 * RESP2 or RESP3. Neither allocates nor recurses; reads each byte of a line, and skips over the bytes of strings. */
int64_t resp_scan(struct span bytes);

/* The line that a value begins with: its type character and its number (a count, a length or the integer itself; -1 for
 * the nulls of RESP2, 0 where the line is no number). Returns the line's bytes with its end, 0 or ERROR_INVALID. */
int64_t resp_scan_line(struct span bytes, char *type, int64_t *number);

#endif
