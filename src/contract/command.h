/* Commands and bundles: the bytes of a client's request, laid out once.
 *
 * A *bundle* is what one session handed in within one turn: consecutive request numbers, in the order sent. The same
 * bytes travel in messages, lie in the log and are walked by the service; nobody encodes them again.
 *
 *   bundle  = u32 node, u32 count, u64 incarnation, u64 first number, u64 first incomplete number,
 *             u32 level, u32 zero, then `count` commands                                    (40 bytes before them)
 *   command = u32 size of what follows the first 12 bytes, u16 op, u16 flags, u32 argc, then argc arguments
 *   argument = u32 size, bytes
 *
 * Ops are the stable numbers of the command table; they never change their meaning within a level. Nested commands (a
 * transaction) are arguments that hold a whole command each.
 */
#ifndef LOCKSTEP_CONTRACT_COMMAND_H
#define LOCKSTEP_CONTRACT_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

enum {
    BUNDLE_HEADER_SIZE = 40,
    COMMAND_HEADER_SIZE = 12,
    ARGUMENT_HEADER_SIZE = 4,
    COMMAND_LEVEL = 1, /* the level that this build writes and the highest it understands */
};

struct bundle {
    uint32_t node;        /* of the session */
    uint32_t count;       /* commands */
    uint64_t incarnation; /* of the session */
    uint64_t first_number;
    uint64_t first_incomplete; /* lower numbers are answered, and never execute any more */
    uint32_t level;
    struct span commands;
};

struct command {
    uint16_t op;
    uint16_t flags;
    uint32_t argc;
    struct span arguments; /* all of them, encoded */
    struct span whole;     /* the command with its header */
};

/* Opens and checks a whole bundle, every command and argument of it: bytes from a peer or a disk. After true the
 * walks below cannot leave the bytes. An empty span is an empty bundle (count 0). */
bool bundle_open(struct span bytes, struct bundle *out);

/* Only the header, of bytes that were checked before. */
void bundle_header_read(const uint8_t *bytes, struct bundle *out);

/* Next command of checked bytes; advances `rest`. False at the end. */
bool command_next(struct span *rest, struct command *out);

/* One command from a span that should hold exactly one; checks it fully. */
bool command_open(struct span bytes, struct command *out);

/* Next argument; advances `rest` (start with command.arguments). False at the end. */
bool argument_next(struct span *rest, struct span *out);

/* Writers append to a buffer; false when its heap is full. bundle_begin writes a header with count 0;
 * bundle_header_write puts the final values in place. */
bool bundle_begin(struct buffer *out);
void bundle_header_write(uint8_t *bytes, const struct bundle *header);
/* command_begin returns the offset of the command in the buffer, for command_end, or SIZE_MAX when full. */
size_t command_begin(struct buffer *out, uint16_t op, uint16_t flags, uint32_t argc);
bool command_argument(struct buffer *out, struct span argument);
void command_end(struct buffer *out, size_t command_offset);

#endif
