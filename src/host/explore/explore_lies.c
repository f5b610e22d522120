/* What a traitor may say to a member: the property's list, asked for once for each state of the member (and, where
 * traitors listen, for each sum of what was sent to them), and kept as numbers of messages. */
#include <stdalign.h>
#include <string.h>

#include "base/hash.h"
#include "host/explore/explore_rounds.h"

enum { LIES_MAX = 4096 };

struct known {
    struct fingerprint print;
    uint32_t count;
    struct explore_said said[EXPLORE_FLYING_MAX];
};

/* Everything that was sent to traitors: they tell one another. */
static void look_at_what_is_known(const struct explorer *x, const struct state *state, struct known *known)
{
    known->print = (struct fingerprint){0, 0};
    known->count = 0;
    for (uint32_t i = 0; x->config.property->traitors_listen && i < state->flying_count; i++) {
        const struct kept_message *message = kept_message(x, state->flying[i]);
        if (!explore_is_traitor(x, message->to))
            continue;
        known->print = fingerprint_add(known->print, message->key);
        known->said[known->count++] =
            (struct explore_said){.from = message->from,
                                  .to = message->to,
                                  .type = message->type,
                                  .body = span_of(x->bytes.bytes + message->body, message->size)};
    }
}

static uint32_t message_of(struct explorer *x, const struct explore_lie *lie, uint32_t from, uint32_t to)
{
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX + EXPLORE_LIE_BYTES];
    struct span tail;
    size_t size = message_encode(&x->config.protocol->messages.types[lie->type], lie->body, bytes, &tail);
    if (tail.size > EXPLORE_LIE_BYTES) {
        explore_fail(x, "a traitor's message is larger than the explorer keeps (512 bytes)");
        return 0;
    }
    if (tail.size > 0)
        memcpy(bytes + size, tail.data, tail.size);
    const struct kept_message like = {.from = (uint8_t)from,
                                      .to = (uint8_t)to,
                                      .type = lie->type,
                                      .incarnation = 1,
                                      .size = (uint32_t)(size + tail.size)};
    return explore_message_keep(x, &like, bytes);
}

static struct lies *list(struct explorer *x, const struct known *known, uint32_t node, uint32_t from)
{
    struct explore_lie lie;
    uint32_t place = kept_node(x, node)->place, count = 0;
    uint32_t messages[LIES_MAX];
    explore_node_load(x, explore_node_image(x, node));
    const struct explore_listener listener = {.spec = &x->specs[place],
                                              .self = x->selves[place],
                                              .from = from,
                                              .values_first = x->config.value_first,
                                              .values = x->config.values,
                                              .unknown = x->config.unknown,
                                              .known = known->said,
                                              .known_count = known->count,
                                              .traitors = x->config.traitors};
    while (x->config.property->lie(&listener, count, &lie)) {
        if (count == LIES_MAX) {
            explore_fail(x, "a traitor has more to say than the explorer keeps (4096 messages): explore fewer values");
            return NULL;
        }
        messages[count++] = message_of(x, &lie, from, place);
    }
    struct lies *kept = pool_take(&x->lies, sizeof *kept + count * sizeof messages[0]);
    if (kept == NULL) {
        explore_fail(x, "memory");
        return NULL;
    }
    kept->count = count;
    memcpy(kept->messages, messages, count * sizeof messages[0]);
    return kept;
}

const struct lies *explore_lies(struct explorer *x, const struct state *state, uint32_t node, uint32_t from)
{
    struct known known;
    bool is_new;
    look_at_what_is_known(x, state, &known);
    const struct fingerprint key = {hash_mix(known.print.low, (uint64_t)node << 8 | from),
                                    hash_mix(known.print.high, (uint64_t)from << 32 | node)};
    uint32_t *value = table_put(&x->lie_table, key, &is_new);
    if (value == NULL) {
        explore_fail(x, "memory");
        return NULL;
    }
    if (is_new) {
        const struct lies *kept = list(x, &known, node, from);
        if (kept == NULL)
            return NULL;
        *value = (uint32_t)((uint64_t)((const uint8_t *)kept - x->lies.bytes) / 8);
    }
    return (const struct lies *)(const void *)(x->lies.bytes + (uint64_t)*value * 8);
}
