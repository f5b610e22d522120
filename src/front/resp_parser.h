/* Commands as clients send them: RESP arrays of bulks ("multibulk") and inline lines, parsed piece by piece.
 *
 * A command that lies whole in the bytes of one read is parsed where it lies, without copying. One that does not is
 * kept in the parser's own remainder, with what was parsed of it already, so a command that arrives in many reads costs
 * time in proportion to its size. What several parsers need only while they work, they share (struct resp_scratch). */
#ifndef LOCKSTEP_FRONT_RESP_PARSER_H
#define LOCKSTEP_FRONT_RESP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/heap.h"

enum {
    RESP_LINE_SIZE_MAX = 65536, /* of an inline command, and of the line with a count or a size (as in Redis) */
    RESP_WHY_SIZE_MAX = 128,
};

struct resp_limits {
    uint64_t value_bytes_max; /* of one argument */
    uint64_t query_bytes_max; /* of one command with its framing; below 4 GiB */
    uint32_t arguments_max;
};

/* Where an argument lies, counted from the command's base. */
struct resp_piece {
    uint32_t offset, size;
};

/* One command; everything is borrowed until the parser's next call. */
struct resp_command {
    const uint8_t *base;
    const struct resp_piece *pieces;
    uint32_t count; /* arguments, the name included */
    size_t size;    /* bytes of the request that it came from */
};

static inline struct span resp_argument(const struct resp_command *command, uint32_t place)
{
    return span_of(command->base + command->pieces[place].offset, command->pieces[place].size);
}

/* Shared by the parsers of one front. */
struct resp_scratch {
    struct heap *heap;
    struct resp_piece *pieces;
    uint32_t capacity;
    struct buffer text;           /* arguments of an inline command, unquoted */
    char why[RESP_WHY_SIZE_MAX];  /* after RESP_BAD: the error's text */
};

struct resp_parser {
    struct buffer rest; /* what the caller's buffers no longer hold */
    size_t rest_at;     /* bytes of it that are done with */
    /* How far the command at the front is parsed. */
    size_t at;
    uint32_t expected; /* arguments, 0 before the count is known */
    uint32_t count;
    bool bulk_known;
    uint32_t bulk_size;
    struct resp_piece *pieces; /* of a command that was found incomplete before, else NULL */
    uint32_t capacity;
};

enum resp_status {
    RESP_COMMAND, /* a command is there: execute it, then resp_parser_advance */
    RESP_EMPTY,   /* a request that asks nothing ("\r\n", "*0\r\n"): resp_parser_advance, no answer */
    RESP_MORE,    /* what is there does not suffice */
    RESP_BAD,     /* not our protocol or over a limit: answer scratch->why and close */
};

void resp_scratch_init(struct resp_scratch *scratch, struct heap *heap);
void resp_scratch_free(struct resp_scratch *scratch);

void resp_parser_init(struct resp_parser *parser, struct heap *heap);
void resp_parser_free(struct resp_parser *parser);

/* Looks for the next command in what is kept and then in `*input`. Asking again without having advanced gives the same
 * command again. Bytes of `*input` may be moved into the remainder; `*input` is then shortened. */
enum resp_status resp_parser_next(struct resp_parser *parser, struct resp_scratch *scratch,
                                  const struct resp_limits *limits, struct span *input, struct resp_command *out);

/* The command that resp_parser_next gave is done with. */
void resp_parser_advance(struct resp_parser *parser, struct span *input, size_t command_size);

/* Keeps all of `input`, whose memory goes away. False when the heap is full: the connection cannot go on. */
bool resp_parser_keep(struct resp_parser *parser, struct span input);

/* Bytes that are kept. */
static inline size_t resp_parser_kept(const struct resp_parser *parser)
{
    return parser->rest.size - parser->rest_at;
}

/* Gives back memory that an idle parser does not need. */
void resp_parser_shrink(struct resp_parser *parser);

#endif
