#include "lab/plan/plan_protocols.h"

#include <stdio.h>
#include <string.h>

#include "base/panic.h"

/* What a protocol is for. */
enum purpose { AGREES, COMMITS, SPREADS, SHOWS, OBSERVES };

struct place {
    const char *name;
    enum purpose purpose;
    bool rounds;               /* relies on known bounds: its rounds end by time */
    enum plan_theorem without; /* what is lost without those bounds */
    bool signed_messages;      /* relies on signatures: k+2 members */
    uint64_t k_most;           /* failures that it is made for; 0: any number */
    const char *but;           /* said with a yes; NULL: nothing */
};

/* One row a protocol, by name. */
static const struct place places[] = {
    {"raft", AGREES, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"paxos", AGREES, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"synod", AGREES, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"pbft", AGREES, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"flooding", AGREES, true, PLAN_CHANDRA, false, 0, NULL},
    {"flooding-early", AGREES, true, PLAN_CHANDRA, false, 0, "a member that crashes may have decided otherwise"},
    {"byzantine-vectors", AGREES, true, PLAN_DWORK, false, 1, NULL},
    {"oral-messages", AGREES, true, PLAN_DWORK, false, 3, NULL},
    {"signed-messages", AGREES, true, PLAN_DWORK, true, 0, NULL},
    {"two-generals", SHOWS, true, PLAN_TWO_GENERALS, false, 0, NULL},
    {"two-phase-commit", COMMITS, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"anti-entropy", SPREADS, false, PLAN_THEOREM_NONE, false, 0, NULL},
    {"chandy-lamport", OBSERVES, false, PLAN_THEOREM_NONE, false, 0, NULL},
};

static const struct place *place_of(const struct protocol *protocol)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(places[i].name, protocol->name) == 0)
            return &places[i];
    return NULL;
}

bool plan_protocol_is_known(const struct protocol *protocol)
{
    return place_of(protocol) != NULL;
}

static void count_members(struct plan_protocol *out, const struct place *place, uint64_t k)
{
    const char *rule = members_for_k_name(out->protocol->members_for_k);
    switch (out->protocol->members_for_k) {
    case MEMBERS_ANY:
        out->members = 1;
        break;
    case MEMBERS_K_PLUS_1:
        out->members = k + 1;
        break;
    case MEMBERS_2K_PLUS_1:
        out->members = 2 * k + 1;
        break;
    case MEMBERS_3K_PLUS_1:
        out->members = 3 * k + 1;
        break;
    }
    if (place->signed_messages) {
        rule = "k+2";
        out->members = k + 2;
    }
    snprintf(out->members_rule, sizeof out->members_rule, "%s", rule);
}

static void say(struct plan_protocol *out, enum plan_can can, enum plan_theorem theorem, const char *why)
{
    out->can = can;
    out->theorem = theorem;
    snprintf(out->why, sizeof out->why, "%s", why);
}

/* As one says it: "no order". */
static const char *named_order(enum order order)
{
    return order == ORDER_NONE ? "no" : order_name(order);
}

/* Members that spread what each of them took agree on nothing while they do; where no total order is asked for, none
 * of them needs the others. */
static void say_spreads(const struct plan_question *question, struct plan_protocol *out)
{
    if (question->partition == PLAN_REFUSE)
        say(out, PLAN_NO, PLAN_THEOREM_NONE, "A side that is cut off answers all the same, by what it knows.");
    else
        say(out, PLAN_YES, PLAN_THEOREM_NONE,
            "Each member answers alone, also while the network is cut; what they hold is the same once messages get "
            "through, and the service makes good what should not have happened together.");
}

/* What the card lacks; true when that ends the matter. */
static bool lacks(const struct plan_question *question, const struct place *place, struct plan_protocol *out)
{
    const struct protocol *protocol = out->protocol;
    if (place->purpose == OBSERVES) {
        say(out, PLAN_NO, PLAN_THEOREM_NONE, "It observes what others do; it does not make them agree.");
    } else if (place->purpose == SHOWS) {
        say(out, PLAN_NO, PLAN_TWO_GENERALS,
            "It is here to be seen failing: two sides and a link that loses messages.");
    } else if (place->purpose == SPREADS && question->order == ORDER_NONE) {
        say(out, PLAN_NO, PLAN_THEOREM_NONE, "It decides nothing: members come to hold the same, each in its own order.");
    } else if (place->purpose == COMMITS && question->k > 0) {
        say(out, PLAN_NO, PLAN_SKEEN, "It waits for every member: one that is down blocks it until it is back.");
    } else if (question->order > protocol->order) {
        snprintf(out->why, sizeof out->why, "It delivers in %s order, and %s order is wanted.",
                 named_order(protocol->order), named_order(question->order));
        out->can = PLAN_NO;
    } else if (question->k > 0 && question->failures > protocol->masks) {
        snprintf(out->why, sizeof out->why, "It masks %s failures at most%s.", failure_model_name(protocol->masks),
                 question->failures == MASKS_VALUE
                     ? "; 2k+1 and a voter that is right mask wrong answers, not wrong orders"
                     : "");
        out->can = PLAN_NO;
    } else if (place->k_most > 0 && question->k > place->k_most) {
        snprintf(out->why, sizeof out->why, "It is made for k = %llu at most.", (unsigned long long)place->k_most);
        out->can = PLAN_NO;
    } else if (place->signed_messages && !question->signatures && question->k > 0) {
        say(out, PLAN_NO, PLAN_LAMPORT, "It relies on signatures, which the question does not grant.");
    } else {
        return false;
    }
    return true;
}

/* Never disagrees, but nothing in the question makes it decide. */
static void say_safe(const struct plan_question *question, const struct plan_feasible *known,
                     struct plan_protocol *out)
{
    if (known->can == PLAN_NO)
        say(out, PLAN_SAFE, known->theorem, "It never disagrees, and may never decide.");
    else if (question->k == 0)
        say(out, PLAN_SAFE, PLAN_THEOREM_NONE,
            "It never disagrees; who leads is found by timeouts, which may err for ever where nothing is bounded.");
    else
        say(out, PLAN_SAFE, PLAN_FLP,
            "It never disagrees, and may never decide: it makes no use of the order in which messages arrive.");
}

/* True when there are not enough members. */
static bool is_too_small(const struct plan_question *question, const struct plan_feasible *known,
                         struct plan_protocol *out)
{
    if (question->members == 0 || question->members >= out->members)
        return false;
    out->can = PLAN_NO;
    out->theorem = known->can == PLAN_NO ? known->theorem : PLAN_THEOREM_NONE;
    snprintf(out->why, sizeof out->why, "It needs %s = %llu members, and there are %llu.", out->members_rule,
             (unsigned long long)out->members, (unsigned long long)question->members);
    return true;
}

static bool has_bounds(const struct plan_question *question)
{
    return question->processes == PLAN_SYNCHRONOUS && question->delay_bounded && !question->lossy;
}

void plan_protocol_judge(const struct plan_question *question, const struct protocol *protocol,
                         struct plan_protocol *out)
{
    const struct place *place = place_of(protocol);
    struct plan_feasible known = plan_feasible(question);
    invariant(place != NULL, "only a protocol that the table places is judged");
    *out = (struct plan_protocol){.protocol = protocol};
    count_members(out, place, question->k);
    if (lacks(question, place, out) || is_too_small(question, &known, out))
        return;
    bool in_time = question->processes == PLAN_PARTIALLY_SYNCHRONOUS;
    if (place->purpose == SPREADS)
        say_spreads(question, out);
    else if (question->partition == PLAN_ANSWER)
        say(out, PLAN_NO, PLAN_GILBERT, "On a side without a quorum it refuses, so that there is one truth.");
    else if (place->rounds && !has_bounds(question))
        say(out, PLAN_NO, question->lossy ? PLAN_TWO_GENERALS : place->without,
            "Its rounds end by time: a message that is late or lost is taken for a failure, and members disagree.");
    else if (known.can == PLAN_NO || (place->purpose == AGREES && !in_time && !has_bounds(question)))
        say_safe(question, &known, out);
    else if (in_time)
        say(out, PLAN_IN_TIME, PLAN_THEOREM_NONE,
            "It never disagrees, and decides once messages arrive in time and a quorum is up.");
    else
        say(out, PLAN_YES, PLAN_THEOREM_NONE, "It agrees and decides.");
    if (out->can == PLAN_YES && place->but != NULL)
        snprintf(out->why, sizeof out->why, "It agrees and decides; but %s.", place->but);
}

uint32_t plan_protocol_quorum(const struct protocol *protocol, uint32_t members, uint32_t k)
{
    const struct place *place = place_of(protocol);
    uint32_t without_k = members > k ? members - k : 1;
    if (place != NULL && place->purpose == SPREADS)
        return 1;
    if (place != NULL && place->rounds)
        return without_k;
    switch (protocol->members_for_k) {
    case MEMBERS_ANY:
        return members;
    case MEMBERS_K_PLUS_1:
        return without_k;
    case MEMBERS_2K_PLUS_1:
        return members / 2 + 1;
    case MEMBERS_3K_PLUS_1:
        break;
    }
    return (members + k + 2) / 2;
}
