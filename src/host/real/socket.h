/* TCP sockets: addresses as people write them ("127.0.0.1:7001", "[::1]:7001", "db-1:7001"), and non-blocking sockets
 * with the options that lockstep wants. Functions that return a descriptor return -1 and set errno when they fail. */
#ifndef LOCKSTEP_HOST_REAL_SOCKET_H
#define LOCKSTEP_HOST_REAL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    SOCKET_HOST_SIZE_MAX = 256,
    SOCKET_PORT_SIZE_MAX = 8,
    SOCKET_ADDRESS_TEXT_SIZE_MAX = 64, /* of a numeric address as socket_address_print writes it */
};

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* Splits "host:port" at the last colon; brackets around the host are taken off. ERROR_INVALID with a sentence. */
int socket_address_split(const char *text, char host[SOCKET_HOST_SIZE_MAX], char port[SOCKET_PORT_SIZE_MAX], char *why,
                         size_t why_size);
/* Reads a numeric address without asking anybody. ERROR_NOT_FOUND if the host is a name; ERROR_INVALID. */
int socket_address_parse(const char *text, struct socket_address *out, char *why, size_t why_size);
/* The same, and asks the resolver for names: may block. */
int socket_address_resolve(const char *text, struct socket_address *out, char *why, size_t why_size);
void socket_address_print(const struct socket_address *address, char *out, size_t size);
bool socket_address_is_loopback(const struct socket_address *address);
uint16_t socket_address_port(const struct socket_address *address);
void socket_address_set_port(struct socket_address *address, uint16_t port);

/* A listening socket. No SO_REUSEPORT: two nodes on one port must collide. */
int socket_listen(const struct socket_address *address);
/* The next waiting connection, with TCP_NODELAY; -1 and EAGAIN when there is none. */
int socket_accept(int listener, struct socket_address *from);
/* Begins to connect; the socket becomes writable when that is decided, and socket_error() tells how. */
int socket_dial(const struct socket_address *address);
/* The pending error of a socket as an errno, 0 if there is none. */
int socket_error(int fd);
/* Lets the kernel notice that the other side is gone: unacknowledged bytes for that long, or silence of an idle
 * connection. 0 leaves the first to the kernel. */
void socket_watch(int fd, int unacknowledged_ms, int idle_s);

#endif
