/* The header of messages and records (header.h): places of the fields, and its checksum. */
#include "contract/header.h"

#include "base/crc32c.h"

enum { /* offsets */
    AT_CRC = 0,
    AT_LENGTH = 4,
    AT_MAGIC = 8,
    AT_VERSION = 10,
    AT_SLOT = 11,
    AT_TYPE = 12,
    AT_KIND = 14,
    AT_ZERO = 15,
    AT_GROUP = 16,
    AT_SENDER = 20,
    AT_INCARNATION = 24,
    AT_POSITION = 32,
    AT_SEQUENCE = 40,
    AT_SYNCED = 48,
    AT_END = 56,
};

_Static_assert((int)AT_END == (int)HEADER_SIZE, "the fields fill the header");

void header_encode(const struct header *header, uint8_t out[HEADER_SIZE])
{
    store_u32(out + AT_CRC, header->crc);
    store_u32(out + AT_LENGTH, header->length);
    store_u16(out + AT_MAGIC, header->magic);
    out[AT_VERSION] = header->version;
    out[AT_SLOT] = header->slot;
    store_u16(out + AT_TYPE, header->type);
    out[AT_KIND] = header->kind;
    out[AT_ZERO] = 0;
    store_u32(out + AT_GROUP, header->group);
    store_u32(out + AT_SENDER, header->sender);
    store_u64(out + AT_INCARNATION, header->incarnation);
    store_u64(out + AT_POSITION, header->position);
    store_u64(out + AT_SEQUENCE, header->sequence);
    store_u64(out + AT_SYNCED, header->synced);
}

void header_decode(const uint8_t in[HEADER_SIZE], struct header *out)
{
    out->crc = load_u32(in + AT_CRC);
    out->length = load_u32(in + AT_LENGTH);
    out->magic = load_u16(in + AT_MAGIC);
    out->version = in[AT_VERSION];
    out->slot = in[AT_SLOT];
    out->type = load_u16(in + AT_TYPE);
    out->kind = in[AT_KIND];
    out->group = load_u32(in + AT_GROUP);
    out->sender = load_u32(in + AT_SENDER);
    out->incarnation = load_u64(in + AT_INCARNATION);
    out->position = load_u64(in + AT_POSITION);
    out->sequence = load_u64(in + AT_SEQUENCE);
    out->synced = load_u64(in + AT_SYNCED);
}

uint32_t header_crc(uint32_t seed, const uint8_t encoded[HEADER_SIZE], struct span head, struct span tail)
{
    uint32_t crc = crc32c(seed, encoded + AT_LENGTH, HEADER_SIZE - AT_LENGTH);
    if (head.size > 0)
        crc = crc32c(crc, head.data, head.size);
    if (tail.size > 0)
        crc = crc32c(crc, tail.data, tail.size);
    return crc;
}

void header_seal(uint32_t seed, struct header *header, struct span head, struct span tail, uint8_t out[HEADER_SIZE])
{
    header_encode(header, out);
    header->crc = header_crc(seed, out, head, tail);
    store_u32(out + AT_CRC, header->crc);
}
