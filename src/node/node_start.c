/* Opening a node's directory: whose is it, what does it hold, and what may its members still promise?
 *
 *   empty directory, started with --init or without peers   FIRST: nothing was ever promised
 *   empty directory, not started with --init                AMNESIAC: what it promised is lost; it is filled from peers
 *   log and checkpoint whole                                RESTARTED
 *   damage                                                  RESTARTED with gaps: the protocol sees RESTORE_GAP
 *
 * The identity is written after the log exists, so a directory with an identity and no log has lost its log. */
#include <stdio.h>
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"

#include "node/node_start.h"

static int refuse(struct opening *opening, int error, const char *text)
{
    snprintf(opening->why, opening->why_size, "%s", text);
    return error;
}

static int check_identity(struct opening *opening)
{
    const struct node_options *options = opening->node->options;
    int error = identity_read(opening->node->disk, opening->node->heap, &opening->identity);
    if (error == ERROR_NOT_FOUND) {
        opening->fresh = true;
        opening->identity = (struct identity){.cluster = options->cluster, .node = options->id};
        return 0;
    }
    if (error == ERROR_CORRUPT)
        return refuse(opening, error,
                      "both copies of the identity file are damaged; remove the directory and start without --init: "
                      "the node is then filled from its peers");
    if (error < 0) return refuse(opening, error, error_text(error));
    if (opening->identity.cluster != options->cluster)
        return refuse(opening, ERROR_WRONG_CLUSTER,
                      "the data directory belongs to another cluster (other name or other list of first peers); give "
                      "the right --data, or an empty directory");
    if (opening->identity.node != options->id) {
        snprintf(opening->why, opening->why_size,
                 "the data directory belongs to node %u, this is node %u; give the right --data or --id",
                 (unsigned)opening->identity.node, (unsigned)options->id);
        return ERROR_WRONG_NODE;
    }
    return 0;
}

/* Higher than every former one, also when the directory was wiped: the wall clock in milliseconds, then random bits. */
static uint64_t next_incarnation(const struct opening *opening)
{
    const struct node_options *options = opening->node->options;
    struct random random;
    random_seed(&random, options->seed);
    uint64_t wall = options->wall_ns > 0 ? (uint64_t)(options->wall_ns / NS_PER_MS) : 1;
    uint64_t by_clock = (wall << 16) | random_below(&random, 1 << 16);
    uint64_t by_count = opening->identity.incarnation + 1;
    return by_clock > by_count ? by_clock : by_count;
}

static void restore_step(struct member *member, struct event *event)
{
    member_step(member, event);
    member->touched = false;
}

static int restore_checkpoint(struct opening *opening, struct restoring *restoring)
{
    struct node *node = opening->node;
    struct member *member = restoring->member;
    struct checkpoint_head head;
    int error = checkpoint_latest(node->heap, node->disk, node->options->cluster, member->spec->group, &head,
                                  opening->why, opening->why_size);
    if (error == ERROR_NOT_FOUND) return 0;
    if (error < 0) return error;
    struct checkpoint_reader *reader = NULL;
    error = checkpoint_open(&reader, node->heap, node->disk, member->spec->group, head.index, &head);
    if (error < 0) return refuse(opening, error, "the youngest checkpoint cannot be opened");
    int done = 0;
    while (done == 0) done = member_load_piece(member, reader, &head);
    checkpoint_reader_free(reader);
    if (done < 0)
        return refuse(opening, done,
                      "the youngest checkpoint is damaged; remove the directory and start without --init: the node is "
                      "then filled from its peers");
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){.kind = RESTORE_PART,
                                           .position = head.keep_from,
                                           .index = head.index,
                                           .digest = head.digest,
                                           .seal = head.seal,
                                           .part = {member->adopting.front.data, (size_t)head.part_size}};
    restoring->keep_from = head.keep_from;
    restoring->has_state = true;
    restore_step(member, &event);
    buffer_free(&member->adopting.front);
    member->adopting.loaded = 0;
    member->tick_at_ns = 0;
    return 0;
}

static void restore_gap(struct restoring *restoring, uint64_t position)
{
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){.kind = RESTORE_GAP, .position = position};
    restoring->damaged = true;
    restore_step(restoring->member, &event);
}

static struct restoring *restoring_of(struct opening *opening, uint32_t group)
{
    for (uint32_t i = 0; i < opening->node->member_count; i++)
        if (opening->restoring[i].member->spec->group == group) return &opening->restoring[i];
    return NULL;
}

/* Records of a group that was dropped, the log not yet having been rid of them; or of one whose note is lost. */
static void note_stranger(struct opening *opening, uint32_t group)
{
    for (uint32_t i = 0; i < opening->stranger_count; i++)
        if (opening->strangers[i] == group) return;
    if (opening->stranger_count < NODE_MEMBERS_MAX) opening->strangers[opening->stranger_count++] = group;
}

/* Told by the log for each record that it holds, and for gaps. What is below the checkpoint's keep_from was released;
 * from there on nothing may be missing. */
static void found(void *context, const struct wal_found *record)
{
    struct opening *opening = context;
    struct restoring *restoring = restoring_of(opening, record->group);
    if (restoring == NULL) {
        note_stranger(opening, record->group);
        return;
    }
    struct member *member = restoring->member;
    restoring->has_state = true;
    if (record->position < restoring->keep_from) return;
    if (!record->gap && record->position > restoring->next_position && restoring->next_position != POSITION_ANY)
        restore_gap(restoring, restoring->next_position);
    const struct message_table *table = &member->protocol->records;
    bool known = record->type < table->count && table->types[record->type].name != NULL;
    if (record->gap || !known || !message_decode(&table->types[record->type], record->body, member->decoded)) {
        restore_gap(restoring, record->position);
        restoring->next_position = POSITION_ANY;
        return;
    }
    restoring->next_position = record->position + 1;
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){.kind = RESTORE_RECORD,
                                           .slot = record->slot,
                                           .type = record->type,
                                           .position = record->position,
                                           .body = member->decoded,
                                           .record_size = record->body.size};
    restore_step(member, &event);
}

/* After the log was read: did it tell all that it must have? */
static void close_restore(struct restoring *restoring, enum wal_condition condition)
{
    struct member *member = restoring->member;
    struct wal *wal = member->node->wal;
    uint32_t group = member->spec->group;
    uint64_t next = wal_next_position(wal, group);
    bool short_of_checkpoint = restoring->keep_from > next;
    bool end_missing = restoring->next_position != POSITION_ANY && next > restoring->next_position;
    bool all_missing = condition == WAL_DAMAGED && !restoring->damaged && wal_may_lack(wal, group);
    if (short_of_checkpoint) wal_set_next_position(wal, group, restoring->keep_from);
    if (short_of_checkpoint || end_missing || all_missing) restore_gap(restoring, restoring->next_position);
    if (restoring->keep_from > 0) wal_release(wal, group, restoring->keep_from);
    member->stored_told = wal_stored_position(wal, group);
    member->room_told = wal_room(wal);
}

static int open_log(struct opening *opening, enum wal_condition *condition)
{
    struct node *node = opening->node;
    const struct node_options *options = node->options;
    struct wal_options wal = node_wal_options(options);
    wal.incarnation = node->incarnation;
    return wal_open(&node->wal, node->heap, node->disk, &wal, condition, found, opening, opening->why,
                    opening->why_size);
}

static enum start_kind judge(const struct opening *opening, enum wal_condition condition)
{
    const struct node_options *options = opening->node->options;
    bool alone = options->peer_count == 0;
    if (options->groups[0].served_by != NULL) return START_FIRST; /* a client: it stores nothing and promises nothing */
    if (opening->restoring[0].has_state) return START_RESTARTED;
    if (opening->fresh) return options->init || alone ? START_FIRST : START_AMNESIAC;
    /* It was here before and nothing is left: unless nothing was ever written, that is lost. */
    if (condition == WAL_NEW) return alone ? START_FIRST : START_AMNESIAC;
    return opening->identity.initialised ? START_RESTARTED : START_AMNESIAC;
}

/* A member of the directory. The note was durable before it could store anything, and one that has stored nothing has
 * promised nothing, unless what it stored is lost. */
static enum start_kind judge_noted(const struct opening *opening, const struct restoring *restoring,
                                   enum wal_condition condition)
{
    if (restoring->has_state || restoring->damaged) return START_RESTARTED;
    bool log_lost = condition == WAL_NEW && !opening->fresh;
    if (log_lost || node_group_was_lost(opening->node, restoring->member->spec->group)) return START_AMNESIAC;
    return START_FIRST;
}

static int read_note(struct opening *opening)
{
    struct node *node = opening->node;
    if (!node_has_directory(node)) return 0;
    int error = node_groups_read(node);
    if (error == ERROR_NOT_FOUND) return 0;
    if (error < 0)
        return refuse(opening, error,
                      "the file groups is damaged or another node's; remove the directory and start without --init: the "
                      "node is then filled from its peers");
    opening->noted = true;
    node_enrol_clients(node);
    for (uint32_t i = 0; i < node->directory.count; i++) {
        const struct directory_group *group = &node->directory.groups[i];
        if (!directory_has_member(group, node->options->id) || node_host_group(node, group) != NULL) continue;
        snprintf(opening->why, opening->why_size,
                 "group %s cannot be restored: this build has no protocol %s with service %s, or memory is short; start "
                 "the build that created it, or drop the group first", group->name, group->protocol, group->service);
        return ERROR_INVALID;
    }
    return 0;
}

/* What is left of groups that were dropped right before the end. */
static int remove_strangers(struct opening *opening)
{
    struct node *node = opening->node;
    if (!node_has_directory(node)) return 0;
    if (!opening->noted && opening->stranger_count > 0) {
        snprintf(opening->why, opening->why_size,
                 "the file groups is missing, but the log has records of group number %u; remove the directory and "
                 "start without --init: the node is then filled from its peers", (unsigned)opening->strangers[0]);
        return ERROR_CORRUPT;
    }
    for (uint32_t i = 0; i < opening->stranger_count; i++)
        wal_forget(node->wal, opening->strangers[i]);
    uint32_t groups[NODE_MEMBERS_MAX], count;
    int error = checkpoint_groups(node->disk, groups, NODE_MEMBERS_MAX, &count);
    for (uint32_t i = 0; error == 0 && i < count; i++)
        if (restoring_of(opening, groups[i]) == NULL) error = checkpoint_remove_all(node->disk, groups[i]);
    return error < 0 ? refuse(opening, error, "checkpoints of groups that were dropped cannot be removed") : 0;
}

/* Before any member stores or sends: what this start means for groups that are yet to come. */
static int write_note(struct opening *opening)
{
    struct node *node = opening->node;
    if (!node_has_directory(node)) return 0;
    bool amnesiac = node->members[0]->start.kind == START_AMNESIAC;
    if (opening->noted && (!amnesiac || node->first_from == FIRST_FROM_UNKNOWN)) return 0;
    int error = node_groups_note(node, amnesiac ? FIRST_FROM_UNKNOWN : 0);
    if (error < 0) return refuse(opening, error, "the file groups cannot be written: is the disk full or read-only?");
    return 0;
}

static int restore_members(struct opening *opening, enum wal_condition *condition)
{
    struct node *node = opening->node;
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct restoring *restoring = &opening->restoring[i];
        *restoring = (struct restoring){.member = node->members[i]};
        int error = restore_checkpoint(opening, restoring);
        if (error < 0) return error;
        restoring->next_position = restoring->keep_from > 0 ? restoring->keep_from : 1;
    }
    int error = open_log(opening, condition);
    if (error < 0) return error;
    for (uint32_t i = 0; i < node->member_count; i++) close_restore(&opening->restoring[i], *condition);
    return remove_strangers(opening);
}

static void judge_members(struct opening *opening, enum wal_condition condition)
{
    struct node *node = opening->node;
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        enum start_kind kind = member->home == NULL ? judge(opening, condition)
                                                    : judge_noted(opening, &opening->restoring[i], condition);
        member->start = (struct event_start){.kind = kind,
                                             .incarnation = node->incarnation,
                                             .position = wal_next_position(node->wal, member->spec->group) - 1};
    }
}

int node_open_directory(struct opening *opening)
{
    struct node *node = opening->node;
    int error = check_identity(opening);
    if (error < 0) return error;
    node->incarnation = next_incarnation(opening);
    error = read_note(opening);
    if (error < 0) return error;
    enum wal_condition condition = WAL_NEW;
    error = restore_members(opening, &condition);
    if (error < 0) return error;
    judge_members(opening, condition);
    error = write_note(opening);
    if (error < 0) return error;
    struct identity identity = {.cluster = node->options->cluster,
                                .node = node->options->id,
                                .incarnation = node->incarnation,
                                .initialised = node->members[0]->start.kind != START_AMNESIAC};
    error = identity_write(node->disk, node->heap, &identity);
    if (error < 0) return refuse(opening, error, "the identity file cannot be written: is the disk full or read-only?");
    return 0;
}
