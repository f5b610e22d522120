/* What the files of the host share: host.c (making and ending one), host_node.c (what its node is made of), loop.c
 * (turns) and complaints.c (what the log is told of others). */
#ifndef LOCKSTEP_HOST_REAL_HOST_INTERNAL_H
#define LOCKSTEP_HOST_REAL_HOST_INTERNAL_H

#include "contract/spec.h"
#include "host/real/adversary.h"
#include "host/real/disk.h"
#include "host/real/host.h"
#include "host/real/members.h"
#include "host/real/proof_sodium.h"
#include "host/real/record_file.h"
#include "host/real/transport.h"

enum { HOST_TEXTS = 12, PEERS_MAX = MEMBERS_MAX + 2 * DIRECTORY_CLIENTS_MAX };

/* What the log was told of one matter. */
struct complaint {
    uint32_t node; /* whom it is about */
    uint64_t told;
    int64_t told_ns;
};

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
    char *texts[HOST_TEXTS]; /* copies of the options' texts */
    struct members members;
    uint32_t peer_ids[MEMBERS_MAX];
    uint32_t client_ids[DIRECTORY_CLIENTS_MAX]; /* known from the start */
    uint32_t client_count;
    char listen_host[264];
    char peer_listen[280];

    struct group_spec spec;
    struct node_options node_options;
    struct proof_sodium *keys; /* NULL: none are needed */
    struct adversary *adversary; /* NULL: it is honest */
    struct heap *node_heap, *front_heap;
    struct record_file record;
    struct real_disk *disk;
    struct node *node;
    struct front *front;
    struct transport *transport;
    struct clients *clients;
    struct report report;
    /* By place of the peer; wrong answers and silence are a gateway's. */
    struct complaint wrong_answers[PEERS_MAX], unproven[PEERS_MAX], silent[PEERS_MAX];
    int64_t complain_at_ns;

    int64_t timer_at_ns; /* what `timer` is set to; INT64_MAX: it is not running */
    int64_t stop_by_ns;
    bool stopping, stopped, failed;
};

/* ---- host_node.c ---- */

/* Fills in the group's specification and reads the keys. 0, or a negative error with a sentence; nothing was written. */
int host_check_group(struct real_host *host, char *why, size_t why_size);
/* Opens the data directory and makes the node. The same. */
int host_make_node(struct real_host *host, char *why, size_t why_size);
uint64_t host_draw_seed(void);

/* ---- loop.c ---- */

int loop_open(struct real_host *host);
/* Closes the loop's own handles, runs it until all handles are closed, and closes it. */
void loop_close(struct real_host *host);

/* ---- complaints.c ---- */

/* Once a turn: tells the log what is new about others, a few times a second at most. */
void host_complain(struct real_host *host);

#endif
