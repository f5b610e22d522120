/* Attacks on PBFT's view change (Castro and Liskov, TOCS 2002, section 3.2.4): what a VIEW-CHANGE says of its sender's
 * past, others cannot see; the rules of pbft_choose.h take no single member's word for it. */
#include <string.h>

#include "contract/message.h"
#include "host/world/world.h"
#include "lab/attack/pbft_attack.h"
#include "protocol/consensus/pbft_choose.h"

enum {
    WINDOW_MAX = 64,        /* numbers that a false VIEW-CHANGE speaks of */
    HOLD_PATIENCES = 6,
    HOLDS_FOR_PATIENCES = 12,
    MARKS_KEPT = 8,
};

/* `marks` are the member's own checkpoints, as it told of them: CHECKPOINT is encoded as a member of C is, its number
 * first. */
struct foe {
    uint8_t marks[MARKS_KEPT][PBFT_MARK_SIZE];
    uint32_t mark_count; /* ever */
    uint64_t changed;    /* view of the false VIEW-CHANGE that was sent last */
    uint64_t held_view;  /* whose PRE-PREPAREs one member alone commits; 0: none */
    int64_t held_at_ns;
    uint32_t alone;
};

static void foe_notes(struct foe *foe, const struct attack_message *message)
{
    if (message->type != PBFT_CHECKPOINT)
        return;
    uint8_t mark[MESSAGE_HEAD_SIZE_MAX];
    struct span none;
    if (message_encode(&pbft_protocol.messages.types[PBFT_CHECKPOINT], message->body, mark, &none) != PBFT_MARK_SIZE)
        return;
    for (uint32_t i = 0; i < MARKS_KEPT; i++)
        if (load_u64(foe->marks[i]) == load_u64(mark))
            return;
    memcpy(foe->marks[foe->mark_count++ % MARKS_KEPT], mark, PBFT_MARK_SIZE);
}

/* The checkpoint at the member's low water mark, encoded. NULL: it has not told of it since the attack began. */
static const uint8_t *foe_stable(const struct foe *foe, const struct attack_scene *scene)
{
    static const uint8_t first[PBFT_MARK_SIZE]; /* the state before all commands */
    uint64_t number = pbft_stable(attack_member(scene));
    for (uint32_t i = 0; i < MARKS_KEPT && number > 0; i++)
        if (load_u64(foe->marks[i]) == number)
            return foe->marks[i];
    return number == 0 ? first : NULL;
}

/* A VIEW-CHANGE that claims that nothing was accepted, and that at each number of the window nothing (`null`: a null
 * request) had prepared. */
static void tell_change(struct foe *foe, struct attack_scene *scene, uint64_t view, bool null)
{
    uint8_t body[PBFT_CHANGE_HEAD_SIZE + PBFT_MARK_SIZE + WINDOW_MAX * PBFT_ENTRY_SIZE];
    if (attack_member(scene) == NULL || view <= foe->changed)
        return;
    const uint8_t *mark = foe_stable(foe, scene);
    if (mark == NULL)
        return;
    uint64_t stable = load_u64(mark);
    uint64_t window = pbft_window(attack_member(scene));
    uint32_t count = !null ? 0 : window < WINDOW_MAX ? (uint32_t)window : WINDOW_MAX;
    size_t size = PBFT_CHANGE_HEAD_SIZE;
    pbft_change_head_write(body, stable, 1, count, 0);
    memcpy(body + size, mark, PBFT_MARK_SIZE);
    size += PBFT_MARK_SIZE;
    for (uint32_t i = 0; i < count; i++, size += PBFT_ENTRY_SIZE) {
        const struct pbft_entry entry = {.number = stable + 1 + i, .view = view - 1};
        pbft_entry_write(body + size, &entry);
    }
    const struct pbft_view_change message = {.view = view, .body = span_of(body, size)};
    foe_tell(scene, PBFT_VIEW_CHANGE, &message, 0);
    foe->changed = view;
}

/* ---- commit-alone: as primary it lets one member prepare, commits with it, and holds that member's words back until
 * the others have agreed in a later view that nothing happened. A quorum of 2k+1 commits holds one more correct member,
 * who would speak against it. ---- */

/* Not the next primary, and not itself. */
static uint32_t who_is_alone(const struct attack_scene *scene, uint64_t view)
{
    uint32_t count = attack_node_count(scene);
    return (attack_place(scene) + 2 + (uint32_t)(attack_draw(scene, view) % (count - 2))) % count;
}

/* With it, as many accept as that member needs to prepare: 2k PREPAREs, its own and those of allies among them. */
static bool supports(const struct foe *foe, const struct attack_scene *scene, uint32_t place)
{
    uint32_t count = attack_node_count(scene), k = (count - 1) / 3, needed = (count + k) / 2;
    uint32_t has = 1;
    for (uint32_t i = 0; i < count; i++)
        has += i != attack_place(scene) && i != foe->alone && attack_ally(scene, i);
    for (uint32_t i = 0; i < count && has < needed; i++) {
        if (i == foe->alone || attack_ally(scene, i))
            continue;
        has++;
        if (i == place)
            return true;
    }
    return place == foe->alone || attack_ally(scene, place);
}

static void hold(const struct foe *foe, struct attack_scene *scene, int64_t late_ns)
{
    for (uint32_t to = 0; to < attack_node_count(scene); to++)
        if (!attack_ally(scene, to))
            attack_hold(scene, foe->alone, to, late_ns);
}

static void release_in_time(struct foe *foe, struct attack_scene *scene)
{
    if (foe->held_view == 0 || attack_now_ns(scene) - foe->held_at_ns < HOLDS_FOR_PATIENCES * attack_election_ns(scene))
        return;
    hold(foe, scene, 0);
    foe->held_view = 0;
}

static bool commit_alone_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    struct foe *foe = state;
    foe_notes(foe, message);
    release_in_time(foe, scene);
    if (message->type == PBFT_VIEW_CHANGE) {
        const struct pbft_view_change *change = message->body;
        tell_change(foe, scene, change->view, false);
        return false;
    }
    if (message->type == PBFT_COMMITTED)
        return false;
    if (message->type != PBFT_PRE_PREPARE)
        return true;
    const struct pbft_vote *vote = message->body;
    if (foe->held_view == 0) {
        foe->held_view = vote->view;
        foe->held_at_ns = attack_now_ns(scene);
        foe->alone = who_is_alone(scene, vote->view);
        hold(foe, scene, HOLD_PATIENCES * attack_election_ns(scene));
        tell_change(foe, scene, vote->view + 1, false);
    }
    return foe->held_view != vote->view || supports(foe, scene, message->to);
}

static bool commit_alone_hears(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    (void)message;
    release_in_time(state, scene);
    return true;
}

const struct world_attack pbft_attack_commit_alone = {
    .name = "commit-alone",
    .what = "as primary it commits with one member alone, whose words reach the others after they have changed view",
    .classes = WORLD_BYZANTINE | WORLD_DELAY,
    .state_size = sizeof(struct foe),
    .sends = commit_alone_sends,
    .hears = commit_alone_hears,
};

/* ---- false-certificates: as primary it falls silent, and in every view change it claims that a null request had
 * prepared at each number. ---- */

static bool false_certificates_sends(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    struct foe *foe = state;
    foe_notes(foe, message);
    if (message->type == PBFT_VIEW_CHANGE) {
        const struct pbft_view_change *change = message->body;
        tell_change(foe, scene, change->view, true);
        return false;
    }
    uint64_t view = foe_view(scene);
    if (!foe_leads(scene, view) || message->type == PBFT_VIEW_CHANGE_ACK || message->type == PBFT_CHECKPOINT)
        return true;
    tell_change(foe, scene, view + 1, true);
    return foe->changed <= view; /* not silent before it can say what it wants */
}

static bool false_certificates_hears(void *state, struct attack_scene *scene, const struct attack_message *message)
{
    struct foe *foe = state;
    if (message->type != PBFT_VIEW_CHANGE)
        return true;
    const struct pbft_view_change *change = message->body;
    if (change->view <= foe_view(scene) + attack_node_count(scene))
        tell_change(foe, scene, change->view, true);
    return true;
}

const struct world_attack pbft_attack_false_certificates = {
    .name = "false-certificates",
    .what = "as primary it falls silent, and claims in view changes that null requests had prepared",
    .classes = WORLD_BYZANTINE,
    .state_size = sizeof(struct foe),
    .sends = false_certificates_sends,
    .hears = false_certificates_hears,
};
