/* A small synchronous RESP client, for the command line: one connection, one reader, time-outs on everything. */
#ifndef LOCKSTEP_CLI_RESP_CLIENT_H
#define LOCKSTEP_CLI_RESP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resp_client;

/* An answer. `type` is RESP's own character; a null is '_' whatever its spelling. */
struct resp_value {
    char type;
    int64_t integer;          /* ':' and '#' */
    char *text;               /* strings, errors and numbers, with a zero at the end; NULL for the others */
    size_t size;              /* bytes of text */
    struct resp_value *items; /* aggregates; a map has two for each pair */
    size_t count;
};

/* Connects to "host:port". `timeout_ms` bounds connecting, and later each send and each wait for an answer. 0, or a
 * negative error with a sentence in `why`. */
int resp_client_open(struct resp_client **out, const char *address, int timeout_ms, char *why, size_t why_size);
void resp_client_close(struct resp_client *client);

/* Appends a command to what will be sent; nothing is sent yet. A NULL `sizes` means zero-terminated arguments. */
int resp_client_append(struct resp_client *client, int argc, const char *const *argv, const size_t *sizes);
/* Sends everything appended. */
int resp_client_flush(struct resp_client *client);
/* Reads the next answer, which the caller frees. ERROR_TIMEOUT, ERROR_CLOSED, ERROR_INVALID (no RESP). */
int resp_client_read(struct resp_client *client, struct resp_value *out);
/* Append, flush and read. */
int resp_client_command(struct resp_client *client, int argc, const char *const *argv, struct resp_value *out);

void resp_value_free(struct resp_value *value);
static inline bool resp_value_is_error(const struct resp_value *value)
{
    return value->type == '-' || value->type == '!';
}

/* The connection's file descriptor, for a caller that does its own waiting. */
int resp_client_descriptor(const struct resp_client *client);

#endif
