/* A growable sequence of bytes on a heap. */
#include "base/buffer.h"

#include "base/panic.h"

/* The first reservation, so that a buffer filled byte by byte does not start with many tiny steps. */
#define CAPACITY_MIN 56

void buffer_init(struct buffer *buffer, struct heap *heap)
{
    *buffer = (struct buffer){.heap = heap};
}

void buffer_free(struct buffer *buffer)
{
    heap_free(buffer->heap, buffer->data);
    buffer_init(buffer, buffer->heap);
}

bool buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (extra <= buffer->capacity - buffer->size)
        return true;
    if (extra > SIZE_MAX / 4 || buffer->size > SIZE_MAX / 4)
        return false;
    size_t need = buffer->size + extra;
    size_t wish = buffer->capacity * 2;
    if (wish < CAPACITY_MIN)
        wish = CAPACITY_MIN;
    if (wish < need)
        wish = need;
    uint8_t *data = heap_resize(buffer->heap, buffer->data, wish);
    if (data == NULL && wish > need)
        data = heap_resize(buffer->heap, buffer->data, need);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = heap_size_of(data);
    return true;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return true;
    uint8_t *to = buffer_grow(buffer, size);
    if (to == NULL)
        return false;
    memcpy(to, data, size);
    return true;
}

uint8_t *buffer_grow(struct buffer *buffer, size_t size)
{
    /* A byte more than wanted is asked for when nothing is: so the result is never NULL for an empty buffer. */
    if (!buffer_reserve(buffer, size > 0 ? size : 1))
        return NULL;
    uint8_t *start = buffer->data + buffer->size;
    buffer->size += size;
    return start;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    invariant(size <= buffer->size, "a buffer gives up only bytes that it has");
    buffer->size -= size;
    if (size > 0 && buffer->size > 0)
        memmove(buffer->data, buffer->data + size, buffer->size);
}
