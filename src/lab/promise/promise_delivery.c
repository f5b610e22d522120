/* Which messages are delivered: reliable, uniform and atomic delivery. */
#include "lab/promise/promise_internal.h"

/* Once each, and only what was sent before. */
static void check_integrity(const struct observations *observations, const struct promise_messages *messages,
                            struct heap *heap, struct verdict *out)
{
    uint64_t *delivered = heap_alloc_zero(heap, (messages->count + 1) * sizeof *delivered);
    if (delivered == NULL)
        promise_unknown(out);
    for (uint32_t i = 0; delivered != NULL && i < observations->count && out->kind == VERDICT_OK; i++) {
        const struct observation *seen = &observations->list[i];
        if (seen->kind != OBSERVED_DELIVER)
            continue;
        uint32_t number = promise_message(messages, seen->first);
        const struct promise_message *message = &messages->list[number];
        if (message->sent == PROMISE_NO || message->sent > i)
            promise_broken(out, heap, "invented message", (uint32_t[3]){i, PROMISE_NO, PROMISE_NO},
                           "process %u delivered message %llu, which nobody had sent", seen->process,
                           (unsigned long long)seen->first);
        if ((delivered[number] >> seen->process & 1) != 0)
            promise_broken(out, heap, "delivered twice", (uint32_t[3]){message->sent, i, PROMISE_NO},
                           "process %u delivered message %llu twice", seen->process, (unsigned long long)seen->first);
        delivered[number] |= UINT64_C(1) << seen->process;
    }
    heap_free(heap, delivered);
}

static uint64_t receivers(const struct observations *observations, const struct promise_message *message)
{
    uint64_t to = observations->list[message->sent].second;
    return to == 0 ? observations->processes : to < PROMISE_PROCESSES_MAX ? UINT64_C(1) << to : 0;
}

/* `owing`: whose delivery obliges all correct ones. */
static void check_agreement(const struct observations *observations, const struct promise_messages *messages,
                            uint64_t owing, struct heap *heap, struct verdict *out)
{
    uint64_t correct = promise_correct(observations);
    for (uint32_t i = 0; i < messages->count && out->kind == VERDICT_OK; i++) {
        const struct promise_message *message = &messages->list[i];
        if (message->sent == PROMISE_NO)
            continue;
        uint64_t must = receivers(observations, message) & correct;
        uint64_t missing = must & ~message->delivered;
        if (missing == 0)
            continue;
        uint32_t loser = (uint32_t)__builtin_ctzll(missing);
        uint64_t have = message->delivered & owing;
        if (have != 0)
            promise_broken(out, heap, "agreement", (uint32_t[3]){message->sent, PROMISE_NO, PROMISE_NO},
                           "process %d delivered message %llu, and the correct process %u never did",
                           __builtin_ctzll(have), (unsigned long long)message->id, loser);
        else if ((correct >> message->sender & 1) != 0)
            promise_broken(out, heap, "validity", (uint32_t[3]){message->sent, PROMISE_NO, PROMISE_NO},
                           "the correct process %u sent message %llu, and the correct process %u never delivered it",
                           message->sender, (unsigned long long)message->id, loser);
    }
}

static void check(const struct observations *observations, uint64_t owing, struct heap *heap, struct verdict *out)
{
    struct promise_messages messages;
    if (!promise_messages_init(&messages, observations, heap)) {
        promise_unknown(out);
        return;
    }
    check_integrity(observations, &messages, heap, out);
    check_agreement(observations, &messages, owing, heap, out);
    promise_messages_free(&messages);
}

void promise_check_reliable_delivery(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check(observations, promise_correct(observations), heap, out);
}

void promise_check_uniform_delivery(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    check(observations, UINT64_MAX, heap, out);
}

void promise_check_atomic_delivery(const struct observations *observations, struct heap *heap, struct verdict *out)
{
    promise_check_reliable_delivery(observations, heap, out);
    if (out->kind == VERDICT_OK)
        promise_check_total_order(observations, heap, out);
}
