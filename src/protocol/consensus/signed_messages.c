/* Signed messages (signed_messages.h). */
#include "protocol/consensus/signed_messages.h"

#include "base/panic.h"

enum {
    VALUES_MAX = 2, /* of one commander: two show that it is a traitor */
    CHAIN_SIZE_MAX = SIGNED_CHAIN_HEAD_SIZE + SIGNED_CHAIN_MAX * SIGNED_LINK_SIZE,
};

static const struct field relay_fields[] = {MESSAGE_FIELDS(signed_relay, SIGNED_RELAY_FIELDS)};
static const struct message_type message_types[SIGNED_MESSAGES] = {
    [SIGNED_RELAY] = MESSAGE_TYPE("SIGNED", signed_relay, relay_fields),
};
static const struct message_table messages = {.types = message_types, .count = SIGNED_MESSAGES};

struct accepted {
    uint32_t count;
    uint64_t values[VALUES_MAX];
};

struct member {
    struct rounds rounds;
    struct accepted accepted[SIGNED_MEMBERS_MAX]; /* by commander */
    struct cell result[SIGNED_MEMBERS_MAX];
    bool decided;
    uint64_t rejected;
    uint8_t *outbox; /* chains to be sent in the next round */
    size_t outbox_size;
    struct heap *heap;
};

static bool ablated(const struct group_spec *spec, enum signed_messages_ablation ablation)
{
    return (spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << ablation) != 0;
}

uint32_t signed_messages_m(uint32_t member_count)
{
    return member_count > 3 ? member_count - 2 : 1;
}

static uint32_t last_round(const struct group_spec *spec)
{
    return signed_messages_m(spec->member_count) + 1 - ablated(spec, SIGNED_ONE_ROUND_LESS);
}

static bool fits(const struct group_spec *spec)
{
    return spec->member_count <= SIGNED_MEMBERS_MAX;
}

/* Bytes of the largest message of a loyal member. */
static size_t message_size_max(const struct group_spec *spec)
{
    size_t count = fits(spec) ? spec->member_count : 1;
    return count * VALUES_MAX * (SIGNED_CHAIN_HEAD_SIZE + (count + 1) * SIGNED_LINK_SIZE);
}

/* ---- the rounds ---- */

static void put(struct member *self, const struct signed_chain *chain)
{
    uint8_t bytes[CHAIN_SIZE_MAX];
    size_t size = signed_chain_encode(chain, bytes);
    invariant(self->outbox_size + size <= message_size_max(self->rounds.spec), "two values a commander fit");
    memcpy(self->outbox + self->outbox_size, bytes, size);
    self->outbox_size += size;
}

static void begin(void *state)
{
    struct member *self = state;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++)
        self->accepted[i] = (struct accepted){0};
    self->decided = false;
    self->outbox_size = 0;
    if (!self->rounds.own.known)
        return;
    struct signed_chain chain = {.value = self->rounds.own.value};
    signed_chain_sign(&chain, self->rounds.spec, self->rounds.place, self->rounds.instance);
    put(self, &chain);
}

static void send(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    uint32_t others = rounds_members(&self->rounds) - 1;
    const struct signed_relay relay = {.instance = self->rounds.instance,
                                       .round = round,
                                       .chains = effects_copy(out, self->outbox, self->outbox_size)};
    if (others > 0) /* one that has nothing to pass on says so: then its silence means that it is gone */
        effect_send(out, &messages, 0, SIGNED_RELAY, &relay, self->rounds.others, others);
    self->outbox_size = 0;
}

static bool is_news(const struct accepted *accepted, uint64_t value)
{
    for (uint32_t i = 0; i < accepted->count; i++)
        if (accepted->values[i] == value)
            return false;
    return accepted->count < VALUES_MAX;
}

/* May this value be accepted in that round from that member? */
static bool is_right(const struct member *self, const struct signed_chain *chain, uint32_t round, uint32_t from)
{
    const struct group_spec *spec = self->rounds.spec;
    if (chain->places[0] >= spec->member_count || chain->count > spec->member_count)
        return false;
    if (!ablated(spec, SIGNED_ACCEPT_SHORT) && chain->count < round)
        return false;
    if (chain->places[chain->count - 1] != from || signed_chain_has(chain, self->rounds.place))
        return false;
    return ablated(spec, SIGNED_ACCEPT_FORGED) || signed_chain_verify(chain, spec, self->rounds.instance);
}

static void receive(void *state, uint32_t round, uint32_t place, struct span bytes)
{
    struct member *self = state;
    struct span rest = bytes;
    struct signed_chain chain;
    while (signed_chain_next(&rest, &chain)) {
        /* What went through this member already is no news and no lie: everybody sends everything to all. */
        if (chain.places[chain.count - 1] == place && signed_chain_has(&chain, self->rounds.place))
            continue;
        if (!is_right(self, &chain, round, place)) {
            self->rejected++;
            continue;
        }
        struct accepted *accepted = &self->accepted[chain.places[0]];
        if (!is_news(accepted, chain.value))
            continue;
        accepted->values[accepted->count++] = chain.value;
        if (round < self->rounds.last && chain.count < SIGNED_CHAIN_MAX) {
            signed_chain_sign(&chain, self->rounds.spec, self->rounds.place, self->rounds.instance);
            put(self, &chain);
        }
    }
    if (rest.size > 0)
        self->rounds.malformed++;
}

static void end(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    if (round < self->rounds.last)
        return;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++) {
        const struct accepted *accepted = &self->accepted[i];
        self->result[i] = accepted->count == 1 ? cell_of(accepted->values[0]) : (struct cell){0};
    }
    self->result[self->rounds.place] = self->rounds.own;
    self->decided = true;
    struct buffer text;
    buffer_init(&text, self->heap);
    invariant(cells_reply(&text, self->result, rounds_members(&self->rounds)), "the heap has room for an answer");
    rounds_answer(&self->rounds, buffer_span(&text), out);
    buffer_free(&text);
    effect_note(out, "decided", self->rounds.instance);
}

static const struct rounds_rules rules = {.begin = begin, .send = send, .receive = receive, .end = end};

static void step(void *state, const struct event *event, struct effects *out)
{
    struct member *self = state;
    rounds_step(&self->rounds, event, out);
    if (event->kind != EVENT_MESSAGE || event->message.slot != 0 || event->message.type != SIGNED_RELAY)
        return;
    const struct signed_relay *relay = event->message.body;
    rounds_message(&self->rounds, event->message.from.node, relay->instance, relay->round, relay->chains, out);
}

static const char *check(void *state)
{
    const struct member *self = state;
    const char *wrong = rounds_check(&self->rounds);
    if (wrong != NULL)
        return wrong;
    if (self->rounds.state == ROUNDS_RESTING && !self->decided)
        return "IC0 all rounds are over without a decision";
    if (self->decided && !cell_equal(self->result[self->rounds.place], self->rounds.own))
        return "IC2 the own element is not the own value";
    return NULL;
}

/* ---- the table ---- */

static size_t heap_bytes(const struct group_spec *spec)
{
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct member) + rounds_heap_size(spec, message_size_max(spec)) +
           2 * message_size_max(spec) + 8 * ROUNDS_ANSWER_BYTES_MAX;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    (void)spec;
    return ROUNDS_EFFECTS_MAX + 4;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX + 2 * (message_size_max(spec) + 8) +
           ROUNDS_ANSWER_BYTES_MAX;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct member *self = heap_alloc_zero(heap, sizeof *self);
    (void)seed; /* nothing is drawn */
    invariant(self != NULL, "heap_size() counts what create() needs");
    self->heap = heap;
    self->outbox = heap_alloc_zero(heap, message_size_max(spec));
    invariant(self->outbox != NULL, "heap_size() counts what create() needs");
    rounds_init(&self->rounds, heap, spec, &rules, self, last_round(spec), message_size_max(spec));
    if (!fits(spec))
        self->rounds.too_many = "ERR signed-messages takes at most 16 members: its chains have a byte for each";
    return self;
}

static void status(const void *state, struct member_status *out)
{
    rounds_status(&((const struct member *)state)->rounds, out);
}

static bool progress(const void *state, uint32_t place, struct member_progress *out)
{
    (void)state;
    (void)place;
    (void)out;
    return false; /* a member knows of others only what they signed */
}

static void print(const void *state, struct text *out)
{
    const struct member *self = state;
    text_add(out, "vector=");
    if (self->decided)
        cells_print(self->result, rounds_members(&self->rounds), out);
    else
        text_add(out, "none");
    text_add(out, " rejected=");
    text_add_u64(out, self->rejected);
    rounds_print(&self->rounds, out);
}

/* Chains name places and are taken in the order in which they lie, so a renaming cannot move them. */
static void canon_letter(const struct rounds *rounds, uint32_t round, uint32_t from, struct span bytes,
                         struct canon *out)
{
    (void)rounds;
    (void)round;
    (void)from;
    canon_u64(out, bytes.size);
    canon_bytes(out, bytes.data, bytes.size);
}

static void canonical(const void *state, struct canon *out)
{
    const struct member *self = state;
    rounds_canonical(&self->rounds, canon_letter, out);
    canon_u8(out, self->decided);
    if (self->decided)
        cells_canonical(self->result, out);
    for (uint32_t i = 0; !self->decided && i < out->member_count; i++) {
        const struct accepted *accepted = &self->accepted[canon_place(out, i)];
        canon_u64(out, accepted->count);
        for (uint32_t k = 0; k < accepted->count; k++)
            canon_u64(out, accepted->values[k]);
    }
    canon_u64(out, self->outbox_size);
    canon_bytes(out, self->outbox, self->outbox_size);
}

void signed_messages_look(const void *state, struct agreement_seen *out)
{
    const struct member *self = state;
    *out = (struct agreement_seen){.decided = self->decided, .vector = self->result};
    rounds_look(&self->rounds, &out->rounds);
}

uint64_t signed_messages_rejected(const void *state)
{
    return ((const struct member *)state)->rejected;
}

static const char *const ablations[] = {
    [SIGNED_ACCEPT_FORGED] = "accept-forged",
    [SIGNED_ACCEPT_SHORT] = "accept-short-chain",
    [SIGNED_ONE_ROUND_LESS] = "one-round-less",
    NULL,
};

const struct protocol signed_messages_protocol = {
    .name = "signed-messages",
    .question = "consensus",
    .summary = "SM(m): with signatures all loyal members end with the same vector, however many are traitors.",
    .order = ORDER_NONE,
    .atomic = false,
    .durable = false,
    .masks = MASKS_ARBITRARY,
    .members_for_k = MEMBERS_K_PLUS_1,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = SIGNED_MESSAGES},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = check,
    .status = status,
    .progress = progress,
    .print = print,
    .canonical = canonical,
};
