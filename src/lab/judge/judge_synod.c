/* Single-decree Paxos across members (AG-4): PAX-4, agreement, at once, and validity. What agreement rests on
 * (PAX-1, PAX-2 over restarts, PAX-3, PAX-5, PAX-D) is said when the run is over, the first of them that broke: a
 * run without one of them is let go on to where two values are decided. PROGRESS: after everything has healed nobody
 * waits for a decision. */
#include "contract/header.h"
#include "lab/judge/judge.h"
#include "lab/judge/judge_rounds.h"
#include "lab/judge/synod_ballots.h"
#include "protocol/consensus/synod.h"

struct told {
    uint64_t prepared;            /* the highest round of a PREPARE that left */
    bool of_former_life;          /* … in a life before this one */
    struct paxos_ballot promised; /* the highest that a PROMISE or ACCEPTED told of */
};

struct synod_judge {
    struct judge_rounds rounds; /* observations alone */
    struct synod_ballots ballots;
    void *members[SYNOD_MEMBERS_MAX];
    bool turned[SYNOD_MEMBERS_MAX];
    struct synod_seen last[SYNOD_MEMBERS_MAX];
    struct told told[SYNOD_MEMBERS_MAX];
    const char *later; /* to be said at the end */
};

static void *create(struct heap *heap, uint32_t node_count)
{
    struct synod_judge *judge = heap_alloc_zero(heap, sizeof *judge);
    if (judge == NULL || node_count > SYNOD_MEMBERS_MAX)
        return NULL;
    judge_rounds_init(&judge->rounds, heap, node_count);
    synod_ballots_init(&judge->ballots, node_count);
    return judge;
}

static void clear(void *self)
{
    struct synod_judge *judge = self;
    judge_rounds_clear(&judge->rounds);
    *judge = (struct synod_judge){.rounds = judge->rounds};
    synod_ballots_init(&judge->ballots, judge->rounds.node_count);
}

static void started(void *context, uint32_t place, const struct group_spec *spec, void *member, void *service)
{
    struct synod_judge *judge = context;
    (void)spec;
    (void)service;
    judge->members[place] = member;
    judge->last[place] = (struct synod_seen){0};
    judge->told[place].of_former_life = judge->told[place].prepared > 0;
}

static void stopped(void *context, uint32_t place)
{
    ((struct synod_judge *)context)->members[place] = NULL;
}

static void turned(void *context, uint32_t place)
{
    struct synod_judge *judge = context;
    judge->members[place] = NULL;
    judge->turned[place] = true;
}

static void later(struct synod_judge *judge, const char *broken)
{
    if (judge->later == NULL)
        judge->later = broken;
}

static void note_own(struct synod_judge *judge, uint32_t place, const struct synod_seen *now)
{
    const struct synod_seen *last = &judge->last[place];
    if (now->waiting > 0 && (last->waiting == 0 || last->own != now->own))
        observe(&judge->rounds.seen, OBSERVED_PROPOSE, place, 1, now->own, 0);
}

static void note_ballots(struct synod_judge *judge, uint32_t place, const struct synod_seen *now)
{
    if (now->phase == SYNOD_PROPOSING)
        synod_ballots_propose(&judge->ballots, (struct paxos_ballot){now->round, place + 1}, now->proposal);
    if (now->accepted_stored && now->accepted.round > 0)
        synod_ballots_accept(&judge->ballots, now->accepted, now->value, place);
    if (now->decided && !judge->last[place].decided) {
        observe(&judge->rounds.seen, OBSERVED_DECIDE, place, 1, now->decision, 0);
        synod_ballots_decide(&judge->ballots, now->decision);
    }
}

/* A promise that was told is kept, but by who has lost its disk and says so, or needs promises no more. */
static const char *check_told(const struct synod_judge *judge, uint32_t place, const struct synod_seen *now)
{
    bool bound = !now->amnesiac && !now->decided;
    return bound && paxos_ballot_compare(now->promised, judge->told[place].promised) < 0
               ? "PAX-2 a ballot is promised no more that was promised to somebody"
               : NULL;
}

static const char *stepped(void *context, uint32_t place, const struct event *event)
{
    struct synod_judge *judge = context;
    struct synod_seen now;
    if (judge->members[place] == NULL || event->kind == EVENT_RESTORE)
        return NULL;
    synod_look(judge->members[place], &now);
    note_own(judge, place, &now);
    note_ballots(judge, place, &now);
    judge->last[place] = now;
    later(judge, synod_ballots_follow(&judge->ballots));
    later(judge, check_told(judge, place, &now));
    return synod_ballots_agree(&judge->ballots);
}

static void on_sent(struct synod_judge *judge, uint32_t place, uint32_t to, enum synod_message type, uint64_t round)
{
    struct told *told = &judge->told[place];
    struct paxos_ballot ballot = {round, to};
    if (type == SYNOD_PREPARE) {
        if (told->of_former_life && round <= told->prepared)
            later(judge, "PAX-5 two lives of a proposer use one ballot");
        told->of_former_life = false;
        told->prepared = round > told->prepared ? round : told->prepared;
    } else if (paxos_ballot_compare(ballot, told->promised) > 0) {
        told->promised = ballot;
    }
}

static void sent(void *context, uint32_t place, uint32_t to, struct span message)
{
    struct synod_judge *judge = context;
    struct header header;
    header_decode(message.data, &header);
    bool tells = header.kind == HEADER_MESSAGE && (header.type == SYNOD_PREPARE || header.type == SYNOD_PROMISE ||
                                                   header.type == SYNOD_ACCEPTED);
    union {
        struct synod_round round; /* each of them begins with it */
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } body;
    struct span encoded = span_of(message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    if (tells && !judge->turned[place] &&
        message_decode(&synod_protocol.messages.types[header.type], encoded, body.bytes))
        on_sent(judge, place, to, (enum synod_message)header.type, body.round.round);
}

/* Who waits, and who has taken part, is to know by now. */
static void check_progress(struct synod_judge *judge, struct world *world)
{
    for (uint32_t i = 0; i < judge->rounds.node_count; i++) {
        const struct synod_seen *last = &judge->last[i];
        if (judge->members[i] == NULL || last->decided)
            continue;
        if (last->waiting > 0)
            world_violate(world, "PROGRESS", "a member still waits for a decision, long after it all healed");
        else if (judge->ballots.decisions > 0 && (last->amnesiac || last->promised.round > 0))
            world_violate(world, "PROGRESS", "a member was never told the decision, long after it all healed");
    }
}

static void finish(void *self, struct world *world)
{
    struct synod_judge *judge = self;
    judge_rounds_promise(&judge->rounds, world, "validity", "PAX-4");
    judge_rounds_promise(&judge->rounds, world, "uniform-agreement", "PAX-4");
    if (judge->later != NULL) {
        char tag[8];
        uint32_t size = 0;
        for (; judge->later[size] != ' ' && size + 1 < sizeof tag; size++)
            tag[size] = judge->later[size];
        tag[size] = '\0';
        world_violate(world, tag, judge->later + size + 1);
    }
    if (world_is_healed(world))
        check_progress(judge, world);
}

const struct judge_kind judge_synod = {
    .protocol = "synod",
    .service = "proposal",
    .faults = WORLD_ALL_FAULTS,
    .create = create,
    .clear = clear,
    .watch = {.started = started, .stopped = stopped, .stepped = stepped, .sent = sent, .turned = turned},
    .finish = finish,
};
