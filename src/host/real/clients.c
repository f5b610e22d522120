/* Client connections (clients.h). */
#include "host/real/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/panic.h"
#include "host/real/clock.h"
#include "host/real/socket.h"

enum {
    READ_SIZE = 64 * 1024,
    READS_PER_TURN_MAX = 16, /* of one connection, as long as each fills the buffer */
    ACCEPTED_PER_TURN_MAX = 256,
    IDLE_S = 300,
    COMPLAINT_INTERVAL_S = 10,
};

struct client {
    uv_poll_t poll; /* first: libuv's callbacks get a pointer to it */
    struct client_door door;
    struct clients *clients;
    struct client *next, **link_in;
    struct connection *connection;
    int fd;
    int events;
    bool blocked; /* the socket takes no more: wait until it is writable */
    bool paused;  /* front/ does not want its bytes now */
    bool closed;
};

struct clients {
    uv_poll_t listener;
    int listener_fd;
    int spare_fd; /* given up to accept, and close, a connection when the process has no descriptor left */
    bool stopped;
    struct front *front;
    struct report *report;
    struct client *first;
    int64_t complained_ns;
    uint8_t buffer[READ_SIZE];
};

static struct client *client_of(struct client_door *door)
{
    return (struct client *)((char *)door - offsetof(struct client, door));
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void client_close(struct client *client)
{
    if (client->closed)
        return;
    client->closed = true;
    *client->link_in = client->next;
    if (client->next != NULL)
        client->next->link_in = client->link_in;
    front_disconnected(client->clients->front, client->connection);
    uv_poll_stop(&client->poll);
    uv_close((uv_handle_t *)&client->poll, on_closed);
    close(client->fd);
}

/* ---- events ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void client_poll(struct client *client)
{
    int events = 0;
    if (!client->paused && !client->clients->stopped)
        events |= UV_READABLE;
    if (client->blocked)
        events |= UV_WRITABLE;
    if (events == client->events)
        return;
    client->events = events;
    int status = events != 0 ? uv_poll_start(&client->poll, events, on_poll) : uv_poll_stop(&client->poll);
    invariant(status == 0, "an open socket can be polled");
}

static void client_send(struct client *client)
{
    struct span output = connection_output(client->connection);
    if (output.size > 0) {
        ssize_t sent = send(client->fd, output.data, output.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            client_close(client);
            return;
        }
        if (sent > 0)
            connection_output_sent(client->connection, (size_t)sent);
        client->blocked = sent < 0 || (size_t)sent < output.size;
    } else {
        client->blocked = false;
    }
    if (!client->blocked && connection_closing(client->connection))
        client_close(client);
    else
        client_poll(client);
}

static void client_receive(struct client *client)
{
    struct clients *clients = client->clients;
    for (int i = 0; i < READS_PER_TURN_MAX && !client->paused; i++) {
        ssize_t count = recv(client->fd, clients->buffer, READ_SIZE, MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            client_close(client);
            return;
        }
        front_receive(clients->front, client->connection, clients->buffer, (size_t)count);
        client->paused = !connection_wants_read(client->connection);
        if (count < READ_SIZE)
            break;
    }
    client_poll(client);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct client *client = (struct client *)poll;
    if (client->closed)
        return;
    if (status < 0) {
        /* libuv has stopped the handle, and does so when the connection is broken: both directions are over. */
        client_close(client);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        client_send(client);
    if ((events & UV_READABLE) != 0 && !client->closed)
        client_receive(client);
}

static void client_ready(struct client_door *door)
{
    struct client *client = client_of(door);
    /* While the socket is blocked, becoming writable takes the rest along. */
    if (!client->closed && !client->blocked)
        client_send(client);
}

static void client_resumed(struct client_door *door)
{
    struct client *client = client_of(door);
    if (client->closed)
        return;
    client->paused = !connection_wants_read(client->connection);
    client_poll(client);
}

void clients_flush(struct front *front)
{
    struct connection *connection;
    while ((connection = front_next_resumed(front)) != NULL) {
        struct client_door *door = connection_host_data(connection);
        door->resumed(door);
    }
    while ((connection = front_next_ready(front)) != NULL) {
        struct client_door *door = connection_host_data(connection);
        door->ready(door);
    }
}

/* ---- accepting ---- */

static void complain(struct clients *clients, const char *what)
{
    int64_t now_ns = clock_monotone_ns();
    if (clients->complained_ns != 0 && now_ns - clients->complained_ns < COMPLAINT_INTERVAL_S * NS_PER_S)
        return;
    clients->complained_ns = now_ns;
    report(clients->report, REPORT_WARNING, "%s", what);
}

static void refuse(struct clients *clients, int fd)
{
    complain(clients, "refused a client: there are as many as --maxclients allows");
    /* Whether the client still gets to read why is up to it. */
    (void)send(fd, front_full_error, strlen(front_full_error), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void welcome(struct clients *clients, int fd, const struct socket_address *from)
{
    char peer[SOCKET_ADDRESS_TEXT_SIZE_MAX], local[SOCKET_ADDRESS_TEXT_SIZE_MAX] = "";
    struct socket_address here = {.size = sizeof here.storage};
    socket_address_print(from, peer, sizeof peer);
    if (getsockname(fd, (struct sockaddr *)&here.storage, &here.size) == 0)
        socket_address_print(&here, local, sizeof local);
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL || uv_poll_init(clients->listener.loop, &client->poll, fd) != 0) {
        free(client);
        close(fd);
        return;
    }
    client->clients = clients;
    client->fd = fd;
    client->door = (struct client_door){.ready = client_ready, .resumed = client_resumed};
    client->connection = front_accept(clients->front, peer, local, &client->door);
    if (client->connection == NULL) {
        uv_close((uv_handle_t *)&client->poll, on_closed);
        refuse(clients, fd);
        return;
    }
    socket_watch(fd, 0, IDLE_S);
    client->next = clients->first;
    client->link_in = &clients->first;
    if (client->next != NULL)
        client->next->link_in = &client->next;
    clients->first = client;
    client_poll(client);
}

/* The process has no descriptor left: without this the listener would stay readable and the loop would spin. */
static void refuse_without_descriptor(struct clients *clients)
{
    complain(clients, "refused a client: the process has no file descriptor left; raise its limit (ulimit -n)");
    struct socket_address from;
    close(clients->spare_fd);
    int fd = socket_accept(clients->listener_fd, &from);
    if (fd >= 0)
        close(fd);
    clients->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct clients *clients = poll->data;
    for (int i = 0; i < ACCEPTED_PER_TURN_MAX; i++) {
        struct socket_address from;
        int fd = socket_accept(clients->listener_fd, &from);
        if (fd >= 0) {
            welcome(clients, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            refuse_without_descriptor(clients);
        else if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static int start_listening(struct clients *clients, uv_loop_t *loop, const char *listen_text, char *why,
                           size_t why_size)
{
    struct socket_address address;
    int status = socket_address_resolve(listen_text, &address, why, why_size);
    if (status != OK)
        return status;
    clients->listener_fd = socket_listen(&address);
    if (clients->listener_fd < 0) {
        if (errno == EADDRINUSE)
            snprintf(why, why_size,
                     "port %u of %s is in use; stop the process that has it, or choose another --listen",
                     socket_address_port(&address), listen_text);
        else
            snprintf(why, why_size, "cannot listen on %s for clients: %s", listen_text, strerror(errno));
        return ERROR_BUSY;
    }
    if (uv_poll_init(loop, &clients->listener, clients->listener_fd) != 0) {
        close(clients->listener_fd);
        return ERROR_IO;
    }
    clients->listener.data = clients;
    uv_poll_start(&clients->listener, UV_READABLE, on_listener);
    return OK;
}

int clients_create(struct clients **out, uv_loop_t *loop, struct front *front, struct report *report,
                   const char *listen, char *why, size_t why_size)
{
    struct clients *clients = calloc(1, sizeof *clients);
    if (clients == NULL)
        return ERROR_NO_MEMORY;
    clients->front = front;
    clients->report = report;
    int status = start_listening(clients, loop, listen, why, why_size);
    if (status != OK) {
        free(clients);
        return status;
    }
    clients->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = clients;
    return OK;
}

/* ---- the end ---- */

void clients_stop(struct clients *clients)
{
    if (clients->stopped)
        return;
    clients->stopped = true;
    uv_poll_stop(&clients->listener);
    close(clients->listener_fd);
    for (struct client *client = clients->first; client != NULL; client = client->next)
        client_poll(client);
}

uint32_t clients_unsent(const struct clients *clients)
{
    uint32_t count = 0;
    for (const struct client *client = clients->first; client != NULL; client = client->next)
        count += client->blocked;
    return count;
}

void clients_close(struct clients *clients)
{
    clients_stop(clients);
    uv_close((uv_handle_t *)&clients->listener, NULL);
    while (clients->first != NULL)
        client_close(clients->first);
    if (clients->spare_fd >= 0)
        close(clients->spare_fd);
}

void clients_free(struct clients *clients)
{
    free(clients);
}
