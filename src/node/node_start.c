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

static int restore_checkpoint(struct opening *opening, struct member *member)
{
    struct node *node = opening->node;
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
                                           .part = {member->adopting.front.data, (size_t)head.part_size}};
    opening->keep_from = head.keep_from;
    opening->has_state = true;
    restore_step(member, &event);
    buffer_free(&member->adopting.front);
    member->adopting.loaded = 0;
    member->tick_at_ns = 0;
    return 0;
}

static void restore_gap(struct opening *opening, struct member *member, uint64_t position)
{
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){.kind = RESTORE_GAP, .position = position};
    opening->damaged = true;
    restore_step(member, &event);
}

/* Told by the log for each record that it holds, and for gaps. What is below the checkpoint's keep_from was released;
 * from there on nothing may be missing. */
static void found(void *context, const struct wal_found *record)
{
    struct opening *opening = context;
    struct member *member = node_member_of(opening->node, record->group);
    if (member == NULL) return;
    opening->has_state = true;
    if (record->position < opening->keep_from) return;
    if (!record->gap && record->position > opening->next_position && opening->next_position != POSITION_ANY)
        restore_gap(opening, member, opening->next_position);
    const struct message_table *table = &member->protocol->records;
    bool known = record->type < table->count && table->types[record->type].name != NULL;
    if (record->gap || !known || !message_decode(&table->types[record->type], record->body, member->decoded)) {
        restore_gap(opening, member, record->position);
        opening->next_position = POSITION_ANY;
        return;
    }
    opening->next_position = record->position + 1;
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
static void close_restore(struct opening *opening, struct member *member, enum wal_condition condition)
{
    struct wal *wal = opening->node->wal;
    uint32_t group = member->spec->group;
    uint64_t next = wal_next_position(wal, group);
    bool short_of_checkpoint = opening->keep_from > next;
    bool end_missing = opening->next_position != POSITION_ANY && next > opening->next_position;
    bool all_missing = condition == WAL_DAMAGED && !opening->damaged && wal_may_lack(wal, group);
    if (short_of_checkpoint) wal_set_next_position(wal, group, opening->keep_from);
    if (short_of_checkpoint || end_missing || all_missing) restore_gap(opening, member, opening->next_position);
    if (opening->keep_from > 0) wal_release(wal, group, opening->keep_from);
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
    if (opening->has_state) return START_RESTARTED;
    if (opening->fresh) return options->init || alone ? START_FIRST : START_AMNESIAC;
    /* It was here before and nothing is left: unless nothing was ever written, that is lost. */
    if (condition == WAL_NEW) return alone ? START_FIRST : START_AMNESIAC;
    return opening->identity.initialised ? START_RESTARTED : START_AMNESIAC;
}

int node_open_directory(struct opening *opening)
{
    struct node *node = opening->node;
    invariant(node->member_count == 1, "a node hosts the default group");
    struct member *member = &node->members[0];
    int error = check_identity(opening);
    if (error < 0) return error;
    node->incarnation = next_incarnation(opening);
    error = restore_checkpoint(opening, member);
    if (error < 0) return error;
    enum wal_condition condition = WAL_NEW;
    opening->next_position = opening->keep_from > 0 ? opening->keep_from : 1;
    error = open_log(opening, &condition);
    if (error < 0) return error;
    uint32_t group = member->spec->group;
    close_restore(opening, member, condition);
    member->stored_told = wal_stored_position(node->wal, group);
    member->room_told = wal_room(node->wal);
    member->start = (struct event_start){.kind = judge(opening, condition),
                                         .incarnation = node->incarnation,
                                         .position = wal_next_position(node->wal, group) - 1};
    struct identity identity = {.cluster = node->options->cluster,
                                .node = node->options->id,
                                .incarnation = node->incarnation,
                                .initialised = member->start.kind != START_AMNESIAC};
    error = identity_write(node->disk, node->heap, &identity);
    if (error < 0) return refuse(opening, error, "the identity file cannot be written: is the disk full or read-only?");
    return 0;
}
