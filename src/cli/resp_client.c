/* A small synchronous RESP client (resp_client.h). */
#include "cli/resp_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "host/real/resp_scan.h"
#include "host/real/socket.h"

enum {
    DEPTH_MAX = 16,           /* of nested answers */
    READ_SIZE = 64 * 1024,
    ANSWER_SIZE_MAX = 1 << 30, /* of one answer: more than any server of ours sends */
};

struct bytes {
    char *data;
    size_t size, capacity;
};

struct resp_client {
    int fd;
    int timeout_ms;
    struct bytes out;
    struct bytes in;
    size_t in_taken; /* bytes of `in` that were handed out */
};

static int bytes_reserve(struct bytes *bytes, size_t extra)
{
    if (bytes->capacity - bytes->size >= extra)
        return OK;
    size_t capacity = bytes->capacity * 2;
    if (capacity < bytes->size + extra)
        capacity = bytes->size + extra;
    char *data = realloc(bytes->data, capacity);
    if (data == NULL)
        return ERROR_NO_MEMORY;
    bytes->data = data;
    bytes->capacity = capacity;
    return OK;
}

static int wait_for(const struct resp_client *client, short events)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = events};
    int ready;
    do
        ready = poll(&poll_fd, 1, client->timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return ERROR_IO;
    return ready == 0 ? ERROR_TIMEOUT : OK;
}

static int connect_finish(struct resp_client *client, const struct socket_address *address)
{
    client->fd = socket_dial(address);
    if (client->fd < 0)
        return -errno;
    int status = wait_for(client, POLLOUT);
    if (status != OK)
        return -ETIMEDOUT;
    return -socket_error(client->fd);
}

int resp_client_open(struct resp_client **out, const char *address, int timeout_ms, char *why, size_t why_size)
{
    struct socket_address where;
    int status = socket_address_resolve(address, &where, why, why_size);
    if (status != OK)
        return status;
    struct resp_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return ERROR_NO_MEMORY;
    client->timeout_ms = timeout_ms;
    status = connect_finish(client, &where);
    if (status != 0) {
        snprintf(why, why_size, "cannot connect to %s: %s", address, strerror(-status));
        resp_client_close(client);
        return ERROR_IO;
    }
    *out = client;
    return OK;
}

void resp_client_close(struct resp_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    free(client->out.data);
    free(client->in.data);
    free(client);
}

int resp_client_append(struct resp_client *client, int argc, const char *const *argv, const size_t *sizes)
{
    struct bytes *out = &client->out;
    if (bytes_reserve(out, 32) != OK)
        return ERROR_NO_MEMORY;
    out->size += (size_t)snprintf(out->data + out->size, 32, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        size_t size = sizes != NULL ? sizes[i] : strlen(argv[i]);
        if (bytes_reserve(out, size + 34) != OK)
            return ERROR_NO_MEMORY;
        out->size += (size_t)snprintf(out->data + out->size, 32, "$%zu\r\n", size);
        memcpy(out->data + out->size, argv[i], size);
        memcpy(out->data + out->size + size, "\r\n", 2);
        out->size += size + 2;
    }
    return OK;
}

int resp_client_flush(struct resp_client *client)
{
    size_t sent = 0;
    while (sent < client->out.size) {
        ssize_t count = send(client->fd, client->out.data + sent, client->out.size - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return ERROR_CLOSED;
        int status = wait_for(client, POLLOUT);
        if (status != OK)
            return status;
    }
    client->out.size = 0;
    return OK;
}

/* Receives more bytes, waiting for them. */
static int receive(struct resp_client *client)
{
    struct bytes *in = &client->in;
    if (client->in_taken > 0) {
        memmove(in->data, in->data + client->in_taken, in->size - client->in_taken);
        in->size -= client->in_taken;
        client->in_taken = 0;
    }
    if (in->size > ANSWER_SIZE_MAX)
        return ERROR_TOO_LARGE;
    if (bytes_reserve(in, READ_SIZE) != OK)
        return ERROR_NO_MEMORY;
    for (;;) {
        ssize_t count = recv(client->fd, in->data + in->size, in->capacity - in->size, 0);
        if (count > 0) {
            in->size += (size_t)count;
            return OK;
        }
        if (count == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
            return ERROR_CLOSED;
        int status = wait_for(client, POLLIN);
        if (status != OK)
            return status;
    }
}

static int text_copy(struct resp_value *out, const uint8_t *data, size_t size)
{
    out->text = malloc(size + 1);
    if (out->text == NULL)
        return ERROR_NO_MEMORY;
    memcpy(out->text, data, size);
    out->text[size] = '\0';
    out->size = size;
    return OK;
}

static int value_build(struct span *rest, struct resp_value *out, int depth);

static int items_build(struct span *rest, struct resp_value *out, uint64_t count, int depth)
{
    if (depth >= DEPTH_MAX || count > rest->size)
        return ERROR_INVALID;
    out->items = calloc(count > 0 ? count : 1, sizeof *out->items);
    if (out->items == NULL)
        return ERROR_NO_MEMORY;
    for (uint64_t i = 0; i < count; i++) {
        out->count = i + 1;
        int status = value_build(rest, &out->items[i], depth + 1);
        if (status != OK)
            return status;
    }
    return OK;
}

/* Builds the value at the front of bytes that resp_scan() found whole. */
static int value_build(struct span *rest, struct resp_value *out, int depth)
{
    char type;
    int64_t number;
    int64_t line = resp_scan_line(*rest, &type, &number);
    if (line <= 0)
        return ERROR_INVALID;
    struct span text = span_of(rest->data + 1, (size_t)line - 3);
    *rest = span_of(rest->data + line, rest->size - (size_t)line);
    *out = (struct resp_value){.type = type, .integer = number};
    bool null = type == '_' || (number == -1 && (type == '$' || type == '*'));
    if (null) {
        out->type = '_';
        return OK;
    }
    if (type == '#')
        out->integer = text.size == 1 && text.data[0] == 't';
    if (type == '$' || type == '=' || type == '!') {
        size_t size = (size_t)number;
        int status = text_copy(out, rest->data, size);
        *rest = span_of(rest->data + size + 2, rest->size - size - 2);
        return status;
    }
    if (type == '*' || type == '~' || type == '>')
        return items_build(rest, out, (uint64_t)number, depth);
    if (type == '%')
        return items_build(rest, out, (uint64_t)number * 2, depth);
    return text_copy(out, text.data, text.size);
}

int resp_client_read(struct resp_client *client, struct resp_value *out)
{
    *out = (struct resp_value){.type = '_'};
    for (;;) {
        struct span rest = span_of(client->in.data == NULL ? NULL : client->in.data + client->in_taken,
                                   client->in.size - client->in_taken);
        int64_t whole = resp_scan(rest);
        if (whole < 0)
            return (int)whole;
        if (whole > 0) {
            client->in_taken += (size_t)whole;
            rest.size = (size_t)whole;
            int status = value_build(&rest, out, 0);
            if (status != OK)
                resp_value_free(out);
            return status;
        }
        int status = receive(client);
        if (status != OK)
            return status;
    }
}

int resp_client_command(struct resp_client *client, int argc, const char *const *argv, struct resp_value *out)
{
    *out = (struct resp_value){.type = '_'};
    int status = resp_client_append(client, argc, argv, NULL);
    if (status == OK)
        status = resp_client_flush(client);
    if (status == OK)
        status = resp_client_read(client, out);
    return status;
}

void resp_value_free(struct resp_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        resp_value_free(&value->items[i]);
    free(value->items);
    free(value->text);
    *value = (struct resp_value){.type = '_'};
}

int resp_client_descriptor(const struct resp_client *client)
{
    return client->fd;
}
