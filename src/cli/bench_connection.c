/* Connections of lockstep bench, and a scanner of replies that looks at as few bytes as it can: the generator shares
 * the machine with what it measures. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/bench_internal.h"

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * (uint64_t)NS_PER_S + (uint64_t)now.tv_nsec;
}

int bench_connect(const struct bench_options *options, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1)
        return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    /* An immediate refusal is told by the poll as well. */
    (void)!connect(fd, (const struct sockaddr *)&address, sizeof address);
    return fd;
}

/* The bytes of a line, from where the reader stands in it to its end or to that of the bytes. */
static size_t read_line(struct bench_reader *reader, const char *bytes, size_t size, bool *ended)
{
    const char *end = memchr(bytes, '\n', size);
    size_t length = end == NULL ? size : (size_t)(end - bytes);
    *ended = end != NULL;
    if (reader->type == '$')
        for (size_t at = 0; at < length; at++) {
            if (bytes[at] == '-')
                reader->negative = true;
            else if (bytes[at] >= '0' && bytes[at] <= '9' && reader->number < INT64_C(1) << 40)
                reader->number = reader->number * 10 + (bytes[at] - '0');
        }
    if (reader->type == '-')
        for (size_t at = 0; at < length && reader->error_size + 1 < sizeof reader->error; at++)
            if (bytes[at] != '\r')
                reader->error[reader->error_size++] = bytes[at];
    return length + (end != NULL);
}

static void end_line(struct bench_reader *reader, struct bench_replies *replies)
{
    if (reader->type == '$' && !reader->negative) {
        reader->skip = (uint64_t)reader->number + 2;
    } else {
        replies->count++;
        if (reader->type == '-') {
            reader->error[reader->error_size] = '\0';
            replies->errors++;
            replies->error = reader->error;
        }
    }
    reader->type = 0;
}

struct bench_replies bench_read(struct bench_reader *reader, const char *bytes, size_t size)
{
    struct bench_replies replies = {.count = 0};
    size_t at = 0;
    while (at < size) {
        if (reader->skip > 0) {
            size_t step = reader->skip < size - at ? (size_t)reader->skip : size - at;
            at += step;
            reader->skip -= step;
            replies.count += reader->skip == 0;
            continue;
        }
        if (reader->type == 0) {
            reader->type = bytes[at++];
            reader->number = 0;
            reader->negative = false;
            reader->error_size = 0;
            if (strchr("+-:$_,#", reader->type) == NULL) {
                replies.damaged = true;
                break;
            }
        }
        bool ended;
        at += read_line(reader, bytes + at, size - at, &ended);
        if (ended)
            end_line(reader, &replies);
    }
    return replies;
}
