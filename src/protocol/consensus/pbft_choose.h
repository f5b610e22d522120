/* What a set of VIEW-CHANGEs decides (Castro02, section 3.2.4). Pure: no member's state is looked at, so every member
 * that sees the same set comes to the same choice. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_CHOOSE_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PBFT_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "protocol/consensus/pbft.h"

enum {
    PBFT_MARKS_MAX = 4,
    PBFT_ACCEPTS_MAX = 3, /* values accepted at one number, of which the latest are kept for Q */
    PBFT_MARK_SIZE = 56,
    PBFT_ENTRY_SIZE = 56,
    PBFT_CHANGE_HEAD_SIZE = 20,
    PBFT_PLACES_MAX = 64,
};

/* A checkpoint: member of C. */
struct pbft_mark {
    uint64_t number, index;
    struct sha256_seal seal;
};
static inline bool pbft_mark_equal(const struct pbft_mark *a, const struct pbft_mark *b)
{
    return a->number == b->number && a->index == b->index && sha256_seal_equal(&a->seal, &b->seal);
}

/* Member of P (prepared in this view, the latest) or Q (accepted in this view, the latest with this value). */
struct pbft_entry {
    uint64_t number, view;
    struct pbft_value value;
};

/* An opened body; borrows its bytes. */
struct pbft_change {
    uint64_t stable;
    uint32_t mark_count, prepared_count, accepted_count;
    const uint8_t *marks, *prepared, *accepted;
};

void pbft_mark_write(uint8_t *out, const struct pbft_mark *mark);
void pbft_entry_write(uint8_t *out, const struct pbft_entry *entry);
struct pbft_mark pbft_mark_read(const uint8_t *bytes);
struct pbft_entry pbft_entry_read(const uint8_t *bytes);
void pbft_change_head_write(uint8_t *out, uint64_t stable, uint32_t marks, uint32_t prepared, uint32_t accepted);

/* Opens and checks a body: of the right size, C not empty and ascending from `stable`, P and Q ascending inside the
 * window, P with one entry a number and Q with at most PBFT_ACCEPTS_MAX, all of views before `view`. So none that is
 * opened is larger than what a member that follows the protocol writes. */
bool pbft_change_open(struct span body, uint64_t view, uint64_t window, struct pbft_change *out);

struct pbft_set {
    uint32_t count;
    uint32_t k, quorum;
    bool unchecked; /* ablation: the P entry of the highest view counts, whoever said so */
    struct pbft_change changes[PBFT_PLACES_MAX];
};

/* The checkpoint that the new view begins with: the highest that a quorum is not beyond and that k+1 hold. */
bool pbft_choose_start(const struct pbft_set *set, struct pbft_mark *out);
/* The highest number in any P above `start`, `start` when there is none; at most `window` above it: members that follow
 * the protocol took nothing beyond that, or a later checkpoint would be the start. So who lies about it delays nobody. */
uint64_t pbft_choose_end(const struct pbft_set *set, uint64_t start, uint64_t window);

enum pbft_choice { PBFT_UNDECIDED, PBFT_DECIDED }; /* a null request is decided as the value zero */
enum pbft_choice pbft_choose(const struct pbft_set *set, uint64_t number, struct pbft_value *out);

#endif
