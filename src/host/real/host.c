/* Making and ending a real node (host.h). Things are made in the order in which they stand on one another, and ended in
 * the opposite one. */
#include "host/real/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/heap_system.h"
#include "host/real/clock.h"
#include "host/real/host_internal.h"
#include "host/real/socket.h"
#include "protocol/registry.h"
#include "service/directory/kv_groups.h"

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
                            &options->record, &options->protocol};
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

static int check_options(struct real_host *host, char *why, size_t why_size)
{
    struct host_options *options = &host->options;
    if (options->data == NULL || options->data[0] == '\0') {
        snprintf(why, why_size, "a node needs a data directory: name it with --data");
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
    int status = members_parse(options->peers, options->id, &host->members, why, why_size);
    if (status == OK && options->listen != NULL)
        status = check_address(host, options->listen, "--listen", why, why_size);
    if (status == OK && host->members.count > 1) {
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

static void fill_spec(struct real_host *host, uint64_t identity)
{
    const struct host_options *options = &host->options;
    host->spec = (struct group_spec){
        .group = 0,
        .name = "default",
        .self = options->id,
        .members = host->members.nodes,
        .member_count = host->members.count,
        .k = (host->members.count - 1) / 2,
        .protocol = protocol_find(options->protocol),
        .service = &kv_groups_service,
        .hash_key = {hash_mix(identity, 1), hash_mix(identity, 2)},
    };
    struct tuning *tuning = &host->spec.tuning;
    spec_defaults(tuning);
    tuning->heartbeat_ns = options->heartbeat_ns;
    tuning->election_timeout_ns = options->election_timeout_ns;
    tuning->service_bytes_max = options->memory_bytes_max;
    uint64_t command_bytes = options->value_bytes_max + (UINT64_C(1) << 20);
    if (command_bytes > tuning->command_bytes_max)
        tuning->command_bytes_max = command_bytes;
}

static uint64_t draw_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = hash_mix((uint64_t)clock_wall_ns(), (uint64_t)getpid());
    return seed;
}

static void fill_node_options(struct real_host *host, uint64_t identity)
{
    const struct host_options *options = &host->options;
    struct node_options *node = &host->node_options;
    node_options_default(node);
    uint32_t peer_count = 0;
    for (uint32_t i = 0; i < host->members.count; i++)
        if (host->members.nodes[i] != options->id)
            host->peer_ids[peer_count++] = host->members.nodes[i];
    const char *address = options->advertise != NULL ? options->advertise : options->listen;
    node->id = options->id;
    node->cluster_name = options->cluster_name;
    node->cluster = identity;
    node->client_address = address != NULL ? address : "";
    node->peers = host->peer_ids;
    node->peer_count = peer_count;
    node->groups = &host->spec;
    node->group_count = 1;
    node->groups_max = DIRECTORY_GROUPS_MAX;
    /* Nobody could fill a cluster of one from its peers, so its empty directory is always a new one. */
    node->init = options->init || peer_count == 0;
    node->seed = draw_seed();
    node->disk = real_disk_door(host->disk);
    node->wal_segment_bytes = options->segment_bytes;
    node->request_timeout_ns = options->request_timeout_ns;
    node->now_ns = clock_monotone_ns();
    node->wall_ns = clock_wall_ns();
}

/* Nodes that agree in different ways are of different clusters, and a directory of one is refused by the other. */
static uint64_t cluster_identity(const struct real_host *host)
{
    static const uint64_t key[2] = {UINT64_C(0x61677265656d656e), UINT64_C(0x7470726f746f636f)};
    const char *protocol = host->options.protocol;
    uint64_t identity = members_identity(&host->members, host->options.cluster_name);
    return strcmp(protocol, "raft") == 0 ? identity : hash_mix(identity, hash_keyed(key, protocol, strlen(protocol)));
}

static int make_node(struct real_host *host, char *why, size_t why_size)
{
    if (protocol_find(host->options.protocol) == NULL) {
        snprintf(why, why_size, "there is no protocol '%s'; `lockstep protocols` lists them", host->options.protocol);
        return ERROR_INVALID;
    }
    uint64_t identity = cluster_identity(host);
    fill_spec(host, identity);
    int status = spec_check(&host->spec, why, why_size);
    if (status != OK)
        return status;
    fill_node_options(host, identity);
    const char *record = host->options.record, *build = host->options.build;
    if (record != NULL && record[0] != '\0')
        status = record_file_open(&host->record, record, &host->node_options, build != NULL ? build : "", why, why_size);
    if (status != OK)
        return status;
    host->node_heap = heap_create_system(node_heap_size(&host->node_options));
    if (host->node_heap == NULL) {
        snprintf(why, why_size, "the system refuses %zu MiB of address space for the node; see ulimit -v",
                 node_heap_size(&host->node_options) >> 20);
        return ERROR_NO_MEMORY;
    }
    status = node_create(&host->node, host->node_heap, &host->node_options, why, why_size);
    host->record.recorder.node = host->node;
    return status;
}

static int make_front(struct real_host *host, char *why, size_t why_size)
{
    const struct host_options *options = &host->options;
    struct front_options front;
    front_options_default(&front);
    front.clients_max = options->clients_max;
    front.lab = options->lab;
    front.value_bytes_max = options->value_bytes_max;
    front.query_bytes_max = options->value_bytes_max + (UINT64_C(1) << 20);
    front.process_id = (uint32_t)getpid();
    front.config_file = options->config_file;
    front.cluster_name = options->cluster_name;
    front.client_address = host->node_options.client_address;
    front.parameters = options->parameters;
    front.parameter_count = options->parameter_count;
    front.seed = draw_seed();
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
    struct transport_peer peers[MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < host->members.count; i++)
        if (host->members.nodes[i] != host->options.id)
            peers[count++] = (struct transport_peer){host->members.nodes[i], host->members.addresses[i]};
    struct transport_options options = {
        .loop = &host->loop,
        .node = host->node,
        .report = &host->report,
        .self = host->options.id,
        .listen = host->peer_listen,
        .peers = peers,
        .peer_count = count,
    };
    return transport_create(&host->transport, &options, why, why_size);
}

static int make_parts(struct real_host *host, char *why, size_t why_size)
{
    int status = check_options(host, why, why_size);
    if (status == OK)
        status = open_disk(host, why, why_size);
    if (status == OK)
        status = make_node(host, why, why_size);
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
