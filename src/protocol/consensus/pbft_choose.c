/* What a set of VIEW-CHANGEs decides (pbft_choose.h).
 *
 * Body of a VIEW-CHANGE: u64 stable, u32 marks, u32 prepared, u32 accepted; then C: u64 number, u64 index, u64 size, 4
 * u64 digest each; then P and then Q: u64 number, u64 view, 4 u64 digest, i64 time each. */
#include "protocol/consensus/pbft_choose.h"

void pbft_mark_write(uint8_t *out, const struct pbft_mark *mark)
{
    store_u64(out, mark->number);
    store_u64(out + 8, mark->index);
    store_u64(out + 16, mark->seal.size);
    for (int i = 0; i < 4; i++)
        store_u64(out + 24 + 8 * i, mark->seal.digest[i]);
}

struct pbft_mark pbft_mark_read(const uint8_t *bytes)
{
    struct pbft_mark mark = {load_u64(bytes), load_u64(bytes + 8), {.size = load_u64(bytes + 16)}};
    for (int i = 0; i < 4; i++)
        mark.seal.digest[i] = load_u64(bytes + 24 + 8 * i);
    return mark;
}

void pbft_entry_write(uint8_t *out, const struct pbft_entry *entry)
{
    store_u64(out, entry->number);
    store_u64(out + 8, entry->view);
    for (int i = 0; i < 4; i++)
        store_u64(out + 16 + 8 * i, entry->value.digest[i]);
    store_u64(out + 48, (uint64_t)entry->value.time);
}

struct pbft_entry pbft_entry_read(const uint8_t *bytes)
{
    struct pbft_entry entry = {.number = load_u64(bytes), .view = load_u64(bytes + 8)};
    for (int i = 0; i < 4; i++)
        entry.value.digest[i] = load_u64(bytes + 16 + 8 * i);
    entry.value.time = (int64_t)load_u64(bytes + 48);
    return entry;
}

void pbft_change_head_write(uint8_t *out, uint64_t stable, uint32_t marks, uint32_t prepared, uint32_t accepted)
{
    store_u64(out, stable);
    store_u32(out + 8, marks);
    store_u32(out + 12, prepared);
    store_u32(out + 16, accepted);
}

/* `each`: entries of one number, at most. */
static bool entries_sound(const uint8_t *entries, uint32_t count, uint32_t each, uint64_t stable, uint64_t view,
                          uint64_t window)
{
    uint64_t last = stable;
    uint32_t alike = each;
    for (uint32_t i = 0; i < count; i++) {
        struct pbft_entry entry = pbft_entry_read(entries + (size_t)i * PBFT_ENTRY_SIZE);
        alike = entry.number == last ? alike + 1 : 1;
        if (entry.number < last || alike > each || entry.number - stable > window || entry.view >= view)
            return false;
        last = entry.number;
    }
    return true;
}

static bool marks_sound(const struct pbft_change *change)
{
    for (uint32_t i = 0; i < change->mark_count; i++) {
        struct pbft_mark mark = pbft_mark_read(change->marks + (size_t)i * PBFT_MARK_SIZE);
        bool good = i == 0 ? mark.number >= change->stable
                           : mark.number > pbft_mark_read(change->marks + (size_t)(i - 1) * PBFT_MARK_SIZE).number;
        if (!good)
            return false;
    }
    return true;
}

bool pbft_change_open(struct span body, uint64_t view, uint64_t window, struct pbft_change *out)
{
    if (body.size < PBFT_CHANGE_HEAD_SIZE)
        return false;
    *out = (struct pbft_change){.stable = load_u64(body.data),
                                .mark_count = load_u32(body.data + 8),
                                .prepared_count = load_u32(body.data + 12),
                                .accepted_count = load_u32(body.data + 16)};
    uint64_t size = PBFT_CHANGE_HEAD_SIZE + (uint64_t)out->mark_count * PBFT_MARK_SIZE +
                    ((uint64_t)out->prepared_count + out->accepted_count) * PBFT_ENTRY_SIZE;
    if (out->mark_count == 0 || out->mark_count > PBFT_MARKS_MAX || size != body.size)
        return false;
    out->marks = body.data + PBFT_CHANGE_HEAD_SIZE;
    out->prepared = out->marks + (size_t)out->mark_count * PBFT_MARK_SIZE;
    out->accepted = out->prepared + (size_t)out->prepared_count * PBFT_ENTRY_SIZE;
    return marks_sound(out) &&
           entries_sound(out->prepared, out->prepared_count, 1, out->stable, view, window) &&
           entries_sound(out->accepted, out->accepted_count, PBFT_ACCEPTS_MAX, out->stable, view, window);
}

/* Place of the first entry with this number or a higher one. */
static uint32_t entry_from(const uint8_t *entries, uint32_t count, uint64_t number)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (load_u64(entries + (size_t)middle * PBFT_ENTRY_SIZE) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool prepared_find(const struct pbft_change *change, uint64_t number, struct pbft_entry *out)
{
    uint32_t place = entry_from(change->prepared, change->prepared_count, number);
    if (place == change->prepared_count)
        return false;
    *out = pbft_entry_read(change->prepared + (size_t)place * PBFT_ENTRY_SIZE);
    return out->number == number;
}

static bool holds(const struct pbft_change *change, const struct pbft_mark *mark)
{
    for (uint32_t i = 0; i < change->mark_count; i++) {
        struct pbft_mark own = pbft_mark_read(change->marks + (size_t)i * PBFT_MARK_SIZE);
        if (pbft_mark_equal(&own, mark))
            return true;
    }
    return false;
}

static bool may_start(const struct pbft_set *set, const struct pbft_mark *mark)
{
    uint32_t not_beyond = 0, holders = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        not_beyond += set->changes[i].stable <= mark->number;
        holders += holds(&set->changes[i], mark);
    }
    return not_beyond >= set->quorum && holders >= (set->unchecked ? 1 : set->k + 1);
}

bool pbft_choose_start(const struct pbft_set *set, struct pbft_mark *out)
{
    bool found = false;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t j = 0; j < set->changes[i].mark_count; j++) {
            struct pbft_mark mark = pbft_mark_read(set->changes[i].marks + (size_t)j * PBFT_MARK_SIZE);
            if ((found && mark.number <= out->number) || !may_start(set, &mark))
                continue;
            *out = mark;
            found = true;
        }
    return found;
}

uint64_t pbft_choose_end(const struct pbft_set *set, uint64_t start, uint64_t window)
{
    uint64_t end = start;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct pbft_change *change = &set->changes[i];
        if (change->prepared_count == 0)
            continue;
        uint64_t last = load_u64(change->prepared + (size_t)(change->prepared_count - 1) * PBFT_ENTRY_SIZE);
        end = last > end ? last : end;
    }
    return end - start > window ? start + window : end;
}

/* A1: a quorum prepared nothing at this number that speaks against it. */
static bool unopposed(const struct pbft_set *set, const struct pbft_entry *candidate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct pbft_entry other;
        if (set->changes[i].stable >= candidate->number)
            continue;
        if (!prepared_find(&set->changes[i], candidate->number, &other) || other.view < candidate->view ||
            (other.view == candidate->view && pbft_value_equal(&other.value, &candidate->value)))
            count++;
    }
    return count >= set->quorum;
}

static bool accepted_by(const struct pbft_change *change, const struct pbft_entry *candidate)
{
    for (uint32_t i = entry_from(change->accepted, change->accepted_count, candidate->number);
         i < change->accepted_count; i++) {
        struct pbft_entry entry = pbft_entry_read(change->accepted + (size_t)i * PBFT_ENTRY_SIZE);
        if (entry.number != candidate->number)
            return false;
        if (entry.view >= candidate->view && pbft_value_equal(&entry.value, &candidate->value))
            return true;
    }
    return false;
}

/* A2: at least one correct member accepted it in that view or later, so it can have prepared there. */
static bool vouched(const struct pbft_set *set, const struct pbft_entry *candidate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++)
        count += accepted_by(&set->changes[i], candidate);
    return count >= set->k + 1;
}

/* B: a quorum prepared nothing here at all. */
static bool free_number(const struct pbft_set *set, uint64_t number)
{
    uint32_t count = 0;
    struct pbft_entry other;
    for (uint32_t i = 0; i < set->count; i++)
        count += set->changes[i].stable < number && !prepared_find(&set->changes[i], number, &other);
    return count >= set->quorum;
}

/* Ablation: whatever claims the highest view. */
static bool loudest(const struct pbft_set *set, uint64_t number, struct pbft_value *out)
{
    struct pbft_entry best = {0}, entry;
    bool found = false;
    for (uint32_t i = 0; i < set->count; i++)
        if (prepared_find(&set->changes[i], number, &entry) && (!found || entry.view > best.view)) {
            best = entry;
            found = true;
        }
    *out = best.value;
    return found;
}

enum pbft_choice pbft_choose(const struct pbft_set *set, uint64_t number, struct pbft_value *out)
{
    *out = (struct pbft_value){0};
    if (set->unchecked) {
        (void)loudest(set, number, out);
        return PBFT_DECIDED;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        struct pbft_entry candidate;
        if (!prepared_find(&set->changes[i], number, &candidate))
            continue;
        if (unopposed(set, &candidate) && vouched(set, &candidate)) {
            *out = candidate.value;
            return PBFT_DECIDED;
        }
    }
    return free_number(set, number) ? PBFT_DECIDED : PBFT_UNDECIDED;
}
