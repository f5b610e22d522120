/* What synchronous rounds decide by, for the explorer (rounds.h). */
#include "protocol/consensus/rounds.h"

static void canon_letters(const struct rounds *rounds, const struct rounds_letter *letters, uint32_t round,
                          rounds_letter_canon *letter, struct canon *out)
{
    for (uint32_t i = 0; i < rounds_members(rounds); i++) {
        uint32_t from = canon_place(out, i);
        canon_u8(out, letters[from].present);
        if (letters[from].present)
            letter(rounds, round, from, span_of(letters[from].bytes, letters[from].size), out);
    }
}

/* When the round began is left out: the timer that ends it says so. */
void rounds_canonical(const struct rounds *rounds, rounds_letter_canon *letter, struct canon *out)
{
    canon_u8(out, (uint8_t)rounds->state);
    canon_u64(out, rounds->instance);
    canon_u64(out, rounds->round);
    cell_canonical(rounds->own, out);
    canon_u8(out, rounds->answering);
    canon_u64(out, rounds->highest_number);
    canon_u64(out, rounds->queue_count);
    for (uint32_t i = 0; i < rounds->queue_count; i++) {
        const struct rounds_request *request = &rounds->queue[(rounds->queue_first + i) % ROUNDS_QUEUE_MAX];
        canon_u64(out, request->number);
        canon_u64(out, request->value);
    }
    bool running = rounds->state == ROUNDS_RUNNING;
    if (running)
        canon_letters(rounds, rounds->heard, rounds->round, letter, out);
    canon_letters(rounds, rounds->early, running ? rounds->round + 1 : 1, letter, out);
}
