/* Byzantine agreement by vectors (byzantine_vectors.h). */
#include "protocol/consensus/byzantine_vectors.h"

#include "base/panic.h"

enum { LAST_ROUND = 2 };

static const struct field value_fields[] = {MESSAGE_FIELDS(bv_value, BV_VALUE_FIELDS)};
static const struct field vector_fields[] = {MESSAGE_FIELDS(bv_vector, BV_VECTOR_FIELDS)};
static const struct message_type message_types[BV_MESSAGES] = {
    [BV_VALUE] = MESSAGE_TYPE("VALUE", bv_value, value_fields),
    [BV_VECTOR] = MESSAGE_TYPE("VECTOR", bv_vector, vector_fields),
};
static const struct message_table messages = {.types = message_types, .count = BV_MESSAGES};

struct member {
    struct rounds rounds;
    struct cell direct[ROUNDS_MEMBERS_MAX]; /* by who said so of itself, in round 1 */
    struct cell *reported;                  /* [reporter * n + about], in round 2 */
    struct cell result[ROUNDS_MEMBERS_MAX];
    bool decided;
    struct heap *heap;
};

static bool ablated(const struct member *self, enum byzantine_vectors_ablation ablation)
{
    return (self->rounds.spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << ablation) != 0;
}

static size_t vector_size(const struct group_spec *spec)
{
    return (size_t)spec->member_count * CELL_SIZE;
}

/* ---- the rounds ---- */

static void begin(void *state)
{
    struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    for (uint32_t i = 0; i < n; i++)
        self->direct[i] = self->result[i] = (struct cell){0};
    for (uint32_t i = 0; i < n * n; i++)
        self->reported[i] = (struct cell){0};
    self->direct[self->rounds.place] = self->rounds.own;
    self->decided = false;
}

static void send(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    uint32_t others = rounds_members(&self->rounds) - 1;
    uint8_t bytes[ROUNDS_MEMBERS_MAX * CELL_SIZE];
    if (others == 0)
        return;
    if (round == 1) {
        const struct bv_value value = {.instance = self->rounds.instance,
                                       .known = self->rounds.own.known,
                                       .value = self->rounds.own.value};
        effect_send(out, &messages, 0, BV_VALUE, &value, self->rounds.others, others);
        return;
    }
    for (uint32_t i = 0; i <= others; i++)
        cell_encode(self->direct[i], bytes + (size_t)i * CELL_SIZE);
    const struct bv_vector vector = {.instance = self->rounds.instance,
                                     .vector = effects_copy(out, bytes, vector_size(self->rounds.spec))};
    effect_send(out, &messages, 0, BV_VECTOR, &vector, self->rounds.others, others);
}

static void receive(void *state, uint32_t round, uint32_t place, struct span bytes)
{
    struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    if (round == 1) {
        self->direct[place] = cell_decode(bytes.data);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        self->reported[place * n + i] = cell_decode(bytes.data + (size_t)i * CELL_SIZE);
}

static struct cell element(const struct member *self, uint32_t about)
{
    struct cell votes[ROUNDS_MEMBERS_MAX];
    uint32_t n = rounds_members(&self->rounds), count = 0;
    if (about == self->rounds.place)
        return self->rounds.own;
    if (ablated(self, BV_NO_SECOND_ROUND))
        return self->direct[about];
    if (!ablated(self, BV_LECTURE_MAJORITY))
        votes[count++] = self->direct[about];
    for (uint32_t i = 0; i < n; i++)
        if (i != self->rounds.place && (i != about || ablated(self, BV_LECTURE_MAJORITY)))
            votes[count++] = self->reported[i * n + about];
    return cell_majority(votes, count);
}

static void end(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    if (round < LAST_ROUND)
        return;
    for (uint32_t i = 0; i < rounds_members(&self->rounds); i++)
        self->result[i] = element(self, i);
    self->decided = true;
    struct buffer text;
    buffer_init(&text, self->heap);
    invariant(cells_reply(&text, self->result, rounds_members(&self->rounds)), "the heap has room for an answer");
    rounds_answer(&self->rounds, buffer_span(&text), out);
    buffer_free(&text);
    effect_note(out, "decided", self->rounds.instance);
}

static const struct rounds_rules rules = {.begin = begin, .send = send, .receive = receive, .end = end};

/* ---- events ---- */

static void on_value(struct member *self, const struct event_message *message, struct effects *out)
{
    const struct bv_value *value = message->body;
    uint8_t bytes[CELL_SIZE];
    cell_encode(value->known == 1 ? cell_of(value->value) : (struct cell){0}, bytes);
    rounds_message(&self->rounds, message->from.node, value->instance, 1, span_of(bytes, CELL_SIZE), out);
}

static void on_vector(struct member *self, const struct event_message *message, struct effects *out)
{
    const struct bv_vector *vector = message->body;
    if (vector->vector.size != vector_size(self->rounds.spec))
        self->rounds.malformed++;
    else
        rounds_message(&self->rounds, message->from.node, vector->instance, 2, vector->vector, out);
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct member *self = state;
    rounds_step(&self->rounds, event, out);
    if (event->kind != EVENT_MESSAGE || event->message.slot != 0)
        return;
    if (event->message.type == BV_VALUE)
        on_value(self, &event->message, out);
    else if (event->message.type == BV_VECTOR)
        on_vector(self, &event->message, out);
}

static const char *check(void *state)
{
    const struct member *self = state;
    const char *wrong = rounds_check(&self->rounds);
    if (wrong != NULL)
        return wrong;
    if (self->rounds.state == ROUNDS_RESTING && !self->decided)
        return "BV-0 both rounds are over without a vector";
    if (self->decided && !cell_equal(self->result[self->rounds.place], self->rounds.own))
        return "BV-1 the own element is not the own value";
    return NULL;
}

/* ---- the table ---- */

static size_t heap_bytes(const struct group_spec *spec)
{
    size_t reports = (size_t)spec->member_count * spec->member_count * sizeof(struct cell);
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct member) + 2 * reports + rounds_heap_size(spec, vector_size(spec)) +
           8 * ROUNDS_ANSWER_BYTES_MAX;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    (void)spec;
    return ROUNDS_EFFECTS_MAX + 4;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX + 2 * (vector_size(spec) + 8) + ROUNDS_ANSWER_BYTES_MAX;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct member *self = heap_alloc_zero(heap, sizeof *self);
    size_t reports = (size_t)spec->member_count * spec->member_count * sizeof(struct cell);
    (void)seed; /* nothing is drawn */
    invariant(self != NULL, "heap_size() counts what create() needs");
    self->heap = heap;
    self->reported = heap_alloc_zero(heap, reports);
    invariant(self->reported != NULL, "heap_size() counts what create() needs");
    rounds_init(&self->rounds, heap, spec, &rules, self, LAST_ROUND, vector_size(spec));
    if (spec->member_count > ROUNDS_MEMBERS_MAX)
        self->rounds.too_many = "ERR byzantine-vectors takes at most 64 members";
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
    return false; /* a member knows of others only what they said of their values */
}

static void print(const void *state, struct text *out)
{
    const struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    text_add(out, "vector=");
    if (self->decided)
        cells_print(self->result, n, out);
    else
        text_add(out, "none");
    text_add(out, " heard=");
    cells_print(self->direct, n, out);
    for (uint32_t i = 0; self->decided && i < n; i++) {
        if (i == self->rounds.place)
            continue;
        text_add(out, " from");
        text_add_u64(out, self->rounds.spec->members[i]);
        text_add(out, "=");
        cells_print(&self->reported[i * n], n, out);
    }
    rounds_print(&self->rounds, out);
}

static void canon_letter(const struct rounds *rounds, uint32_t round, uint32_t from, struct span bytes,
                         struct canon *out)
{
    (void)rounds;
    (void)from;
    if (round == 1)
        cell_canonical(cell_decode(bytes.data), out);
    else
        cells_canonical_row(bytes.data, out);
}

/* Vectors of others are read where the last round ends, and never again. */
static void canonical(const void *state, struct canon *out)
{
    const struct member *self = state;
    rounds_canonical(&self->rounds, canon_letter, out);
    canon_u8(out, self->decided);
    cells_canonical(self->decided ? self->result : self->direct, out);
}

void byzantine_vectors_look(const void *state, struct agreement_seen *out)
{
    const struct member *self = state;
    *out = (struct agreement_seen){.decided = self->decided, .vector = self->result};
    rounds_look(&self->rounds, &out->rounds);
}

static const char *const ablations[] = {
    [BV_LECTURE_MAJORITY] = "lecture-majority",
    [BV_NO_SECOND_ROUND] = "no-second-round",
    NULL,
};

const struct protocol byzantine_vectors_protocol = {
    .name = "byzantine-vectors",
    .question = "consensus",
    .summary = "All loyal members end with the same vector of all values, in two rounds, with one traitor among four.",
    .order = ORDER_NONE,
    .atomic = false,
    .durable = false,
    .masks = MASKS_ARBITRARY,
    .members_for_k = MEMBERS_3K_PLUS_1,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = BV_MESSAGES},
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
