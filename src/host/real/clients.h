/* Client connections: sockets in front of front/.
 *
 * Each connection is read into one shared buffer and written once a turn. A client that sends faster than it is served
 * is not read for a while; one that does not read its answers is closed by the limits of front/. */
#ifndef LOCKSTEP_HOST_REAL_CLIENTS_H
#define LOCKSTEP_HOST_REAL_CLIENTS_H

#include <stdint.h>

#include <uv.h>

#include "front/front.h"
#include "host/real/report.h"

/* What connection_host_data() of a connection of this host points to: sockets, and the library's own connection. */
struct client_door {
    void (*ready)(struct client_door *door);   /* it has output, or must be closed */
    void (*resumed)(struct client_door *door); /* it may be read again */
};

struct clients;

/* Listens on "host:port". 0, or a negative error with a sentence in `why`. */
int clients_create(struct clients **out, uv_loop_t *loop, struct front *front, struct report *report,
                   const char *listen, char *why, size_t why_size);
/* Sends what is ready and reads again what was refused: once a turn. */
void clients_flush(struct front *front);
/* Takes no new connections and reads no more from the present ones. */
void clients_stop(struct clients *clients);
/* Connections whose answers are still on the way out. */
uint32_t clients_unsent(const struct clients *clients);
/* Closes everything. The loop must run once more before clients_free. */
void clients_close(struct clients *clients);
void clients_free(struct clients *clients);

#endif
