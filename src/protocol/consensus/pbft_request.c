/* PBFT: requests and reads.
 *
 * A request comes from its origin itself, so its proof is the origin's, or as the answer to a FETCH, when its digest
 * was vouched for by at least one correct member. It is stored at once, since what is ordered must not be lost; its
 * record is what is delivered. Client timestamps (Castro99, section 4.1) are the numbers of sessions: `pbft_client`
 * follows the rule by which node/ lets a number execute once, so that a member knows what still waits.
 *
 * Reads: a barrier, an empty request of the own node, is ordered like any other; when it is executed here, the reads
 * that came before it was sent see everything that was answered before (linearizable). The shortcut of Castro99,
 * section 5.1.3, needs the votes of clients, which a node's own clients do not cast. */
#include "protocol/consensus/pbft_internal.h"

struct pbft_known *pbft_known_find(struct pbft *self, const uint64_t digest[4])
{
    for (uint32_t i = 0; i < self->known_count; i++)
        if (self->known[i].used && memcmp(self->known[i].digest, digest, sizeof self->known[i].digest) == 0)
            return &self->known[i];
    return NULL;
}

bool pbft_known_done(const struct pbft *self, const struct pbft_known *known)
{
    const struct pbft_client *client = &self->clients[known->place];
    if (known->barrier)
        return known->incarnation < client->barrier_incarnation ||
               (known->incarnation == client->barrier_incarnation && known->first_number <= client->barrier);
    if (known->incarnation != client->incarnation)
        return known->incarnation < client->incarnation;
    uint64_t last = known->first_number + known->count - 1;
    return last <= client->executed || last < client->first_incomplete;
}

/* The rule of node/session.c for a whole bundle: a number executes when it follows the last one, or when all between
 * are complete; then all after it in the bundle do. */
static void executed(struct pbft_client *client, struct pbft_known *known)
{
    if (known->incarnation < client->incarnation)
        return;
    if (known->incarnation > client->incarnation)
        client->executed = client->first_incomplete = 0;
    client->incarnation = known->incarnation;
    if (client->first_incomplete < known->first_incomplete)
        client->first_incomplete = known->first_incomplete;
    uint64_t last = known->first_number + known->count - 1, first = known->first_number;
    if (first < client->first_incomplete)
        first = client->first_incomplete;
    if (first <= client->executed)
        first = client->executed + 1;
    if (first > last)
        return;
    if (first > client->executed + 1 && first > client->first_incomplete)
        known->parked = true;
    else
        client->executed = last;
}

void pbft_client_executed(struct pbft *self, struct pbft_known *known)
{
    struct pbft_client *client = &self->clients[known->place];
    if (!known->barrier) {
        executed(client, known);
        return;
    }
    if (pbft_known_done(self, known))
        return;
    client->barrier_incarnation = known->incarnation;
    client->barrier = known->first_number;
    if (known->place == self->self_place && self->barrier_out && known->incarnation == self->incarnation &&
        known->first_number == self->barrier)
        self->reads_ready = true;
}

static bool value_is(const struct pbft_value *value, const struct pbft_known *known)
{
    return memcmp(value->digest, known->digest, sizeof known->digest) == 0;
}

bool pbft_known_referenced(const struct pbft *self, const struct pbft_known *known)
{
    for (uint64_t i = 0; i < self->window; i++) {
        const struct pbft_slot *slot = &self->slots[i];
        if (slot->number <= self->stable.number)
            continue;
        if ((slot->offer.view != 0 && value_is(&slot->offer.value, known)) ||
            (slot->prepared.view != 0 && value_is(&slot->prepared.value, known)) ||
            (slot->committed && value_is(&slot->committed_value, known)))
            return true;
        for (uint32_t j = 0; j < slot->accept_count; j++)
            if (value_is(&slot->accepts[j].value, known))
                return true;
    }
    return false;
}

/* A place for one more of this origin: an empty one, or that of the oldest that nothing refers to. */
static struct pbft_known *place_for(struct pbft *self, uint32_t place)
{
    uint32_t most = self->known_each;
    struct pbft_known *each = &self->known[(size_t)place * most], *oldest = NULL;
    for (uint32_t i = 0; i < most; i++)
        if (!each[i].used)
            return &each[i];
    for (uint32_t i = 0; i < most; i++)
        if ((oldest == NULL || each[i].arrival < oldest->arrival) && !pbft_known_referenced(self, &each[i]))
            oldest = &each[i];
    return oldest;
}

/* Called at each checkpoint: what was executed goes, and what nobody ordered for two of them (its origin sends it again
 * if it still wants it); so old records do not keep the log from being shortened. */
void pbft_known_forget_old(struct pbft *self)
{
    for (uint32_t i = 0; i < self->known_count; i++) {
        struct pbft_known *known = &self->known[i];
        if (!known->used || pbft_known_referenced(self, known))
            continue;
        if (pbft_known_done(self, known) || known->parked || ++known->checkpoints > 2)
            known->used = false;
    }
}

static bool open_request(const struct pbft *self, struct span bytes, struct bundle *out)
{
    if (bytes.size < BUNDLE_HEADER_SIZE || !bundle_open(bytes, out) || out->first_number == 0)
        return false;
    return bytes.size <= self->spec->tuning.command_bytes_max + self->spec->tuning.append_bytes_max &&
           out->first_number <= UINT64_MAX - out->count && spec_member_place(self->spec, out->node) >= 0 &&
           (out->count > 0 || bytes.size == BUNDLE_HEADER_SIZE);
}

struct pbft_known *pbft_known_add(struct pbft *self, uint32_t origin, struct span bytes, uint64_t position,
                                  bool vouched, struct effects *out)
{
    struct bundle bundle;
    if (!open_request(self, bytes, &bundle) || (bundle.node != origin && !vouched))
        return NULL;
    uint64_t digest[4];
    pbft_digest(bytes, digest);
    struct pbft_known *known = pbft_known_find(self, digest);
    if (known != NULL) {
        known->parked = false;
        return known;
    }
    struct pbft_known fresh = {
        .used = true,
        .barrier = bundle.count == 0,
        .place = (uint32_t)spec_member_place(self->spec, bundle.node),
        .count = bundle.count,
        .incarnation = bundle.incarnation,
        .first_number = bundle.first_number,
        .first_incomplete = bundle.first_incomplete,
        .arrival = self->arrivals + 1,
    };
    memcpy(fresh.digest, digest, sizeof digest);
    if (!vouched && position == 0 && pbft_known_done(self, &fresh))
        return NULL;
    known = place_for(self, fresh.place);
    if (known == NULL)
        return NULL;
    const struct pbft_record_request record = {.origin = bundle.node, .bundle = bytes};
    fresh.position = position != 0 ? position : pbft_store(self, PBFT_RECORD_REQUEST, &record, out);
    self->arrivals++;
    *known = fresh;
    return known;
}

/* ---- own clients ---- */

static void again(bool read, uint64_t first_number, uint32_t count, struct effects *out)
{
    effect_reply(out, REPLY_AGAIN, read, first_number, count, (struct span){0});
}

static void on_update(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    if (request->count == 0)
        return;
    /* REPLY_AGAIN only for what was not taken: the request leaves this member for all, or not at all. */
    if (self->disk_full || pbft_known_add(self, self->self_node, request->bytes, 0, false, out) == NULL) {
        again(false, request->first_number, request->count, out);
        return;
    }
    const struct pbft_bundle message = {.bundle = request->bytes};
    pbft_to_others(self, PBFT_REQUEST, &message, out);
}

static bool ranges_add(struct pbft_ranges *ranges, uint64_t first_number, uint32_t count)
{
    if (ranges->count == PBFT_READ_RANGES_MAX)
        return false;
    ranges->list[ranges->count++] = (struct pbft_range){first_number, count};
    return true;
}

void pbft_on_client(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, event, out);
        return;
    case REQUEST_READ:
        if (request->count > 0 && !ranges_add(&self->gathered, request->first_number, request->count))
            again(true, request->first_number, request->count, out);
        return;
    case REQUEST_COUNT:
        /* What is executed is prepared, on disk, at a quorum. */
        effect_reply(out, REPLY_COUNT, false, request->first_number, 1, (struct span){0})->count_stored =
            request->index <= self->index ? self->quorum : 0;
        return;
    case REQUEST_CALL:
        pbft_reject(out, "rejected: PBFT carries no calls between members", request->to.node);
        return;
    }
}

static void send_barrier(struct pbft *self, struct effects *out)
{
    const struct span bytes = span_of(self->barrier_bytes, BUNDLE_HEADER_SIZE);
    const struct pbft_bundle message = {.bundle = bytes};
    self->barrier_at_ns = self->now_ns + self->spec->tuning.election_timeout_ns;
    if (self->disk_full || pbft_known_add(self, self->self_node, bytes, 0, false, out) == NULL)
        return;
    pbft_to_others(self, PBFT_REQUEST, &message, out);
}

void pbft_reads(struct pbft *self, const struct event *event, struct effects *out)
{
    if (self->reads_ready) {
        int64_t time_ns = event->wall_ns > self->time_ns ? event->wall_ns : self->time_ns;
        for (uint32_t i = 0; i < self->flying.count; i++)
            effect_deliver_reads(out, self->index, time_ns, self->flying.list[i].first_number,
                                 self->flying.list[i].count);
        self->flying.count = 0;
        self->reads_ready = self->barrier_out = false;
    }
    if (self->barrier_out && self->now_ns >= self->barrier_at_ns)
        send_barrier(self, out);
    if (self->barrier_out || self->gathered.count == 0)
        return;
    self->flying = self->gathered;
    self->gathered.count = 0;
    self->barrier_out = true;
    const struct bundle header = {.node = self->self_node,
                                  .incarnation = self->incarnation,
                                  .first_number = ++self->barrier,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(self->barrier_bytes, &header);
    send_barrier(self, out);
}

/* ---- messages ---- */

void pbft_on_request(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_bundle *message = event->message.body;
    bool unproven = pbft_ablated(self, PBFT_ABLATION_REQUEST_UNPROVEN);
    if (!self->disk_full &&
        pbft_known_add(self, event->message.from.node, message->bundle, 0, unproven, out) != NULL)
        pbft_window_advance(self, out);
}

void pbft_fetch(struct pbft *self, const uint64_t digest[4], struct effects *out)
{
    const struct pbft_fetch fetch = {digest[0], digest[1], digest[2], digest[3]};
    pbft_to_others(self, PBFT_FETCH, &fetch, out);
}

void pbft_on_fetch(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_fetch *fetch = event->message.body;
    const uint64_t digest[4] = {fetch->digest0, fetch->digest1, fetch->digest2, fetch->digest3};
    const struct pbft_known *known = pbft_known_find(self, digest);
    if (known == NULL)
        return;
    const struct pbft_body none = {0};
    struct effect_send *send = effect_send_one(out, &pbft_messages, PBFT_SLOT, PBFT_BODY, &none,
                                               event->message.from.node);
    send->records_first = send->records_last = known->position;
}

/* Somebody correct vouches for it: k+1 said the same, or a view change or k+1 COMMITTEDs chose it. */
static bool wanted(const struct pbft *self, const struct pbft_slot *slot, const uint64_t digest[4])
{
    if (slot->committed && memcmp(slot->committed_value.digest, digest, 4 * sizeof *digest) == 0)
        return true;
    if (slot->offer.view == 0 || memcmp(slot->offer.value.digest, digest, 4 * sizeof *digest) != 0)
        return false;
    uint32_t count = 1; /* the primary, who offered it */
    for (uint32_t i = 0; i < self->member_count; i++)
        count += i != pbft_primary_place(self, slot->offer.view) && i != self->self_place &&
                 slot->says[i].prepare.view == slot->offer.view &&
                 pbft_value_equal(&slot->says[i].prepare.value, &slot->offer.value);
    return slot->offer_vouched || count >= self->k + 1;
}

void pbft_on_body(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_body *message = event->message.body;
    struct span rest = message->records;
    struct record_view record;
    struct pbft_record_request request;
    if (!record_next(&rest, &record) || record.type != PBFT_RECORD_REQUEST || self->disk_full ||
        !message_decode(&pbft_records.types[PBFT_RECORD_REQUEST], record.body, &request))
        return;
    struct bundle bundle;
    if (!open_request(self, request.bundle, &bundle))
        return;
    if (bundle.node == event->message.from.node) {
        /* As good as a REQUEST: its origin says so itself. It is taken even if all of it was executed before, in
         * another bundle: it has got a number, which must be filled. */
        if (pbft_known_add(self, bundle.node, request.bundle, 0, true, out) != NULL)
            pbft_window_advance(self, out);
        return;
    }
    uint64_t digest[4];
    pbft_digest(request.bundle, digest);
    for (uint64_t i = 0; i < self->window; i++) {
        struct pbft_slot *slot = &self->slots[i];
        if (slot->number <= self->stable.number || !wanted(self, slot, digest))
            continue;
        if (pbft_known_add(self, request.origin, request.bundle, 0, true, out) != NULL)
            pbft_window_advance(self, out);
        return;
    }
}

/* ---- ordering ---- */

static bool orderable(const struct pbft *self, const struct pbft_known *known)
{
    return known->used && !known->parked && known->proposed != self->view && !pbft_known_done(self, known);
}

/* The next to be ordered: the oldest, but of its origin's the one with the lowest number, as sessions want it. */
static struct pbft_known *next_request(struct pbft *self)
{
    struct pbft_known *best = NULL;
    for (uint32_t i = 0; i < self->known_count; i++) {
        struct pbft_known *known = &self->known[i];
        if (orderable(self, known) && (best == NULL || known->arrival < best->arrival))
            best = known;
    }
    if (best == NULL || best->barrier)
        return best;
    struct pbft_known *lowest = best;
    for (uint32_t i = 0; i < self->known_count; i++) {
        struct pbft_known *known = &self->known[i];
        if (orderable(self, known) && !known->barrier && known->place == best->place &&
            known->incarnation == lowest->incarnation && known->first_number < lowest->first_number)
            lowest = known;
    }
    return lowest;
}

void pbft_propose(struct pbft *self, const struct event *event, struct effects *out)
{
    if (!pbft_leads(self) || self->disk_full)
        return;
    for (uint32_t i = 0; i < PBFT_PROPOSALS_MAX; i++) {
        bool room = self->next <= self->stable.number + self->window;
        struct pbft_known *known = room ? next_request(self) : NULL;
        if (known == NULL)
            return;
        known->proposed = self->view;
        struct pbft_value value = {.time = event->wall_ns > self->time_ns ? event->wall_ns : self->time_ns};
        memcpy(value.digest, known->digest, sizeof value.digest);
        const struct pbft_vote vote = pbft_vote_of(self->view, self->next, &value);
        pbft_offer(self, self->next++, &value, false, out);
        /* Restarted in this view, the primary must know what it said: the message waits for the record of its own. */
        pbft_to_others(self, PBFT_PRE_PREPARE, &vote, out)->after = pbft_after(self, self->last_position);
    }
    effect_again(out);
}

/* ---- patience ---- */

/* The first number that was offered in this view and is not executed; 0: there is none. It may name a request that
 * nobody can show, and then all wait for it. */
static uint64_t offered(const struct pbft *self)
{
    for (uint64_t n = self->executed + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        if (slot != NULL && slot->offer.view == self->view)
            return n;
    }
    return 0;
}

static uint64_t awaits(const struct pbft *self)
{
    if (pbft_leads(self) || self->forgot)
        return 0;
    const struct pbft_known *oldest = NULL;
    for (uint32_t i = 0; i < self->known_count; i++) {
        const struct pbft_known *known = &self->known[i];
        bool waits = known->used && !known->parked && !pbft_known_done(self, known);
        if (waits && (oldest == NULL || known->arrival < oldest->arrival))
            oldest = known;
    }
    uint64_t number = oldest == NULL ? offered(self) : 0;
    return oldest != NULL ? oldest->arrival : number == 0 ? 0 : PBFT_AWAITS_NUMBER | number;
}

void pbft_await(struct pbft *self, struct effects *out)
{
    if (!self->active)
        return;
    uint64_t awaited = awaits(self);
    if (awaited == self->awaited)
        return;
    self->awaited = awaited;
    if (awaited == 0) {
        self->deadline_ns = INT64_MAX;
        effect_disarm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0);
        return;
    }
    self->deadline_ns = self->now_ns + pbft_patience_ns(self);
    effect_arm(out, PBFT_SLOT, PBFT_TIMER_VIEW, 0, self->deadline_ns);
}
