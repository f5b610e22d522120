/* Recovery, first half: walking over all that can still be read, and telling what is there and what is lost.
 *
 * The rules are those that open wal.c. The walk knows at each place which sequence must come next. What is valid and
 * has it, is taken; what is valid and has a lower one is a remnant; a higher one proves a hole. The hole is damage if
 * anything valid from there on says that its lowest sequence was durable, or if a block there cannot be read; else the
 * log ends before it. The second half, which makes the files fit for going on, is wal_resume.c. */
#include "storage/wal_recover.h"

#include <stdio.h>

#include "base/error.h"

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- telling ---- */

static void gap_tell(struct wal_recovery *r, const struct wal_group *group, uint64_t position)
{
    struct wal_found gap = {.group = group->group, .position = position, .gap = true};
    r->found(r->context, &gap);
}

/* How many records behind the last one seen of the group are missing and may be its own. */
static uint64_t may_have_lost(const struct wal_recovery *r, const struct wal_group *group)
{
    uint64_t count = group->seen ? 0 : r->front_lost;
    for (size_t i = 0; i < r->loss_count; i++)
        if (!group->seen || r->losses[i].end > group->last_sequence)
            count += r->losses[i].count - r->losses[i].explained;
    return count;
}

/* The group lacks that many positions between its last record and that sequence. They explain a loss when all of them
 * must be lost, and all at the same place: nothing in between was released, and they are not more than is missing
 * there (as they are where ends_tell once left a distance). */
static void loss_explain(struct wal_recovery *r, const struct wal_group *group, uint64_t sequence, uint64_t lacking)
{
    uint64_t first = group->last_sequence + 1, ignored;
    if (!group->seen || wal_holes_outside(r->wal, first, sequence, &ignored) != sequence - first)
        return;
    struct wal_loss *only = NULL;
    for (size_t i = 0; i < r->loss_count; i++) {
        if (r->losses[i].end <= group->last_sequence)
            continue;
        if (only != NULL)
            return;
        only = &r->losses[i];
    }
    if (only != NULL && lacking <= only->count - only->explained)
        only->explained += lacking;
}

static int loss_add(struct wal_recovery *r, uint64_t end, uint64_t count)
{
    if (!wal_grow(r->wal->heap, (void **)&r->losses, r->loss_count, &r->loss_size, sizeof *r->losses))
        return ERROR_NO_MEMORY;
    r->losses[r->loss_count++] = (struct wal_loss){.end = end, .count = count};
    r->lost += count;
    r->hole_segment = wal_current(r->wal)->number;
    return OK;
}

/* Notes that the group's `count` positions before `end` are lost, as far as the index keeps such. When they do not
 * follow what it holds, it begins anew with them. */
static bool lost_push(struct wal_recovery *r, struct wal_group *group, uint64_t end, uint64_t count)
{
    count = min_u64(count, WAL_LOST_MAX);
    if (group->next != end - count) {
        wal_index_release(r->wal, group, group->next);
        group->first = group->next = end - count;
    }
    struct wal_segment *pinned = count == 0 ? NULL : wal_segment_find(r->wal, r->hole_segment);
    for (uint64_t i = 0; i < count; i++) {
        if (pinned == NULL || !wal_index_reserve(r->wal, group))
            return false;
        wal_index_push(group, (struct wal_entry){.segment = pinned->number, .lost = 1});
        pinned->live++;
    }
    return true;
}

/* Brings the group to the position of a record of it that was found. */
static bool position_reach(struct wal_recovery *r, struct wal_group *group, uint64_t position, uint64_t sequence)
{
    if (group->seen && group->next == position)
        return true;
    uint64_t between = position - 1;
    if (group->seen)
        between = position > group->next ? position - group->next : 0;
    uint64_t missing = may_have_lost(r, group);
    if (between == 0 || missing == 0)
        return lost_push(r, group, position, 0); /* what is missing was released */
    /* One more than is missing is what ends_tell leaves. */
    uint64_t count = between <= missing + 1 ? between : missing;
    gap_tell(r, group, group->seen ? group->next : position - count);
    loss_explain(r, group, sequence, between);
    return lost_push(r, group, position, count);
}

static int record_take(struct wal_recovery *r, struct wal_segment *segment, const struct wal_item *item)
{
    struct wal_group *group = wal_group_get(r->wal, item->header.group);
    if (group == NULL || !position_reach(r, group, item->header.position, item->header.sequence) ||
        !wal_index_reserve(r->wal, group))
        return ERROR_NO_MEMORY;
    wal_index_push(group, (struct wal_entry){.segment = segment->number,
                                             .place = (uint32_t)(item->offset / 8),
                                             .size = item->header.length,
                                             .type = item->header.type,
                                             .slot = item->header.slot});
    segment->live++;
    group->seen = true;
    group->last_sequence = item->header.sequence;
    struct wal_found found = {.group = item->header.group,
                              .slot = item->header.slot,
                              .type = item->header.type,
                              .position = item->header.position,
                              .body = item->body};
    r->found(r->context, &found);
    return OK;
}

/* What was lost at the end of a group's records has no neighbour behind it: every group that may be concerned is told
 * so, and its next position lies behind all that it may have lost. It lies one further, so that at a later opening the
 * distance is not taken for the proof that this group, and no other, lost so many. */
static int ends_tell(struct wal_recovery *r)
{
    for (size_t i = 0; i < r->wal->group_count; i++) {
        struct wal_group *group = r->wal->groups[i];
        uint64_t missing = may_have_lost(r, group);
        if (missing > 0) {
            gap_tell(r, group, group->next);
            if (!lost_push(r, group, group->next + missing + 1, missing + 1))
                return ERROR_NO_MEMORY;
        }
        group->stored = group->next - 1;
    }
    return OK;
}

/* ---- judging ---- */

/* An own head is an item too: nothing but a sequence and what was durable. */
static struct wal_item head_item(const struct wal_file *file)
{
    struct wal_item item = {.end = WAL_BLOCK_SIZE};
    item.header.sequence = file->first_sequence;
    item.header.synced = file->synced;
    return item;
}

static uint64_t synced_in(const struct wal_view *view, uint64_t offset, uint64_t synced, uint64_t enough)
{
    struct wal_item item;
    while (synced < enough && wal_item_next(view, &offset, &item))
        if (item.header.synced > synced)
            synced = item.header.synced;
    return synced;
}

/* The highest `synced` that anything valid from the item on carries; stops looking at `enough`. */
static int synced_ahead(struct wal_recovery *r, const struct wal_item *item, uint64_t enough, uint64_t *out)
{
    uint64_t synced = synced_in(&r->load.view, item->end, item->header.synced, enough);
    for (size_t i = r->place + 1; i < r->files->count && synced < enough; i++) {
        const struct wal_file *file = &r->files->list[i];
        if (file->head == WAL_FILE_OWN && file->synced > synced)
            synced = file->synced;
        struct wal_load load;
        int result = wal_load_file(r->wal, file, &load);
        if (result != OK)
            return result;
        synced = synced_in(&load.view, WAL_BLOCK_SIZE, synced, enough);
        wal_load_free(r->wal, &load);
    }
    *out = synced;
    return OK;
}

/* The item proves that the sequences before it are missing: damage, or the end of the log (r->cut)? */
static int hole_judge(struct wal_recovery *r, const struct wal_item *item)
{
    uint64_t first_lost = 0;
    uint64_t lost = wal_holes_outside(r->wal, r->expected, item->header.sequence, &first_lost);
    if (lost > 0 && !r->unreadable) {
        uint64_t synced;
        int result = synced_ahead(r, item, first_lost + 1, &synced);
        if (result != OK)
            return result;
        if (synced <= first_lost) {
            r->expected = first_lost;
            r->cut = true;
            return OK;
        }
    }
    r->expected = item->header.sequence;
    return lost > 0 ? loss_add(r, r->expected, lost) : OK;
}

static struct wal_segment *segment_for(struct wal_recovery *r, size_t place)
{
    struct wal_file *file = &r->files->list[place];
    if (file->used)
        return wal_segment_find(r->wal, file->number);
    struct wal_segment *segment = wal_segment_add(r->wal, file->number, file->handle, file->size);
    if (segment == NULL)
        return NULL;
    file->used = file->adopted = true;
    segment->first_sequence = segment->end_sequence = segment->batch_sequence = r->expected;
    segment->begun = segment->end = file->size;
    segment->head_durable = file->head == WAL_FILE_OWN;
    return segment;
}

/* The first valid item: the log begins with it, unless something before it is damaged. */
static int front_judge(struct wal_recovery *r, const struct wal_item *item)
{
    r->expected = item->header.sequence;
    bool first_of_segment = item->offset == 0 || (item->offset == WAL_BLOCK_SIZE && !item->record);
    bool damaged = !first_of_segment;
    r->hole_segment = r->files->list[r->place].number;
    for (size_t i = 0; i < r->place; i++) {
        if (r->files->list[i].head != WAL_FILE_BAD)
            continue;
        if (segment_for(r, i) == NULL)
            return ERROR_NO_MEMORY;
        r->hole_segment = r->files->list[i].number;
        damaged = true;
    }
    if (damaged)
        r->front_lost = r->expected; /* at most: much of that may have been released */
    return segment_for(r, r->place) == NULL ? ERROR_NO_MEMORY : OK;
}

static int item_take(struct wal_recovery *r, const struct wal_item *item)
{
    int result = OK;
    if (r->expected == 0)
        result = front_judge(r, item);
    else if (item->header.sequence < r->expected)
        return OK; /* a remnant */
    else if (item->header.sequence > r->expected)
        result = hole_judge(r, item);
    if (result != OK || r->cut)
        return result;

    struct wal_segment *segment = segment_for(r, r->place);
    if (segment == NULL)
        return ERROR_NO_MEMORY;
    if (item->header.synced > r->durable)
        r->durable = item->header.synced;
    if (item->header.incarnation > r->incarnation)
        r->incarnation = item->header.incarnation;
    if (item->record) {
        result = record_take(r, segment, item);
        r->expected++;
    }
    segment->end_sequence = r->expected;
    r->stalled = r->unreadable = false;
    r->ended = true;
    r->end_place = r->place;
    r->end_offset = item->end;
    return result;
}

/* ---- walking ---- */

/* True when a younger segment begins with what comes next: nothing more is in this one. */
static bool continues_later(const struct wal_recovery *r)
{
    for (size_t i = r->place + 1; i < r->files->count; i++)
        if (r->files->list[i].head == WAL_FILE_OWN)
            return r->files->list[i].first_sequence == r->expected;
    return false;
}

/* What was written in a life before that of what precedes it: the rest of a block that an older life's write was to
 * fill, and that a younger life's torn write did not reach. The older write had been cut already. */
static bool of_an_older_life(const struct wal_recovery *r, const struct wal_item *item)
{
    return item->header.incarnation < r->incarnation;
}

static int file_walk(struct wal_recovery *r)
{
    struct wal_file *file = &r->files->list[r->place];
    const struct wal_view *view = &r->load.view;
    struct wal_item item;
    int result = OK;
    file->walked = true;
    file->remnants = view->bad != NULL;
    if (file->head == WAL_FILE_OWN) {
        item = head_item(file);
        result = item_take(r, &item);
    }
    if (r->ended && r->place == r->end_place + 1)
        r->stalled = false; /* the log may go on at the beginning of the file after its end: look there too */
    uint64_t offset = WAL_BLOCK_SIZE;
    while (result == OK && !r->cut && offset < view->size) {
        bool valid = wal_item_at(view, offset, &item);
        file->remnants = file->remnants || valid;
        if (valid && !of_an_older_life(r, &item)) {
            result = item_take(r, &item);
            offset = item.end;
            continue;
        }
        if (r->expected != 0 && continues_later(r))
            break;
        if (!r->stalled && wal_view_unreadable(view, offset))
            r->unreadable = true;
        r->stalled = true;
        offset = (offset / WAL_BLOCK_SIZE + 1) * WAL_BLOCK_SIZE;
    }
    return result;
}

/* The bytes of the file in which the log ends are kept: they are the current segment's image. */
static void load_leave(struct wal_recovery *r)
{
    if (r->ended && r->end_place == r->place) {
        wal_load_free(r->wal, &r->end_load);
        r->end_load = r->load;
    } else {
        wal_load_free(r->wal, &r->load);
    }
    r->load = (struct wal_load){0};
}

/* The log's end itself cannot be read: what was there is lost, nobody knows how much. */
static int end_unreadable(struct wal_recovery *r)
{
    if (r->cut || !r->unreadable || !r->ended)
        return OK;
    uint64_t left = r->files->list[r->end_place].size - r->end_offset;
    uint64_t lost = 1 + min_u64(left / WAL_BLOCK_SIZE, 1024);
    r->expected += lost;
    r->end_lost = true;
    return loss_add(r, r->expected, lost);
}

static enum wal_condition condition_of(const struct wal_recovery *r)
{
    if (r->lost > 0 || r->front_lost > 0)
        return WAL_DAMAGED;
    if (r->ended)
        return WAL_CLEAN;
    /* Since the first file gets its name only when its head is durable, files without any head were damaged. */
    return r->files->count == 0 ? WAL_NEW : WAL_DAMAGED;
}

int wal_recover(struct wal *wal, struct wal_files *files, enum wal_condition *condition,
                void (*found)(void *context, const struct wal_found *found), void *context, char *why,
                size_t why_size)
{
    struct wal_recovery recovery = {.wal = wal, .files = files, .found = found, .context = context};
    struct wal_recovery *r = &recovery;
    int result = OK;
    for (; result == OK && !r->cut && r->place < files->count; r->place++) {
        result = wal_load_file(wal, &files->list[r->place], &r->load);
        if (result != OK)
            break;
        result = file_walk(r);
        load_leave(r);
    }
    if (result == OK)
        result = end_unreadable(r);
    if (result == OK)
        result = ends_tell(r);
    if (r->expected > 0)
        wal->next_sequence = r->expected;
    wal->counters.damaged_records = r->lost + (r->front_lost > 0);
    *condition = condition_of(r);
    if (result == OK)
        result = wal_resume(r);
    wal_load_free(wal, &r->end_load);
    heap_free(wal->heap, r->losses);
    if (result != OK && why_size > 0 && why[0] == '\0')
        (void)snprintf(why, why_size, "the log cannot be recovered: %s", error_text(result));
    return result;
}
