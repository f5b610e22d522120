/* Attacks on PBFT inside a view, on its checkpoints and on its requests (Castro and Liskov, "Practical Byzantine fault
 * tolerance", OSDI 1999; Clement et al., "Making Byzantine fault tolerant systems tolerate Byzantine faults", NSDI
 * 2009; cited as Castro99 and Clement09). Those on view changes are in pbft_attack_view.c. */
#include <string.h>

#include "base/hash.h"
#include "contract/command.h"
#include "host/world/world.h"
#include "lab/attack/pbft_attack.h"

enum {
    LAG_PATIENCES = 8,      /* by which the one that is to lag behind hears the others late */
    CORRUPTS_ONE_IN = 4,    /* executions of the traitor */
    BUNDLE_BYTES_MAX = 4096, /* of requests that are forged; larger ones are left alone */
    VOTES_KEPT = 64,
};

/* ---- equivocate: a primary that gives a number to one request before one half and to another before the other half,
 * and votes so (Castro99, section 4.2: what the prepare phase is for). The other request is the same at another time,
 * or none. ---- */

static bool deceived(const struct attack_scene *scene, uint32_t place)
{
    uint32_t count = attack_node_count(scene), self = attack_place(scene);
    uint32_t after = (place + count - self) % count; /* 1 to count - 1: somebody stands on either side */
    return after == 1 || (after != 2 && (attack_draw(scene, 0) >> after & 1) != 0);
}

static bool equivocate_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    bool vote = message->type == PBFT_PRE_PREPARE || message->type == PBFT_PREPARE || message->type == PBFT_COMMIT ||
                message->type == PBFT_COMMITTED;
    if (!vote || !deceived(scene, message->to))
        return true;
    struct pbft_vote other = *(const struct pbft_vote *)message->body;
    if (attack_draw(scene, other.number) % 4 == 0)
        other.digest0 = other.digest1 = other.digest2 = other.digest3 = 0;
    other.time++;
    attack_send(scene, message->to, message->type, &other, ATTACK_GOOD_FOR_ALL);
    return false;
}

static const struct world_attack equivocate = {
    .name = "equivocate",
    .what = "it orders one request before one half and another before the other half",
    .classes = WORLD_BYZANTINE,
    .sends = equivocate_sends,
};

/* ---- vote-at-once: votes for whatever is proposed, in all phases, before anything was checked. ---- */

static bool vote_at_once_hears(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    if (message->type != PBFT_PRE_PREPARE && message->type != PBFT_PREPARE)
        return true;
    foe_tell(scene, PBFT_PREPARE, message->body, 0);
    foe_tell(scene, PBFT_COMMIT, message->body, 0);
    foe_tell(scene, PBFT_COMMITTED, message->body, 0);
    return true;
}

static const struct world_attack vote_at_once = {
    .name = "vote-at-once",
    .what = "it commits to what was not prepared, and says that it is committed",
    .classes = WORLD_BYZANTINE,
    .hears = vote_at_once_hears,
};

/* ---- old-votes: what it voted for at a number in an earlier view, it votes for again in each later one, against what
 * was chosen there. ---- */

struct old_votes {
    struct pbft_vote list[VOTES_KEPT]; /* by number */
};

static bool old_votes_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    struct old_votes *votes = state;
    (void)scene;
    if (message->type != PBFT_PREPARE && message->type != PBFT_COMMIT)
        return true;
    const struct pbft_vote *vote = message->body;
    struct pbft_vote *old = &votes->list[vote->number % VOTES_KEPT];
    if (old->number != vote->number)
        *old = *vote;
    if (old->view >= vote->view)
        return true;
    struct pbft_vote again = *old;
    again.view = vote->view;
    again.time -= again.time > 0;
    attack_send(scene, message->to, message->type, &again, ATTACK_GOOD_FOR_ALL);
    attack_send(scene, message->to, PBFT_COMMIT, &again, ATTACK_GOOD_FOR_ALL);
    return false;
}

static const struct world_attack old_votes = {
    .name = "old-votes",
    .what = "in each view it votes for what it voted for in an earlier one",
    .classes = WORLD_BYZANTINE,
    .state_size = sizeof(struct old_votes),
    .sends = old_votes_sends,
};

/* ---- ignore-one: requests of one origin never reach it, so as primary it never orders them (Castro99, section 4.4:
 * backups wait for what they have heard of). ---- */

static bool ignore_one_hears(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    uint32_t count = attack_node_count(scene);
    uint32_t ignored = (attack_place(scene) + 1 + (uint32_t)(attack_draw(scene, 0) % (count - 1))) % count;
    return message->type != PBFT_HAVE && message->type != PBFT_BODY && /* nor does it hear of them from others */
           (message->from != ignored || message->type != PBFT_REQUEST);
}

static const struct world_attack ignore_one = {
    .name = "ignore-one",
    .what = "as primary it never orders the requests of one of the others",
    .classes = WORLD_BYZANTINE,
    .hears = ignore_one_hears,
};

/* ---- proof-for-one: its requests bear a MAC that only the primary finds good (Clement09, section 3: the "big MAC"
 * attack), and it does not vouch for them otherwise. With signatures: only the primary gets them. ---- */

static bool proof_for_one_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    if (message->type != PBFT_REQUEST)
        return message->type != PBFT_BODY && message->type != PBFT_PREPARE && message->type != PBFT_HAVE;
    attack_send(scene, message->to, PBFT_REQUEST, message->body, UINT64_C(1) << foe_primary(scene, foe_view(scene)));
    return false;
}

static const struct world_attack proof_for_one = {
    .name = "proof-for-one",
    .what = "its requests are proven to the primary only",
    .classes = WORLD_BYZANTINE,
    .sends = proof_for_one_sends,
};

/* ---- forge-requests: requests in the name of other nodes' sessions, with the numbers that these will use next, so
 * that they can execute. ---- */

static bool forge_hears(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)state;
    if (message->type != PBFT_REQUEST)
        return true;
    uint8_t forged[BUNDLE_BYTES_MAX];
    const struct pbft_bundle *request = message->body;
    struct bundle bundle;
    if (request->bundle.size > sizeof forged || !bundle_open(request->bundle, &bundle) || bundle.count == 0)
        return true;
    if (attack_draw(scene, hash_mix(bundle.incarnation, bundle.first_number)) % 4 != 0)
        return true;
    memcpy(forged, request->bundle.data, request->bundle.size);
    bundle.first_number += bundle.count;
    bundle_header_write(forged, &bundle);
    const struct pbft_bundle body = {.bundle = span_of(forged, request->bundle.size)};
    foe_tell(scene, PBFT_REQUEST, &body, 0);
    return true;
}

static const struct world_attack forge_requests = {
    .name = "forge-requests",
    .what = "it makes requests in the name of others",
    .classes = WORLD_BYZANTINE,
    .hears = forge_hears,
};

/* ---- false-checkpoint: its state is wrong, and it vouches for it before one that hears the others too late to go on
 * by itself, and so looks for a checkpoint (Castro99, section 4.3: why a checkpoint needs a proof). ---- */

struct false_checkpoint {
    uint64_t executions;
};

static void false_checkpoint_begins(void *state, struct attack_scene *scene)
{
    (void)state;
    uint32_t count = attack_node_count(scene), self = attack_place(scene);
    uint32_t lags = (self + 1 + (uint32_t)(attack_draw(scene, 0) % (count - 1))) % count;
    for (uint32_t from = 0; from < count; from++)
        if (from != self)
            attack_hold(scene, from, lags, LAG_PATIENCES * attack_election_ns(scene));
}

/* The command that it was to execute once more, with another end of its last argument. */
static void false_checkpoint_executes(void *state, struct attack_scene *scene, const struct delivery *delivery)
{
    struct false_checkpoint *self = state;
    uint8_t bytes[BUNDLE_BYTES_MAX];
    struct span whole = delivery->command.whole;
    if (delivery->read || delivery->command.argc < 2 || whole.size > sizeof bytes ||
        self->executions++ % CORRUPTS_ONE_IN != 0)
        return;
    memcpy(bytes, whole.data, whole.size);
    bytes[whole.size - 1] ^= 1;
    struct delivery other = *delivery;
    if (command_open(span_of(bytes, whole.size), &other.command))
        attack_execute(scene, &other);
}

static const struct world_attack false_checkpoint = {
    .name = "false-checkpoint",
    .what = "its state is wrong, and it vouches for it before one who lags behind",
    .classes = WORLD_BYZANTINE | WORLD_DELAY,
    .state_size = sizeof(struct false_checkpoint),
    .begins = false_checkpoint_begins,
    .executes = false_checkpoint_executes,
};

/* ---- the table ---- */

static const struct world_attack *const list[] = {
    &equivocate,       &vote_at_once,
    &old_votes,        &ignore_one,
    &proof_for_one,    &forge_requests,
    &false_checkpoint, &pbft_attack_commit_alone,
    &attack_twins,     &pbft_attack_false_certificates,
    &attack_half_silent, &attack_power_at_execution,
};
const struct world_attacks pbft_attacks = {list, sizeof list / sizeof list[0]};
