/* The log of updates and how it spreads (anti_entropy.h): mail, digests, and what one member sends another one because
 * of a digest. */
#include "base/panic.h"
#include "protocol/replica/anti_entropy_member.h"

/* ---- the log ---- */

/* The last place is kept for an own update that the service has been asked about. */
bool ae_log_full(const struct ae_member *self)
{
    return self->log_count + 1 >= self->log_capacity;
}

bool ae_enter(struct ae_member *self, uint32_t origin, const struct ae_update *update, uint64_t position)
{
    if (self->log_count == self->log_capacity)
        return false;
    self->log[self->log_count++] = (struct ae_entry){.position = position,
                                                     .number = update->number,
                                                     .time_ns = update->time_ns,
                                                     .size = update->bundle.size,
                                                     .origin = origin};
    self->own_kept += origin == self->place;
    self->bytes_since += update->bundle.size;
    self->last_position = position;
    if (update->number > self->have[origin])
        self->have[origin] = update->number;
    return true;
}

bool ae_held_by_all(const struct ae_member *self, const struct ae_entry *entry)
{
    if (self->delivered[entry->origin] < entry->number)
        return false;
    for (uint32_t i = 0; i < self->count; i++)
        if (i != self->place && ae_known(self, i)[entry->origin] < entry->number)
            return false;
    return true;
}

/* ---- sending ---- */

static void send_range(const uint32_t *to, uint32_t to_count, const struct ae_entry *first,
                       const struct ae_entry *last, struct effects *out)
{
    const struct ae_updates updates = {0};
    struct effect_send *send = effect_send(out, &ae_messages, 0, AE_UPDATES, &updates, to, to_count);
    send->records_first = first->position;
    send->records_last = last->position;
}

static void send_digest(struct ae_member *self, uint32_t place, bool asks, struct effects *out)
{
    if (ae_ablated(self, AE_DIGEST_NOT_EXCHANGED))
        return;
    for (uint32_t i = 0; i < self->count; i++)
        store_u64(self->numbers + (size_t)i * 8, self->delivered[i]);
    /* Copied, since a step may send a second one, and deliver between the two. */
    const struct ae_digest digest = {.asks = asks,
                                     .numbers = effects_copy(out, self->numbers, (size_t)self->count * 8)};
    effect_send_one(out, &ae_messages, 0, AE_DIGEST, &digest, self->spec->members[place]);
}

/* Sends what a member lacks by its own word: runs of the log, each as long as a message may be. */
static void fill(struct ae_member *self, uint32_t place, struct effects *out)
{
    const uint64_t *known = ae_known(self, place);
    const uint32_t *to = &self->spec->members[place];
    uint32_t sent = 0;
    for (uint32_t i = 0; i < self->done && sent < AE_BURST_MAX;) {
        const struct ae_entry *first = &self->log[i];
        if (first->number <= known[first->origin]) {
            i++;
            continue;
        }
        uint64_t bytes = 0;
        const struct ae_entry *last = first;
        for (; i < self->done; i++) {
            const struct ae_entry *entry = &self->log[i];
            bytes += entry->size;
            if (entry->number <= known[entry->origin] ||
                (entry != first && bytes > self->spec->tuning.append_bytes_max))
                break;
            last = entry;
        }
        send_range(to, 1, first, last, out);
        sent++;
    }
}

/* ---- delivering ---- */

/* The rule switched off: an own update waits until another member says that it holds it. */
static bool waits_for_others(const struct ae_member *self, const struct ae_entry *entry)
{
    if (!ae_ablated(self, AE_WAIT_FOR_OTHERS) || entry->origin != self->place || self->count == 1)
        return false;
    for (uint32_t i = 0; i < self->count; i++)
        if (i != self->place && ae_known(self, i)[self->place] >= entry->number)
            return false;
    return true;
}

static void mail(struct ae_member *self, const struct ae_entry *entry, struct effects *out)
{
    if (self->count > 1)
        send_range(self->others, self->count - 1, entry, entry, out);
}

static void deliver_one(struct ae_member *self, const struct ae_entry *entry, struct effects *out)
{
    self->index++;
    if (entry->time_ns > self->time_ns)
        self->time_ns = entry->time_ns;
    if (entry->number > self->delivered[entry->origin])
        self->delivered[entry->origin] = entry->number;
    self->index_since++;
    self->done_position = entry->position;
    effect_deliver_record(out, self->index, self->time_ns, entry->position);
    if (entry->origin == self->place && self->phase == AE_STORED && entry->number == self->have[self->place]) {
        ae_request_done(self);
        mail(self, entry, out);
    }
}

static bool may_deliver(const struct ae_member *self, const struct ae_entry *entry)
{
    return (entry->position <= self->stored || ae_ablated(self, AE_ACK_BEFORE_STORED)) &&
           !waits_for_others(self, entry);
}

void ae_deliver(struct ae_member *self, struct effects *out)
{
    if (!self->started || self->inert)
        return;
    uint32_t deliveries = 0;
    while (self->done < self->log_count && deliveries < AE_DELIVERIES_MAX &&
           may_deliver(self, &self->log[self->done])) {
        deliver_one(self, &self->log[self->done++], out);
        deliveries++;
    }
    self->again = deliveries == AE_DELIVERIES_MAX && ae_owes_delivery(self);
    if (self->again)
        effect_again(out);
    if (self->filler == 0 || self->done < self->log_count)
        return;
    /* Whoever has just sent something may have more. */
    const uint32_t filler = self->filler - 1;
    self->filler = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (ae_known(self, filler)[i] > self->delivered[i]) {
            send_digest(self, filler, true, out);
            return;
        }
    }
}

/* ---- receiving ---- */

void ae_on_digest(struct ae_member *self, uint32_t from, const struct ae_digest *digest, struct effects *out)
{
    if (digest->numbers.size != (size_t)self->count * 8)
        return;
    uint64_t *known = ae_known(self, from);
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t number = load_u64(digest->numbers.data + (size_t)i * 8);
        if (number > known[i])
            known[i] = number;
    }
    if (known[self->place] > self->have[self->place]) {
        self->inert = true; /* else it would give numbers a second time */
        effect_note(out, "inert: another member holds updates of this one that it has lost", known[self->place]);
        return;
    }
    fill(self, from, out);
    if (digest->asks)
        send_digest(self, from, false, out);
}

/* The place of its origin when the update is one that can be entered now; else -1. */
static int place_of_new(const struct ae_member *self, const struct ae_update *update)
{
    int origin = spec_member_place(self->spec, update->origin);
    struct bundle bundle;
    if (origin < 0 || (uint32_t)origin == self->place || update->number == 0)
        return -1;
    if (update->number <= self->have[origin] && !ae_ablated(self, AE_EXECUTE_DUPLICATES))
        return -1; /* it came before, by mail or from another member */
    if (update->number > self->have[origin] + 1 && !ae_ablated(self, AE_DELIVER_OUT_OF_ORDER))
        return -1; /* those between will come, by a digest at the latest */
    bool good = update->bundle.size <= ANTI_ENTROPY_BYTES_MAX + BUNDLE_HEADER_SIZE &&
                bundle_open(update->bundle, &bundle) && bundle.count == 1 && bundle.level <= COMMAND_LEVEL &&
                bundle.node == update->origin;
    return good ? origin : -1;
}

void ae_on_updates(struct ae_member *self, uint32_t from, const struct ae_updates *updates, struct effects *out)
{
    struct span rest = updates->updates;
    struct record_view record;
    uint32_t taken = 0;
    while (taken < AE_DELIVERIES_MAX && self->room && !ae_log_full(self) && record_next(&rest, &record)) {
        struct ae_update update;
        if (record.slot != 0 || record.type != AE_RECORD_UPDATE ||
            !message_decode(&ae_records.types[AE_RECORD_UPDATE], record.body, &update))
            return;
        int origin = place_of_new(self, &update);
        if (origin < 0)
            continue;
        uint64_t position = effect_store(out, &ae_records, 0, AE_RECORD_UPDATE, &update);
        bool entered = ae_enter(self, (uint32_t)origin, &update, position);
        invariant(entered, "a log that is not full has room");
        taken++;
    }
    if (taken > 0)
        self->filler = from + 1;
}

/* ---- digests by time ---- */

/* Each other member has a timer of its own, drawn anew each time: whom the next digest goes to is as random as in the
 * paper, and one goes out every one to two heartbeats. */
void ae_arm_digest(struct ae_member *self, uint32_t place, struct effects *out)
{
    int64_t period_ns = self->spec->tuning.heartbeat_ns * (int64_t)(self->count - 1);
    effect_arm(out, 0, AE_TIMER_DIGEST, place, self->now_ns + period_ns + random_between(&self->random, 0, period_ns));
}

void ae_arm_digests(struct ae_member *self, struct effects *out)
{
    for (uint32_t place = 0; place < self->count; place++)
        if (place != self->place)
            ae_arm_digest(self, place, out);
}

void ae_on_digest_due(struct ae_member *self, uint64_t place, struct effects *out)
{
    if (place >= self->count || place == self->place)
        return;
    send_digest(self, (uint32_t)place, true, out);
    ae_arm_digest(self, (uint32_t)place, out);
}
