/* TCP sockets (socket.h). */
#define _GNU_SOURCE /* accept4 */
#include "host/real/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { BACKLOG = 1024 };

static bool port_is_valid(const char *port)
{
    size_t size = strlen(port);
    if (size == 0 || size > 5 || strspn(port, "0123456789") != size)
        return false;
    return strtol(port, NULL, 10) <= 65535;
}

int socket_address_split(const char *text, char host[SOCKET_HOST_SIZE_MAX], char port[SOCKET_PORT_SIZE_MAX], char *why,
                         size_t why_size)
{
    const char *colon = strrchr(text, ':');
    const char *begin = text;
    const char *end = colon;
    if (colon != NULL && text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
        begin = text + 1;
        end = colon - 1;
    }
    if (colon == NULL || begin == end || (size_t)(end - begin) >= SOCKET_HOST_SIZE_MAX || !port_is_valid(colon + 1)) {
        snprintf(why, why_size, "'%s' is not an address: expected host:port, for example 127.0.0.1:7001", text);
        return ERROR_INVALID;
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    snprintf(port, SOCKET_PORT_SIZE_MAX, "%s", colon + 1);
    return OK;
}

static int look_up(const char *text, int flags, struct socket_address *out, char *why, size_t why_size)
{
    char host[SOCKET_HOST_SIZE_MAX], port[SOCKET_PORT_SIZE_MAX];
    int status = socket_address_split(text, host, port, why, why_size);
    if (status != OK)
        return status;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) {
        snprintf(why, why_size, "host '%s' of address '%s' cannot be resolved: %s", host, text, gai_strerror(result));
        return ERROR_NOT_FOUND;
    }
    /* "localhost" is both; whoever connects to a node tries 127.0.0.1 first. */
    const struct addrinfo *chosen = found;
    while (chosen->ai_family != AF_INET && chosen->ai_next != NULL)
        chosen = chosen->ai_next;
    if (chosen->ai_family != AF_INET)
        chosen = found;
    memcpy(&out->storage, chosen->ai_addr, chosen->ai_addrlen);
    out->size = chosen->ai_addrlen;
    freeaddrinfo(found);
    return OK;
}

int socket_address_parse(const char *text, struct socket_address *out, char *why, size_t why_size)
{
    return look_up(text, AI_NUMERICHOST, out, why, why_size);
}

int socket_address_resolve(const char *text, struct socket_address *out, char *why, size_t why_size)
{
    return look_up(text, 0, out, why, why_size);
}

void socket_address_print(const struct socket_address *address, char *out, size_t size)
{
    char host[SOCKET_ADDRESS_TEXT_SIZE_MAX] = "?";
    char port[SOCKET_PORT_SIZE_MAX] = "?";
    (void)getnameinfo((const struct sockaddr *)&address->storage, address->size, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = address->storage.ss_family == AF_INET6;
    snprintf(out, size, v6 ? "[%s]:%s" : "%s:%s", host, port);
}

bool socket_address_is_loopback(const struct socket_address *address)
{
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->storage, sizeof v4);
        return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    }
    if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->storage, sizeof v6);
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

uint16_t socket_address_port(const struct socket_address *address)
{
    /* The port lies at the same place in both families. */
    struct sockaddr_in v4;
    memcpy(&v4, &address->storage, sizeof v4);
    return ntohs(v4.sin_port);
}

void socket_address_set_port(struct socket_address *address, uint16_t port)
{
    struct sockaddr_in v4;
    memcpy(&v4, &address->storage, sizeof v4);
    v4.sin_port = htons(port);
    memcpy(&address->storage, &v4, sizeof v4);
}

static void set_option(int fd, int level, int name, int value)
{
    /* These options make things better where the system has them; without them everything works too. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static int close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int socket_listen(const struct socket_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* So that a node that is started again at once does not wait for its own old connections. */
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)&address->storage, address->size) != 0 || listen(fd, BACKLOG) != 0)
        return close_keeping_errno(fd);
    return fd;
}

int socket_accept(int listener, struct socket_address *from)
{
    from->size = sizeof from->storage;
    int fd = accept4(listener, (struct sockaddr *)&from->storage, &from->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

int socket_dial(const struct socket_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(fd, (const struct sockaddr *)&address->storage, address->size) != 0 && errno != EINPROGRESS)
        return close_keeping_errno(fd);
    return fd;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

void socket_watch(int fd, int unacknowledged_ms, int idle_s)
{
    if (unacknowledged_ms > 0)
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, idle_s / 3 + 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}
