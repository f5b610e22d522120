/* Making a node, and looking into it. The other files of this folder do the work: node_internal.h is their map. */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"
#include "node/node_start.h"

enum {
    SEGMENT_BYTES = 16 << 20,
    SEGMENTS_AHEAD = 2,
    RESERVE_BYTES = 1 << 20,
};

/* Protocols differ in what a member needs; this much more than the first group's is reserved for each that may come. */
static const size_t GROUP_SPARE_BYTES = (size_t)1 << 30;

void node_options_default(struct node_options *out)
{
    *out = (struct node_options){
        .cluster_name = "lockstep",
        .wal_segment_bytes = SEGMENT_BYTES,
        .wal_writes_inflight_max = 2,
        .request_timeout_ns = 5 * NS_PER_S,
        .window = 16384,
        .peer_output_bytes_max = UINT64_C(256) << 20,
        .working_bytes = (size_t)8 << 30,
    };
}

struct wal_options node_wal_options(const struct node_options *options)
{
    struct wal_options wal = {.node = options->id,
                              .cluster = options->cluster,
                              .segment_bytes = options->wal_segment_bytes,
                              .segments_ahead = SEGMENTS_AHEAD,
                              .writes_inflight_max = options->wal_writes_inflight_max,
                              .groups_max = options->group_count + 2 * options->groups_max};
    wal.reserve_bytes = wal.segment_bytes / 4 < RESERVE_BYTES ? wal.segment_bytes / 4 : RESERVE_BYTES;
    for (uint32_t i = 0; i < options->group_count; i++)
        if (options->groups[i].ablations & ABLATION_ACK_BEFORE_SYNC) wal.report_before_sync = true;
    return wal;
}

size_t node_heap_size(const struct node_options *options)
{
    struct wal_options wal = node_wal_options(options);
    size_t size = options->working_bytes + wal_heap_size(&wal);
    for (uint32_t i = 0; i < options->group_count; i++) size += member_heap_size(options, &options->groups[i]);
    if (options->groups_max > 0)
        size += options->groups_max * (member_heap_size(options, &options->groups[0]) + GROUP_SPARE_BYTES);
    return size;
}

void node_fail(struct node *node, const char *format, const char *what, int error)
{
    if (node->failed) return;
    node->failed = true;
    snprintf(node->failure, sizeof(node->failure), format, what, error_text(error));
}

const char *node_failure(const struct node *node) { return node->failed ? node->failure : NULL; }

/* ---- making ---- */

static void make_peers(struct node *node)
{
    const struct node_options *options = node->options;
    uint32_t given = options->peer_count + options->client_count;
    uint32_t count = given + (options->groups_max > 0 ? DIRECTORY_CLIENTS_MAX : 0);
    node->peer_count = count;
    if (count == 0) return;
    node->peers = heap_alloc_zero(node->heap, count * sizeof(struct peer));
    invariant(node->peers != NULL, "node_heap_size covers all peers");
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = &node->peers[i];
        peer->client = peer->keyed = i >= options->peer_count;
        buffer_init(&peer->out, node->heap);
        if (i < options->peer_count) peer->id = options->peers[i];
        else if (i < given) peer->id = options->clients[i - options->peer_count];
    }
}

static void make_members(struct node *node)
{
    const struct node_options *options = node->options;
    node->given = heap_alloc(node->heap, options->group_count * sizeof(struct member));
    invariant(node->given != NULL, "node_heap_size covers all members");
    node->member_count = options->group_count;
    for (uint32_t i = 0; i < options->group_count; i++) {
        node->members[i] = &node->given[i];
        invariant(member_make(node, node->members[i], &options->groups[i], options->seed), "node_heap_size covers all members");
    }
}

static int check_options(const struct node_options *options, char *why, size_t why_size)
{
    if (options->group_count + options->groups_max > NODE_MEMBERS_MAX || options->groups_max > DIRECTORY_GROUPS_MAX) {
        snprintf(why, why_size, "a node hosts at most %u groups of its options and %u of the directory",
                 (unsigned)(NODE_MEMBERS_MAX - DIRECTORY_GROUPS_MAX), (unsigned)DIRECTORY_GROUPS_MAX);
        return ERROR_INVALID;
    }
    for (uint32_t i = 0; i < options->group_count; i++) {
        int error = spec_check(&options->groups[i], why, why_size);
        if (error < 0) return error;
        if (options->groups[i].ablations != 0 && !options->allow_ablations) {
            snprintf(why, why_size, "rules can be switched off in the laboratory only");
            return ERROR_INVALID;
        }
    }
    return 0;
}

int node_create(struct node **out, struct heap *heap, const struct node_options *options, char *why, size_t why_size)
{
    *out = NULL;
    int error = check_options(options, why, why_size);
    if (error < 0) return error;
    struct node *node = heap_alloc_zero(heap, sizeof(struct node));
    if (node == NULL) return ERROR_NO_MEMORY;
    node->options = options;
    node->heap = heap;
    node->disk = options->disk;
    node->now_ns = options->now_ns;
    node->wall_ns = options->wall_ns;
    if (options->observer != NULL) node->observer = *options->observer;
    buffer_init(&node->message, heap);
    directory_init(&node->directory);
    make_peers(node);
    make_members(node);
    struct opening opening = {.node = node, .why = why, .why_size = why_size};
    error = node_open_directory(&opening);
    if (error < 0) {
        if (node->wal != NULL) wal_close(node->wal);
        return error;
    }
    *out = node;
    return 0;
}

void node_set_door(struct node *node, const struct node_door *door) { node->door = *door; }

void node_set_observer(struct node *node, const struct node_observer *observer) { node->observer = *observer; }

bool node_set_tamper(struct node *node, const struct node_tamper *tamper)
{
    if (!node->options->allow_ablations) return false;
    node->tamper = *tamper;
    return true;
}

void node_destroy(struct node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++) member_close_files(node->members[i]);
    for (uint32_t i = 0; i < node->leaving_count; i++) member_close_files(node->leaving[i]);
    wal_close(node->wal);
}

/* ---- looking in ---- */

bool node_group_status(const struct node *node, uint32_t group, struct node_group_status *out)
{
    const struct member *member = node_member_of(node, group);
    if (member == NULL) return false;
    const struct lane *updates = &member->lanes[0], *reads = &member->lanes[1];
    *out = (struct node_group_status){
        .spec = member->spec,
        .state_index = member->state_index,
        .state_time_ns = member->state_time_ns,
        .bytes_used = member->service->bytes_used(member->service_self),
        .items = member->service->item_count(member->service_self),
        .checkpoint_index = member->checkpoint_index,
        .checkpointing = member->checkpointing.writer != NULL,
        .adopting = member->adopting.phase != ADOPT_NONE,
        .pending_updates = updates->next_number - updates->first_incomplete,
        .pending_reads = reads->next_number - reads->first_incomplete,
        .stored_position = wal_stored_position(node->wal, group),
        .first_position = wal_first_position(node->wal, group),
    };
    member->protocol->status(member->self, &out->member);
    return true;
}

bool node_member_progress(const struct node *node, uint32_t group, uint32_t place, struct member_progress *out)
{
    const struct member *member = node_member_of(node, group);
    return member != NULL && member->protocol->progress != NULL &&
           member->protocol->progress(member->self, place, out);
}

const struct node_counters *node_counters(const struct node *node) { return &node->counters; }
const struct wal_counters *node_wal_counters(const struct node *node) { return wal_counters(node->wal); }
uint32_t node_id(const struct node *node) { return node->options->id; }
uint64_t node_incarnation(const struct node *node) { return node->incarnation; }
void *node_member(const struct node *node, uint32_t group) { return node_member_of(node, group)->self; }
void *node_service(const struct node *node, uint32_t group) { return node_member_of(node, group)->service_self; }
uint64_t node_next_position(const struct node *node, uint32_t group) { return wal_next_position(node->wal, group); }
