/* CRC32C by ISA-L. */
#include "base/crc32c.h"

#include <isa-l/crc.h>

/* ISA-L takes an int. */
#define STEP_SIZE_MAX ((size_t)1 << 30)

uint32_t crc32c(uint32_t seed, const void *data, size_t size)
{
    /* ISA-L leaves both xors to its caller, and its parameter lacks a const. */
    unsigned char *at = (unsigned char *)(uintptr_t)data;
    uint32_t crc = ~seed;
    while (size > 0) {
        size_t step = size < STEP_SIZE_MAX ? size : STEP_SIZE_MAX;
        crc = crc32_iscsi(at, (int)step, crc);
        at += step;
        size -= step;
    }
    return ~crc;
}
