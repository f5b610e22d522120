/* Which rules can be switched off, and campaigns until that is noticed. */
#include "lab/search/mutants.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "lab/judge/judge.h"
#include "protocol/replica/voter.h"
#include "service/registry.h"

enum { NODES = 5, NODES_3K_PLUS_1 = 4, CLIENTS = 5, RUN_S = 60, GATEWAYS = 2 };
#define SEEDS_BETWEEN_CAMPAIGNS UINT64_C(1000000)

/* ---- rules ---- */

static const struct mutant node_rules[] = {
    {"node", "ack-before-sync", ABLATION_ACK_BEFORE_SYNC},
    {"node", "sessions-not-kept", ABLATION_SESSIONS_NOT_KEPT},
};
enum { NODE_RULE_COUNT = sizeof node_rules / sizeof node_rules[0] };

static bool has_gateways(const struct protocol *protocol)
{
    const struct judge_kind *judge = judge_find(protocol->name);
    return protocol->order == ORDER_TOTAL && judge != NULL && strcmp(judge->service, "kv") == 0;
}

/* Rules of gateways, of protocols that have them. */
static bool voter_rule(uint32_t place, struct mutant *out)
{
    uint32_t count = 0;
    while (voter_protocol.ablations[count] != NULL)
        count++;
    if (place >= count)
        return false;
    *out = (struct mutant){voter_protocol.name, voter_protocol.ablations[place],
                           (uint32_t)ABLATION_PROTOCOL_FIRST << place};
    return true;
}

bool mutant_at(const struct protocol *protocol, uint32_t place, struct mutant *out)
{
    uint32_t own = 0;
    while (protocol->ablations != NULL && protocol->ablations[own] != NULL) {
        if (own == place) {
            *out = (struct mutant){protocol->name, protocol->ablations[own], (uint32_t)ABLATION_PROTOCOL_FIRST << own};
            return true;
        }
        own++;
    }
    if (place - own < NODE_RULE_COUNT) {
        *out = node_rules[place - own];
        return true;
    }
    return has_gateways(protocol) && voter_rule(place - own - NODE_RULE_COUNT, out);
}

static bool of_voter(const struct mutant *mutant)
{
    return strcmp(mutant->owner, voter_protocol.name) == 0;
}

void mutant_apply(const struct mutant *mutant, struct world_options *world)
{
    if (of_voter(mutant))
        world->gateway_ablations |= mutant->ablation;
    else
        world->ablations |= mutant->ablation;
}

bool mutant_find(const struct protocol *protocol, const char *name, struct mutant *out)
{
    for (uint32_t place = 0; mutant_at(protocol, place, out); place++) {
        size_t owner = strlen(out->owner);
        bool prefixed = strncmp(name, out->owner, owner) == 0 && name[owner] == ':';
        if (strcmp(prefixed ? name + owner + 1 : name, out->rule) == 0)
            return true;
    }
    return false;
}

void campaign_defaults(const struct protocol *protocol, struct world_options *out)
{
    const struct judge_kind *judge = judge_find(protocol->name);
    *out = (struct world_options){
        .protocol = protocol,
        .service = service_find(judge != NULL ? judge->service : "kv"),
        .node_count = NODES,
        .client_count = CLIENTS,
        .time_ns = RUN_S * NS_PER_S,
        .faults = judge != NULL ? judge->faults : (uint32_t)WORLD_ALL_FAULTS,
        .claims = judge != NULL ? judge->faults : 0,
    };
}

/* ---- measuring ---- */

/* Mutants that break nothing that a run of this protocol is judged by, and why. */
static const struct {
    const char *protocol, *rule, *note;
} not_needed[] = {
    {"two-phase-commit", "ask-participants-only", "costs time only: the coordinator tells again until all have heard"},
    {"two-phase-commit", "sessions-not-kept",
     "requests are handed in by their own node only; a restart begins a session"},
    {"chandy-lamport", "ack-before-sync", "nothing is claimed under crashes, so nothing is read back"},
    {"chandy-lamport", "sessions-not-kept", "nothing is claimed under crashes, so nothing is read back"},
    {"raft", "looks-by-k+1", "reads through gateways get places in the order, as all else"},
    {"paxos", "looks-by-k+1", "reads through gateways get places in the order, as all else"},
    {"anti-entropy", "sessions-not-kept", "its updates need no sessions: each is delivered once, by its number"},
    {"synod", "sessions-not-kept", "nothing is delivered"},
    {"pbft", "looks-by-k+1", "takes a liar that says what one that is behind says: scenario pbft-stale-look shows it"},
    {"two-generals", "ack-before-sync", "nothing is stored"},
    {"two-generals", "sessions-not-kept", "nothing is delivered"},
    {"flooding", "ack-before-sync", "nothing is stored"},
    {"flooding", "sessions-not-kept", "nothing is delivered"},
    {"flooding-early", "ack-before-sync", "nothing is stored"},
    {"flooding-early", "sessions-not-kept", "nothing is delivered"},
    {"byzantine-vectors", "ack-before-sync", "nothing is stored"},
    {"byzantine-vectors", "sessions-not-kept", "nothing is delivered"},
    {"oral-messages", "ack-before-sync", "nothing is stored"},
    {"oral-messages", "sessions-not-kept", "nothing is delivered"},
    {"signed-messages", "ack-before-sync", "nothing is stored"},
    {"signed-messages", "sessions-not-kept", "nothing is delivered"},
};

static const char *why_not_needed(const struct protocol *protocol, const struct mutant *mutant)
{
    for (size_t i = 0; i < sizeof not_needed / sizeof not_needed[0]; i++)
        if (strcmp(not_needed[i].protocol, protocol->name) == 0 && strcmp(not_needed[i].rule, mutant->rule) == 0)
            return not_needed[i].note;
    return NULL;
}

static void add_property(void *context, const struct campaign_result *result)
{
    struct mutant_measure *measure = context;
    if (!result->world.violated)
        return;
    size_t length = strlen(measure->properties), size = sizeof measure->properties;
    const char *property = result->world.property;
    const char *at = strstr(measure->properties, property);
    size_t ends = strlen(property);
    bool known = at != NULL && (at[ends] == '\0' || at[ends] == ',');
    if (!known && length + ends + 3 < size)
        snprintf(measure->properties + length, size - length, "%s%s", length > 0 ? ", " : "", property);
}

static int by_value(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return (one > other) - (one < other);
}

static void sum_up(struct mutant_measure *measure, uint64_t *seeds)
{
    if (measure->campaigns == 0)
        return;
    qsort(seeds, measure->campaigns, sizeof *seeds, by_value);
    measure->seeds_least = seeds[0];
    measure->seeds_median = seeds[(measure->campaigns - 1) / 2];
    measure->seeds_most = seeds[measure->campaigns - 1];
}

/* Of a group that masks crashes they vote, and what they are to mask is wrong answers. */
static void set_gateways(struct world_options *world)
{
    world->gateways = GATEWAYS;
    if (world->protocol->masks == MASKS_ARBITRARY)
        return;
    world->vote = 3;
    world->faults = WORLD_VALUE;
}

/* Rounds grow with the group, and so does the number of faults that have to meet for one round less to matter. */
static uint32_t nodes_of(const struct protocol *protocol)
{
    static const struct {
        const char *protocol;
        uint32_t nodes;
    } list[] = {{"flooding", 3},          {"flooding-early", 4}, {"two-generals", 2},
                {"byzantine-vectors", 4}, {"oral-messages", 4},  {"signed-messages", 3}};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(list[i].protocol, protocol->name) == 0)
            return list[i].nodes;
    /* A fifth would make every quorum larger than it need be. */
    return protocol->members_for_k == MEMBERS_3K_PLUS_1 ? NODES_3K_PLUS_1 : NODES;
}

static void set_campaign(const struct protocol *protocol, const struct mutant *mutant,
                         const struct mutants_options *options, struct mutant_measure *measure,
                         struct campaign_options *out)
{
    *out = (struct campaign_options){
        .jobs = options->jobs,
        .violations_max = 1,
        .stop = options->stop,
        .seen = add_property,
        .context = measure,
    };
    campaign_defaults(protocol, &out->world);
    mutant_apply(mutant, &out->world);
    if (of_voter(mutant))
        set_gateways(&out->world);
    out->world.node_count = options->node_count > 0 ? options->node_count : nodes_of(protocol);
}

int mutants_measure(const struct protocol *protocol, const struct mutant *mutant,
                    const struct mutants_options *options, struct mutant_measure *out, char *why, size_t why_size)
{
    uint64_t seeds[MUTANTS_CAMPAIGNS_MAX];
    struct campaign_options campaign;
    *out = (struct mutant_measure){.mutant = *mutant, .note = why_not_needed(protocol, mutant)};
    out->needed = out->note == NULL;
    set_campaign(protocol, mutant, options, out, &campaign);
    for (uint32_t i = 0; i < options->campaigns && i < MUTANTS_CAMPAIGNS_MAX; i++) {
        struct campaign_summary summary;
        campaign.seed_first = options->seed_first + i * SEEDS_BETWEEN_CAMPAIGNS;
        campaign.seed_last = campaign.seed_first + options->seeds_max - 1;
        int error = campaign_run(&campaign, &summary, why, why_size);
        out->seconds += summary.seconds;
        if (error != OK || (summary.interrupted && summary.violations == 0))
            return error;
        seeds[out->campaigns++] = summary.runs;
        out->found += summary.violations > 0;
        if (options->progress != NULL)
            fprintf(options->progress, "\r%s:%s: %u of %u campaigns ", mutant->owner, mutant->rule, out->campaigns,
                    options->campaigns);
        sum_up(out, seeds);
    }
    if (out->needed && out->found < out->campaigns)
        mutants_explore(protocol, out);
    return OK;
}
