/* Bytes: little-endian loads and stores at any alignment, and borrowed spans.
 *
 * Everything that lockstep writes to a wire or a disk is little-endian and goes through these functions, so no
 * structure of ours ever overlays received bytes. Compilers turn each into a single move. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (from[1] << 8));
}

static inline uint32_t load_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | ((uint32_t)from[1] << 8) | ((uint32_t)from[2] << 16) | ((uint32_t)from[3] << 24);
}

static inline uint64_t load_u64(const uint8_t *from)
{
    return (uint64_t)load_u32(from) | ((uint64_t)load_u32(from + 4) << 32);
}

static inline void store_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void store_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    to[2] = (uint8_t)(value >> 16);
    to[3] = (uint8_t)(value >> 24);
}

static inline void store_u64(uint8_t *to, uint64_t value)
{
    store_u32(to, (uint32_t)value);
    store_u32(to + 4, (uint32_t)(value >> 32));
}

/* Bytes that somebody else owns and that must outlive the span. `data` may be NULL when `size` is 0. */
struct span {
    const uint8_t *data;
    size_t size; /* bytes */
};

/* A view of `size` bytes at `data`. */
static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = (const uint8_t *)data, .size = size};
}

/* A view of a zero-terminated string, without its terminator. */
static inline struct span span_string(const char *text)
{
    return span_of(text, strlen(text));
}

/* True when both hold the same bytes; two empty spans are equal wherever they point. */
static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Lexicographic order of unsigned bytes, a proper prefix first: negative, zero or positive as a <, =, > b. */
static inline int span_compare(struct span a, struct span b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

#endif
