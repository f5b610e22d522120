/* Flooding consensus (flooding.h). */
#include "protocol/consensus/flooding.h"

#include "base/panic.h"

static const struct field proposal_fields[] = {MESSAGE_FIELDS(flooding_proposal, FLOODING_PROPOSAL_FIELDS)};
static const struct field decided_fields[] = {MESSAGE_FIELDS(flooding_decided, FLOODING_DECIDED_FIELDS)};
static const struct message_type message_types[FLOODING_MESSAGES] = {
    [FLOODING_PROPOSAL] = MESSAGE_TYPE("PROPOSAL", flooding_proposal, proposal_fields),
    [FLOODING_DECIDED] = MESSAGE_TYPE("DECIDED", flooding_decided, decided_fields),
};
static const struct message_table messages = {.types = message_types, .count = FLOODING_MESSAGES};

struct member {
    struct rounds rounds;
    bool early; /* the variant */
    struct cell set[ROUNDS_MEMBERS_MAX]; /* by proposer */
    uint64_t heard, heard_before;        /* sets of places: in this round, in the last one */
    bool decided, told;  /* told: the others, in the round after deciding */
    bool decision_heard; /* another's */
    struct cell decision;
    bool advanced_for_nothing; /* FLD-4 */
    struct heap *heap;
};

static bool ablated(const struct member *self, enum flooding_ablation ablation)
{
    return (self->rounds.spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << ablation) != 0;
}

static uint64_t all_places(const struct member *self)
{
    uint32_t count = rounds_members(&self->rounds);
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static size_t set_size(const struct group_spec *spec)
{
    return (size_t)spec->member_count * CELL_SIZE;
}

/* ---- the rounds ---- */

static void begin(void *state)
{
    struct member *self = state;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++)
        self->set[i] = (struct cell){0};
    self->set[self->rounds.place] = self->rounds.own;
    self->heard = UINT64_C(1) << self->rounds.place;
    self->heard_before = all_places(self);
    self->decided = self->told = self->decision_heard = self->advanced_for_nothing = false;
    self->decision = (struct cell){0};
}

static void send_decided(struct member *self, uint32_t round, struct effects *out)
{
    const struct flooding_decided decided = {.instance = self->rounds.instance,
                                             .round = round,
                                             .known = self->decision.known,
                                             .value = self->decision.value};
    effect_send(out, &messages, 0, FLOODING_DECIDED, &decided, self->rounds.others,
                rounds_members(&self->rounds) - 1);
}

static void send(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    uint32_t count = rounds_members(&self->rounds);
    uint8_t bytes[ROUNDS_MEMBERS_MAX * CELL_SIZE];
    if (count < 2 || self->told)
        return;
    if (self->decided) {
        send_decided(self, round, out);
        self->told = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool told = i == self->rounds.place || !ablated(self, FLD_TELL_OWN_ONLY);
        cell_encode(told ? self->set[i] : (struct cell){0}, bytes + (size_t)i * CELL_SIZE);
    }
    const struct flooding_proposal proposal = {
        .instance = self->rounds.instance,
        .round = round,
        .set = effects_copy(out, bytes, set_size(self->rounds.spec))};
    effect_send(out, &messages, 0, FLOODING_PROPOSAL, &proposal, self->rounds.others, count - 1);
}

/* A row of n cells is a set, one cell a decision (a group of one hears nobody). */
static void receive(void *state, uint32_t round, uint32_t place, struct span bytes)
{
    struct member *self = state;
    (void)round;
    self->heard |= UINT64_C(1) << place;
    if (bytes.size == CELL_SIZE) {
        if (!self->decided)
            self->decision = cell_decode(bytes.data);
        self->decision_heard = !self->decided || self->decision_heard;
        return;
    }
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++) {
        struct cell told = cell_decode(bytes.data + (size_t)i * CELL_SIZE);
        if (told.known)
            self->set[i] = told;
    }
}

/* The smallest value: any function of the set would do, if all use the same one. */
static struct cell choose(const struct member *self)
{
    struct cell chosen = {0};
    if (ablated(self, FLD_CHOOSE_OWN) && self->rounds.own.known)
        return self->rounds.own;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++)
        if (self->set[i].known && (!chosen.known || self->set[i].value < chosen.value))
            chosen = self->set[i];
    return chosen;
}

static void answer(struct member *self, struct effects *out)
{
    struct buffer text;
    buffer_init(&text, self->heap);
    invariant(cell_reply(&text, self->decision), "the heap has room for an answer");
    rounds_answer(&self->rounds, buffer_span(&text), out);
    buffer_free(&text);
    effect_note(out, "decided", self->decision.value);
}

static void end(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    bool last = round == self->rounds.last, undecided = !self->decided;
    bool quiet = self->heard == self->heard_before || ablated(self, FLD_DECIDE_AT_ONCE);
    if (undecided && self->decision_heard) {
        self->decided = true;
    } else if (undecided && (last || (self->early && quiet))) {
        self->decision = choose(self);
        self->decided = true;
    }
    if (undecided && self->decided)
        answer(self, out);
    self->advanced_for_nothing = self->early && !self->decided && self->heard == self->heard_before;
    self->heard_before = self->heard;
    self->heard = UINT64_C(1) << self->rounds.place;
}

static const struct rounds_rules rules = {.begin = begin, .send = send, .receive = receive, .end = end};

/* ---- events ---- */

static void on_proposal(struct member *self, const struct event_message *message, struct effects *out)
{
    const struct flooding_proposal *proposal = message->body;
    if (proposal->set.size != set_size(self->rounds.spec))
        self->rounds.malformed++;
    else
        rounds_message(&self->rounds, message->from.node, proposal->instance, proposal->round, proposal->set, out);
}

static void on_decided(struct member *self, const struct event_message *message, struct effects *out)
{
    const struct flooding_decided *decided = message->body;
    uint8_t bytes[CELL_SIZE];
    cell_encode(decided->known == 1 ? cell_of(decided->value) : (struct cell){0}, bytes);
    rounds_message(&self->rounds, message->from.node, decided->instance, decided->round, span_of(bytes, CELL_SIZE),
                   out);
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct member *self = state;
    rounds_step(&self->rounds, event, out);
    if (event->kind != EVENT_MESSAGE || event->message.slot != 0)
        return;
    if (event->message.type == FLOODING_PROPOSAL)
        on_proposal(self, &event->message, out);
    else if (event->message.type == FLOODING_DECIDED)
        on_decided(self, &event->message, out);
}

static const char *check(void *state)
{
    const struct member *self = state;
    const char *wrong = rounds_check(&self->rounds);
    if (wrong != NULL)
        return wrong;
    if (self->advanced_for_nothing)
        return "FLD-4 went on undecided although nobody had fallen silent";
    if (self->rounds.state == ROUNDS_RESTING && !self->decided)
        return "FLD-3 the last round is over without a decision";
    if (!self->decided || !self->decision.known || self->decision_heard)
        return NULL;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++)
        if (cell_equal(self->set[i], self->decision))
            return NULL;
    return "FLD-1 decided what nobody is known to have proposed";
}

/* ---- the tables ---- */

static uint32_t last_round(const struct group_spec *spec)
{
    bool less = (spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << FLD_ONE_ROUND_LESS) != 0;
    uint32_t rounds = spec->member_count > 2 ? spec->member_count - 1 : 1;
    return less && rounds > 1 ? rounds - 1 : rounds;
}

static size_t heap_bytes(const struct group_spec *spec)
{
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct member) + rounds_heap_size(spec, set_size(spec)) +
           4 * ROUNDS_ANSWER_BYTES_MAX;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    (void)spec;
    return ROUNDS_EFFECTS_MAX + 4;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX + 2 * (set_size(spec) + 8) + ROUNDS_ANSWER_BYTES_MAX;
}

static void *create_variant(struct heap *heap, const struct group_spec *spec, bool early)
{
    struct member *self = heap_alloc_zero(heap, sizeof *self);
    invariant(self != NULL, "heap_size() counts what create() needs");
    self->heap = heap;
    self->early = early;
    rounds_init(&self->rounds, heap, spec, &rules, self, last_round(spec), set_size(spec));
    if (spec->member_count > ROUNDS_MEMBERS_MAX)
        self->rounds.too_many = "ERR flooding takes at most 64 members";
    return self;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    (void)seed; /* nothing is drawn */
    return create_variant(heap, spec, false);
}

static void *create_early(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    (void)seed;
    return create_variant(heap, spec, true);
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
    return false; /* a member knows of others only whether they spoke */
}

static void print(const void *state, struct text *out)
{
    const struct member *self = state;
    text_add(out, "decision=");
    if (self->decided)
        cell_print(self->decision, out);
    else
        text_add(out, "none");
    text_add(out, " set=");
    cells_print(self->set, rounds_members(&self->rounds), out);
    rounds_print(&self->rounds, out);
}

static void canon_letter(const struct rounds *rounds, uint32_t round, uint32_t from, struct span bytes,
                         struct canon *out)
{
    (void)rounds;
    (void)round;
    (void)from;
    if (bytes.size == CELL_SIZE)
        cell_canonical(cell_decode(bytes.data), out);
    else
        cells_canonical_row(bytes.data, out);
}

static void canon_places(uint64_t places, struct canon *out)
{
    for (uint32_t i = 0; i < out->member_count; i++)
        canon_u8(out, places >> canon_place(out, i) & 1);
}

static void canonical(const void *state, struct canon *out)
{
    const struct member *self = state;
    rounds_canonical(&self->rounds, canon_letter, out);
    cells_canonical(self->set, out);
    canon_places(self->heard, out);
    canon_places(self->heard_before, out);
    canon_u8(out, (uint8_t)(self->decided | self->told << 1 | self->decision_heard << 2));
    cell_canonical(self->decision, out);
}

void flooding_look(const void *state, struct flooding_seen *out)
{
    const struct member *self = state;
    *out = (struct flooding_seen){.decided = self->decided, .decision = self->decision};
    rounds_look(&self->rounds, &out->rounds);
}

static const char *const ablations[] = {
    [FLD_ONE_ROUND_LESS] = "one-round-less",
    [FLD_CHOOSE_OWN] = "choose-own",
    [FLD_TELL_OWN_ONLY] = "tell-own-only",
    NULL,
};

static const char *const early_ablations[] = {
    [FLD_ONE_ROUND_LESS] = "one-round-less",
    [FLD_CHOOSE_OWN] = "choose-own",
    [FLD_TELL_OWN_ONLY] = "tell-own-only",
    [FLD_DECIDE_AT_ONCE] = "decide-at-once",
    NULL,
};

#define FLOODING_COMMON                                                                                                \
    .question = "consensus", .order = ORDER_NONE, .atomic = false, .durable = false, .masks = MASKS_CRASH,             \
    .members_for_k = MEMBERS_K_PLUS_1, .maturity = MATURITY_LAB,                                                       \
    .messages = {.types = message_types, .count = FLOODING_MESSAGES}, .heap_size = heap_bytes,                         \
    .effects_max = effects_max, .scratch_max = scratch_max, .step = step, .check = check, .status = status,            \
    .progress = progress, .print = print, .canonical = canonical

const struct protocol flooding_protocol = {
    .name = "flooding",
    .summary = "All decide the same proposal after k+1 rounds of telling each other everything; crashes are for ever.",
    .ablations = ablations,
    .create = create,
    FLOODING_COMMON,
};

const struct protocol flooding_early_protocol = {
    .name = "flooding-early",
    .summary = "Flooding that decides in the first quiet round: correct members agree, one that crashes may differ.",
    .ablations = early_ablations,
    .create = create_early,
    FLOODING_COMMON,
};
