/* A closed loop: each connection sends a batch of requests, waits for all its replies, and sends the next. One thread
 * over epoll, so the load costs the machine little: requests are laid out once and only the digits of their keys change.
 *
 * A request's latency runs from the moment its batch was handed to the kernel to the one its reply was read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "cli/bench_internal.h"

enum {
    KEY_DIGITS = 12,
    EVENTS_MAX = 128,
    READ_SIZE = 256 << 10,
    WAIT_MS = 100,
};

/* A request's bytes, with the place of the digits of its key. */
struct template {
    char *bytes;
    size_t size, digits_at;
};

struct connection {
    int fd;
    char *out;
    size_t out_size, out_sent;
    uint32_t waiting; /* replies */
    uint64_t sent_ns;
    bool wants_out; /* epoll tells when it can be written */
    struct bench_reader reader;
};

struct load {
    const struct bench_options *options;
    struct bench_result *result;
    struct template templates[2];
    uint32_t template_count; /* 2: one of them at random for each request */
    struct random random;
    struct connection *connections;
    uint32_t open_count;
    int epoll;
    uint64_t issued, next_key;
    uint64_t begin_ns, warm_ns, end_ns;
    char *in;
};

static bool template_make(struct template *out, const char *command, bool has_value, uint32_t value_size)
{
    out->bytes = malloc(128 + (size_t)value_size);
    if (out->bytes == NULL)
        return false;
    const char *prefix = strcmp(command, "INCR") == 0 ? "ctr:" : "key:";
    int size = sprintf(out->bytes, "*%d\r\n$%zu\r\n%s\r\n$%d\r\n%s", has_value ? 3 : 2, strlen(command), command,
                       4 + KEY_DIGITS, prefix);
    out->digits_at = (size_t)size;
    size += sprintf(out->bytes + size, "%012d\r\n", 0);
    if (has_value) {
        size += sprintf(out->bytes + size, "$%u\r\n", (unsigned)value_size);
        for (uint32_t at = 0; at < value_size; at++)
            out->bytes[size++] = (char)('a' + at % 26);
        out->bytes[size++] = '\r';
        out->bytes[size++] = '\n';
    }
    out->size = (size_t)size;
    return true;
}

static bool templates_make(struct load *load)
{
    uint32_t value_size = load->options->value_size;
    enum bench_load kind = load->options->load;
    load->template_count = kind == BENCH_MIXED ? 2 : 1;
    if (kind == BENCH_INCR)
        return template_make(&load->templates[0], "INCR", false, 0);
    if (kind == BENCH_GET)
        return template_make(&load->templates[0], "GET", false, 0);
    return template_make(&load->templates[0], "SET", true, value_size) &&
           (kind != BENCH_MIXED || template_make(&load->templates[1], "GET", false, 0));
}

/* Appends one request; returns its size. */
static size_t request_put(struct load *load, char *to)
{
    const struct template *template = &load->templates[0];
    uint64_t key = load->next_key;
    if (load->options->load == BENCH_FILL) {
        load->next_key = key + 1 < load->options->keys ? key + 1 : 0;
    } else {
        uint64_t draw = random_u64(&load->random);
        /* The low bits choose the request, the high ones the key: a multiplication takes the place of a division. */
        if (load->template_count == 2)
            template = &load->templates[draw & 1];
        key = (uint64_t)(((draw >> 32) * (load->options->keys & UINT32_MAX)) >> 32);
    }
    memcpy(to, template->bytes, template->size);
    char *digit = to + template->digits_at + KEY_DIGITS;
    for (; key > 0; key /= 10)
        *--digit = (char)('0' + key % 10);
    return template->size;
}

static void want_out(struct load *load, struct connection *connection, bool wants)
{
    if (connection->wants_out == wants)
        return;
    connection->wants_out = wants;
    struct epoll_event event = {.events = EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void drop(struct load *load, struct connection *connection, const char *why)
{
    close(connection->fd);
    connection->fd = -1;
    load->open_count--;
    load->result->lost++;
    if (load->result->error[0] == '\0')
        snprintf(load->result->error, BENCH_ERROR_SIZE, "%s", why);
}

static void flush(struct load *load, struct connection *connection)
{
    while (connection->out_sent < connection->out_size) {
        ssize_t sent = send(connection->fd, connection->out + connection->out_sent,
                            connection->out_size - connection->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            want_out(load, connection, true);
            return;
        }
        if (sent < 0) {
            drop(load, connection, strerror(errno));
            return;
        }
        connection->out_sent += (size_t)sent;
    }
    want_out(load, connection, false);
}

/* Sends the next batch, unless all requests were issued. */
static void issue(struct load *load, struct connection *connection, uint64_t now_ns)
{
    uint64_t count = load->options->pipeline;
    if (load->options->requests > 0 && count > load->options->requests - load->issued)
        count = load->options->requests - load->issued;
    if (count == 0)
        return;
    size_t size = 0;
    for (uint64_t at = 0; at < count; at++)
        size += request_put(load, connection->out + size);
    load->issued += count;
    connection->out_size = size;
    connection->out_sent = 0;
    connection->waiting = (uint32_t)count;
    connection->sent_ns = now_ns;
    flush(load, connection);
}

static void take(struct load *load, struct connection *connection, const struct bench_replies *replies,
                 uint64_t now_ns)
{
    struct bench_result *result = load->result;
    if (replies->damaged || replies->count > connection->waiting) {
        drop(load, connection, "a reply is no RESP, or was not asked for");
        return;
    }
    connection->waiting -= (uint32_t)replies->count;
    if (now_ns >= load->warm_ns) {
        for (uint64_t at = 0; at < replies->count; at++)
            bench_histogram_add(&result->latencies, now_ns - connection->sent_ns);
        result->replies += replies->count;
        result->errors += replies->errors;
    }
    if (replies->error != NULL && result->error[0] == '\0')
        memcpy(result->error, replies->error, BENCH_ERROR_SIZE);
    if (connection->waiting == 0)
        issue(load, connection, now_ns);
}

static void read_ready(struct load *load, struct connection *connection)
{
    ssize_t size = recv(connection->fd, load->in, READ_SIZE, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        drop(load, connection, size == 0 ? "the server closed a connection" : strerror(errno));
        return;
    }
    struct bench_replies replies = bench_read(&connection->reader, load->in, (size_t)size);
    take(load, connection, &replies, bench_now_ns());
}

static bool connections_open(struct load *load)
{
    const struct bench_options *options = load->options;
    load->connections = calloc(options->connections, sizeof *load->connections);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->connections == NULL || load->epoll < 0)
        return false;
    size_t request_size = load->templates[0].size;
    if (load->template_count == 2 && load->templates[1].size > request_size)
        request_size = load->templates[1].size;
    for (uint32_t at = 0; at < options->connections; at++) {
        struct connection *connection = &load->connections[at];
        connection->fd = bench_connect(options, options->ports[at % options->port_count]);
        connection->out = malloc(request_size * options->pipeline);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (connection->fd < 0 || connection->out == NULL ||
            epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
            return false;
        load->open_count++;
    }
    return true;
}

static bool finished(const struct load *load, uint64_t now_ns)
{
    bool all = load->options->requests > 0 && load->issued == load->options->requests;
    if (!all)
        return load->open_count == 0 || now_ns >= load->end_ns;
    for (uint32_t at = 0; at < load->options->connections; at++)
        if (load->connections[at].fd >= 0 && load->connections[at].waiting > 0)
            return now_ns >= load->end_ns;
    return true;
}

static void loop(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now_ns = load->begin_ns;
    for (uint32_t at = 0; at < load->options->connections; at++)
        issue(load, &load->connections[at], now_ns);
    while (!finished(load, now_ns)) {
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, WAIT_MS);
        for (int at = 0; at < count; at++) {
            struct connection *connection = events[at].data.ptr;
            if (connection->fd >= 0 && events[at].events & EPOLLOUT)
                flush(load, connection);
            if (connection->fd >= 0 && events[at].events & ~(uint32_t)EPOLLOUT)
                read_ready(load, connection);
        }
        now_ns = bench_now_ns();
    }
    uint64_t counted_from = load->warm_ns < now_ns ? load->warm_ns : load->begin_ns;
    load->result->seconds = (double)(now_ns - counted_from) / (double)NS_PER_S;
}

static void load_free(struct load *load)
{
    for (uint32_t at = 0; load->connections != NULL && at < load->options->connections; at++) {
        free(load->connections[at].out);
        if (load->connections[at].fd > 0)
            close(load->connections[at].fd);
    }
    if (load->epoll > 0)
        close(load->epoll);
    free(load->connections);
    free(load->templates[0].bytes);
    free(load->templates[1].bytes);
    free(load->in);
}

bool bench_load_run(const struct bench_options *options, struct bench_result *result)
{
    struct load load = {.options = options, .result = result, .in = malloc(READ_SIZE)};
    random_seed(&load.random, options->seed);
    bool ready = load.in != NULL && templates_make(&load) && connections_open(&load);
    if (ready) {
        load.begin_ns = bench_now_ns();
        load.warm_ns = load.begin_ns + (uint64_t)(options->warm_seconds * (double)NS_PER_S);
        load.end_ns = load.warm_ns + (uint64_t)(options->seconds * (double)NS_PER_S);
        loop(&load);
    } else {
        snprintf(result->error, BENCH_ERROR_SIZE, "connecting failed: %s", strerror(errno));
    }
    bool any = ready && load.open_count > 0;
    load_free(&load);
    return any;
}
