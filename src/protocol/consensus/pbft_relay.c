/* PBFT: requests that reached some members only (Castro99, section 4.4: a backup relays to the primary).
 *
 * A relayed request proves nothing where its origin's proof does not reach: with MACs each member checks its own only.
 * So members tell which requests they hold that wait for longer than the time between two STATUSes (HAVE). k+1 who say
 * so contain a correct one, whose word for the proof is as good as the proof: who lacks the request fetches it, the
 * primary among them.
 *
 * And nobody loses patience for a request before 2k+1 members, itself included, are known to hold it: then k+1 correct
 * ones tell the primary of it, and a correct primary will have it in time. So an origin that sends to a few members
 * alone, on purpose or because its links are bad, makes nobody leave a view soon; what a correct origin sends to all,
 * all correct members come to wait for, or have executed.
 *
 * Those who have executed it do not tell that they hold it, and they may be too few (k) for others to believe that it
 * was committed. Then the k+1 correct members who have not hold it: so after a long wait k+1 holders are enough.
 *
 * And a primary gives a number to what came before its view, and has waited, only when 2k+1 hold it: what it alone
 * holds, or with liars, others could not get, and the view would end at that number. What comes in during its view it
 * orders at once: a correct origin has sent it to all. */
#include "protocol/consensus/pbft_internal.h"

static bool has(const struct pbft_peer *peer, const uint64_t digest[4])
{
    for (uint32_t i = 0; i < PBFT_HAS_MAX && i < peer->has_next; i++)
        if (memcmp(peer->has[i].words, digest, sizeof peer->has[i].words) == 0)
            return true;
    return false;
}

static uint32_t holders(const struct pbft *self, const uint64_t digest[4])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->member_count; i++)
        count += has(&self->peers[i], digest);
    return count;
}

bool pbft_relay_vouched(const struct pbft *self, const uint64_t digest[4])
{
    return holders(self, digest) >= self->k + 1;
}

void pbft_relay_learn(const struct pbft *self, struct pbft_known *known)
{
    uint32_t count = 1 + holders(self, known->digest);
    known->backed = known->backed || count >= self->k + 1;
    known->shared = known->shared || count >= self->quorum;
    known->pressing = known->pressing || known->shared;
}

/* In STATUSes. */
static uint32_t long_wait(const struct pbft *self)
{
    int64_t patience_ns = PBFT_LONG_PATIENCES * 2 * self->spec->tuning.election_timeout_ns;
    return (uint32_t)(patience_ns / self->spec->tuning.heartbeat_ns) + 1;
}

static void wait_on(struct pbft_known *known, uint32_t longest)
{
    known->waited += known->waited < longest;
    known->pressing = known->pressing || (known->waited == longest && known->backed);
}

void pbft_relay_due(struct pbft *self, struct effects *out)
{
    uint8_t bytes[PBFT_HAVE_MAX * PBFT_DIGEST_SIZE];
    uint64_t last = self->told_arrival;
    uint32_t count = 0, passed = 0, longest = long_wait(self);
    bool news = ++self->relays_skipped >= PBFT_STAND_RESENDS;
    /* From where the last message ended, so that nobody's many keep another's one from being told of. */
    for (struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at)) {
        if (at->parked || pbft_known_done(self, at))
            continue;
        bool due = at->waited > 0 && at->arrival > self->told_arrival;
        news = news || at->waited == 1;
        wait_on(at, longest);
        passed += due && count == PBFT_HAVE_MAX;
        if (!due || count == PBFT_HAVE_MAX)
            continue;
        for (uint32_t i = 0; i < 4; i++)
            store_u64(bytes + count * PBFT_DIGEST_SIZE + 8 * i, at->digest[i]);
        count++;
        last = at->arrival;
    }
    if (count > 0 && !news)
        return;
    self->told_arrival = passed > 0 ? last : 0;
    if (count == 0)
        return;
    self->relays_skipped = passed > 0 ? PBFT_STAND_RESENDS : 0;
    const struct pbft_have message = {.digests = effects_copy(out, bytes, count * PBFT_DIGEST_SIZE)};
    pbft_to_others(self, PBFT_HAVE, &message, out);
}

/* Its origin, or k+1 who hold it, must be the one who answers; so it is asked for when either may have come true. */
static void hear(struct pbft *self, uint32_t node, const struct pbft_has *digest, struct effects *out)
{
    struct pbft_peer *peer = &self->peers[spec_member_place(self->spec, node)];
    bool fresh = !has(peer, digest->words);
    if (fresh) {
        peer->has[peer->has_next % PBFT_HAS_MAX] = *digest;
        peer->has_next++;
    }
    struct pbft_known *known = pbft_known_find(self, digest->words);
    if (known != NULL) {
        pbft_relay_learn(self, known);
        return;
    }
    if (!fresh && !pbft_relay_vouched(self, digest->words))
        return;
    const struct pbft_fetch fetch = {digest->words[0], digest->words[1], digest->words[2], digest->words[3]};
    pbft_send(self, node, PBFT_FETCH, &fetch, out);
}

void pbft_on_have(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_have *message = event->message.body;
    size_t size = message->digests.size;
    if (size % PBFT_DIGEST_SIZE != 0 || size > PBFT_HAVE_MAX * PBFT_DIGEST_SIZE) {
        pbft_reject(out, "rejected: malformed HAVE", event->message.from.node);
        return;
    }
    for (size_t at = 0; at < size; at += PBFT_DIGEST_SIZE) {
        struct pbft_has digest;
        for (uint32_t i = 0; i < 4; i++)
            digest.words[i] = load_u64(message->digests.data + at + 8 * i);
        if ((digest.words[0] | digest.words[1] | digest.words[2] | digest.words[3]) != 0)
            hear(self, event->message.from.node, &digest, out);
    }
}
