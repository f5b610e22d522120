/* Requests of clients (anti_entropy.h): one update at a time is asked, stored and delivered, so that what the service
 * said about it still holds when it happens. */
#include "base/panic.h"
#include "contract/text.h"
#include "protocol/replica/anti_entropy_member.h"

enum { REASON_SIZE = 160 };

/* ---- the queue ---- */

/* A request of its own for one command of a bundle; NULL when the heap is full. */
static struct ae_request *request_of(struct ae_member *self, const struct bundle *bundle, uint64_t number,
                                     const struct command *command)
{
    size_t size = BUNDLE_HEADER_SIZE + command->whole.size;
    struct ae_request *request = heap_alloc(self->heap, sizeof *request + size);
    if (request == NULL)
        return NULL;
    *request = (struct ae_request){.number = number, .size = size};
    struct bundle header = *bundle;
    header.count = 1;
    header.first_number = number;
    bundle_header_write(request->bundle, &header);
    memcpy(request->bundle + BUNDLE_HEADER_SIZE, command->whole.data, command->whole.size);
    return request;
}

static const char *enqueue(struct ae_member *self, const struct bundle *bundle, uint64_t number,
                           const struct command *command)
{
    if (command->whole.size > ANTI_ENTROPY_BYTES_MAX - BUNDLE_HEADER_SIZE)
        return "TOOLARGE the command is larger than an update of this group may be";
    if (self->queue_count == ANTI_ENTROPY_QUEUE_MAX || self->queue_bytes + command->whole.size > AE_QUEUE_BYTES)
        return "BUSY too many updates wait at this member";
    struct ae_request *request = request_of(self, bundle, number, command);
    if (request == NULL)
        return "BUSY out of memory";
    if (self->queue_last != NULL)
        self->queue_last->next = request;
    else
        self->queue_first = request;
    self->queue_last = request;
    self->queue_count++;
    self->queue_bytes += request->size;
    return NULL;
}

static void dequeue(struct ae_member *self)
{
    struct ae_request *request = self->queue_first;
    self->queue_first = request->next;
    if (self->queue_first == NULL)
        self->queue_last = NULL;
    self->queue_count--;
    self->queue_bytes -= request->size;
    self->phase = AE_WAITS;
    heap_free(self->heap, request);
}

/* A host that is not answered for a while hands the same numbers in again: they are queued here, or were answered. What
 * cannot wait is refused as one run at the end, so that the order sent is kept. */
static void on_update(struct ae_member *self, const struct event_request *request, struct effects *out)
{
    uint64_t number = request->first_number, end = number + request->count;
    struct bundle bundle;
    const char *why_not = self->inert ? "UNAVAILABLE this member has lost its disk and takes no part" : NULL;
    if (why_not == NULL && (!bundle_open(request->bytes, &bundle) || bundle.level > COMMAND_LEVEL))
        why_not = "ERR malformed bundle";
    struct span rest = why_not == NULL ? bundle.commands : (struct span){0};
    struct command command;
    for (; command_next(&rest, &command); number++) {
        if (number <= self->highest_number)
            continue;
        why_not = enqueue(self, &bundle, number, &command);
        if (why_not != NULL)
            break;
    }
    if (why_not != NULL && number <= self->highest_number)
        number = self->highest_number + 1;
    if (why_not != NULL && number < end)
        effect_reply(out, REPLY_REFUSED, false, number, (uint32_t)(end - number), span_string(why_not));
    if (end > self->highest_number + 1)
        self->highest_number = end - 1;
}

/* ---- reads ---- */

/* Of the own state, as it is. One that restarts says nothing before it has executed what it had answered before. */
static void on_read(const struct ae_member *self, const struct event_request *request, struct effects *out)
{
    static const char inert[] = "UNAVAILABLE this member has lost its disk and takes no part";
    if (self->inert)
        effect_reply(out, REPLY_REFUSED, true, request->first_number, request->count, span_string(inert));
    else if (ae_owes_delivery(self))
        effect_reply(out, REPLY_AGAIN, true, request->first_number, request->count, (struct span){0});
    else
        effect_deliver_reads(out, self->index, self->wall_ns > self->time_ns ? self->wall_ns : self->time_ns,
                             request->first_number, request->count);
}

/* How many members hold the own updates up to the one that was delivered at this index, as far as they have said. */
static uint32_t holders(const struct ae_member *self, uint64_t index)
{
    uint64_t number = self->delivered[self->place], at = self->index;
    for (uint32_t i = self->done; i > 0 && at > index; i--, at--)
        number -= self->log[i - 1].origin == self->place;
    uint32_t count = 1;
    for (uint32_t i = 0; i < self->count; i++)
        count += i != self->place && ae_known(self, i)[self->place] >= number;
    return count;
}

void ae_on_request(struct ae_member *self, const struct event_request *request, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ:
        on_read(self, request, out);
        break;
    case REQUEST_COUNT:
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0})->count_stored =
            holders(self, request->index);
        break;
    case REQUEST_CALL: /* members' services do not talk under this protocol */
        break;
    }
}

/* ---- one after the other ---- */

static const char *hindrance(const struct ae_member *self, char text[REASON_SIZE])
{
    struct text why = text_begin(text, REASON_SIZE);
    if (!self->room) {
        text_add(&why, "MISCONF disk full on node ");
        text_add_u64(&why, self->spec->self);
        text_add(&why, ": it takes no writes until there is room");
        return text;
    }
    if (self->own_kept < anti_entropy_own_max(self->spec) && !ae_log_full(self))
        return NULL;
    text_add(&why, "BUSY this member keeps ");
    text_add_u64(&why, self->own_kept);
    text_add(&why, " updates that some other member lacks, and has no room for more: bring that member back");
    return text;
}

void ae_requests_advance(struct ae_member *self, struct effects *out)
{
    if (!self->started || self->inert || self->phase != AE_WAITS || ae_owes_delivery(self))
        return;
    char text[REASON_SIZE];
    const char *why_not;
    while (self->queue_first != NULL && (why_not = hindrance(self, text)) != NULL) {
        effect_reply(out, REPLY_REFUSED, false, self->queue_first->number, 1,
                     effects_copy(out, why_not, strlen(why_not)));
        dequeue(self);
    }
    if (self->queue_first == NULL)
        return;
    self->phase = AE_ASKED;
    struct effect_deliver *deliver =
        effect_deliver_bytes(out, DELIVER_READ, self->index, self->wall_ns > self->time_ns ? self->wall_ns : self->time_ns,
                             span_of(self->queue_first->bundle, self->queue_first->size));
    deliver->result = true;
    deliver->tag = ++self->ask_tag;
}

void ae_on_result(struct ae_member *self, const struct event_result *result, struct effects *out)
{
    if (self->inert || self->phase != AE_ASKED || result->tag != self->ask_tag)
        return;
    const struct ae_request *request = self->queue_first;
    if (result->bytes.size == 0 || result->bytes.data[0] == '-') {
        effect_reply(out, REPLY_ANSWER, false, request->number, 1, result->bytes);
        dequeue(self);
        return;
    }
    const struct ae_update update = {.origin = self->spec->self,
                                     .number = self->have[self->place] + 1,
                                     .time_ns = self->wall_ns > self->time_ns ? self->wall_ns : self->time_ns,
                                     .bundle = span_of(request->bundle, request->size)};
    uint64_t position = effect_store(out, &ae_records, 0, AE_RECORD_UPDATE, &update);
    bool entered = ae_enter(self, self->place, &update, position);
    invariant(entered, "there was room for an own update when the service was asked");
    self->phase = AE_STORED;
}

void ae_request_done(struct ae_member *self)
{
    if (self->phase == AE_STORED)
        dequeue(self);
}
