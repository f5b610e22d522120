/* A growable sequence of bytes on a heap.
 *
 * The bytes are data[0] to data[size - 1]; the fields may be read freely, and size may be lowered. Any call that adds
 * bytes may move data. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"

struct buffer {
    uint8_t *data;     /* NULL until the first byte is reserved */
    size_t size;       /* bytes in use */
    size_t capacity;   /* bytes available at data */
    struct heap *heap; /* borrowed; outlives the buffer */
};

/* Makes an empty buffer; allocates nothing yet. */
void buffer_init(struct buffer *buffer, struct heap *heap);

/* Gives the memory back; the buffer is empty afterwards and may be used again. */
void buffer_free(struct buffer *buffer);

/* Makes room for `extra` bytes after the present ones, so that appending them cannot fail; capacity at least doubles
 * when it grows and the heap allows. False when the heap is full, and then nothing has changed. */
bool buffer_reserve(struct buffer *buffer, size_t extra);

/* Appends a copy of `size` bytes at `data`, which must not lie in this buffer. False when the heap is full, and then
 * nothing has changed. */
bool buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Appends `size` bytes of unspecified contents and returns where they start, for the caller to fill; NULL when the
 * heap is full, and then nothing has changed. For a size of 0 the pointer is valid but must not be written to. */
uint8_t *buffer_grow(struct buffer *buffer, size_t size);

/* Drops all bytes but keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Drops `size` bytes, at most all (an invariant), from the front and moves the rest down. */
void buffer_consume(struct buffer *buffer, size_t size);

/* The present bytes, valid until the buffer changes. */
static inline struct span buffer_span(const struct buffer *buffer)
{
    return span_of(buffer->data, buffer->size);
}

#endif
