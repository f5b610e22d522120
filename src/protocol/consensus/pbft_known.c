/* PBFT: the requests that are known here: those that an origin sent, or that somebody correct vouched for.
 *
 * Each is stored at once, since what is ordered must not be lost; its record is what is delivered. Each origin has room
 * of its own, so that nobody fills that of others: members by place, clients one that is empty when they come. Found by
 * digest (chains), walked in the order of arrival (a list). */
#include "protocol/consensus/pbft_internal.h"

static uint32_t bucket_of(const struct pbft *self, const uint64_t digest[4])
{
    return (uint32_t)digest[0] & self->bucket_mask;
}

/* Links are places + 1; 0: none. */
static struct pbft_known *at_link(const struct pbft *self, uint32_t link)
{
    return link == 0 ? NULL : &self->known[link - 1];
}

static uint32_t link_of(const struct pbft *self, const struct pbft_known *known)
{
    return (uint32_t)(known - self->known) + 1;
}

struct pbft_known *pbft_known_find(const struct pbft *self, const uint64_t digest[4])
{
    struct pbft_known *known = at_link(self, self->buckets[bucket_of(self, digest)]);
    while (known != NULL && memcmp(known->digest, digest, sizeof known->digest) != 0)
        known = at_link(self, known->chain);
    return known;
}

struct pbft_known *pbft_known_first(const struct pbft *self)
{
    return at_link(self, self->known_oldest);
}

struct pbft_known *pbft_known_next(const struct pbft *self, const struct pbft_known *known)
{
    return at_link(self, known->younger);
}

/* What is done stays so. */
struct pbft_known *pbft_known_open(struct pbft *self)
{
    struct pbft_known *known = at_link(self, self->known_open);
    while (known != NULL && pbft_known_done(self, known)) {
        self->known_open = known->younger;
        known = pbft_known_next(self, known);
    }
    return known;
}

uint32_t pbft_known_room(const struct pbft *self, const struct pbft_known *known)
{
    return (uint32_t)((size_t)(known - self->known) / self->known_each);
}

/* A client keeps its room while it has requests there. */
static uint32_t room_for(struct pbft *self, uint32_t origin)
{
    int place = spec_member_place(self->spec, origin);
    if (place >= 0)
        return (uint32_t)place;
    uint32_t empty = PBFT_CLIENTS_MAX;
    for (uint32_t i = 0; i < PBFT_CLIENTS_MAX; i++) {
        if (self->room_used[i] > 0 && self->room_owner[i] == origin)
            return self->member_count + i;
        if (self->room_used[i] == 0 && empty == PBFT_CLIENTS_MAX)
            empty = i;
    }
    uint32_t room = empty < PBFT_CLIENTS_MAX ? empty : origin % PBFT_CLIENTS_MAX;
    if (room == empty)
        self->room_owner[room] = origin;
    return self->member_count + room;
}

void pbft_known_drop(struct pbft *self, struct pbft_known *known)
{
    uint32_t *link = &self->buckets[bucket_of(self, known->digest)];
    while (*link != link_of(self, known))
        link = &at_link(self, *link)->chain;
    *link = known->chain;
    struct pbft_known *older = at_link(self, known->older), *younger = at_link(self, known->younger);
    *(older != NULL ? &older->younger : &self->known_oldest) = known->younger;
    *(younger != NULL ? &younger->older : &self->known_youngest) = known->older;
    if (self->known_open == link_of(self, known))
        self->known_open = known->younger;
    uint32_t room = pbft_known_room(self, known), *free = &self->known_free[room];
    if (room >= self->member_count)
        self->room_used[room - self->member_count]--;
    *known = (struct pbft_known){.chain = *free};
    *free = link_of(self, known);
}

void pbft_known_unpark(struct pbft_known *known)
{
    known->proposed = known->parked ? 0 : known->proposed;
    known->parked = false;
}

static void insert(struct pbft *self, struct pbft_known *known, const struct pbft_known *fresh)
{
    uint32_t link = link_of(self, known), *bucket = &self->buckets[bucket_of(self, fresh->digest)];
    struct pbft_known *youngest = at_link(self, self->known_youngest);
    *known = *fresh;
    known->used = true;
    known->chain = *bucket;
    known->older = self->known_youngest;
    known->arrival = ++self->arrivals;
    *bucket = link;
    *(youngest != NULL ? &youngest->younger : &self->known_oldest) = link;
    self->known_youngest = link;
    if (self->known_open == 0)
        self->known_open = link;
}

bool pbft_known_done(const struct pbft *self, const struct pbft_known *known)
{
    return known->executed || pbft_client_done(self, known);
}

static void refer(const struct pbft *self, const struct pbft_value *value)
{
    struct pbft_known *known = pbft_known_find(self, value->digest);
    if (known != NULL)
        known->referenced = true;
}

/* Which of them does a number of the window name? */
static void mark_referenced(const struct pbft *self)
{
    for (struct pbft_known *known = pbft_known_first(self); known != NULL; known = pbft_known_next(self, known))
        known->referenced = false;
    for (uint64_t n = self->stable.number + 1; n <= self->stable.number + self->window && n <= self->top; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        if (slot == NULL)
            continue;
        if (slot->offer.view != 0)
            refer(self, &slot->offer.value);
        if (slot->prepared.view != 0)
            refer(self, &slot->prepared.value);
        if (slot->committed)
            refer(self, &slot->committed_value);
        for (uint32_t i = 0; i < slot->accept_count; i++)
            refer(self, &slot->accepts[i].value);
    }
}

/* The oldest of a room that nothing refers to goes. */
static void make_room(struct pbft *self, uint32_t room)
{
    mark_referenced(self);
    for (struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at))
        if (pbft_known_room(self, at) == room && !at->referenced) {
            pbft_known_drop(self, at);
            return;
        }
}

/* An empty place for one more of this origin. */
static struct pbft_known *place_for(struct pbft *self, uint32_t origin)
{
    uint32_t room = room_for(self, origin);
    if (self->known_free[room] == 0 && self->known_top[room] == self->known_each)
        make_room(self, room);
    struct pbft_known *free = at_link(self, self->known_free[room]);
    if (free != NULL) {
        self->known_free[room] = free->chain;
        return free;
    }
    bool full = self->known_top[room] == self->known_each;
    return full ? NULL : &self->known[(size_t)room * self->known_each + self->known_top[room]++];
}

/* Called at each checkpoint: what was executed goes, and what nobody ordered for two of them (its origin sends it again
 * if it still wants it); so old records do not keep the log from being shortened. */
void pbft_known_forget_old(struct pbft *self)
{
    struct pbft_known *next;
    mark_referenced(self);
    for (struct pbft_known *known = pbft_known_first(self); known != NULL; known = next) {
        next = pbft_known_next(self, known);
        if (known->referenced)
            continue;
        if (pbft_known_done(self, known) || known->parked || ++known->checkpoints > 2)
            pbft_known_drop(self, known);
    }
}

void pbft_known_forget_before(struct pbft *self, uint64_t position)
{
    struct pbft_known *next;
    for (struct pbft_known *known = pbft_known_first(self); known != NULL; known = next) {
        next = pbft_known_next(self, known);
        if (known->position < position)
            pbft_known_drop(self, known);
    }
}

bool pbft_request_open(const struct pbft *self, struct span bytes, struct bundle *out)
{
    if (bytes.size < BUNDLE_HEADER_SIZE || !bundle_open(bytes, out) || out->first_number == 0 || out->node == 0)
        return false;
    /* A barrier is a member's: clients' reads are looks, or get a place in the order as updates. */
    bool barrier = bytes.size == BUNDLE_HEADER_SIZE && spec_member_place(self->spec, out->node) >= 0;
    return bytes.size <= self->spec->tuning.command_bytes_max + self->spec->tuning.append_bytes_max &&
           out->first_number <= UINT64_MAX - out->count && (out->count > 0 || barrier);
}

struct pbft_known *pbft_known_add(struct pbft *self, uint32_t origin, struct span bytes, uint64_t position,
                                  bool vouched, struct effects *out)
{
    struct bundle bundle;
    if (!pbft_request_open(self, bytes, &bundle) || (bundle.node != origin && !vouched))
        return NULL;
    uint64_t digest[4];
    pbft_digest(bytes, digest);
    struct pbft_known *known = pbft_known_find(self, digest);
    if (known != NULL) {
        pbft_known_unpark(known);
        return known;
    }
    struct pbft_known fresh = {
        .barrier = bundle.count == 0,
        .origin = bundle.node,
        .count = bundle.count,
        .incarnation = bundle.incarnation,
        .first_number = bundle.first_number,
        .first_incomplete = bundle.first_incomplete,
    };
    memcpy(fresh.digest, digest, sizeof digest);
    if (!vouched && position == 0 && pbft_known_done(self, &fresh))
        return NULL;
    known = place_for(self, fresh.origin);
    if (known == NULL)
        return NULL;
    const struct pbft_record_request record = {.origin = bundle.node, .bundle = bytes};
    fresh.position = position != 0 ? position : pbft_store(self, PBFT_RECORD_REQUEST, &record, out);
    insert(self, known, &fresh);
    uint32_t room = pbft_known_room(self, known);
    if (room >= self->member_count)
        self->room_used[room - self->member_count]++;
    pbft_relay_learn(self, known);
    return known;
}
