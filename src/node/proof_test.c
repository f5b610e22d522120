/* Proofs of messages (proof.h): who holds the key makes one that its receiver accepts, and nothing else is accepted. */
#include "node/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "contract/client.h"
#include "contract/protocol.h"

enum { MEMBERS = 4 };
static const uint32_t members[MEMBERS] = {1, 2, 3, 4};

static const struct protocol proven = {.masks = MASKS_ARBITRARY}, trusted = {.masks = MASKS_OMISSION};

/* A door for tests: the key of a pair is its two nodes. */
static void hash_out(uint64_t first, uint64_t second, struct span head, struct span body, uint8_t *out, size_t size)
{
    const uint64_t key[2] = {first, second};
    for (size_t at = 0; at < size; at += 8)
        store_u64(out + at,
                  hash_mix(hash_keyed(key, head.data, head.size) + at, hash_keyed(key, body.data, body.size)));
}

static void mac(void *context, uint32_t node, struct span head, struct span body, uint8_t *out)
{
    uint32_t self = *(const uint32_t *)context;
    hash_out(self < node ? self : node, self < node ? node : self, head, body, out, PROOF_MAC_SIZE);
}

static void sign(void *context, struct span head, struct span body, uint8_t *out)
{
    hash_out(99, *(const uint32_t *)context, head, body, out, PROOF_SIGNATURE_SIZE);
}

static bool signed_by(void *context, uint32_t node, struct span head, struct span body, const uint8_t *signature)
{
    uint8_t expected[PROOF_SIGNATURE_SIZE];
    (void)context;
    hash_out(99, node, head, body, expected, sizeof expected);
    return memcmp(expected, signature, sizeof expected) == 0;
}

static struct proof_door door_of(uint32_t *node)
{
    return (struct proof_door){.context = node, .mac = mac, .sign = sign, .signed_by = signed_by};
}

static void check_kind(enum message_proof kind)
{
    uint32_t sender = 2, receiver = 3;
    struct proof_door from = door_of(&sender), to = door_of(&receiver);
    struct group_spec sending = {.self = 2, .members = members, .member_count = MEMBERS, .protocol = &proven};
    struct group_spec receiving = {.self = 3, .members = members, .member_count = MEMBERS, .protocol = &proven};
    struct header header = {.group = 5, .sender = 2, .type = 7, .slot = 0, .kind = HEADER_MESSAGE};
    uint8_t text[] = "to be believed", proof[PROOF_MAC_SIZE * MEMBERS];
    struct span body = span_of(text, sizeof text);
    assert_true(proof_size(&sending, kind) <= sizeof proof);
    proof_make(&from, &sending, kind, &header, body, 3, proof);
    assert_true(proof_check(&to, &receiving, kind, &header, body, proof));

    text[3] ^= 1; /* another body */
    assert_false(proof_check(&to, &receiving, kind, &header, body, proof));
    text[3] ^= 1;
    struct header other = header;
    other.type = 8;
    assert_false(proof_check(&to, &receiving, kind, &other, body, proof));
    other = header;
    other.sender = 4; /* in another's name */
    assert_false(proof_check(&to, &receiving, kind, &other, body, proof));
    proof[kind == PROOF_MAC ? 2 * PROOF_MAC_SIZE : 0] ^= 1;
    assert_false(proof_check(&to, &receiving, kind, &header, body, proof));
    struct proof_door none = {0};
    assert_false(proof_check(&none, &receiving, kind, &header, body, proof));
}

static void macs_convince_their_receiver_alone(void **state)
{
    (void)state;
    check_kind(PROOF_MAC);
}

static void one_mac_convinces_its_one_receiver(void **state)
{
    (void)state;
    check_kind(PROOF_PAIR);
}

static void signatures_convince(void **state)
{
    (void)state;
    check_kind(PROOF_SIGNATURE);
}

/* Both clients may have a session of the same incarnation: one that lies takes another's for its own. */
static void an_answer_convinces_its_client_alone(void **state)
{
    (void)state;
    uint32_t member = 2, client = 101, other = 102;
    struct proof_door from = door_of(&member), to = door_of(&client), elsewhere = door_of(&other);
    struct group_spec sending = {.self = 2, .members = members, .member_count = MEMBERS, .protocol = &proven};
    struct group_spec receiving = sending, misled = sending;
    receiving.self = 101;
    misled.self = 102;
    struct header header = {.sender = 2, .type = CLIENT_ANSWERS, .kind = HEADER_CLIENT};
    struct span body = span_string("an answer");
    uint8_t proof[PROOF_SIGNATURE_SIZE];
    for (int signatures = 0; signatures < 2; signatures++) {
        enum message_proof kind = signatures != 0 ? PROOF_SIGNATURE : PROOF_PAIR;
        proof_make(&from, &sending, kind, &header, body, 101, proof);
        assert_true(proof_check(&to, &receiving, kind, &header, body, proof));
        assert_false(proof_check(&elsewhere, &misled, kind, &header, body, proof));
    }
}

static void the_group_says_which_kind(void **state)
{
    (void)state;
    struct group_spec spec = {.self = 1, .members = members, .member_count = MEMBERS, .protocol = &proven};
    struct message_type type = {.proof = PROOF_MAC}, plain = {.proof = PROOF_NONE};
    assert_int_equal(proof_kind(&spec, &type), PROOF_MAC);
    assert_int_equal(proof_size(&spec, PROOF_MAC), MEMBERS * PROOF_MAC_SIZE);
    spec.tuning.signatures = 1;
    assert_int_equal(proof_kind(&spec, &type), PROOF_SIGNATURE);
    assert_int_equal(proof_size(&spec, PROOF_SIGNATURE), PROOF_SIGNATURE_SIZE);
    assert_int_equal(proof_kind(&spec, &plain), PROOF_NONE);
    spec.protocol = &trusted;
    assert_int_equal(proof_kind(&spec, &type), PROOF_NONE);
    assert_int_equal(proof_size(&spec, PROOF_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(macs_convince_their_receiver_alone),
        cmocka_unit_test(one_mac_convinces_its_one_receiver),
        cmocka_unit_test(signatures_convince),
        cmocka_unit_test(an_answer_convinces_its_client_alone),
        cmocka_unit_test(the_group_says_which_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
