/* What the node says of itself: ROLE, TIME, LOCKSTEP STATUS (JSON, read by the subcommand `lockstep status`), and the
 * answers for what Redis has and this has not (SLOWLOG, CLUSTER). */
#include "base/number.h"
#include "base/time.h"
#include "front/front_internal.h"
#include "front/front_text.h"

void front_time(struct front_call *call, struct buffer *reply)
{
    int64_t wall_us = call->front->wall_ns / NS_PER_US;
    char digits[NUMBER_INTEGER_SIZE_MAX];
    (void)reply_array(reply, 2);
    (void)reply_bulk(reply, span_of(digits, number_print_i64(digits, wall_us / 1000000)));
    (void)reply_bulk(reply, span_of(digits, number_print_i64(digits, wall_us % 1000000)));
}

/* "host:port" in two; the host of an address without a colon is empty. */
static void address_split(struct span address, struct span *host, struct span *port)
{
    size_t colon = address.size;
    while (colon > 0 && address.data[colon - 1] != ':')
        colon--;
    *host = span_of(address.data, colon > 0 ? colon - 1 : 0);
    *port = colon > 0 ? span_of(address.data + colon, address.size - colon) : address;
}

static uint64_t stored_by(const struct front *front, uint32_t node)
{
    struct member_progress progress;
    for (uint32_t place = 0; node_member_progress(front->node, 0, place, &progress); place++)
        if (progress.node == node)
            return progress.stored_index;
    return 0;
}

static void role_of_leader(const struct front *front, const struct member_status *member, struct buffer *reply)
{
    struct node_peer_status peer;
    uint64_t connected = 0;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++)
        connected += peer.connected;
    (void)reply_array(reply, 3);
    (void)reply_bulk(reply, span_string("master"));
    (void)reply_integer(reply, (int64_t)member->commit_index);
    (void)reply_array(reply, connected);
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++) {
        if (!peer.connected)
            continue;
        struct span host, port;
        address_split(peer.client_address, &host, &port);
        char digits[NUMBER_INTEGER_SIZE_MAX];
        (void)reply_array(reply, 3);
        (void)reply_bulk(reply, host);
        (void)reply_bulk(reply, port);
        (void)reply_bulk(reply, span_of(digits, number_print_u64(digits, stored_by(front, peer.node))));
    }
}

void front_role(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    struct node_group_status status = {0};
    (void)node_group_status(front->node, 0, &status);
    if (front_is_leader(front)) {
        role_of_leader(front, &status.member, reply);
        return;
    }
    uint32_t leader;
    struct span host, port;
    address_split(front_leader_address(front, &leader), &host, &port);
    int64_t port_number = 0;
    (void)number_parse_i64(port, &port_number);
    (void)reply_array(reply, 5);
    (void)reply_bulk(reply, span_string("slave"));
    (void)reply_bulk(reply, host);
    (void)reply_integer(reply, port_number);
    (void)reply_bulk(reply, span_string(leader != 0 ? "connected" : "connect"));
    (void)reply_integer(reply, (int64_t)status.member.applied_index);
}

void front_slowlog(struct front_call *call, struct buffer *reply)
{
    struct span word = call_argument(call, 1);
    if (front_same(word, "get")) {
        (void)reply_array(reply, 0);
    } else if (front_same(word, "len")) {
        (void)reply_integer(reply, 0);
    } else if (front_same(word, "reset")) {
        (void)reply_simple(reply, "OK");
    } else {
        buffer_clear(&call->front->text);
        front_print(&call->front->text, "ERR unknown subcommand '%.*s'. Try GET, LEN or RESET.",
                    (int)(word.size < 128 ? word.size : 128), (const char *)word.data);
        (void)resp_error_write(reply, buffer_span(&call->front->text));
    }
}

void front_cluster(struct front_call *call, struct buffer *reply)
{
    (void)call;
    (void)reply_error(reply, "ERR This instance has cluster support disabled");
}

/* ---- LOCKSTEP STATUS ---- */

static void name_text(struct buffer *out, const char *name, const char *text)
{
    front_print(out, "\"%s\":", name);
    front_print_json(out, span_string(text == NULL ? "" : text));
}

static void name_number(struct buffer *out, const char *name, uint64_t value)
{
    front_print(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void name_boolean(struct buffer *out, const char *name, bool value)
{
    front_print(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void group_json(const struct front *front, uint32_t group, const struct node_group_status *status,
                       struct buffer *out)
{
    const struct member_status *member = &status->member;
    front_print(out, "{");
    name_text(out, "name", status->spec->name);
    name_number(out, "group", group);
    front_print(out, ",");
    name_text(out, "protocol", status->spec->protocol->name);
    front_print(out, ",");
    name_text(out, "service", status->spec->service->name);
    front_print(out, ",");
    name_text(out, "role", member->role);
    name_number(out, "term", member->term);
    name_number(out, "leader", member->orderer);
    name_number(out, "commit", member->commit_index);
    name_number(out, "applied", member->applied_index);
    name_number(out, "last", member->last_index);
    name_number(out, "lag", member->commit_index > member->applied_index
                                ? member->commit_index - member->applied_index
                                : 0);
    name_number(out, "stored_position", status->stored_position);
    name_number(out, "first_position", status->first_position);
    name_number(out, "checkpoint_index", status->checkpoint_index);
    name_number(out, "items", status->items);
    name_number(out, "bytes", status->bytes_used);
    name_number(out, "pending_updates", status->pending_updates);
    name_number(out, "pending_reads", status->pending_reads);
    name_boolean(out, "voter", member->voter);
    name_boolean(out, "checkpointing", status->checkpointing);
    name_boolean(out, "adopting", status->adopting);
    front_print(out, ",\"members\":%u,\"progress\":[", status->spec->member_count);
    struct member_progress progress;
    for (uint32_t place = 0; node_member_progress(front->node, group, place, &progress); place++)
        front_print(out, "%s{\"node\":%u,\"stored\":%llu,\"suspicion\":%u}", place > 0 ? "," : "", progress.node,
                    (unsigned long long)progress.stored_index, progress.suspicion);
    front_print(out, "]}");
}

static void peers_json(const struct front *front, struct buffer *out)
{
    bool gateway = front_is_gateway(front);
    front_print(out, ",\"gateway\":%s,\"peers\":[", gateway ? "true" : "false");
    struct node_peer_status peer;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++) {
        front_print(out, "%s{\"node\":%u,\"connected\":%s,\"client_address\":", place > 0 ? "," : "", peer.node,
                    peer.connected ? "true" : "false");
        front_print_json(out, peer.client_address);
        name_number(out, "incarnation", peer.incarnation);
        name_number(out, "suspicion", peer.suspicion);
        if (gateway)
            name_number(out, "wrong_answers", peer.suspicion);
        /* A peer that was never heard has no time; -1 says so. */
        int64_t ago_ms = peer.last_heard_ns <= 0 ? -1 : (front->now_ns - peer.last_heard_ns) / NS_PER_MS;
        front_print(out, ",\"last_heard_ms\":%lld", (long long)ago_ms);
        name_number(out, "output_bytes", peer.output_bytes);
        name_number(out, "dropped", peer.dropped);
        front_print(out, "}");
    }
    front_print(out, "]");
}

static void node_counters_json(const struct node_counters *counters, struct buffer *out)
{
    front_print(out, ",\"last_fsync_us\":%lld,\"max_fsync_us\":%lld,\"counters\":{\"turns\":%llu",
                (long long)(counters->last_sync_ns / NS_PER_US), (long long)(counters->max_sync_ns / NS_PER_US),
                (unsigned long long)counters->turns);
    name_number(out, "steps", counters->steps);
    name_number(out, "messages_in", counters->messages_in);
    name_number(out, "messages_out", counters->messages_out);
    name_number(out, "bytes_in", counters->bytes_in);
    name_number(out, "bytes_out", counters->bytes_out);
    name_number(out, "updates", counters->updates);
    name_number(out, "reads", counters->reads);
    name_number(out, "duplicates", counters->duplicates);
    name_number(out, "refused", counters->refused);
    name_number(out, "indeterminate", counters->indeterminate);
    name_number(out, "resubmitted", counters->resubmitted);
    name_number(out, "checkpoints", counters->checkpoints);
    name_number(out, "checkpoints_failed", counters->checkpoints_failed);
    name_number(out, "adoptions", counters->adoptions);
    front_print(out, ",\"rejected\":{");
    for (int reason = REJECT_NONE + 1; reason < REJECT_COUNT; reason++) {
        front_print(out, "%s", reason > REJECT_NONE + 1 ? "," : "");
        front_print_json(out, span_string(reject_text((enum reject)reason)));
        front_print(out, ":%llu", (unsigned long long)counters->rejected[reason]);
    }
    front_print(out, "}}");
}

static void front_counters_json(const struct front_counters *counters, struct buffer *out)
{
    front_print(out, ",\"clients\":{\"connected\":%u", counters->clients);
    name_number(out, "connections", counters->connections);
    name_number(out, "commands", counters->commands);
    name_number(out, "protocol_errors", counters->protocol_errors);
    name_number(out, "refused", counters->refused_connections);
    name_number(out, "closed_slow", counters->closed_slow);
    name_number(out, "bytes_in", counters->bytes_in);
    name_number(out, "bytes_out", counters->bytes_out);
    front_print(out, "}");
}

void front_lockstep_status(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    struct buffer *out = &front->text;
    buffer_clear(out);
    front_print(out, "{\"node\":%u", node_id(front->node));
    front_print(out, ",\"pid\":%u,\"version\":\"" LOCKSTEP_VERSION "\",", front->options.process_id);
    name_text(out, "cluster", front->options.cluster_name);
    name_number(out, "incarnation", node_incarnation(front->node));
    front_print(out, ",");
    name_text(out, "client_address", front->options.client_address);
    front_print(out, ",\"uptime_ms\":%lld", (long long)((front->now_ns - front->started_ns) / NS_PER_MS));
    front_print(out, ",\"groups\":[");
    struct node_group_status status;
    uint32_t group;
    for (uint32_t place = 0; node_group_number(front->node, place, &group); place++) {
        (void)node_group_status(front->node, group, &status);
        front_print(out, "%s", place > 0 ? "," : "");
        group_json(front, group, &status, out);
    }
    front_print(out, "]");
    peers_json(front, out);
    node_counters_json(node_counters(front->node), out);
    front_counters_json(&front->counters, out);
    front_print(out, "}");
    (void)reply_bulk(reply, buffer_span(out));
}

void front_lockstep_help(struct front_call *call, struct buffer *reply)
{
    static const char *const lines[] = {
        "LOCKSTEP <subcommand>. Subcommands are:",
        "STATUS",
        "    State of this node, its groups and its peers, as JSON.",
        "HELP",
        "    Prints this help.",
    };
    (void)call;
    (void)reply_array(reply, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        (void)reply_simple(reply, lines[i]);
}
