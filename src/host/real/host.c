/* Making and ending a real node (host.h). Things are made in the order in which they stand on one another, and ended in
 * the opposite one. */
#include "host/real/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "host/real/clock.h"
#include "host/real/host_internal.h"
#include "host/real/socket.h"

enum { PEER_PORT_OFFSET = 10000 };

/* Address space for what clients have sent and not yet read; touched as it is used. */
static const size_t FRONT_HEAP_BYTES = (size_t)16 << 30;

void host_options_default(struct host_options *out)
{
    struct tuning tuning;
    struct front_options front;
    struct node_options node;
    spec_defaults(&tuning);
    front_options_default(&front);
    node_options_default(&node);
    *out = (struct host_options){
        .id = 1,
        .cluster_name = "lockstep",
        .protocol = "raft",
        .protected_mode = true,
        .request_timeout_ns = node.request_timeout_ns,
        .heartbeat_ns = tuning.heartbeat_ns,
        .election_timeout_ns = tuning.election_timeout_ns,
        .segment_bytes = node.wal_segment_bytes,
        .value_bytes_max = front.value_bytes_max,
        .memory_bytes_max = tuning.service_bytes_max,
        .disk_inline_bytes_max = REAL_DISK_INLINE_BYTES_MAX,
        .disk_slow_ns = REAL_DISK_SLOW_NS,
        .clients_max = front.clients_max,
    };
}

/* ---- checking what people asked for ---- */

static int copy_texts(struct real_host *host)
{
    struct host_options *options = &host->options;
    const char **texts[] = {&options->listen, &options->advertise,    &options->peer_listen, &options->peers,
                            &options->data,   &options->cluster_name, &options->config_file,
                            &options->record, &options->protocol,     &options->keys,        &options->clients,
                            &options->adversary};
    _Static_assert(sizeof texts / sizeof texts[0] == HOST_TEXTS, "each copy has its place");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (*texts[i] == NULL)
            continue;
        host->texts[i] = strdup(*texts[i]);
        if (host->texts[i] == NULL)
            return ERROR_NO_MEMORY;
        *texts[i] = host->texts[i];
    }
    return OK;
}

/* A taken port is found out before the directory gets an identity: else a new node that fails here would have to be told
 * to forget what it was. */
static int check_port(const struct socket_address *where, const char *option, char *why, size_t why_size)
{
    int probe = socket_listen(where);
    if (probe < 0 && errno == EADDRINUSE) {
        char text[SOCKET_HOST_SIZE_MAX + SOCKET_PORT_SIZE_MAX];
        socket_address_print(where, text, sizeof text);
        snprintf(why, why_size, "port %u of %s is in use; stop the process that has it, or choose another %s",
                 (unsigned)socket_address_port(where), text, option);
        return ERROR_BUSY;
    }
    if (probe >= 0)
        close(probe);
    return OK; /* what else may be wrong is told when the port is opened to stay */
}

static int check_address(const struct real_host *host, const char *address, const char *option, char *why,
                         size_t why_size)
{
    struct socket_address where;
    int status = socket_address_resolve(address, &where, why, why_size);
    if (status != OK)
        return status;
    if (!host->options.protected_mode || socket_address_is_loopback(&where))
        return check_port(&where, option, why, why_size);
    snprintf(why, why_size,
             "%s %s is reachable from other machines, and connections are neither encrypted nor authenticated: whoever "
             "reaches it can read and change all data. Use a loopback address, or accept that with --protected-mode no",
             option, address);
    return ERROR_PERMISSION;
}

/* Where the other nodes connect to: as told, or beside the clients' port. */
static int choose_peer_listen(struct real_host *host, char *why, size_t why_size)
{
    const struct host_options *options = &host->options;
    if (options->peer_listen != NULL && options->peer_listen[0] != '\0') {
        snprintf(host->peer_listen, sizeof host->peer_listen, "%s", options->peer_listen);
        return OK;
    }
    char name[SOCKET_HOST_SIZE_MAX], port[SOCKET_PORT_SIZE_MAX];
    if (options->listen == NULL) {
        snprintf(why, why_size, "a node with peers needs --peer-listen, the address that they connect to");
        return ERROR_INVALID;
    }
    int status = socket_address_split(options->listen, name, port, why, why_size);
    if (status != OK)
        return status;
    long number = strtol(port, NULL, 10) + PEER_PORT_OFFSET;
    if (number > 65535) {
        snprintf(why, why_size, "port %s + %d is no port; name the address for the other nodes with --peer-listen",
                 port, PEER_PORT_OFFSET);
        return ERROR_INVALID;
    }
    bool v6 = strchr(name, ':') != NULL;
    snprintf(host->peer_listen, sizeof host->peer_listen, v6 ? "[%s]:%ld" : "%s:%ld", name, number);
    return OK;
}

static bool is_member(const struct members *members, uint32_t node)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->nodes[i] == node)
            return true;
    return false;
}

/* A gateway is no node of the cluster that it asks; a node knows some of them from the start. */
static int check_clients(struct real_host *host, char *why, size_t why_size)
{
    const struct host_options *options = &host->options;
    if (options->gateway && is_member(&host->members, options->id)) {
        snprintf(why, why_size, "a gateway is none of the nodes that it asks, and --peers lists %u: give it an --id "
                 "of its own", options->id);
        return ERROR_INVALID;
    }
    for (const char *at = options->clients != NULL ? options->clients : ""; *at != '\0';) {
        char *end;
        unsigned long number = strtoul(at, &end, 10);
        bool good = *at >= '0' && *at <= '9' && number > 0 && number <= DIRECTORY_CLIENT_NODE_MAX &&
                    (*end == ',' || *end == '\0');
        if (!good || is_member(&host->members, (uint32_t)number) || host->client_count == DIRECTORY_CLIENTS_MAX) {
            snprintf(why, why_size, "--clients %s: expected at most %d numbers of gateways, which are no nodes', for "
                     "example 101,102", options->clients, DIRECTORY_CLIENTS_MAX);
            return ERROR_INVALID;
        }
        host->client_ids[host->client_count++] = (uint32_t)number;
        at = *end == ',' ? end + 1 : end;
    }
    return OK;
}

static int check_options(struct real_host *host, char *why, size_t why_size)
{
    struct host_options *options = &host->options;
    if (options->data == NULL || options->data[0] == '\0') {
        snprintf(why, why_size, "a node needs a data directory: name it with --data");
        return ERROR_INVALID;
    }
    if (options->gateway && (options->peers == NULL || options->peers[0] == '\0')) {
        snprintf(why, why_size, "a gateway needs the nodes that it asks: name them with --peers 1=host:port,...");
        return ERROR_INVALID;
    }
    if (options->id == 0) {
        snprintf(why, why_size, "a node needs an id from 1 on: give it with --id");
        return ERROR_INVALID;
    }
    if (options->heartbeat_ns * 2 > options->election_timeout_ns) {
        snprintf(why, why_size,
                 "the election timeout must be at least twice the heartbeat, or followers depose a healthy leader");
        return ERROR_INVALID;
    }
    int status = members_parse(options->peers, options->gateway ? 0 : options->id, &host->members, why, why_size);
    if (status == OK)
        status = check_clients(host, why, why_size);
    if (status == OK && options->listen != NULL)
        status = check_address(host, options->listen, "--listen", why, why_size);
    if (status == OK && !options->gateway && (host->members.count > 1 || host->client_count > 0)) {
        status = choose_peer_listen(host, why, why_size);
        if (status == OK)
            status = check_address(host, host->peer_listen, "--peer-listen", why, why_size);
    }
    return status;
}

/* ---- making the parts ---- */

static void on_disk_complete(void *context, uint64_t token, int status)
{
    struct real_host *host = context;
    node_disk_complete(host->node, token, status);
}

static int open_disk(struct real_host *host, char *why, size_t why_size)
{
    struct real_disk_options options = {
        .path = host->options.data,
        .inline_bytes_max = (size_t)host->options.disk_inline_bytes_max,
        .slow_ns = host->options.disk_slow_ns,
        .complete = on_disk_complete,
        .context = host,
    };
    return real_disk_open(&host->disk, &host->loop, &options, why, why_size);
}

static int make_front(struct real_host *host, char *why, size_t why_size)
{
    const struct host_options *options = &host->options;
    struct front_options front;
    front_options_default(&front);
    front.clients_max = options->clients_max;
    /* Whose first group is of lab maturity has chosen to study. */
    front.lab = options->lab || host->spec.protocol->maturity == MATURITY_LAB;
    front.value_bytes_max = options->value_bytes_max;
    front.query_bytes_max = options->value_bytes_max + (UINT64_C(1) << 20);
    front.process_id = (uint32_t)getpid();
    front.config_file = options->config_file;
    front.cluster_name = options->cluster_name;
    front.client_address = host->node_options.client_address;
    front.parameters = options->parameters;
    front.parameter_count = options->parameter_count;
    front.seed = host_draw_seed();
    front.now_ns = clock_monotone_ns();
    front.wall_ns = clock_wall_ns();
    struct socket_address address;
    if (options->listen != NULL && socket_address_resolve(options->listen, &address, why, why_size) == OK)
        front.tcp_port = socket_address_port(&address);
    host->front_heap = heap_create_system(FRONT_HEAP_BYTES);
    if (host->front_heap != NULL)
        host->front = front_create(host->front_heap, host->node, &front);
    if (host->front != NULL)
        return OK;
    snprintf(why, why_size, "there is no memory for client connections");
    return ERROR_NO_MEMORY;
}

static int make_transport(struct real_host *host, char *why, size_t why_size)
{
    struct transport_peer peers[MEMBERS_MAX + DIRECTORY_CLIENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < host->members.count; i++)
        if (host->members.nodes[i] != host->options.id)
            peers[count++] = (struct transport_peer){host->members.nodes[i], host->members.addresses[i]};
    for (uint32_t i = 0; i < host->client_count; i++)
        peers[count++] = (struct transport_peer){.node = host->client_ids[i]};
    struct transport_options options = {
        .loop = &host->loop,
        .node = host->node,
        .report = &host->report,
        .self = host->options.id,
        .client = host->options.gateway,
        .listen = host->peer_listen[0] != '\0' ? host->peer_listen : NULL,
        .peers = peers,
        .peer_count = count,
    };
    return transport_create(&host->transport, &options, why, why_size);
}

static int make_parts(struct real_host *host, char *why, size_t why_size)
{
    int status = check_options(host, why, why_size);
    if (status == OK)
        status = host_check_group(host, why, why_size);
    if (status == OK)
        status = open_disk(host, why, why_size);
    if (status == OK)
        status = host_make_node(host, why, why_size);
    if (status == OK)
        status = make_front(host, why, why_size);
    if (status == OK)
        status = make_transport(host, why, why_size);
    if (status == OK && host->options.listen != NULL)
        status = clients_create(&host->clients, &host->loop, host->front, &host->report, host->options.listen, why,
                                why_size);
    if (status == OK && loop_open(host) != 0)
        status = ERROR_NO_MEMORY;
    return status;
}

int real_host_create(struct real_host **out, const struct host_options *options, char *why, size_t why_size)
{
    struct real_host *host = calloc(1, sizeof *host);
    if (host == NULL || uv_loop_init(&host->loop) != 0) {
        free(host);
        snprintf(why, why_size, "there is no memory or no file descriptor for a node");
        return ERROR_NO_MEMORY;
    }
    host->options = *options;
    host->record.file = -1;
    host->report = (struct report){.write = options->log, .context = options->log_context};
    snprintf(why, why_size, "there is no memory for a node");
    int status = copy_texts(host);
    if (status == OK)
        status = make_parts(host, why, why_size);
    if (status != OK) {
        real_host_destroy(host);
        return status;
    }
    if (options->gateway)
        report(&host->report, REPORT_NOTICE, "gateway %u of %u nodes has started, incarnation %" PRIu64 ", data in %s",
               options->id, host->members.count, node_incarnation(host->node), options->data);
    else
        report(&host->report, REPORT_NOTICE, "node %u of %u has started, incarnation %" PRIu64 ", data in %s",
               options->id, host->members.count, node_incarnation(host->node), options->data);
    uint64_t damaged = node_wal_counters(host->node)->damaged_records;
    if (damaged > 0)
        report(&host->report, REPORT_WARNING,
               "node %u: its log is damaged, %" PRIu64 " records are lost; it fetches them from the other nodes",
               options->id, damaged);
    *out = host;
    return OK;
}

void real_host_destroy(struct real_host *host)
{
    if (host->clients != NULL)
        clients_close(host->clients);
    if (host->transport != NULL)
        transport_close(host->transport);
    /* The threads read the node's memory, so they end first. */
    if (host->disk != NULL)
        real_disk_stop(host->disk);
    if (host->front != NULL)
        front_destroy(host->front);
    if (host->node != NULL)
        node_destroy(host->node);
    if (host->disk != NULL)
        real_disk_close(host->disk);
    loop_close(host);
    if (host->clients != NULL)
        clients_free(host->clients);
    if (host->transport != NULL)
        transport_free(host->transport);
    if (host->disk != NULL)
        real_disk_free(host->disk);
    record_file_flush(&host->record, &host->report);
    record_file_close(&host->record);
#ifdef LOCKSTEP_ADVERSARY
    if (host->adversary != NULL)
        adversary_free(host->adversary);
#endif
    if (host->keys != NULL)
        proof_sodium_close(host->keys);
    heap_destroy_system(host->front_heap);
    heap_destroy_system(host->node_heap);
    for (size_t i = 0; i < sizeof host->texts / sizeof host->texts[0]; i++)
        free(host->texts[i]);
    free(host);
}

const char *real_host_failure(const struct real_host *host)
{
    return node_failure(host->node);
}

struct node *real_host_node(const struct real_host *host)
{
    return host->node;
}

struct front *real_host_front(const struct real_host *host)
{
    return host->front;
}

uv_loop_t *real_host_loop(const struct real_host *host)
{
    return (uv_loop_t *)&host->loop;
}
