/* Oral messages (oral_messages.h). A path of l members p1 … pl is the number p1 n^(l-1) + … + pl: paths of one length
 * are in ascending order in messages, and a level of the tree is an array. */
#include "protocol/consensus/oral_messages.h"

#include "base/panic.h"

enum { LEVELS_MAX = ORAL_M_MAX + 1 };

static const struct field relay_fields[] = {MESSAGE_FIELDS(oral_relay, ORAL_RELAY_FIELDS)};
static const struct message_type message_types[ORAL_MESSAGES] = {
    [ORAL_RELAY] = MESSAGE_TYPE("RELAY", oral_relay, relay_fields),
};
static const struct message_table messages = {.types = message_types, .count = ORAL_MESSAGES};

struct member {
    struct rounds rounds;
    struct cell *levels[LEVELS_MAX]; /* [l - 1]: values of paths of l members */
    struct cell result[ORAL_MEMBERS_MAX];
    bool decided;
    uint64_t values_sent;
    uint8_t *scratch; /* one message */
    struct heap *heap;
};

static bool ablated(const struct group_spec *spec, enum oral_messages_ablation ablation)
{
    return (spec->ablations & (uint32_t)ABLATION_PROTOCOL_FIRST << ablation) != 0;
}

uint32_t oral_messages_m(uint32_t member_count)
{
    uint32_t m = member_count > 0 ? (member_count - 1) / 3 : 0;
    return m < 1 ? 1 : m > ORAL_M_MAX ? ORAL_M_MAX : m;
}

static uint32_t last_round(const struct group_spec *spec)
{
    return oral_messages_m(spec->member_count) + 1 - ablated(spec, ORAL_ONE_ROUND_LESS);
}

/* ---- paths ---- */

static uint32_t level_size(uint32_t n, uint32_t length)
{
    uint32_t size = 1;
    for (uint32_t i = 0; i < length; i++)
        size *= n;
    return size;
}

/* A set of the path's members; 0 when one occurs twice. */
static uint32_t members_of(uint32_t path, uint32_t length, uint32_t n)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < length; i++, path /= n) {
        uint32_t bit = 1u << path % n;
        if ((set & bit) != 0)
            return 0;
        set |= bit;
    }
    return set;
}

/* Does a message from one member to another in the round after this level hold that path? */
static bool is_told(uint32_t path, uint32_t length, uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t set = members_of(path, length, n);
    return set != 0 && (set >> from & 1) == 0 && (set >> to & 1) == 0;
}

/* Bytes of a message in a round: 1, then (n-2)(n-3)… values. */
static size_t message_size(uint32_t n, uint32_t round)
{
    size_t values = 1;
    for (uint32_t i = 2; i <= round; i++)
        values *= n > i ? n - i : 0;
    return values * CELL_SIZE;
}

uint32_t oral_messages_values(uint32_t member_count, uint32_t round)
{
    return (uint32_t)(message_size(member_count, round) / CELL_SIZE);
}

static size_t message_size_max(const struct group_spec *spec)
{
    size_t largest = CELL_SIZE;
    if (spec->member_count > ORAL_MEMBERS_MAX)
        return largest;
    for (uint32_t round = 2; round <= oral_messages_m(spec->member_count) + 1; round++) {
        size_t size = message_size(spec->member_count, round);
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* ---- the rounds ---- */

static void begin(void *state)
{
    struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    for (uint32_t length = 1; length <= self->rounds.last; length++)
        for (uint32_t path = 0; path < level_size(n, length); path++)
            self->levels[length - 1][path] = (struct cell){0};
    self->decided = false;
}

static struct span message_for(struct member *self, uint32_t round, uint32_t to)
{
    uint32_t n = rounds_members(&self->rounds), own = self->rounds.place;
    size_t size = 0;
    if (round == 1) {
        cell_encode(self->rounds.own, self->scratch);
        return span_of(self->scratch, CELL_SIZE);
    }
    for (uint32_t path = 0; path < level_size(n, round - 1); path++) {
        if (!is_told(path, round - 1, n, own, to))
            continue;
        cell_encode(self->levels[round - 2][path], self->scratch + size);
        size += CELL_SIZE;
    }
    return span_of(self->scratch, size);
}

static void send(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    for (uint32_t to = 0; to < rounds_members(&self->rounds); to++) {
        if (to == self->rounds.place)
            continue;
        struct span values = message_for(self, round, to);
        const struct oral_relay relay = {.instance = self->rounds.instance,
                                         .round = round,
                                         .values = effects_copy(out, values.data, values.size)};
        effect_send_one(out, &messages, 0, ORAL_RELAY, &relay, self->rounds.spec->members[to]);
        self->values_sent += values.size / CELL_SIZE;
    }
}

static void receive(void *state, uint32_t round, uint32_t place, struct span bytes)
{
    struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    if (bytes.size != message_size(n, round)) {
        self->rounds.malformed++;
        return;
    }
    if (round == 1) {
        self->levels[0][place] = cell_decode(bytes.data);
        return;
    }
    const uint8_t *at = bytes.data;
    for (uint32_t path = 0; path < level_size(n, round - 1); path++) {
        if (!is_told(path, round - 1, n, place, self->rounds.place))
            continue;
        self->levels[round - 1][path * n + place] = cell_decode(at);
        at += CELL_SIZE;
    }
}

/* The value of a path from its own and those of the paths that are one longer, which are resolved already. */
static struct cell resolve(const struct member *self, uint32_t path, uint32_t length)
{
    uint32_t n = rounds_members(&self->rounds), set = members_of(path, length, n), count = 0;
    struct cell votes[ORAL_MEMBERS_MAX];
    votes[count++] = self->levels[length - 1][path];
    for (uint32_t j = 0; j < n; j++)
        if (j != self->rounds.place && (set >> j & 1) == 0)
            votes[count++] = self->levels[length][path * n + j];
    return ablated(self->rounds.spec, ORAL_LAST_WORD) ? votes[count - 1] : cell_majority(votes, count);
}

static void decide(struct member *self)
{
    uint32_t n = rounds_members(&self->rounds);
    for (uint32_t length = self->rounds.last - 1; length >= 1; length--)
        for (uint32_t path = 0; path < level_size(n, length); path++) {
            uint32_t set = members_of(path, length, n);
            if (set != 0 && (set >> self->rounds.place & 1) == 0)
                self->levels[length - 1][path] = resolve(self, path, length);
        }
    for (uint32_t i = 0; i < n; i++)
        self->result[i] = i == self->rounds.place ? self->rounds.own : self->levels[0][i];
    self->decided = true;
}

static void end(void *state, uint32_t round, struct effects *out)
{
    struct member *self = state;
    if (round < self->rounds.last)
        return;
    decide(self);
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
    if (event->kind != EVENT_MESSAGE || event->message.slot != 0 || event->message.type != ORAL_RELAY)
        return;
    const struct oral_relay *relay = event->message.body;
    rounds_message(&self->rounds, event->message.from.node, relay->instance, relay->round, relay->values, out);
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

static bool fits(const struct group_spec *spec)
{
    return spec->member_count <= ORAL_MEMBERS_MAX;
}

static size_t levels_bytes(const struct group_spec *spec)
{
    size_t bytes = 0;
    for (uint32_t length = 1; fits(spec) && length <= oral_messages_m(spec->member_count) + 1; length++)
        bytes += level_size(spec->member_count, length) * sizeof(struct cell) + 64;
    return bytes;
}

static size_t heap_bytes(const struct group_spec *spec)
{
    return HEAP_REGION_SIZE_MIN + 2 * sizeof(struct member) + 2 * levels_bytes(spec) +
           rounds_heap_size(spec, message_size_max(spec)) + 2 * message_size_max(spec) + 8 * ROUNDS_ANSWER_BYTES_MAX;
}

static uint32_t effects_max(const struct group_spec *spec)
{
    return ROUNDS_EFFECTS_MAX + 2 + 2 * spec->member_count;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX +
           2 * (size_t)spec->member_count * (message_size_max(spec) + 8) + ROUNDS_ANSWER_BYTES_MAX;
}

static void *allocate(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size() counts what create() needs");
    return block;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct member *self = allocate(heap, sizeof *self);
    (void)seed; /* nothing is drawn */
    self->heap = heap;
    self->scratch = allocate(heap, message_size_max(spec));
    for (uint32_t length = 1; fits(spec) && length <= oral_messages_m(spec->member_count) + 1; length++)
        self->levels[length - 1] =
            allocate(heap, level_size(spec->member_count, length) * sizeof(struct cell));
    rounds_init(&self->rounds, heap, spec, &rules, self, last_round(spec), message_size_max(spec));
    self->rounds.wait_for_all = ablated(spec, ORAL_WAIT_FOR_ALL);
    if (!fits(spec))
        self->rounds.too_many = "ERR oral-messages takes at most 12 members: its messages grow with n^m";
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
    return false; /* a member knows of others only what was said of their values */
}

static void print(const void *state, struct text *out)
{
    const struct member *self = state;
    text_add(out, "vector=");
    if (self->decided && fits(self->rounds.spec))
        cells_print(self->result, rounds_members(&self->rounds), out);
    else
        text_add(out, "none");
    rounds_print(&self->rounds, out);
}

/* Today's path of a path under the renaming. */
static uint32_t path_of(const struct canon *out, uint32_t path, uint32_t length, uint32_t n)
{
    uint32_t today = 0, power = 1;
    for (uint32_t i = 0; i < length; i++, path /= n, power *= n)
        today += canon_place(out, path % n) * power;
    return today;
}

void oral_messages_canonical_row(uint32_t round, uint32_t from, uint32_t to, struct span row, struct canon *out)
{
    uint32_t n = out->member_count;
    if (round <= 1 || row.size != message_size(n, round)) {
        canon_bytes(out, row.data, row.size);
        return;
    }
    for (uint32_t path = 0; path < level_size(n, round - 1); path++) {
        uint32_t today = path_of(out, path, round - 1, n);
        if (!is_told(today, round - 1, n, from, to))
            continue;
        size_t before = 0;
        for (uint32_t i = 0; i < today; i++)
            before += is_told(i, round - 1, n, from, to);
        cell_canonical(cell_decode(row.data + before * CELL_SIZE), out);
    }
}

static void canon_letter(const struct rounds *rounds, uint32_t round, uint32_t from, struct span bytes,
                         struct canon *out)
{
    oral_messages_canonical_row(round, from, rounds->place, bytes, out);
}

/* The tree is read until it is resolved. */
static void canonical(const void *state, struct canon *out)
{
    const struct member *self = state;
    uint32_t n = rounds_members(&self->rounds);
    rounds_canonical(&self->rounds, canon_letter, out);
    canon_u8(out, self->decided);
    if (self->decided)
        cells_canonical(self->result, out);
    for (uint32_t length = 1; !self->decided && length <= self->rounds.last; length++)
        for (uint32_t path = 0; path < level_size(n, length); path++)
            cell_canonical(self->levels[length - 1][path_of(out, path, length, n)], out);
}

void oral_messages_look(const void *state, struct agreement_seen *out)
{
    const struct member *self = state;
    *out = (struct agreement_seen){.decided = self->decided, .vector = self->result};
    rounds_look(&self->rounds, &out->rounds);
}

uint64_t oral_messages_values_sent(const void *state)
{
    return ((const struct member *)state)->values_sent;
}

static const char *const ablations[] = {
    [ORAL_ONE_ROUND_LESS] = "one-round-less",
    [ORAL_LAST_WORD] = "last-word",
    [ORAL_WAIT_FOR_ALL] = "wait-for-all",
    NULL,
};

const struct protocol oral_messages_protocol = {
    .name = "oral-messages",
    .question = "consensus",
    .summary = "OM(m): all loyal members end with the same vector of all values, m traitors among 3m+1, m+1 rounds.",
    .order = ORDER_NONE,
    .atomic = false,
    .durable = false,
    .masks = MASKS_ARBITRARY,
    .members_for_k = MEMBERS_3K_PLUS_1,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = ORAL_MESSAGES},
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
