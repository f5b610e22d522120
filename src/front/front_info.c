/* INFO: Redis' sections and the fields that clients and dashboards read, and a section "Lockstep" about the group.
 *
 * Figures that have no meaning here (replication buffers, dumps, evictions) have the value of a server that does not
 * use them, because readers expect the field. */
#include "base/number.h"
#include "base/time.h"
#include "front/front_internal.h"
#include "front/front_text.h"

typedef void info_section(struct front *front, struct buffer *out);

static struct node_group_status group_status(const struct front *front)
{
    struct node_group_status status = {0};
    (void)node_group_status(front->node, 0, &status);
    return status;
}

bool front_is_gateway(const struct front *front)
{
    struct node_group_status status = group_status(front);
    return status.spec != NULL && status.spec->served_by != NULL;
}

bool front_is_leader(const struct front *front)
{
    struct node_group_status status = group_status(front);
    return status.member.orderer != 0 && status.member.orderer == node_id(front->node);
}

struct span front_leader_address(const struct front *front, uint32_t *node)
{
    struct node_group_status status = group_status(front);
    *node = status.member.orderer;
    struct node_peer_status peer;
    for (uint32_t place = 0; status.member.orderer != 0 && node_peer_status(front->node, place, &peer); place++)
        if (peer.node == status.member.orderer)
            return peer.client_address;
    return (struct span){0};
}

static const char *text_or(const char *text, const char *other)
{
    return text != NULL ? text : other;
}

static void section_server(struct front *front, struct buffer *out)
{
    int64_t uptime_s = (front->now_ns - front->started_ns) / NS_PER_S;
    front_print(out,
                "# Server\r\nredis_version:" FRONT_REDIS_VERSION "\r\nlockstep_version:" LOCKSTEP_VERSION
                "\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_mode:standalone\r\narch_bits:%zu\r\n",
                sizeof(void *) * 8);
    front_print(out, "process_id:%u\r\nrun_id:%08x%016llx%016llx\r\ntcp_port:%u\r\nserver_time_usec:%lld\r\n",
                front->options.process_id, node_id(front->node), (unsigned long long)node_incarnation(front->node),
                (unsigned long long)front->options.seed, front->options.tcp_port,
                (long long)(front->wall_ns / NS_PER_US));
    front_print(out, "uptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\nhz:10\r\nconfig_file:%s\r\n",
                (long long)uptime_s, (long long)(uptime_s / 86400), text_or(front->options.config_file, ""));
}

static void section_clients(struct front *front, struct buffer *out)
{
    uint32_t waiting = 0;
    for (const struct connection *at = front->queues[LIST_WAITING].first; at != NULL;
         at = at->links[LIST_WAITING].next)
        waiting++;
    front_print(out, "# Clients\r\nconnected_clients:%u\r\nmaxclients:%u\r\nblocked_clients:%u\r\n"
                     "tracking_clients:0\r\n",
                front->counters.clients, front->options.clients_max, waiting);
}

static void section_memory(struct front *front, struct buffer *out)
{
    struct node_group_status status = group_status(front);
    uint64_t used = status.bytes_used + heap_used(front->heap);
    uint64_t limit = status.spec != NULL ? status.spec->tuning.service_bytes_max : 0;
    front_print(out, "# Memory\r\nused_memory:%llu\r\nused_memory_dataset:%llu\r\nused_memory_human:%llu.%02lluM\r\n",
                (unsigned long long)used, (unsigned long long)status.bytes_used, (unsigned long long)(used >> 20),
                (unsigned long long)((used & 0xfffff) * 100 >> 20));
    front_print(out, "maxmemory:%llu\r\nmaxmemory_policy:noeviction\r\nmem_allocator:lockstep\r\n",
                (unsigned long long)limit);
}

static void section_persistence(struct front *front, struct buffer *out)
{
    struct node_group_status status = group_status(front);
    front_print(out, "# Persistence\r\nloading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:%llu\r\n"
                     "rdb_bgsave_in_progress:%d\r\nrdb_last_bgsave_status:ok\r\naof_enabled:1\r\n"
                     "aof_rewrite_in_progress:0\r\naof_last_write_status:ok\r\n",
                (unsigned long long)(status.state_index - status.checkpoint_index), status.checkpointing ? 1 : 0);
}

static void section_stats(struct front *front, struct buffer *out)
{
    const struct front_counters *counters = &front->counters;
    front_print(out, "# Stats\r\ntotal_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
                (unsigned long long)counters->connections, (unsigned long long)counters->commands);
    front_print(out, "total_net_input_bytes:%llu\r\ntotal_net_output_bytes:%llu\r\nrejected_connections:%llu\r\n",
                (unsigned long long)counters->bytes_in, (unsigned long long)counters->bytes_out,
                (unsigned long long)counters->refused_connections);
    front_print(out, "client_output_buffer_limit_disconnections:%llu\r\nprotocol_errors:%llu\r\n"
                     "total_error_replies:%llu\r\nexpired_keys:0\r\nevicted_keys:0\r\npubsub_channels:0\r\n",
                (unsigned long long)counters->closed_slow, (unsigned long long)counters->protocol_errors,
                (unsigned long long)front->errors);
}

static void print_replicas(struct front *front, const struct node_group_status *status, struct buffer *out)
{
    uint32_t connected = 0;
    struct node_peer_status peer;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++)
        connected += peer.connected;
    front_print(out, "connected_slaves:%u\r\n", connected);
    uint32_t number = 0;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++) {
        if (!peer.connected)
            continue;
        struct span address = peer.client_address;
        size_t colon = address.size;
        while (colon > 0 && address.data[colon - 1] != ':')
            colon--;
        struct member_progress progress;
        uint64_t offset = 0;
        for (uint32_t i = 0; node_member_progress(front->node, 0, i, &progress); i++)
            if (progress.node == peer.node)
                offset = progress.stored_index;
        front_print(out, "slave%u:ip=%.*s,port=%.*s,state=online,offset=%llu,lag=0\r\n", number++,
                    (int)(colon > 0 ? colon - 1 : 0), (const char *)address.data, (int)(address.size - colon),
                    address.data == NULL ? "" : (const char *)address.data + colon, (unsigned long long)offset);
    }
    front_print(out, "master_repl_offset:%llu\r\n", (unsigned long long)status->member.commit_index);
}

static void section_replication(struct front *front, struct buffer *out)
{
    struct node_group_status status = group_status(front);
    if (front_is_leader(front)) {
        front_print(out, "# Replication\r\nrole:master\r\n");
        print_replicas(front, &status, out);
        return;
    }
    uint32_t node;
    struct span address = front_leader_address(front, &node);
    size_t colon = address.size;
    while (colon > 0 && address.data[colon - 1] != ':')
        colon--;
    front_print(out, "# Replication\r\nrole:slave\r\nmaster_host:%.*s\r\nmaster_port:%.*s\r\n"
                     "master_link_status:%s\r\nslave_read_only:0\r\nconnected_slaves:0\r\nslave_repl_offset:%llu\r\n"
                     "master_repl_offset:%llu\r\n",
                (int)(colon > 0 ? colon - 1 : 0), address.data == NULL ? "" : (const char *)address.data,
                (int)(address.size - colon), address.data == NULL ? "" : (const char *)address.data + colon,
                node != 0 ? "up" : "down", (unsigned long long)status.member.applied_index,
                (unsigned long long)status.member.commit_index);
}

static void section_cpu(struct front *front, struct buffer *out)
{
    (void)front; /* the front reads no clock of the processor's */
    front_print(out, "# CPU\r\nused_cpu_sys:0.000000\r\nused_cpu_user:0.000000\r\n");
}

static void section_modules(struct front *front, struct buffer *out)
{
    (void)front;
    front_print(out, "# Modules\r\n");
}

static void section_commandstats(struct front *front, struct buffer *out)
{
    front_print(out, "# Commandstats\r\n");
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        if (spec->op < FRONT_OPS_MAX && front->calls[spec->op] > 0)
            front_print(out, "cmdstat_%s:calls=%llu,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\n",
                        spec->name, (unsigned long long)front->calls[spec->op]);
}

static void section_errorstats(struct front *front, struct buffer *out)
{
    front_print(out, "# Errorstats\r\n");
    if (front->errors > 0)
        front_print(out, "errorstat_ERR:count=%llu\r\n", (unsigned long long)front->errors);
}

static void section_cluster(struct front *front, struct buffer *out)
{
    (void)front;
    front_print(out, "# Cluster\r\ncluster_enabled:0\r\n");
}

static void section_keyspace(struct front *front, struct buffer *out)
{
    struct node_group_status status = group_status(front);
    front_print(out, "# Keyspace\r\n");
    if (status.items > 0)
        front_print(out, "db0:keys=%llu,expires=0,avg_ttl=0\r\n", (unsigned long long)status.items);
}

static void print_group(const struct node_group_status *status, uint32_t group, struct buffer *out)
{
    const struct member_status *member = &status->member;
    front_print(out, "group%u:name=%s,protocol=%s,service=%s,role=%s,term=%llu,leader=%u,voter=%d\r\n", group,
                text_or(status->spec->name, ""), status->spec->protocol->name, status->spec->service->name,
                text_or(member->role, "unknown"), (unsigned long long)member->term, member->orderer,
                member->voter ? 1 : 0);
    uint64_t lag = member->commit_index > member->applied_index ? member->commit_index - member->applied_index : 0;
    front_print(out, "group%u_indexes:commit=%llu,applied=%llu,last=%llu,lag=%llu,checkpoint=%llu,stored=%llu\r\n",
                group, (unsigned long long)member->commit_index, (unsigned long long)member->applied_index,
                (unsigned long long)member->last_index, (unsigned long long)lag,
                (unsigned long long)status->checkpoint_index, (unsigned long long)status->stored_position);
    front_print(out, "group%u_pending:updates=%llu,reads=%llu,checkpointing=%d,adopting=%d\r\n", group,
                (unsigned long long)status->pending_updates, (unsigned long long)status->pending_reads,
                status->checkpointing ? 1 : 0, status->adopting ? 1 : 0);
}

static void section_lockstep(struct front *front, struct buffer *out)
{
    const struct node_counters *counters = node_counters(front->node);
    front_print(out, "# Lockstep\r\nnode:%u\r\ncluster:%s\r\nincarnation:%llu\r\nlast_fsync_us:%lld\r\n"
                     "max_fsync_us:%lld\r\n",
                node_id(front->node), text_or(front->options.cluster_name, ""),
                (unsigned long long)node_incarnation(front->node), (long long)(counters->last_sync_ns / NS_PER_US),
                (long long)(counters->max_sync_ns / NS_PER_US));
    struct node_group_status status;
    uint32_t group;
    for (uint32_t place = 0; node_group_number(front->node, place, &group); place++)
        if (node_group_status(front->node, group, &status))
            print_group(&status, group, out);
    struct node_peer_status peer;
    /* What a gateway's core suspects is who gave wrong answers, and how often. */
    const char *suspicion = front_is_gateway(front) ? "wrong_answers" : "suspicion";
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++)
        front_print(out, "peer%u:connected=%d,address=%.*s,%s=%u\r\n", peer.node, peer.connected ? 1 : 0,
                    (int)peer.client_address.size,
                    peer.client_address.data == NULL ? "" : (const char *)peer.client_address.data, suspicion,
                    peer.suspicion);
}

static const struct {
    const char *name;
    info_section *print;
    bool usual; /* part of INFO without arguments */
} sections[] = {
    {"server", section_server, true},
    {"clients", section_clients, true},
    {"memory", section_memory, true},
    {"persistence", section_persistence, true},
    {"stats", section_stats, true},
    {"replication", section_replication, true},
    {"cpu", section_cpu, true},
    {"modules", section_modules, true},
    {"commandstats", section_commandstats, false},
    {"errorstats", section_errorstats, true},
    {"cluster", section_cluster, true},
    {"keyspace", section_keyspace, true},
    {"lockstep", section_lockstep, true},
};

static bool wanted(const struct front_call *call, const char *name, bool usual)
{
    if (call->words.count == 1)
        return usual;
    for (uint32_t i = 1; i < call->words.count; i++) {
        struct span word = call_argument(call, i);
        if (front_same(word, name) || front_same(word, "all") || front_same(word, "everything") ||
            (usual && front_same(word, "default")))
            return true;
    }
    return false;
}

void front_info(struct front_call *call, struct buffer *reply)
{
    struct buffer *text = &call->front->text;
    buffer_clear(text);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (!wanted(call, sections[i].name, sections[i].usual))
            continue;
        if (text->size > 0)
            (void)buffer_append(text, "\r\n", 2);
        sections[i].print(call->front, text);
    }
    (void)reply_verbatim(reply, buffer_span(text));
}
