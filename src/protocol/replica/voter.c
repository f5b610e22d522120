/* The voter (voter.h). */
#include "protocol/replica/voter_internal.h"

#include "base/hash.h"
#include "base/panic.h"
#include "base/random.h"
#include "contract/client.h"

enum {
    UPDATES_REMEMBERED = 1 << 15, /* twice a node's window: late answers are compared with what was believed */
    LOOKS_REMEMBERED = 1 << 14,   /* a node's window: an answer to a look that came to an end says nothing */
    LOOK_TIMER = 1,
};

static const char disagree[] =
    "DISAGREE the members of the group answer differently, and no answer has enough of them behind it; "
    "the command was executed: look at the group's members";
static const char lost[] = "INDETERMINATE the command was executed once, but the members do not have its answer any more";

static uint32_t lies_masked(const struct group_spec *spec)
{
    if (spec->served_by->masks == MASKS_ARBITRARY)
        return (spec->member_count - 1) / 3;
    return spec->vote == 0 ? 0 : (spec->vote - 1) / 2;
}

/* Any two of them share a member that does not lie, if as many may lie as the group's protocol allows. */
static uint32_t quorum_of(const struct group_spec *spec)
{
    uint32_t liars = spec->served_by->masks == MASKS_ARBITRARY ? (spec->member_count - 1) / 3 : 0;
    return (spec->member_count + liars) / 2 + 1;
}

/* ---- asking ---- */

/* Who orders as far as it is known; else the first that can be reached. */
static const uint32_t *first_asked(const struct voter *self)
{
    const struct group_spec *spec = self->spec;
    int place = spec_member_place(spec, self->orderer);
    for (uint32_t i = 0; place < 0 && i < spec->member_count; i++)
        if ((self->connected >> i & 1) != 0)
            place = (int)i;
    return &spec->members[place < 0 ? 0 : place];
}

static void touch(struct voter *self, uint64_t number)
{
    if (number < self->touched_first)
        self->touched_first = number;
    if (number > self->touched_last)
        self->touched_last = number;
}

/* Handed in for the first time it goes to who orders, where all members are believed to follow the protocol; that
 * member may be gone or lie about who orders, so the next time it goes to all. */
static void on_update(struct voter *self, const struct event_request *request, struct effects *out)
{
    const struct client_bundle body = {.bundle = request->bytes};
    bool again = votes_find(&self->updates, request->first_number) != NULL;
    for (uint32_t i = 0; i < request->count; i++) {
        votes_open(&self->updates, request->first_number + i);
        touch(self, request->first_number + i);
    }
    if (self->arbitrary || again)
        effect_send(out, &client_messages, 0, CLIENT_REQUEST, &body, self->spec->members, self->spec->member_count);
    else
        effect_send(out, &client_messages, 0, CLIENT_REQUEST, &body, first_asked(self), 1);
}

static void order_reads(uint64_t first, uint64_t count, struct effects *out)
{
    effect_reply(out, REPLY_ORDER, true, first, (uint32_t)count, (struct span){0});
}

/* All that wait: node/ orders them together, so that no read overtakes an earlier one. */
static void order_looks(struct voter *self, struct effects *out)
{
    uint64_t count = self->looks_tail - self->looks_head;
    self->ordered += count;
    order_reads(self->looks_head, count, out);
    self->looks_head = self->looks_tail;
}

static void arm(struct voter *self, int64_t at_ns, struct effects *out)
{
    self->timer_armed = true;
    effect_arm(out, 0, LOOK_TIMER, 0, at_ns);
}

static void on_read(struct voter *self, const struct event_request *request, struct effects *out)
{
    const struct client_bundle body = {.bundle = request->bytes};
    int64_t deadline_ns = self->now_ns + self->spec->tuning.election_timeout_ns / 2;
    if (!self->arbitrary) {
        order_reads(request->first_number, request->count, out);
        return;
    }
    invariant(request->first_number >= self->looks_tail, "reads are handed in once, in the order of their numbers");
    if (self->looks_head == self->looks_tail)
        self->looks_head = request->first_number;
    for (uint32_t i = 0; i < request->count; i++)
        votes_open(&self->looks, request->first_number + i)->deadline_ns = deadline_ns;
    self->looks_tail = request->first_number + request->count;
    if (!self->timer_armed)
        arm(self, deadline_ns, out);
    effect_send(out, &client_messages, 0, CLIENT_LOOK, &body, self->spec->members, self->spec->member_count);
}

/* Looks are sent in the order of their numbers and all wait equally long, so the first one is due first. */
static void on_look_timer(struct voter *self, struct effects *out)
{
    self->timer_armed = false;
    if (self->looks_head == self->looks_tail)
        return;
    const struct vote *vote = votes_find(&self->looks, self->looks_head);
    if (vote != NULL && vote->deadline_ns > self->now_ns)
        arm(self, vote->deadline_ns, out);
    else
        order_looks(self, out);
}

/* ---- answers ---- */

static void accuse(struct voter *self, struct vote *vote, uint64_t members)
{
    for (uint32_t place = 0; place < self->spec->member_count; place++)
        self->wrong[place] += (members & ~vote->wrong) >> place & 1;
    vote->wrong |= members;
}

static void on_answer(struct voter *self, uint32_t place, const struct client_answer *answer, struct effects *out)
{
    struct vote *vote = votes_find(&self->updates, answer->number);
    if (vote == NULL)
        return;
    bool waited = vote->phase == VOTE_WAITING;
    uint64_t digest = hash_keyed(self->key, answer->bytes.data, answer->bytes.size);
    touch(self, answer->number);
    if (answer->lost)
        votes_give_lost(&self->updates, vote, place);
    else
        votes_give(&self->updates, vote, place, digest);
    if (waited && vote->phase == VOTE_BELIEVED) {
        if (answer->index > self->index)
            self->index = answer->index;
        /* A member that answers again may not know the index any more; that it was executed is known. */
        effect_reply(out, REPLY_ANSWER, false, answer->number, 1, answer->bytes)->index =
            answer->index == 0 ? 1 : answer->index;
    } else if (waited && vote->phase == VOTE_ENDED) {
        bool forgotten = votes_count(vote->lost) >= self->updates.needed;
        effect_reply(out, REPLY_INDETERMINATE, false, answer->number, 1, span_string(forgotten ? lost : disagree));
    }
    if (vote->phase == VOTE_BELIEVED) {
        bool changed = !answer->lost && digest != vote->believed; /* even if it once said something else */
        accuse(self, vote, votes_dissent(&self->updates, vote) | (uint64_t)changed << place);
    }
}

/* Looks are answered in the order of their numbers, each by who says what is believed while its bytes are at hand. A
 * member that answers otherwise than others may be ahead or behind: that is no reason to suspect it. */
static void on_look(struct voter *self, uint32_t place, const struct client_answer *answer, struct effects *out)
{
    struct vote *vote = votes_find(&self->looks, answer->number);
    if (vote == NULL || answer->number < self->looks_head || answer->number >= self->looks_tail)
        return;
    uint64_t digest = hash_keyed(self->key, answer->bytes.data, answer->bytes.size);
    if (answer->lost)
        votes_give_lost(&self->looks, vote, place);
    else
        votes_give(&self->looks, vote, place, digest);
    if (vote->phase != VOTE_BELIEVED || answer->lost || digest != vote->believed ||
        answer->number != self->looks_head)
        return;
    self->agreed++;
    self->looks_head++;
    effect_reply(out, REPLY_ANSWER, true, answer->number, 1, answer->bytes);
}

/* The first look that waits will not be answered: nothing can be believed any more, or all have said it already. */
static bool look_is_stuck(const struct voter *self)
{
    const struct vote *vote = votes_find(&self->looks, self->looks_head);
    if (self->looks_head == self->looks_tail || vote == NULL)
        return false;
    return vote->phase == VOTE_ENDED || votes_count(vote->voted | vote->lost) == self->spec->member_count;
}

static void tell_suspicions(struct voter *self, const uint64_t *before, struct effects *out)
{
    for (uint32_t place = 0; place < self->spec->member_count; place++) {
        uint64_t wrong = self->wrong[place];
        if (wrong == before[place])
            continue;
        effect_suspect(out, self->spec->members[place], wrong > UINT32_MAX ? UINT32_MAX : (uint32_t)wrong);
        effect_note(out, "a member answers otherwise than the others", self->spec->members[place]);
    }
}

static void on_message(struct voter *self, const struct event_message *message, struct effects *out)
{
    const struct client_answers *answers = message->body;
    int place = spec_member_place(self->spec, message->from.node);
    uint64_t before[VOTES_MEMBERS_MAX];
    if (place < 0 || message->slot != 0 || message->type != CLIENT_ANSWERS ||
        answers->session != self->incarnation) {
        self->dropped++;
        return;
    }
    if (spec_member_place(self->spec, answers->orderer) >= 0)
        self->orderer = answers->orderer;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        before[i] = self->wrong[i];
    struct span rest = answers->answers;
    struct client_answer answer;
    for (uint32_t i = 0; i < CLIENT_ANSWERS_MAX && client_answer_next(&rest, &answer); i++) {
        if (answer.index > self->answered[place])
            self->answered[place] = answer.index;
        if (answers->looks != 0)
            on_look(self, (uint32_t)place, &answer, out);
        else
            on_answer(self, (uint32_t)place, &answer, out);
    }
    self->dropped += rest.size > 0;
    if (look_is_stuck(self))
        order_looks(self, out);
    tell_suspicions(self, before, out);
}

/* ---- events ---- */

static void on_request(struct voter *self, const struct event_request *request, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ:
        on_read(self, request, out);
        break;
    case REQUEST_COUNT: /* nothing is answered, and so believed, before that many have it */
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0})->count_stored =
            self->quorum;
        break;
    case REQUEST_CALL:
        break;
    }
}

/* Requests are taken while so many members can be reached that they may be answered; else node/ keeps them, and says that
 * they were not executed when they waited too long. */
static void on_peer(struct voter *self, const struct event_peer *peer, struct effects *out)
{
    int place = spec_member_place(self->spec, peer->node);
    if (place < 0)
        return;
    uint64_t bit = UINT64_C(1) << place;
    uint32_t before = voter_orderer(self);
    self->connected = peer->state == PEER_CONNECTED ? self->connected | bit : self->connected & ~bit;
    if (peer->state == PEER_LOST && self->orderer == peer->node)
        self->orderer = 0;
    if (voter_orderer(self) != before)
        effect_view(out, 1, voter_orderer(self));
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct voter *self = state;
    self->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_START:
        self->incarnation = event->start.incarnation;
        effect_view(out, 1, voter_orderer(self));
        break;
    case EVENT_PEER:
        on_peer(self, &event->peer, out);
        break;
    case EVENT_MESSAGE:
        on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        on_request(self, &event->request, out);
        break;
    case EVENT_TIMEOUT:
        if (event->timeout.name == LOOK_TIMER)
            on_look_timer(self, out);
        break;
    case EVENT_RESTORE:
    case EVENT_STORED:
    case EVENT_RESULT:
    case EVENT_STATE:
    case EVENT_TURN:
        break;
    }
}

/* ---- the table ---- */

static size_t heap_bytes(const struct group_spec *spec)
{
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct voter) + 8192 +
           2 * votes_heap_size(spec->member_count, UPDATES_REMEMBERED) +
           2 * votes_heap_size(spec->member_count, LOOKS_REMEMBERED);
}

/* An answer for each answer, an order, two words on each member, and a message or a timer. */
static uint32_t effects_max(const struct group_spec *spec)
{
    return CLIENT_ANSWERS_MAX + 2 * spec->member_count + 8;
}

static size_t scratch_max(const struct group_spec *spec)
{
    (void)spec;
    return (size_t)4 * EFFECT_SCRATCH_SIZE_MAX;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct voter *self = heap_alloc_zero(heap, sizeof *self);
    struct random random;
    invariant(self != NULL, "heap_size() counts what create() needs");
    invariant(spec->served_by != NULL, "a voter is served by members");
    random_seed(&random, seed);
    self->key[0] = random_u64(&random);
    self->key[1] = random_u64(&random);
    self->spec = spec;
    self->arbitrary = spec->served_by->masks == MASKS_ARBITRARY;
    self->k = lies_masked(spec);
    self->quorum = quorum_of(spec);
    self->looks_head = self->looks_tail = 1;
    self->touched_first = UINT64_MAX;
    bool first = (spec->ablations & VOTER_ABLATION_BELIEVE_FIRST) != 0;
    bool few = (spec->ablations & VOTER_ABLATION_LOOKS_BY_K_PLUS_1) != 0;
    votes_create(&self->updates, heap, spec->member_count, first ? 1 : self->k + 1, UPDATES_REMEMBERED);
    votes_create(&self->looks, heap, spec->member_count, few ? self->k + 1 : self->quorum, LOOKS_REMEMBERED);
    return self;
}

static const char *const ablations[] = {"believe-first", "looks-by-k+1", NULL};

const struct protocol voter_protocol = {
    .name = "voter",
    .question = "replica",
    .summary = "A client of a group that believes what enough of its members answer alike.",
    .order = ORDER_NONE, /* the members' matter, like all that is promised of the state */
    .atomic = false,
    .durable = false,
    .masks = MASKS_VALUE,
    .members_for_k = MEMBERS_ANY,
    .maturity = MATURITY_PRODUCTION,
    .messages = {.types = client_message_types, .count = CLIENT_MESSAGE_COUNT},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = voter_check,
    .status = voter_status,
    .progress = voter_progress,
    .print = voter_print,
    .canonical = voter_canonical,
};
