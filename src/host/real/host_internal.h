/* What the files of the host share: host.c (making and ending one) and loop.c (turns). */
#ifndef LOCKSTEP_HOST_REAL_HOST_INTERNAL_H
#define LOCKSTEP_HOST_REAL_HOST_INTERNAL_H

#include "contract/spec.h"
#include "host/real/disk.h"
#include "host/real/host.h"
#include "host/real/members.h"
#include "host/real/record_file.h"
#include "host/real/transport.h"

struct real_host {
    uv_loop_t loop;
    uv_prepare_t prepare; /* before the poll: when to wake up at the latest */
    uv_check_t check;     /* after the poll: the turn */
    uv_idle_t idle;       /* active while there is more to do at once: the poll then does not sleep */
    uv_timer_t timer;
    uv_timer_t limit; /* of real_host_run_once, and of the time to stop in */
    uv_signal_t signals[2];
    bool handles_open, signals_open;

    struct host_options options;
    char *texts[9]; /* copies of the options' texts */
    struct members members;
    uint32_t peer_ids[MEMBERS_MAX];
    char listen_host[264];
    char peer_listen[280];

    struct group_spec spec;
    struct node_options node_options;
    struct heap *node_heap, *front_heap;
    struct record_file record;
    struct real_disk *disk;
    struct node *node;
    struct front *front;
    struct transport *transport;
    struct clients *clients;
    struct report report;

    int64_t timer_at_ns; /* what `timer` is set to; INT64_MAX: it is not running */
    int64_t stop_by_ns;
    bool stopping, stopped, failed;
};

/* ---- loop.c ---- */

int loop_open(struct real_host *host);
/* Closes the loop's own handles, runs it until all handles are closed, and closes it. */
void loop_close(struct real_host *host);

#endif
