/* Messages and records, declared once.
 *
 * A protocol lists the fields of each message and record in one table. The struct that its code uses, the encoding,
 * the bounds-checked decoding, the text in traces, the fuzz target and the adversary's mutations all come from that
 * table. The encoding is the fields in their order, little-endian, without padding; BYTES is a u32 length and the
 * bytes; RECORDS is the rest of the body: stored records, each a struct record_prefix and its bytes.
 *
 * At most one BYTES or RECORDS field, and it is the last: so the bulk of a message can stay where it lies (a client's
 * bundle, the log's image) and only the few bytes before it are ever written twice.
 *
 * Example:
 *     #define RAFT_VOTE_FIELDS(FIELD, S) FIELD(S, U64, term) FIELD(S, U64, last_index) FIELD(S, U64, last_term)
 *     MESSAGE_STRUCT(raft_vote, RAFT_VOTE_FIELDS)             in the header: struct raft_vote
 *     static const struct field vote_fields[] = { MESSAGE_FIELDS(raft_vote, RAFT_VOTE_FIELDS) };
 *     ... [RAFT_VOTE] = MESSAGE_TYPE("VOTE", raft_vote, vote_fields)
 */
#ifndef LOCKSTEP_CONTRACT_MESSAGE_H
#define LOCKSTEP_CONTRACT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* NODE, TIME and INCARNATION travel as U32, I64 and U64. They say what the number means: a node's id that a renaming
 * of members changes, a time in nanoseconds, one life of a process. Who compares messages rather than executes them
 * needs to know (the explorer, the adversary, diagrams). */
enum field_kind {
    FIELD_U8,
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_NODE,
    FIELD_TIME,
    FIELD_INCARNATION,
    FIELD_BYTES,
    FIELD_RECORDS,
};

#define FIELD_TYPE_U8 uint8_t
#define FIELD_TYPE_U32 uint32_t
#define FIELD_TYPE_U64 uint64_t
#define FIELD_TYPE_I64 int64_t
#define FIELD_TYPE_NODE uint32_t
#define FIELD_TYPE_TIME int64_t
#define FIELD_TYPE_INCARNATION uint64_t
#define FIELD_TYPE_BYTES struct span
#define FIELD_TYPE_RECORDS struct span

struct field {
    const char *name;
    enum field_kind kind;
    uint32_t offset; /* in the struct */
};

/* What proves to a receiver that a message is its sender's, and unchanged: one MAC for each member, of which each can
 * check its own only, or a signature, which convinces everybody. The proof follows the body on the wire; node/ makes
 * and checks it, so a core hears only of messages whose proof was good. */
enum message_proof {
    PROOF_NONE,
    PROOF_MAC,  /* one for each member, by place */
    PROOF_PAIR, /* one, for the one receiver */
    PROOF_SIGNATURE,
};

#define MESSAGE_MEMBER(S, kind, name) FIELD_TYPE_##kind name;
#define MESSAGE_STRUCT(S, FIELDS) \
    struct S {                    \
        FIELDS(MESSAGE_MEMBER, S) \
    };
#define MESSAGE_FIELD(S, kind, name) {#name, FIELD_##kind, (uint32_t)offsetof(struct S, name)},
#define MESSAGE_FIELDS(S, FIELDS) FIELDS(MESSAGE_FIELD, S)
#define MESSAGE_TYPE(text, S, field_list) MESSAGE_TYPE_PROVEN(text, S, field_list, PROOF_NONE)
/* The same for a message that bears a proof. */
#define MESSAGE_TYPE_PROVEN(text, S, field_list, kind_of_proof)                                     \
    {(text), (field_list), (uint32_t)(sizeof(field_list) / sizeof((field_list)[0])), \
     (uint32_t)sizeof(struct S), (kind_of_proof)}

struct message_type {
    const char *name; /* as printed in traces: "APPEND" */
    const struct field *fields;
    uint32_t field_count;
    uint32_t struct_size; /* bytes, at most MESSAGE_STRUCT_SIZE_MAX */
    enum message_proof proof;
};

/* The type number of a message or record is its place in its table. */
struct message_table {
    const struct message_type *types;
    uint32_t count;
};

enum {
    MESSAGE_STRUCT_SIZE_MAX = 256, /* bytes of a decoded message */
    MESSAGE_HEAD_SIZE_MAX = 256,   /* bytes of the encoded fields before the bulk, its length included */
    RECORD_PREFIX_SIZE = 8,        /* u32 size of the body, u16 type, u8 slot, u8 zero */
};

/* Encodes all fields up to the bulk into `out` (at least MESSAGE_HEAD_SIZE_MAX bytes) and returns the bytes written.
 * `*tail` is the bulk, which follows them on the wire: for BYTES the field's span, for RECORDS empty (node/ appends
 * the stored records that the effect names), else empty. */
size_t message_encode(const struct message_type *type, const void *body, uint8_t *out, struct span *tail);

/* Decodes a whole body into the struct at `out` (struct_size bytes). The bulk is borrowed from `bytes`. False when the
 * bytes are too short, too long, or a record list is malformed (sizes only; records are decoded by who reads them). */
bool message_decode(const struct message_type *type, struct span bytes, void *out);

/* Prints `NAME {term=3 last_index=7 …}` into `out` (bulk as its size) and returns the length, cut to `size` - 1. */
size_t message_print(const struct message_type *type, const void *body, char *out, size_t size);

/* Walks the records of a RECORDS field that message_decode() accepted. False at the end. */
struct record_view {
    uint8_t slot;
    uint16_t type;
    struct span body;
};
bool record_next(struct span *rest, struct record_view *out);

/* Writes a record's prefix (RECORD_PREFIX_SIZE bytes). */
void record_prefix_write(uint8_t *out, uint32_t body_size, uint16_t type, uint8_t slot);

#endif
