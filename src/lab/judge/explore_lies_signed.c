/* What a traitor under signed messages may say: any set of chains of traitors' values, and with it at most one chain of
 * a loyal commander's (what is accepted of one commander does not depend on chains of another).
 *
 * Traitors tell one another everything, and each signs what it likes. What loyal members signed, they have from the
 * messages that were sent to them, of this round too: a traitor may wait for those before it speaks. So the chains of
 * loyal commanders are each one that traitors were sent, as it is and under its own signature; and forged ones, in
 * which the commander signs a value that it never sent. */
#include "lab/judge/explore_rounds.h"
#include "protocol/consensus/signed_messages.h"

enum { CHAINS_MAX = 32 };

struct chains {
    uint32_t count;
    struct signed_chain list[CHAINS_MAX];
};

static bool is_equal(const struct signed_chain *a, const struct signed_chain *b)
{
    bool equal = a->count == b->count && a->value == b->value;
    for (uint32_t i = 0; equal && i < a->count; i++)
        equal = a->places[i] == b->places[i] && a->signatures[i] == b->signatures[i];
    return equal;
}

/* What went through the listener already is never heeded. */
static void add(struct chains *chains, const struct signed_chain *chain, uint32_t listener)
{
    bool known = chains->count == CHAINS_MAX || signed_chain_has(chain, listener);
    for (uint32_t i = 0; i < chains->count; i++)
        known |= is_equal(&chains->list[i], chain);
    if (!known)
        chains->list[chains->count++] = *chain;
}

static void add_own(const struct explore_listener *listener, uint32_t to, uint64_t instance, struct chains *chains)
{
    for (uint32_t commander = 0; commander < listener->spec->member_count; commander++)
        for (uint32_t i = 0; (listener->traitors >> commander & 1) != 0 && i < listener->values; i++) {
            struct signed_chain chain = {.value = listener->values_first + i};
            signed_chain_sign(&chain, listener->spec, commander, instance);
            if (commander != listener->from)
                signed_chain_sign(&chain, listener->spec, listener->from, instance);
            add(chains, &chain, to);
        }
}

static void add_heard(const struct explore_listener *listener, uint32_t to, uint64_t instance, struct chains *chains)
{
    const struct message_table *table = &signed_messages_protocol.messages;
    for (uint32_t i = 0; i < listener->known_count; i++) {
        struct signed_relay relay;
        struct signed_chain chain;
        if (!message_decode(&table->types[listener->known[i].type], listener->known[i].body, &relay) ||
            relay.instance != instance)
            continue;
        while (signed_chain_next(&relay.chains, &chain)) {
            add(chains, &chain, to);
            if (chain.count == SIGNED_CHAIN_MAX || signed_chain_has(&chain, listener->from))
                continue;
            signed_chain_sign(&chain, listener->spec, listener->from, instance);
            add(chains, &chain, to);
        }
    }
}

static void add_forged(const struct explore_listener *listener, uint32_t to, uint64_t instance, struct chains *chains)
{
    for (uint32_t commander = 0; commander < listener->spec->member_count; commander++)
        for (uint32_t i = 0; (listener->traitors >> commander & 1) == 0 && i < listener->values; i++) {
            struct signed_chain chain = {.value = listener->values_first + i};
            signed_chain_sign(&chain, listener->spec, commander, instance);
            chain.signatures[0] ^= 1; /* the traitor has no key but its own */
            signed_chain_sign(&chain, listener->spec, listener->from, instance);
            add(chains, &chain, to);
        }
}

bool explore_signed_messages_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out)
{
    struct agreement_seen seen;
    struct chains chains = {0};
    signed_messages_look(listener->self, &seen);
    bool joins = seen.rounds.idle && seen.rounds.instance == 0; /* one agreement is explored */
    if (!seen.rounds.running && !joins)
        return false;
    uint64_t instance = seen.rounds.instance + joins;
    uint32_t to = (uint32_t)spec_member_place(listener->spec, listener->spec->self);
    add_own(listener, to, instance, &chains);
    uint32_t own = chains.count;
    add_heard(listener, to, instance, &chains);
    add_forged(listener, to, instance, &chains);
    uint32_t sets = 1u << own, other = index / sets; /* 0: none, 1: the first of the others, … */
    size_t size = 0;
    for (uint32_t i = 0; i < chains.count; i++)
        if (i < own ? (index >> i & 1) != 0 : i + 1 == own + other)
            size += signed_chain_encode(&chains.list[i], out->bytes + size);
    const struct signed_relay relay = {.instance = instance,
                                       .round = joins ? 1 : seen.rounds.round,
                                       .chains = span_of(out->bytes, size)};
    out->type = SIGNED_RELAY;
    memcpy(out->body, &relay, sizeof relay);
    return other <= chains.count - own;
}
