/* Texts for people and programs, printed into a buffer. */
#ifndef LOCKSTEP_FRONT_FRONT_TEXT_H
#define LOCKSTEP_FRONT_FRONT_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* Appends as printf does. What does not fit because the heap is full is missing. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void front_print(struct buffer *out, const char *format, ...);

/* Appends a JSON string in quotes. Bytes that are not UTF-8 text become U+FFFD. */
void front_print_json(struct buffer *out, struct span text);

/* Does the whole text match the glob pattern (*, ?, [a-z], [^a], \x), letters in any case? Time at most proportional
 * to the product of the sizes. */
bool front_glob(struct span pattern, struct span text);

/* Equal but for the case of ASCII letters. */
bool front_same(struct span text, const char *word);

/* A decimal number without sign that fits 63 bits. */
bool front_number(struct span text, uint64_t *out);

#endif
