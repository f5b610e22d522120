/* Groups that come and go while the node runs.
 *
 * The directory of groups is replicated state in the node's first group (service/directory/). The node follows it: when
 * the directory there is of a later version than the one that it knows, it first notes the new one in the file
 * "groups", durably, and only then drops members that are no longer listed and makes those that are new. So
 *
 *   - a restart knows which members it has before it reads the log: a member stores nothing before it is in the note;
 *   - a crash between note and deed is made good at the next start, which makes every member of the note and removes
 *     what is left of others (records, checkpoints);
 *   - a directory that is still catching up after a restart (its version is lower than the note's) takes nothing away.
 *
 * Has a new member forgotten promises? Numbers of groups are never used again, so a node that kept its disk has never
 * been in a group that is new to its note: START_FIRST. A node that lost its disk may have been in any group that was
 * created up to the moment at which it was filled from the others: those members start amnesiac. `first_from` in the
 * note is that bound: the last index of default's log when its member counted again, and "no bound yet" before. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"
#include "node/node_start.h"
#include "protocol/registry.h"
#include "service/registry.h"
#include "storage/note.h"

enum { RETRY_S = 1, NOTE_HEAD_SIZE = 8 };

static const char note_name[] = "groups";
static const char dropped_refused[] = "ERR the group was dropped before the command was executed";
static const char dropped_unknown[] = "INDETERMINATE the group was dropped; the command may have been executed before";

_Static_assert((size_t)NOTE_HEAD_SIZE + (size_t)DIRECTORY_BYTES_MAX <= (size_t)NOTE_BYTES_MAX, "it fits");

/* ---- the note ---- */

bool node_has_directory(const struct node *node)
{
    return node->options->groups_max > 0 && !node_learns_directory(node);
}

static int write_note(struct node *node, const struct directory *directory, uint64_t first_from)
{
    uint8_t bytes[NOTE_HEAD_SIZE + DIRECTORY_BYTES_MAX];
    store_u64(bytes, first_from);
    size_t size = NOTE_HEAD_SIZE + directory_encode(directory, bytes + NOTE_HEAD_SIZE);
    int error = note_write(node->disk, node->heap, note_name, node->options->cluster, node->options->id,
                           (struct span){bytes, size});
    if (error == OK) {
        node->directory = *directory;
        node->first_from = first_from;
    }
    return error;
}

int node_groups_read(struct node *node)
{
    uint8_t bytes[NOTE_BYTES_MAX];
    size_t size;
    int error = note_read(node->disk, node->heap, note_name, node->options->cluster, node->options->id, bytes, &size);
    if (error != OK) return error;
    if (size < NOTE_HEAD_SIZE ||
        !directory_decode((struct span){bytes + NOTE_HEAD_SIZE, size - NOTE_HEAD_SIZE}, &node->directory))
        return ERROR_CORRUPT;
    node->first_from = load_u64(bytes);
    return OK;
}

int node_groups_note(struct node *node, uint64_t first_from)
{
    struct directory directory = node->directory;
    return write_note(node, &directory, first_from);
}

/* ---- members of the directory ---- */

/* What a member that was made from the directory needs beside itself. */
struct home {
    struct member member;
    struct directory_group group;
    struct group_spec spec;
};

static void fill_spec(const struct node *node, struct home *home)
{
    const struct group_spec *first = &node->options->groups[0];
    const struct directory_group *group = &home->group;
    home->spec = (struct group_spec){.group = group->number,
                                     .name = group->name,
                                     .self = node->options->id,
                                     .members = group->members,
                                     .member_count = group->member_count,
                                     .k = group->k,
                                     .protocol = protocol_find(group->protocol),
                                     .service = service_find(group->service),
                                     .hash_key = {hash_mix(first->hash_key[0], group->number),
                                                  hash_mix(first->hash_key[1], group->number)},
                                     .tuning = first->tuning};
    if (node_learns_directory(node)) node_learn_spec(node, group, &home->spec);
}

/* This build may lack the protocol or service that a later one created the group with. */
static bool can_host(const struct node *node, const struct group_spec *spec)
{
    char why[REASON_SIZE];
    bool asks = node_learns_directory(node);
    return (spec->served_by != NULL) == asks && spec->protocol != NULL && spec->service != NULL &&
           spec_check(spec, why, sizeof why) == OK;
}

static void insert(struct node *node, struct member *member)
{
    uint32_t place = node->member_count++;
    for (; place > 1 && node->members[place - 1]->spec->group > member->spec->group; place--)
        node->members[place] = node->members[place - 1];
    node->members[place] = member;
}

struct member *node_host_group(struct node *node, const struct directory_group *group)
{
    if (node->member_count == NODE_MEMBERS_MAX) return NULL;
    struct home *home = heap_alloc_zero(node->heap, sizeof *home);
    if (home == NULL) return NULL;
    home->group = *group;
    fill_spec(node, home);
    /* A seed of its own: else the members of one node would all campaign at the same moments. */
    uint64_t seed = hash_mix(node->options->seed, group->number);
    if (!can_host(node, &home->spec) || !member_make(node, &home->member, &home->spec, seed)) {
        heap_free(node->heap, home);
        return NULL;
    }
    home->member.home = home;
    insert(node, &home->member);
    return &home->member;
}

bool node_group_was_lost(const struct node *node, uint32_t number)
{
    const struct directory_group *group = directory_find_number(&node->directory, number);
    return group != NULL && group->created <= node->first_from;
}

/* A new member, which has nothing on the disk. */
static bool add_group(struct node *node, const struct directory_group *group)
{
    struct member *member = node_host_group(node, group);
    if (member == NULL) return false;
    member->start = (struct event_start){
        .kind = group->created <= node->first_from ? START_AMNESIAC : START_FIRST,
        .incarnation = node->incarnation,
        .position = wal_next_position(node->wal, group->number) - 1};
    member->stored_told = wal_stored_position(node->wal, group->number);
    member->room_told = wal_room(node->wal);
    for (uint32_t i = 0; i < node->peer_count; i++)
        if (node->peers[i].connected) member_tell_peer(member, node->peers[i].id, PEER_CONNECTED);
    return true;
}

/* ---- dropping ---- */

static void answer_all(struct member *member, struct lane *lane)
{
    lane_close_bundle(member, lane);
    for (uint64_t number = lane->first_incomplete; number < lane->next_number; number++) {
        const struct outgoing *outgoing = lane_find(lane, number);
        bool unknown = !lane->read && outgoing != NULL && outgoing->handed > 0;
        struct answer answer = {.kind = unknown ? ANSWER_INDETERMINATE : ANSWER_REFUSED,
                                .bytes = span_string(unknown ? dropped_unknown : dropped_refused)};
        lane_answer(member, lane, number, &answer);
    }
}

static void answer_counts(struct member *member)
{
    struct node *node = member->node;
    for (uint32_t i = 0; i < member->count_requests; i++) {
        struct answer answer = {.kind = ANSWER_REFUSED, .bytes = span_string(dropped_refused)};
        if (node->door.answer != NULL) node->door.answer(node->door.context, member->counts[i].cookie, &answer);
    }
    member->count_requests = 0;
}

static bool disk_holds(const struct member *member)
{
    return (member->checkpointing.writer != NULL && checkpoint_busy(member->checkpointing.writer)) ||
           (member->adopting.writer != NULL && checkpoint_busy(member->adopting.writer));
}

static void forget_files(struct node *node, uint32_t group)
{
    /* A file that stays because the disk fails is removed at the next start. */
    (void)checkpoint_remove_all(node->disk, group);
    wal_forget(node->wal, group);
}

static void member_end(struct member *member)
{
    struct node *node = member->node;
    uint32_t group = member->spec->group;
    void *home = member->home;
    member_close_files(member);
    member_free(member);
    heap_free(node->heap, home);
    forget_files(node, group);
}

static void drop_member(struct node *node, uint32_t place)
{
    struct member *member = node->members[place];
    invariant(member->home != NULL, "only members of the directory are dropped");
    for (uint32_t i = place; i + 1 < node->member_count; i++) node->members[i] = node->members[i + 1];
    node->member_count--;
    answer_all(member, &member->lanes[0]);
    answer_all(member, &member->lanes[1]);
    answer_counts(member);
    if (disk_holds(member)) node->leaving[node->leaving_count++] = member;
    else member_end(member);
}

static void end_leaving(struct node *node)
{
    for (uint32_t i = node->leaving_count; i > 0; i--) {
        if (disk_holds(node->leaving[i - 1])) continue;
        member_end(node->leaving[i - 1]);
        node->leaving[i - 1] = node->leaving[--node->leaving_count];
    }
}

void node_leaving_complete(struct node *node, uint64_t token, int status)
{
    for (uint32_t i = 0; i < node->leaving_count; i++) {
        struct member *member = node->leaving[i];
        if (member->checkpointing.writer != NULL) (void)checkpoint_complete(member->checkpointing.writer, token, status);
        else if (member->adopting.writer != NULL) (void)checkpoint_complete(member->adopting.writer, token, status);
    }
}

/* ---- following the directory ---- */

/* A node that lost its disk learns here up to where it may have promised something. */
static uint64_t bound_of_promises(const struct node *node)
{
    if (node->first_from != FIRST_FROM_UNKNOWN) return node->first_from;
    const struct member *first = node->members[0];
    struct member_status status;
    first->protocol->status(first->self, &status);
    return first->started && status.voter && first->adopting.phase == ADOPT_NONE ? status.last_index
                                                                                 : FIRST_FROM_UNKNOWN;
}

/* True when every group of the directory that this node is in is hosted. */
static bool do_as_noted(struct node *node)
{
    for (uint32_t i = node->member_count; i > 1; i--)
        if (node->members[i - 1]->home != NULL &&
            directory_find_number(&node->directory, node->members[i - 1]->spec->group) == NULL)
            drop_member(node, i - 1);
    bool all = true;
    for (uint32_t i = 0; i < node->directory.count; i++) {
        const struct directory_group *group = &node->directory.groups[i];
        bool concerns = node_learns_directory(node) ? node_learn_suits(node, group)
                                                    : directory_has_member(group, node->options->id);
        if (!concerns || node_member_of(node, group->number) != NULL) continue;
        if (!add_group(node, group)) all = false;
    }
    return all;
}

static void follow(struct node *node, const struct directory *directory)
{
    bool newer = directory != NULL && directory->version > node->directory.version;
    uint64_t bound = bound_of_promises(node);
    if (!newer && bound == node->first_from && !node->groups_undone) return;
    if (node->groups_again_ns > node->now_ns) return;
    if (newer || bound != node->first_from) {
        struct directory next = newer ? *directory : node->directory;
        if (write_note(node, &next, bound) != OK) { /* the disk is full, say: what is not noted is not done */
            node->groups_undone = true;
            node->groups_again_ns = node->now_ns + RETRY_S * NS_PER_S;
            return;
        }
    }
    node_enrol_clients(node);
    node->groups_undone = !do_as_noted(node);
    node->groups_again_ns = node->groups_undone ? node->now_ns + RETRY_S * NS_PER_S : 0;
}

/* At a client's node: what was heard is done, without a note. */
static void follow_heard(struct node *node)
{
    bool news = node_learn_turn(node);
    if (!news && (!node->groups_undone || node->groups_again_ns > node->now_ns)) return;
    node->groups_undone = !do_as_noted(node);
    node->groups_again_ns = node->groups_undone ? node->now_ns + RETRY_S * NS_PER_S : 0;
}

void node_groups_turn(struct node *node)
{
    if (node_learns_directory(node)) follow_heard(node);
    if (!node_has_directory(node)) return;
    const struct member *first = node->members[0];
    if (node->leaving_count > 0) end_leaving(node);
    follow(node, kv_groups_directory(first->service, first->service_self));
}

bool node_groups_wants_turn(const struct node *node)
{
    if (node->learning.news) return true;
    if (!node_has_directory(node)) return false;
    for (uint32_t i = 0; i < node->leaving_count; i++)
        if (!disk_holds(node->leaving[i])) return true;
    const struct member *first = node->members[0];
    const struct directory *directory = kv_groups_directory(first->service, first->service_self);
    return directory != NULL && directory->version > node->directory.version && node->groups_again_ns <= node->now_ns;
}

int64_t node_groups_next_ns(const struct node *node)
{
    int64_t next = node->groups_undone ? node->groups_again_ns : INT64_MAX;
    if (!node_learns_directory(node) || node_learn_next_ns(node) > next) return next;
    return node_learn_next_ns(node);
}

/* ---- looking in ---- */

const struct directory *node_directory(const struct node *node) { return &node->directory; }
bool node_hosts(const struct node *node, uint32_t group) { return node_member_of(node, group) != NULL; }

bool node_group_number(const struct node *node, uint32_t place, uint32_t *group)
{
    if (place >= node->member_count) return false;
    *group = node->members[place]->spec->group;
    return true;
}
