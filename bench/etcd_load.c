/* A load for etcd like that of `lockstep bench`: closed loop, one thread over epoll, the same line of results.
 *
 * It speaks HTTP/1.1 with keep-alive to etcd's JSON gateway (POST /v3/kv/put and /v3/kv/range, which reads linearizably
 * by default), because gRPC needs HTTP/2. The gateway is part of the etcd process and costs it processor time, and a
 * connection carries one request at a time; compare with that in mind.
 *
 *   etcd_load -p PORT -c CONNECTIONS -s SECONDS [-w SECONDS] [-d BYTES] [-k KEYS] [-t put|get] [-n REQUESTS]
 *
 * Each of -n is the next key in turn, else keys are drawn. bench/run compiles and runs it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench_histogram.h"

enum {
    EVENTS_MAX = 128,
    IN_SIZE = 64 << 10, /* of one answer, which holds one value */
    OUT_SIZE = 16 << 10,
    VALUE_SIZE_MAX = 4096,
};

struct connection {
    int fd;
    bool waiting;
    uint64_t sent_ns;
    size_t in_size;
    char in[IN_SIZE];
};

struct load {
    unsigned port, connections, value_size, keys;
    double seconds, warm_seconds;
    uint64_t requests;
    bool get;

    uint64_t random, issued, replies, errors, lost;
    char value[VALUE_SIZE_MAX * 4 / 3 + 8]; /* in base 64 */
    struct bench_histogram latencies;
    uint64_t warm_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t base64(const char *bytes, size_t size, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = out;
    for (size_t at = 0; at < size; at += 3) {
        unsigned group = (unsigned)(unsigned char)bytes[at] << 16;
        if (at + 1 < size)
            group |= (unsigned)(unsigned char)bytes[at + 1] << 8;
        if (at + 2 < size)
            group |= (unsigned)(unsigned char)bytes[at + 2];
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = at + 1 < size ? digits[group >> 6 & 63] : '=';
        *to++ = at + 2 < size ? digits[group & 63] : '=';
    }
    *to = '\0';
    return (size_t)(to - out);
}

static unsigned next_key(struct load *load)
{
    if (load->requests > 0)
        return (unsigned)(load->issued % load->keys);
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return (unsigned)((load->random >> 32) % load->keys);
}

static void lose(struct load *load, struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    load->lost++;
}

static void issue(struct load *load, struct connection *connection)
{
    if (load->requests > 0 && load->issued == load->requests)
        return;
    char key[32], coded[64], body[OUT_SIZE / 2], out[OUT_SIZE];
    int key_size = snprintf(key, sizeof key, "key:%012u", next_key(load));
    base64(key, (size_t)key_size, coded);
    int body_size = load->get ? snprintf(body, sizeof body, "{\"key\":\"%s\"}", coded)
                              : snprintf(body, sizeof body, "{\"key\":\"%s\",\"value\":\"%s\"}", coded, load->value);
    int size = snprintf(out, sizeof out,
                        "POST /v3/kv/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n%s",
                        load->get ? "range" : "put", body_size, body);
    load->issued++;
    connection->in_size = 0;
    connection->waiting = true;
    connection->sent_ns = now_ns();
    /* One request is far smaller than the socket's buffer. */
    if (send(connection->fd, out, (size_t)size, MSG_NOSIGNAL) != size)
        lose(load, connection);
}

/* Is a whole answer there? Gives its status. */
static bool answered(const struct connection *connection, int *status)
{
    const char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return false;
    *status = atoi(connection->in + strcspn(connection->in, " "));
    const char *length = strcasestr(connection->in, "\r\nContent-Length:");
    if (length != NULL && length < end)
        return connection->in_size >= (size_t)(end + 4 - connection->in) + strtoul(length + 17, NULL, 10);
    return connection->in_size >= 5 && strcmp(connection->in + connection->in_size - 5, "0\r\n\r\n") == 0;
}

static void read_ready(struct load *load, struct connection *connection)
{
    ssize_t size = recv(connection->fd, connection->in + connection->in_size, IN_SIZE - 1 - connection->in_size, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        lose(load, connection);
        return;
    }
    connection->in_size += (size_t)size;
    connection->in[connection->in_size] = '\0';
    int status;
    if (!answered(connection, &status))
        return;
    uint64_t now = now_ns();
    connection->waiting = false;
    if (now >= load->warm_ns) {
        load->replies++;
        load->errors += status != 200;
        bench_histogram_add(&load->latencies, now - connection->sent_ns);
    }
    issue(load, connection);
}

static int open_connection(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return fd;
}

static bool options_read(struct load *load, int argc, char **argv)
{
    for (int option = getopt(argc, argv, "p:c:s:w:d:k:t:n:"); option != -1;
         option = getopt(argc, argv, "p:c:s:w:d:k:t:n:")) {
        double number = atof(optarg);
        switch (option) {
        case 'p': load->port = (unsigned)number; break;
        case 'c': load->connections = (unsigned)number; break;
        case 's': load->seconds = number; break;
        case 'w': load->warm_seconds = number; break;
        case 'd': load->value_size = (unsigned)number; break;
        case 'k': load->keys = (unsigned)number; break;
        case 'n': load->requests = (uint64_t)number; break;
        case 't': load->get = strcmp(optarg, "get") == 0; break;
        default: return false;
        }
    }
    return optind == argc && load->keys > 0 && load->connections > 0 && load->value_size <= VALUE_SIZE_MAX;
}

static double run(struct load *load, struct connection *connections)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned at = 0; at < load->connections; at++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[at]};
        connections[at].fd = open_connection(load->port);
        if (connections[at].fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, connections[at].fd, &event) != 0)
            return 0;
    }
    uint64_t begin = now_ns(), now = begin;
    load->warm_ns = begin + (uint64_t)(load->warm_seconds * 1e9);
    uint64_t end = load->warm_ns + (uint64_t)(load->seconds * 1e9);
    for (unsigned at = 0; at < load->connections; at++)
        issue(load, &connections[at]);
    while (now < end && load->lost < load->connections && (load->requests == 0 || load->replies < load->requests)) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, 100);
        for (int at = 0; at < count; at++)
            if (((struct connection *)events[at].data.ptr)->fd >= 0)
                read_ready(load, events[at].data.ptr);
        now = now_ns();
    }
    close(epoll);
    return (double)(now - (load->warm_ns < now ? load->warm_ns : begin)) / 1e9;
}

int main(int argc, char **argv)
{
    static struct load load = {
        .port = 2379, .connections = 64, .value_size = 100, .keys = 100000, .seconds = 10, .random = 88172645463325252u};
    if (!options_read(&load, argc, argv)) {
        fputs("etcd_load: see the head of bench/etcd_load.c\n", stderr);
        return 2;
    }
    char plain[VALUE_SIZE_MAX];
    for (unsigned at = 0; at < load.value_size; at++)
        plain[at] = (char)('a' + at % 26);
    base64(plain, load.value_size, load.value);
    struct connection *connections = calloc(load.connections, sizeof *connections);
    if (connections == NULL)
        return 1;
    double seconds = run(&load, connections);
    free(connections);
    if (load.latencies.count == 0) {
        fprintf(stderr, "etcd_load: nothing could be measured: %s\n", strerror(errno));
        return 1;
    }
    const struct bench_histogram *latencies = &load.latencies;
    printf("seconds=%.3f replies=%llu errors=%llu lost=%llu ops=%.1f mean=%.1f p50=%.1f p99=%.1f p999=%.1f max=%.1f\n",
           seconds, (unsigned long long)load.replies, (unsigned long long)load.errors, (unsigned long long)load.lost,
           (double)(load.replies - load.errors) / seconds, (double)latencies->sum / 1e3 / (double)latencies->count,
           (double)bench_histogram_quantile(latencies, 500) / 1e3, (double)bench_histogram_quantile(latencies, 990) / 1e3,
           (double)bench_histogram_quantile(latencies, 999) / 1e3, (double)latencies->max / 1e3);
    return 0;
}
