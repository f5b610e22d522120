/* CRC32C (Castagnoli), the checksum of everything that goes over a wire or onto a disk.
 *
 * Reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF, as in RFC 3720, appendix B.4. Computed by
 * ISA-L, which uses the processor's instructions where it has them and gives the same result where it has not. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `size` bytes at `data`, continued from `seed`: 0 to begin, or the checksum of what came before, so
 * crc32c(crc32c(0, a), b) is the checksum of a followed by b. The checksum of "123456789" is 0xE3069283. */
uint32_t crc32c(uint32_t seed, const void *data, size_t size);

#endif
