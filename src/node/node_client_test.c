/* Clients of a group at its members: what they ask is executed once, answered by each member from its own, and nothing
 * that a malicious one sends is believed. Nodes 1 and 2 are members, node 3 is a client whose core, "asker", asks the
 * members that a test names and keeps what they answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/time.h"
#include "contract/client.h"
#include "node/node_testing.h"
#include "service/none/none.h"

enum { MEMBERS = 2, CLIENT = 3, HEARD_MAX = 1024, ASKER_EFFECTS = 64 };

/* ---- the client's core ---- */

struct heard {
    uint32_t from;
    bool looks, lost;
    uint64_t number, index, session;
    uint32_t orderer;
    char text[24];
};

struct asker {
    const struct group_spec *spec;
    bool orders_reads, first_only; /* reads ask for a place in the order; the first member alone is asked */
    struct heard heard[HEARD_MAX];
    uint32_t heard_count, messages;
    size_t largest; /* list of answers */
    void (*script)(struct asker *asker, const struct event *event, struct effects *out);
};

static void ask(struct asker *asker, enum client_message type, struct span bundle, struct effects *out)
{
    const struct client_bundle message = {.bundle = bundle};
    effect_send(out, &client_messages, 0, (uint16_t)type, &message, asker->spec->members,
                asker->first_only ? 1 : asker->spec->member_count);
}

static void hear(struct asker *asker, const struct event_message *message)
{
    const struct client_answers *answers = message->body;
    struct span rest = answers->answers;
    struct client_answer answer;
    assert_int_equal(message->type, CLIENT_ANSWERS);
    asker->messages++;
    if (rest.size > asker->largest) asker->largest = rest.size;
    while (client_answer_next(&rest, &answer)) {
        assert_true(asker->heard_count < HEARD_MAX);
        struct heard *heard = &asker->heard[asker->heard_count++];
        *heard = (struct heard){.from = message->from.node, .looks = answers->looks != 0, .lost = answer.lost,
                                .number = answer.number, .index = answer.index, .session = answers->session,
                                .orderer = answers->orderer};
        size_t size = answer.bytes.size < sizeof heard->text - 1 ? answer.bytes.size : sizeof heard->text - 1;
        if (size > 0) memcpy(heard->text, answer.bytes.data, size);
    }
    assert_int_equal(rest.size, 0);
}

static void asker_step(void *self, const struct event *event, struct effects *out)
{
    struct asker *asker = self;
    const struct event_request *request = &event->request;
    if (event->kind == EVENT_START) effect_view(out, 1, asker->spec->self);
    if (event->kind == EVENT_MESSAGE) hear(asker, &event->message);
    if (asker->script != NULL) asker->script(asker, event, out);
    else if (event->kind == EVENT_REQUEST && request->kind == REQUEST_UPDATE)
        ask(asker, CLIENT_REQUEST, request->bytes, out);
    else if (event->kind == EVENT_REQUEST && request->kind == REQUEST_READ && asker->orders_reads)
        effect_reply(out, REPLY_ORDER, true, request->first_number, request->count, (struct span){0});
    else if (event->kind == EVENT_REQUEST && request->kind == REQUEST_READ)
        ask(asker, CLIENT_LOOK, request->bytes, out);
}

static void *asker_create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    (void)seed;
    struct asker *asker = heap_alloc_zero(heap, sizeof *asker);
    asker->spec = spec;
    return asker;
}

static size_t asker_heap_size(const struct group_spec *spec)
{
    (void)spec;
    return sizeof(struct asker) + 65536;
}

static uint32_t asker_effects_max(const struct group_spec *spec)
{
    (void)spec;
    return ASKER_EFFECTS;
}

static size_t asker_scratch_max(const struct group_spec *spec)
{
    (void)spec;
    return (size_t)ASKER_EFFECTS * EFFECT_SCRATCH_SIZE_MAX;
}

static void asker_status(const void *self, struct member_status *out)
{
    (void)self;
    *out = (struct member_status){.role = "asker"};
}

static struct protocol asker_protocol = {
    .name = "asker", .question = "replica", .summary = "asks members", .order = ORDER_TOTAL, .atomic = true,
    .durable = true, .masks = MASKS_ARBITRARY, .members_for_k = MEMBERS_ANY, .maturity = MATURITY_LAB,
    .heap_size = asker_heap_size, .effects_max = asker_effects_max, .scratch_max = asker_scratch_max,
    .create = asker_create, .step = asker_step, .status = asker_status,
};

/* ---- proofs: the key of a pair is its two nodes ---- */

static void hash_out(uint64_t first, uint64_t second, struct span head, struct span body, uint8_t *out, size_t size)
{
    const uint64_t key[2] = {first, hash_keyed((const uint64_t[2]){first, second}, head.data, head.size)};
    for (size_t at = 0; at < size; at += 8)
        store_u64(out + at, hash_mix(at, hash_keyed(key, body.data, body.size)));
}

static void mac(void *context, uint32_t peer, struct span head, struct span body, uint8_t *out)
{
    uint32_t own = *(const uint32_t *)context;
    hash_out(own < peer ? own : peer, own < peer ? peer : own, head, body, out, PROOF_MAC_SIZE);
}

static void sign(void *context, struct span head, struct span body, uint8_t *out)
{
    hash_out(*(const uint32_t *)context, 99, head, body, out, PROOF_SIGNATURE_SIZE);
}

static bool signed_by(void *context, uint32_t node, struct span head, struct span body, const uint8_t *signature)
{
    uint8_t expected[PROOF_SIGNATURE_SIZE];
    (void)context;
    hash_out(node, 99, head, body, expected, sizeof expected);
    return memcmp(expected, signature, sizeof expected) == 0;
}

/* ---- the bench ---- */

static const uint32_t clients[] = {CLIENT};
static struct protocol proven_puppet;

static struct bench *make_bench(const struct protocol *protocol, uint32_t signatures)
{
    struct bench *bench = bench_create(CLIENT, protocol, &tally_service);
    asker_protocol.messages = client_messages;
    for (uint32_t id = 1; id <= CLIENT; id++) {
        struct machine *machine = bench_machine(bench, id);
        machine->spec.member_count = MEMBERS;
        machine->spec.tuning.signatures = signatures;
        machine->options.allow_ablations = true;
        machine->options.proofs =
            (struct proof_door){.context = &machine->id, .mac = mac, .sign = sign, .signed_by = signed_by};
        if (id == CLIENT) {
            machine->spec.served_by = protocol;
            machine->spec.protocol = &asker_protocol;
            machine->spec.service = &none_service;
            machine->spec.tuning.service_heap_bytes = NONE_HEAP_SIZE;
        } else {
            machine->peers[0] = MEMBERS + 1 - id;
            machine->options.peer_count = MEMBERS - 1;
            machine->options.clients = clients;
            machine->options.client_count = 1;
        }
        assert_int_equal(machine_start(machine, true), 0);
    }
    bench_connect(bench, 1, 2);
    bench_connect(bench, 1, CLIENT);
    bench_connect(bench, 2, CLIENT);
    bench_settle(bench);
    return bench;
}

static int set_up(void **state)
{
    proven_puppet = puppet_protocol;
    proven_puppet.masks = MASKS_ARBITRARY;
    *state = make_bench(&proven_puppet, 0);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static struct machine *client_of(struct bench *bench) { return bench_machine(bench, CLIENT); }
static struct asker *asker_of(struct bench *bench) { return node_member(client_of(bench)->node, BENCH_GROUP); }

static uint64_t rejected(struct bench *bench, uint32_t id, enum reject reason)
{
    return node_counters(bench_machine(bench, id)->node)->rejected[reason];
}

static int64_t total(struct bench *bench, uint32_t id) { return machine_tally(bench_machine(bench, id))->total; }

/* The only answer of that member to that number. */
static const struct heard *heard_from(struct bench *bench, uint32_t from, bool looks, uint64_t number)
{
    const struct asker *asker = asker_of(bench);
    const struct heard *found = NULL;
    for (uint32_t i = 0; i < asker->heard_count; i++) {
        const struct heard *heard = &asker->heard[i];
        if (heard->from != from || heard->looks != looks || heard->number != number) continue;
        assert_null(found);
        found = heard;
    }
    return found;
}

static void check_answer(struct bench *bench, uint32_t from, bool looks, uint64_t number, uint64_t index,
                         const char *text)
{
    const struct heard *heard = heard_from(bench, from, looks, number);
    assert_non_null(heard);
    assert_int_equal(heard->index, index);
    assert_false(heard->lost);
    assert_string_equal(heard->text, text);
    assert_int_equal(heard->session, node_incarnation(client_of(bench)->node));
}

/* ---- requests ---- */

static void members_answer_what_they_executed(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    machine_request(client_of(bench), false, TALLY_ADD, 2, 2);
    bench_settle(bench);
    for (uint32_t id = 1; id <= MEMBERS; id++) {
        assert_int_equal(total(bench, id), 7);
        check_answer(bench, id, false, 1, 1, ":5\r\n");
        check_answer(bench, id, false, 2, 2, ":7\r\n");
        assert_int_equal(heard_from(bench, id, false, 2)->orderer, id);
        const struct puppet_seen *seen = puppet_last(machine_puppet(bench_machine(bench, id)), EVENT_REQUEST);
        assert_int_equal(seen->origin, CLIENT);
    }
    assert_int_equal(asker_of(bench)->messages, MEMBERS); /* the answers of a turn leave together */
    for (uint32_t id = 1; id <= CLIENT; id++)
        for (uint32_t reason = 0; reason < REJECT_COUNT; reason++)
            assert_int_equal(rejected(bench, id, (enum reject)reason), 0);
}

static void signatures_serve_as_well(void **state)
{
    struct bench *bench = make_bench(&proven_puppet, 1);
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    check_answer(bench, 1, false, 1, 1, ":5\r\n");
    check_answer(bench, 2, false, 1, 1, ":5\r\n");
    bench_free(bench);
    (void)state;
}

static void trusted_members_need_no_proofs(void **state)
{
    struct bench *bench = make_bench(&puppet_protocol, 0);
    for (uint32_t id = 1; id <= CLIENT; id++) bench_machine(bench, id)->options.proofs = (struct proof_door){0};
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    machine_request(client_of(bench), true, TALLY_GET, 0, 2);
    bench_settle(bench);
    check_answer(bench, 1, false, 1, 1, ":5\r\n");
    assert_int_equal(rejected(bench, 1, REJECT_TYPE), 1); /* looks are for those who compare answers */
    assert_null(heard_from(bench, 1, true, 1));
    bench_free(bench);
    (void)state;
}

static void what_comes_again_is_answered_from_the_table(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    machine_request(client_of(bench), false, TALLY_SAY, 70000, 2);
    bench_settle(bench);
    uint32_t seen = machine_puppet(bench_machine(bench, 1))->seen_count;
    asker_of(bench)->heard_count = 0;
    bench_advance(bench, client_of(bench)->spec.tuning.election_timeout_ns); /* its node hands it in again */
    check_answer(bench, 1, false, 1, 0, ":5\r\n");
    assert_true(heard_from(bench, 1, false, 2)->lost);
    assert_int_equal(total(bench, 1), 5);
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 1)), EVENT_REQUEST, seen), 0);
}

/* Two that ask at once for the same are both answered, and executed once. */
static void ask_twice(struct asker *asker, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_REQUEST) return;
    ask(asker, CLIENT_REQUEST, event->request.bytes, out);
    ask(asker, CLIENT_REQUEST, event->request.bytes, out);
}

static void duplicates_in_the_order_execute_once(void **state)
{
    struct bench *bench = *state;
    asker_of(bench)->script = ask_twice;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    const struct asker *asker = asker_of(bench);
    assert_int_equal(total(bench, 1), 5);
    assert_int_equal(asker->heard_count, 2 * MEMBERS);
    for (uint32_t i = 0; i < asker->heard_count; i++) assert_string_equal(asker->heard[i].text, ":5\r\n");
    assert_int_equal(node_counters(bench_machine(bench, 1)->node)->duplicates, 1);
}

static void a_new_life_ends_the_session(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    machine_stop(client_of(bench));
    bench->now_ns += NS_PER_S;
    assert_int_equal(machine_start(client_of(bench), false), 0);
    bench_connect(bench, 1, CLIENT);
    bench_connect(bench, 2, CLIENT);
    machine_request(client_of(bench), false, TALLY_ADD, 2, 1);
    bench_settle(bench);
    check_answer(bench, 1, false, 1, 2, ":7\r\n"); /* number 1 again, but of another session */
    assert_int_equal(total(bench, 1), 7);
}

static void a_client_that_is_gone_is_told_nothing(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    machine_settle(client_of(bench));
    bench_carry(bench, CLIENT, 1);
    node_peer_lost(bench_machine(bench, 1)->node, CLIENT);
    bench_settle(bench);
    assert_int_equal(total(bench, 1), 5);
    assert_null(heard_from(bench, 1, false, 1));
}

static void refusals_of_the_protocol_are_not_for_the_lanes(void **state)
{
    struct bench *bench = *state;
    struct machine *member = bench_machine(bench, 1);
    machine_puppet(member)->updates = PUPPET_KEEP;
    machine_request(member, false, TALLY_ADD, 1, 7); /* the member's own number 1 */
    machine_settle(member);
    machine_puppet(member)->updates = PUPPET_REFUSE;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1); /* the client's number 1 */
    bench_settle(bench);
    assert_null(machine_answer(member, 7));
}

/* They wait in their order for a moment, not for the client's patience. */
static void what_the_protocol_gives_back_is_handed_in_again(void **state)
{
    struct bench *bench = *state;
    struct machine *member = bench_machine(bench, 1);
    machine_puppet(member)->updates = PUPPET_AGAIN;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    machine_puppet(member)->updates = PUPPET_TAKE;
    machine_request(client_of(bench), false, TALLY_ADD, 2, 2); /* not before the first one */
    bench_settle(bench);
    assert_int_equal(total(bench, 1), 0);
    assert_int_equal(total(bench, 2), 7);
    bench_advance(bench, 10 * NS_PER_MS);
    assert_int_equal(total(bench, 1), 7);
    check_answer(bench, 1, false, 1, 1, ":5\r\n");
    check_answer(bench, 1, false, 2, 2, ":7\r\n");
}

static void many_answers_part_into_frames(void **state)
{
    struct bench *bench = *state;
    for (uint64_t i = 1; i <= 12; i++) machine_request(client_of(bench), false, TALLY_SAY, 20000, i);
    machine_request(client_of(bench), false, TALLY_SAY, 200000, 13);
    machine_request(client_of(bench), false, TALLY_ADD, 1, 14);
    bench_settle(bench);
    const struct asker *asker = asker_of(bench);
    assert_int_equal(asker->heard_count, 14 * MEMBERS);
    assert_int_equal(asker->messages, 6 * MEMBERS); /* 3, 3, 3, 3, the large one, the last */
    assert_true(asker->largest > 200000);
    check_answer(bench, 1, false, 14, 14, ":1\r\n");
}

/* What one bundle asks for may be more than there is memory. */
static void more_answers_than_may_leave_are_lost(void **state)
{
    struct bench *bench = *state;
    struct machine *member = bench_machine(bench, 1);
    member->options.peer_output_bytes_max = 50000;
    for (uint64_t i = 1; i <= 12; i++) machine_request(client_of(bench), false, TALLY_SAY, 20000, i);
    bench_settle(bench);
    uint32_t heard = 0, dropped = 0;
    for (uint64_t i = 1; i <= 12; i++) heard += heard_from(bench, 1, false, i) != NULL;
    assert_int_equal(heard, 2);
    struct node_peer_status status;
    for (uint32_t place = 0; node_peer_status(member->node, place, &status); place++)
        dropped += status.node == CLIENT ? (uint32_t)status.dropped : 0;
    assert_int_equal(dropped, 0); /* they were never laid out */
}

/* ---- looks ---- */

static void looks_are_executed_here_and_now(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    machine_request(client_of(bench), true, TALLY_GET, 0, 2);
    machine_request(client_of(bench), true, TALLY_ADD, 3, 3); /* writes nothing: it is a read now */
    bench_settle(bench);
    for (uint32_t id = 1; id <= MEMBERS; id++) {
        check_answer(bench, id, true, 1, 1, ":5\r\n");
        check_answer(bench, id, true, 2, 1, ":5\r\n");
        assert_int_equal(total(bench, id), 5);
    }
}

static void look_often(struct asker *asker, const struct event *event, struct effects *out)
{
    for (int i = 0; i < ASKER_EFFECTS / 2 && event->kind == EVENT_REQUEST; i++)
        ask(asker, CLIENT_LOOK, event->request.bytes, out);
}

/* A member whose protocol forgets looks keeps a bounded number of them, and only for a while. */
static void looks_wait_and_are_bounded(void **state)
{
    struct bench *bench = *state;
    struct machine *member = bench_machine(bench, 1);
    machine_puppet(member)->reads = PUPPET_KEEP;
    asker_of(bench)->script = look_often;
    for (uint64_t i = 1; i <= 3; i++) {
        machine_request(client_of(bench), true, TALLY_GET, 0, i);
        bench_settle(bench);
    }
    assert_int_equal(puppet_count(machine_puppet(member), EVENT_REQUEST, 0), 64);
    bench->now_ns += member->options.request_timeout_ns;
    bench_settle(bench);
    machine_request(client_of(bench), true, TALLY_GET, 0, 4);
    bench_settle(bench);
    assert_int_equal(puppet_count(machine_puppet(member), EVENT_REQUEST, 0), 64 + ASKER_EFFECTS / 2);
}

static uint64_t last_look;

static void keep_number(struct puppet *puppet, const struct event *event, struct effects *out)
{
    (void)puppet;
    (void)out;
    if (event->kind == EVENT_REQUEST) last_look = event->request.first_number;
}

static void deliver_late(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind != EVENT_PEER) return;
    effect_deliver_looks(out, puppet->delivered_index, event->wall_ns, last_look - 1, 3); /* neighbours do not exist */
}

static void a_look_may_wait_for_its_time(void **state)
{
    struct bench *bench = *state;
    struct machine *member = bench_machine(bench, 1);
    machine_puppet(member)->reads = PUPPET_KEEP;
    machine_puppet(member)->script = keep_number;
    machine_request(client_of(bench), true, TALLY_GET, 0, 1);
    bench_settle(bench);
    assert_null(heard_from(bench, 1, true, 1));
    machine_request(client_of(bench), false, TALLY_ADD, 5, 2);
    machine_puppet(member)->script = NULL;
    bench_settle(bench);
    machine_puppet(member)->script = deliver_late;
    node_peer_lost(member->node, 2);
    bench_settle(bench);
    check_answer(bench, 1, true, 1, 1, ":5\r\n");
    node_peer_connected(member->node, 2, 1, (struct span){0}); /* delivered again: it is not kept any more */
    bench_settle(bench);
    check_answer(bench, 1, true, 1, 1, ":5\r\n");
}

/* ---- who lies ---- */

static void answered_wrongly(void *context, uint32_t group, const struct delivery *delivery, uint8_t *bytes, size_t size)
{
    (void)context;
    (void)group;
    (void)delivery;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == '5') bytes[i] = '6';
}

static void a_member_may_lie_in_answers(void **state)
{
    struct bench *bench = *state;
    assert_true(node_set_tamper(bench_machine(bench, 2)->node, &(struct node_tamper){.answered = answered_wrongly}));
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    machine_request(client_of(bench), true, TALLY_GET, 0, 2);
    bench_settle(bench);
    check_answer(bench, 1, false, 1, 1, ":5\r\n");
    check_answer(bench, 2, false, 1, 1, ":6\r\n");
    check_answer(bench, 1, true, 1, 1, ":5\r\n");
    check_answer(bench, 2, true, 1, 1, ":6\r\n");
}

enum forgery {
    FORGE_PROOF, FORGE_BODY, FORGE_KIND, FORGE_NODE, FORGE_TYPE, FORGE_ANSWERS, FORGE_ADOPT, FORGE_SENDER, FORGE_CUT,
};

/* What node 3 has for node 1 arrives there with one thing changed. */
static void forge(struct bench *bench, enum forgery forgery)
{
    struct span bytes = node_output(client_of(bench)->node, 1);
    uint8_t *copy = malloc(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    struct header header;
    header_decode(copy, &header);
    size_t whole = HEADER_SIZE + (size_t)header.length;
    assert_int_equal(whole, bytes.size);
    switch (forgery) {
    case FORGE_PROOF: copy[whole - MEMBERS * PROOF_MAC_SIZE] ^= 1; break; /* of member 1 */
    case FORGE_BODY: copy[HEADER_SIZE + 4 + BUNDLE_HEADER_SIZE + 20] ^= 1; break;
    case FORGE_KIND: header.kind = HEADER_MESSAGE; break;
    case FORGE_NODE: header.kind = HEADER_NODE; break;
    case FORGE_TYPE: header.type = CLIENT_MESSAGE_COUNT; break;
    case FORGE_ANSWERS: header.type = CLIENT_ANSWERS; break;
    case FORGE_ADOPT: header.kind = HEADER_NODE, header.type = 2; break;
    case FORGE_SENDER: header.sender = 2; break;
    case FORGE_CUT: header.length = 7; break;
    }
    whole = HEADER_SIZE + (size_t)header.length;
    header_seal(0, &header, span_of(copy + HEADER_SIZE, header.length), (struct span){0}, copy);
    assert_int_equal(node_receive(bench_machine(bench, 1)->node, CLIENT, copy, whole), whole);
    machine_settle(bench_machine(bench, 1));
    node_output_sent(client_of(bench)->node, 1, bytes.size);
    free(copy);
}

/* Messages in the client's name that machine 1 dropped for their proof; none are in anybody else's. */
static uint64_t unproven(struct bench *bench)
{
    struct node_peer_status status;
    uint64_t count = 0;
    for (uint32_t place = 0; node_peer_status(bench_machine(bench, 1)->node, place, &status); place++) {
        assert_true(status.client || status.unproven == 0);
        count += status.unproven;
    }
    return count;
}

static void what_is_forged_is_counted_and_dropped(void **state)
{
    (void)state;
    static const struct {
        enum forgery forgery;
        enum reject reason;
    } cases[] = {
        {FORGE_PROOF, REJECT_PROOF}, {FORGE_BODY, REJECT_PROOF},    {FORGE_KIND, REJECT_ROLE},
        {FORGE_NODE, REJECT_ROLE},   {FORGE_TYPE, REJECT_TYPE},     {FORGE_ANSWERS, REJECT_TYPE},
        {FORGE_ADOPT, REJECT_ROLE},  {FORGE_SENDER, REJECT_SENDER}, {FORGE_CUT, REJECT_PROOF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *bench = make_bench(&proven_puppet, 0);
        machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
        machine_settle(client_of(bench));
        forge(bench, cases[i].forgery);
        assert_int_equal(rejected(bench, 1, cases[i].reason), 1);
        assert_int_equal(total(bench, 1), 0);
        assert_int_equal(unproven(bench), cases[i].reason == REJECT_PROOF);
        bench_free(bench);
    }
}

/* A bundle that the client's core makes itself, sent with a good proof. */
static struct buffer crafted;
static enum client_message crafted_type;

static void send_crafted(struct asker *asker, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_REQUEST) ask(asker, crafted_type, buffer_span(&crafted), out);
}

static void craft(struct bench *bench, const struct bundle *header, size_t argument_size, uint32_t commands)
{
    buffer_init(&crafted, client_of(bench)->heap);
    assert_true(bundle_begin(&crafted));
    static uint8_t zeros[4 << 20];
    for (uint32_t i = 0; i < commands; i++) {
        size_t at = command_begin(&crafted, TALLY_ADD, 0, 1);
        assert_true(command_argument(&crafted, argument_size == 0 ? span_string("5") : span_of(zeros, argument_size)));
        command_end(&crafted, at);
    }
    bundle_header_write(crafted.data, header);
    asker_of(bench)->script = send_crafted;
    machine_request(client_of(bench), false, TALLY_ADD, 0, 1);
    bench_settle(bench);
}

static void bundles_are_checked_whole(void **state)
{
    (void)state;
    static const struct {
        uint32_t node_offset;
        uint64_t life_offset, first;
        uint32_t count, level;
        size_t argument;
        enum reject reason;
    } cases[] = {
        {0, 0, 1, 1, 1, 0, REJECT_NONE},          {1, 0, 1, 1, 1, 0, REJECT_SENDER},
        {0, 1, 1, 1, 1, 0, REJECT_INCARNATION},   {0, 0, 0, 1, 1, 0, REJECT_BODY},
        {0, 0, 1, 2, 1, 0, REJECT_BODY},          {0, 0, UINT64_MAX, 1, 1, 0, REJECT_BODY},
        {0, 0, 1, 1, 2, 0, REJECT_BODY},          {0, 0, 1, 1, 1, 3 << 20, REJECT_LENGTH},
    };
    for (int type = CLIENT_REQUEST; type <= CLIENT_LOOK; type++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct bench *bench = make_bench(&proven_puppet, 0);
            bench_machine(bench, 1)->spec.tuning.command_bytes_max = 1 << 20;
            bench_machine(bench, 1)->spec.tuning.append_bytes_max = (2 << 20) + 65536;
            crafted_type = (enum client_message)type;
            struct bundle header = {.node = CLIENT + cases[i].node_offset,
                                    .incarnation = node_incarnation(client_of(bench)->node) + cases[i].life_offset,
                                    .first_number = cases[i].first, .count = cases[i].count,
                                    .first_incomplete = 1, .level = cases[i].level};
            if (cases[i].reason == REJECT_LENGTH) bench_machine(bench, 1)->spec.tuning.append_bytes_max = 1 << 20;
            craft(bench, &header, cases[i].argument == 0 ? 0 : (size_t)2 << 20, 1);
            for (int reason = REJECT_NONE + 1; reason < REJECT_COUNT; reason++)
                assert_int_equal(rejected(bench, 1, (enum reject)reason), reason == (int)cases[i].reason);
            bool executes = cases[i].reason == REJECT_NONE && type == CLIENT_REQUEST;
            assert_int_equal(total(bench, 1), executes ? 5 : 0);
            bench_free(bench);
        }
    }
}

static void a_bundle_without_commands_is_none(void **state)
{
    struct bench *bench = *state;
    crafted_type = CLIENT_REQUEST;
    struct bundle header = {.node = CLIENT, .incarnation = node_incarnation(client_of(bench)->node),
                            .first_number = 1, .level = COMMAND_LEVEL};
    craft(bench, &header, 0, 0);
    assert_int_equal(rejected(bench, 1, REJECT_BODY), 1);
}

/* It never says that it has answers: its session may not grow for ever. */
static void numbers_far_ahead_do_not_execute(void **state)
{
    struct bench *bench = *state;
    crafted_type = CLIENT_REQUEST;
    struct bundle header = {.node = CLIENT, .incarnation = node_incarnation(client_of(bench)->node),
                            .first_number = UINT64_MAX - 1, .count = 1, .first_incomplete = 1,
                            .level = COMMAND_LEVEL};
    craft(bench, &header, 0, 1);
    assert_int_equal(total(bench, 1), 0);
    assert_int_equal(node_counters(bench_machine(bench, 1)->node)->gaps_skipped, 1);
    header.first_incomplete = UINT64_MAX;
    header.first_number = 1;
    bundle_header_write(crafted.data, &header);
    machine_request(client_of(bench), false, TALLY_ADD, 0, 2);
    bench_settle(bench);
    assert_int_equal(total(bench, 1), 0); /* below first incomplete */
    assert_null(node_failure(bench_machine(bench, 1)->node));
}

/* ---- greetings ---- */

static void clients_are_enrolled_or_refused(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[NODE_GREETING_SIZE_MAX];
    struct span greeting = span_of(bytes, node_greeting(client_of(bench)->node, bytes));
    struct greeting read;
    char why[256];
    assert_int_equal(node_greeting_read(bench_machine(bench, 1)->node, greeting, &read, why, sizeof why),
                     greeting.size);
    assert_int_equal(read.node, CLIENT);
    machine_stop(bench_machine(bench, 1));
    bench_machine(bench, 1)->options.client_count = 0;
    assert_int_equal(machine_start(bench_machine(bench, 1), false), 0);
    assert_int_equal(node_greeting_read(bench_machine(bench, 1)->node, greeting, &read, why, sizeof why),
                     ERROR_WRONG_NODE);
    assert_non_null(strstr(why, "GROUP.ENROL"));
}

static void members_hear_nothing_of_clients_coming(void **state)
{
    struct bench *bench = *state;
    for (uint32_t i = 0; i < machine_puppet(bench_machine(bench, 1))->seen_count; i++) {
        const struct puppet_seen *seen = &machine_puppet(bench_machine(bench, 1))->seen[i];
        assert_true(seen->kind != EVENT_PEER || seen->a == 2);
    }
}

/* ---- the client's node ---- */

static void says_hello(struct puppet *puppet, const struct event *event, struct effects *out)
{
    if (event->kind == EVENT_REQUEST && puppet->word++ == 0) {
        puppet_send(out, CLIENT, 1, 3);
        puppet_send(out, 2, 1, 3);
    }
}

static void a_client_takes_answers_alone(void **state)
{
    struct bench *bench = *state;
    machine_puppet(bench_machine(bench, 1))->script = says_hello;
    machine_request(bench_machine(bench, 1), true, TALLY_GET, 0, 1);
    bench_settle(bench);
    assert_int_equal(rejected(bench, CLIENT, REJECT_ROLE), 1);
    assert_int_equal(asker_of(bench)->messages, 0);
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 2)), EVENT_MESSAGE, 0), 1);
}

static void a_client_holds_no_state(void **state)
{
    struct bench *bench = *state;
    struct buffer reply;
    buffer_init(&reply, client_of(bench)->heap);
    assert_false(node_read_local(client_of(bench)->node, BENCH_GROUP, (struct span){0}, &reply));
    machine_stop(client_of(bench));
    bench->now_ns += NS_PER_S;
    assert_int_equal(machine_start(client_of(bench), false), 0);
    machine_settle(client_of(bench));
    struct node_group_status status;
    assert_true(node_group_status(client_of(bench)->node, BENCH_GROUP, &status));
    assert_string_equal(status.member.role, "asker");
    assert_int_equal(status.bytes_used + status.items, 0);
}

static void its_reads_may_ask_for_the_order(void **state)
{
    struct bench *bench = *state;
    machine_request(client_of(bench), false, TALLY_ADD, 5, 1);
    bench_settle(bench);
    asker_of(bench)->orders_reads = true;
    machine_request(client_of(bench), true, TALLY_GET, 0, 2);
    bench_settle(bench);
    check_answer(bench, 1, false, 2, 2, ":5\r\n"); /* an update now */
    assert_null(heard_from(bench, 1, true, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_answer_what_they_executed),
        TEST(signatures_serve_as_well),
        TEST(trusted_members_need_no_proofs),
        TEST(what_comes_again_is_answered_from_the_table),
        TEST(duplicates_in_the_order_execute_once),
        TEST(a_new_life_ends_the_session),
        TEST(a_client_that_is_gone_is_told_nothing),
        TEST(refusals_of_the_protocol_are_not_for_the_lanes),
        TEST(what_the_protocol_gives_back_is_handed_in_again),
        TEST(many_answers_part_into_frames),
        TEST(more_answers_than_may_leave_are_lost),
        TEST(looks_are_executed_here_and_now),
        TEST(looks_wait_and_are_bounded),
        TEST(a_look_may_wait_for_its_time),
        TEST(a_member_may_lie_in_answers),
        TEST(what_is_forged_is_counted_and_dropped),
        TEST(bundles_are_checked_whole),
        TEST(a_bundle_without_commands_is_none),
        TEST(numbers_far_ahead_do_not_execute),
        TEST(clients_are_enrolled_or_refused),
        TEST(members_hear_nothing_of_clients_coming),
        TEST(a_client_takes_answers_alone),
        TEST(a_client_holds_no_state),
        TEST(its_reads_may_ask_for_the_order),
    };
    return cmocka_run_group_tests_name("node client", tests, NULL, NULL);
}
