/* How long do writes fail? One connection to each port increments a counter of its own without pause; the time between
 * two successes on any of them is a gap. So a client that waits for a dead node does not count, as long as another node
 * takes writes: what is measured is the service's gap, not a client's time-outs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/bench_internal.h"

enum {
    WAIT_MS = 1,
    RETRY_NS = 1000000,           /* after a refusal or a lost connection */
    PATIENCE_NS = 2000000000,     /* for an answer, then the connection is made anew */
    REQUEST_SIZE = 64,
};

struct writer {
    int fd; /* -1: closed */
    uint16_t port;
    bool waiting;
    uint64_t sent_ns, retry_ns;
    char request[REQUEST_SIZE];
    size_t request_size;
    struct bench_reader reader;
};

struct failover {
    const struct bench_options *options;
    struct bench_result *result;
    struct writer writers[BENCH_PORTS_MAX];
    uint64_t begin_ns, success_ns; /* success: the last one */
};

static void writer_close(struct failover *run, struct writer *writer, uint64_t now_ns)
{
    if (writer->fd >= 0) {
        close(writer->fd);
        run->result->lost++;
    }
    writer->fd = -1;
    writer->waiting = false;
    writer->retry_ns = now_ns + RETRY_NS;
    writer->reader = (struct bench_reader){.skip = 0};
}

static void writer_send(struct failover *run, struct writer *writer, uint64_t now_ns)
{
    if (writer->fd < 0)
        writer->fd = bench_connect(run->options, writer->port);
    if (writer->fd < 0)
        return;
    ssize_t sent = send(writer->fd, writer->request, writer->request_size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
        writer->retry_ns = now_ns + RETRY_NS;
        return;
    }
    /* So small a request on an idle connection goes out whole, or the connection is gone. */
    if (sent != (ssize_t)writer->request_size) {
        writer_close(run, writer, now_ns);
        return;
    }
    writer->waiting = true;
    writer->sent_ns = now_ns;
}

static void success(struct failover *run, uint64_t now_ns)
{
    double gap = (double)(now_ns - run->success_ns) / (double)NS_PER_S;
    if (gap > run->result->gap_seconds) {
        run->result->gap_seconds = gap;
        run->result->gap_at_seconds = (double)(run->success_ns - run->begin_ns) / (double)NS_PER_S;
    }
    run->success_ns = now_ns;
}

static void writer_read(struct failover *run, struct writer *writer, uint64_t now_ns)
{
    char bytes[512];
    ssize_t size = recv(writer->fd, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        writer_close(run, writer, now_ns);
        return;
    }
    struct bench_replies replies = bench_read(&writer->reader, bytes, (size_t)size);
    if (replies.damaged) {
        writer_close(run, writer, now_ns);
        return;
    }
    if (replies.count == 0)
        return;
    writer->waiting = false;
    run->result->replies++;
    run->result->errors += replies.errors;
    if (replies.errors > 0) {
        writer->retry_ns = now_ns + RETRY_NS;
        if (run->result->error[0] == '\0')
            memcpy(run->result->error, replies.error, BENCH_ERROR_SIZE);
        return;
    }
    bench_histogram_add(&run->result->latencies, now_ns - writer->sent_ns);
    success(run, now_ns);
}

/* One pass over all writers: send where one may, then wait a moment for answers. */
static void turn(struct failover *run)
{
    struct pollfd polls[BENCH_PORTS_MAX];
    uint32_t count = run->options->port_count;
    uint64_t now_ns = bench_now_ns();
    for (uint32_t at = 0; at < count; at++) {
        struct writer *writer = &run->writers[at];
        if (writer->waiting && now_ns - writer->sent_ns > PATIENCE_NS)
            writer_close(run, writer, now_ns);
        if (!writer->waiting && now_ns >= writer->retry_ns)
            writer_send(run, writer, now_ns);
        polls[at] = (struct pollfd){.fd = writer->waiting ? writer->fd : -1, .events = POLLIN};
    }
    if (poll(polls, count, WAIT_MS) <= 0)
        return;
    now_ns = bench_now_ns();
    for (uint32_t at = 0; at < count; at++)
        if (polls[at].revents != 0)
            writer_read(run, &run->writers[at], now_ns);
}

bool bench_failover_run(const struct bench_options *options, struct bench_result *result)
{
    struct failover run = {.options = options, .result = result};
    for (uint32_t at = 0; at < options->port_count; at++) {
        struct writer *writer = &run.writers[at];
        char key[24];
        int key_size = snprintf(key, sizeof key, "failover:%u", (unsigned)at);
        writer->fd = -1;
        writer->port = options->ports[at];
        writer->request_size = (size_t)snprintf(writer->request, REQUEST_SIZE, "*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n",
                                                key_size, key);
    }
    run.begin_ns = run.success_ns = bench_now_ns();
    uint64_t end_ns = run.begin_ns + (uint64_t)(options->seconds * (double)NS_PER_S);
    while (bench_now_ns() < end_ns)
        turn(&run);
    success(&run, bench_now_ns()); /* a gap that lasts to the end counts */
    result->seconds = options->seconds;
    for (uint32_t at = 0; at < options->port_count; at++)
        if (run.writers[at].fd >= 0)
            close(run.writers[at].fd);
    if (result->latencies.count == 0 && result->error[0] == '\0')
        snprintf(result->error, BENCH_ERROR_SIZE, "nothing answered");
    return result->latencies.count > 0;
}
