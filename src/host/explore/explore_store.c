/* Growing arrays and tables of fingerprints (explore_internal.h). */
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "host/explore/explore_internal.h"

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

bool pool_open(struct pool *pool, size_t reserved)
{
    *pool = (struct pool){.bytes = map(reserved), .reserved = reserved};
    return pool->bytes != NULL;
}

void pool_close(struct pool *pool)
{
    if (pool->bytes != NULL)
        munmap(pool->bytes, pool->reserved);
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > pool->reserved - pool->size)
        return NULL;
    void *taken = pool->bytes + pool->size;
    pool->size += size;
    return taken;
}

bool table_open(struct table *table, uint64_t slots)
{
    *table = (struct table){.mask = slots - 1};
    table->keys = map(slots * sizeof *table->keys);
    table->values = map(slots * sizeof *table->values);
    if (table->keys != NULL && table->values != NULL)
        return true;
    table_close(table);
    return false;
}

void table_close(struct table *table)
{
    if (table->keys != NULL)
        munmap(table->keys, (table->mask + 1) * sizeof *table->keys);
    if (table->values != NULL)
        munmap(table->values, (table->mask + 1) * sizeof *table->values);
    *table = (struct table){0};
}

size_t table_bytes(const struct table *table)
{
    return (table->mask + 1) * (sizeof *table->keys + sizeof *table->values);
}

static bool is_empty(struct fingerprint key)
{
    return (key.low | key.high) == 0;
}

/* Where the key is, or the empty place where it belongs. */
static uint64_t find(const struct table *table, struct fingerprint key)
{
    uint64_t at = key.low & table->mask;
    while (!is_empty(table->keys[at]) && !fingerprint_equal(table->keys[at], key))
        at = (at + 1) & table->mask;
    return at;
}

static bool grow(struct table *table)
{
    struct table larger;
    if (!table_open(&larger, (table->mask + 1) * 2))
        return false;
    for (uint64_t i = 0; i <= table->mask; i++) {
        if (is_empty(table->keys[i]))
            continue;
        uint64_t at = find(&larger, table->keys[i]);
        larger.keys[at] = table->keys[i];
        larger.values[at] = table->values[i];
    }
    larger.count = table->count;
    table_close(table);
    *table = larger;
    return true;
}

uint32_t *table_put(struct table *table, struct fingerprint key, bool *is_new)
{
    if (is_empty(key))
        key.high = 1; /* all zero means empty */
    uint64_t at = find(table, key);
    *is_new = is_empty(table->keys[at]);
    if (!*is_new)
        return &table->values[at];
    if ((table->count + 1) * 3 > (table->mask + 1) * 2) {
        if (!grow(table))
            return NULL;
        at = find(table, key);
    }
    table->keys[at] = key;
    table->count++;
    return &table->values[at];
}

/* Two independent keyed hashes. The keys are constants: runs are repeatable, and nobody attacks this table. */
struct fingerprint fingerprint_of(const void *bytes, size_t size)
{
    static const uint64_t keys[2][2] = {{UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)},
                                        {UINT64_C(0xa4093822299f31d0), UINT64_C(0x082efa98ec4e6c89)}};
    return (struct fingerprint){hash_keyed(keys[0], bytes, size), hash_keyed(keys[1], bytes, size)};
}
