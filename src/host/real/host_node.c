/* What a node is made of (host_internal.h): its group's specification, its keys, and the node itself.
 *
 * A gateway is a node that is no member: its core is the voter's, which asks the members; its identity is theirs, so that
 * their greetings agree. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/heap_system.h"
#include "base/panic.h"
#include "host/real/clock.h"
#include "host/real/host_internal.h"
#include "protocol/registry.h"
#include "protocol/replica/voter.h"
#include "service/directory/kv_groups.h"
#include "service/none/none.h"

enum { PATH_SIZE = 4096 };

uint64_t host_draw_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = hash_mix((uint64_t)clock_wall_ns(), (uint64_t)getpid());
    return seed;
}

/* Nodes that agree in different ways are of different clusters, and a directory of one is refused by the other. */
static uint64_t cluster_identity(const struct real_host *host)
{
    static const uint64_t key[2] = {UINT64_C(0x61677265656d656e), UINT64_C(0x7470726f746f636f)};
    const char *protocol = host->options.protocol;
    uint64_t identity = members_identity(&host->members, host->options.cluster_name);
    return strcmp(protocol, "raft") == 0 ? identity : hash_mix(identity, hash_keyed(key, protocol, strlen(protocol)));
}

/* ---- the specification ---- */

/* The most that so many members can mask; but never nobody where lies are to be masked, so that too few are refused. */
static uint32_t faults_masked(const struct protocol *protocol, uint32_t members)
{
    if (protocol->members_for_k != MEMBERS_3K_PLUS_1)
        return (members - 1) / 2;
    return members > 4 ? (members - 1) / 3 : 1;
}

static void fill_spec(struct real_host *host, const struct protocol *protocol, uint64_t identity)
{
    const struct host_options *options = &host->options;
    host->spec = (struct group_spec){
        .group = 0,
        .name = "default",
        .self = options->id,
        .members = host->members.nodes,
        .member_count = host->members.count,
        .k = faults_masked(protocol, host->members.count),
        .protocol = protocol,
        .service = &kv_groups_service,
        .hash_key = {hash_mix(identity, 1), hash_mix(identity, 2)},
    };
    struct tuning *tuning = &host->spec.tuning;
    spec_defaults(tuning);
    tuning->heartbeat_ns = options->heartbeat_ns;
    tuning->election_timeout_ns = options->election_timeout_ns;
    tuning->service_bytes_max = options->memory_bytes_max;
    tuning->signatures = options->signatures;
    uint64_t command_bytes = options->value_bytes_max + (UINT64_C(1) << 20);
    if (command_bytes > tuning->command_bytes_max)
        tuning->command_bytes_max = command_bytes;
}

/* Turns the members' specification into that of their client. */
static int become_client(struct real_host *host, char *why, size_t why_size)
{
    struct group_spec *spec = &host->spec;
    uint32_t vote = host->options.vote;
    spec->served_by = spec->protocol;
    spec->protocol = &voter_protocol;
    spec->service = &none_service;
    if (spec_proven(spec)) {
        if (vote == 0)
            return OK;
        snprintf(why, why_size, "a gateway of %s compares the answers of all nodes; --vote is for protocols that mask "
                 "crashes alone", spec->served_by->name);
        return ERROR_INVALID;
    }
    if (vote % 2 == 1 && vote > 1 && vote <= spec->member_count) {
        spec->vote = vote;
        spec->k = (vote - 1) / 2;
        return OK;
    }
    if (spec->member_count < 3)
        snprintf(why, why_size, "%s masks crashes alone, so a gateway of it compares the answers of at least 3 nodes, and "
                 "--peers lists %u", spec->served_by->name, spec->member_count);
    else if (vote == 0)
        snprintf(why, why_size, "%s masks crashes alone, so a gateway of it needs --vote: how many of the %u nodes' "
                 "answers are compared, an odd number from 3", spec->served_by->name, spec->member_count);
    else
        snprintf(why, why_size, "--vote %u: expected an odd number from 3 on, and no more than the %u nodes that --peers "
                 "lists", vote, spec->member_count);
    return ERROR_INVALID;
}

/* ---- keys ---- */

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static int refuse_keys(struct real_host *host, const char *path, const char *what, char *why, size_t why_size)
{
    const struct group_spec *spec = &host->spec;
    const char *members = spec->served_by != NULL ? spec->served_by->name : spec->protocol->name;
    snprintf(why, why_size,
             "%s masks nodes that lie, so all must prove their messages, and %s: make this one's keys with `lockstep keys "
             "new --dir %s --id %u`, copy node-%u from there into the keys directory of every node%s, and their files "
             "node-N into %s",
             members, what, path, host->options.id, host->options.id, spec->served_by == NULL ? " and gateway" : "",
             path);
    return ERROR_NOT_FOUND;
}

static int open_keys(struct real_host *host, char *why, size_t why_size)
{
    const struct host_options *options = &host->options;
    char beside[PATH_SIZE], sentence[PATH_SIZE + 64];
    snprintf(beside, sizeof beside, "%s/keys", options->data);
    bool named = options->keys != NULL && options->keys[0] != '\0';
    const char *path = named ? options->keys : beside;
    if (!spec_proven(&host->spec)) {
        if (!named)
            return OK;
        snprintf(why, why_size, "--keys is for protocols that mask nodes that lie, and %s does not", options->protocol);
        return ERROR_INVALID;
    }
    if (!is_directory(path)) {
        snprintf(sentence, sizeof sentence, "there is no directory of keys %s", path);
        return refuse_keys(host, path, sentence, why, why_size);
    }
    uint32_t nodes[MEMBERS_MAX + DIRECTORY_CLIENTS_MAX + 1], count = 0;
    for (uint32_t i = 0; i < host->members.count; i++)
        nodes[count++] = host->members.nodes[i];
    for (uint32_t i = 0; i < host->client_count; i++)
        nodes[count++] = host->client_ids[i];
    if (options->gateway)
        nodes[count++] = options->id;
    int status = proof_sodium_open(&host->keys, path, options->id, nodes, count, sentence, sizeof sentence);
    if (status == ERROR_NOT_FOUND)
        return refuse_keys(host, path, sentence, why, why_size);
    if (status != OK) {
        snprintf(why, why_size, "%s", sentence);
        return status;
    }
    return OK;
}

/* In builds for tests the node may lie as its script says; others do not know how. */
static int make_adversary(struct real_host *host, char *why, size_t why_size)
{
    const char *script = host->options.adversary;
    if (script == NULL || script[0] == '\0')
        return OK;
#ifdef LOCKSTEP_ADVERSARY
    return adversary_read(&host->adversary, script, host->spec.protocol, why, why_size);
#else
    snprintf(why, why_size, "this build takes no --adversary: a node that lies is for tests (LOCKSTEP_ADVERSARY of cmake)");
    return ERROR_PERMISSION;
#endif
}

/* ---- the node ---- */

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
    node->clients = host->client_ids;
    node->client_count = host->client_count;
    if (host->keys != NULL)
        node->proofs = proof_sodium_door(host->keys);
    node->allow_ablations = host->adversary != NULL;
    node->groups = &host->spec;
    node->group_count = 1;
    node->groups_max = DIRECTORY_GROUPS_MAX;
    /* Nobody could fill a cluster of one from its peers, and a gateway holds nothing that could be lost: there an empty
     * directory is always a new one. */
    node->init = options->init || peer_count == 0 || options->gateway;
    node->seed = host_draw_seed();
    node->disk = real_disk_door(host->disk);
    node->wal_segment_bytes = options->segment_bytes;
    node->request_timeout_ns = options->request_timeout_ns;
    node->now_ns = clock_monotone_ns();
    node->wall_ns = clock_wall_ns();
}

static int check_spec(struct real_host *host, uint64_t identity, char *why, size_t why_size)
{
    const struct protocol *protocol = protocol_find(host->options.protocol);
    if (protocol == NULL) {
        snprintf(why, why_size, "there is no protocol '%s'; `lockstep protocols` lists them", host->options.protocol);
        return ERROR_INVALID;
    }
    fill_spec(host, protocol, identity);
    int status = spec_check(&host->spec, why, why_size);
    if (status == OK && host->options.signatures && !spec_proven(&host->spec)) {
        snprintf(why, why_size, "--signatures is for protocols that mask nodes that lie, and %s does not",
                 protocol->name);
        status = ERROR_INVALID;
    }
    if (status == OK && host->options.gateway)
        status = become_client(host, why, why_size);
    return status;
}

int real_host_check_protocol(const char *protocol, uint32_t node_count, bool signatures, char *why, size_t why_size)
{
    struct real_host *host = calloc(1, sizeof *host);
    if (host == NULL || node_count > MEMBERS_MAX) {
        free(host);
        snprintf(why, why_size, "there is no room for that many nodes");
        return ERROR_NO_MEMORY;
    }
    host_options_default(&host->options);
    host->options.id = 1;
    host->options.protocol = protocol;
    host->options.signatures = signatures;
    for (uint32_t i = 0; i < node_count; i++)
        host->members.nodes[i] = i + 1;
    host->members.count = node_count;
    int status = check_spec(host, 0, why, why_size);
    free(host);
    return status;
}

static void unleash(struct real_host *host)
{
#ifdef LOCKSTEP_ADVERSARY
    if (host->adversary == NULL)
        return;
    struct node_tamper tamper = adversary_tamper(host->adversary);
    invariant(node_set_tamper(host->node, &tamper), "the options allow it");
    report(&host->report, REPORT_WARNING, "node %u lies as %s says", host->options.id, host->options.adversary);
#else
    (void)host;
#endif
}

int host_make_node(struct real_host *host, char *why, size_t why_size)
{
    uint64_t identity = cluster_identity(host);
    fill_node_options(host, identity);
    const char *record = host->options.record, *build = host->options.build;
    int status = OK;
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
    if (status == OK)
        unleash(host);
    return status;
}

int host_check_group(struct real_host *host, char *why, size_t why_size)
{
    int status = check_spec(host, cluster_identity(host), why, why_size);
    if (status == OK)
        status = open_keys(host, why, why_size);
    return status == OK ? make_adversary(host, why, why_size) : status;
}
