/* The one header of everything that crosses the network or lies in the log.
 *
 * Little-endian, 56 bytes, no padding, encoded by hand so that no struct overlays wire bytes. The CRC32C covers the
 * header from byte 4 and the body. In the log it is seeded with the segment's generation, so that a record which a
 * recycled segment still holds from its former life fails the check. On the network the seed is 0.
 *
 *   0 u32 crc        4 u32 length (of the body)
 *   8 u16 magic     10 u8 version   11 u8 slot     12 u16 type   14 u8 kind   15 u8 zero
 *  16 u32 group     20 u32 sender (node)
 *  24 u64 incarnation of the sender
 *  32 u64 position   log: the member's position; network: the incarnation that the message is meant for, or 0
 *  40 u64 sequence   log: number of the record in the node's log; network: free for the transport (fragments)
 *  48 u64 synced     log: all records with a lower sequence were durable when this was written; network: zero
 */
#ifndef LOCKSTEP_CONTRACT_HEADER_H
#define LOCKSTEP_CONTRACT_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    HEADER_SIZE = 56,
    HEADER_MAGIC = 0x4b4c, /* "LK" */
    HEADER_VERSION = 1,
    HEADER_VERSION_OLDEST = 1, /* that this build still understands */
};

enum header_kind {
    HEADER_MESSAGE = 1,  /* a protocol's message to a member */
    HEADER_RECORD = 2,   /* a record in the log */
    HEADER_NODE = 3,     /* node to node: greeting, fragments, chunks of checkpoints */
    HEADER_CLIENT = 5,   /* between a client of a group and its members: contract/client.h */
    HEADER_FRAGMENT = 4, /* a piece of a large message: sequence = stream number, position = offset */
};

struct header {
    uint32_t crc;
    uint32_t length;
    uint16_t magic;
    uint8_t version;
    uint8_t slot;
    uint16_t type;
    uint8_t kind;
    uint32_t group;
    uint32_t sender;
    uint64_t incarnation;
    uint64_t position;
    uint64_t sequence;
    uint64_t synced;
};

/* Encodes the header with `crc` as it stands (see header_seal). */
void header_encode(const struct header *header, uint8_t out[HEADER_SIZE]);

/* Decodes without judging: the caller checks magic, version, length and then header_crc(). */
void header_decode(const uint8_t in[HEADER_SIZE], struct header *out);

/* CRC32C of bytes 4 to 55 of an encoded header and of the two parts of the body. */
uint32_t header_crc(uint32_t seed, const uint8_t encoded[HEADER_SIZE], struct span head, struct span tail);

/* Encodes, computes the CRC over header and body, and puts it in place. */
void header_seal(uint32_t seed, struct header *header, struct span head, struct span tail, uint8_t out[HEADER_SIZE]);

#endif
