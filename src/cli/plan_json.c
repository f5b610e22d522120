/* What `lockstep plan` found, for programs. Times are seconds, null where they are infinite. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plan_report.h"
#include "cli/scenario_folder.h"

static json_t *time_of(double seconds)
{
    return isinf(seconds) ? json_null() : json_real(seconds);
}

static json_t *whole(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static json_t *question_of(const struct plan_question *question)
{
    json_t *members = question->members == 0 ? json_null() : whole(question->members);
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "failures",
                     failure_model_name(question->failures), "k", whole(question->k), "members", members, "order",
                     order_name(question->order), "processes", plan_processes_name(question->processes), "delay",
                     question->delay_bounded ? "bounded" : "unbounded", "messages",
                     question->ordered ? "ordered" : "unordered", "send", question->multicast ? "multicast" : "unicast",
                     "links", question->lossy ? "lossy" : "reliable", "signatures", question->signatures, "partition",
                     plan_partition_name(question->partition));
}

static json_t *proof_of(enum plan_theorem theorem)
{
    const struct plan_proof *proof = plan_proof_of(theorem);
    char scenario[SCENARIO_NAME_SIZE];
    if (proof->name == NULL)
        return json_null();
    bool shown = proof->scenario != NULL && scenario_named(proof->scenario, scenario);
    return json_pack("{s:s, s:s, s:s, s:o}", "name", proof->name, "where", proof->where, "claim", proof->claim,
                     "scenario", shown ? json_string(scenario) : json_null());
}

static json_t *possible_of(const struct plan_feasible *possible)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:o}", "can", plan_can_name(possible->can), "rule", possible->rule, "members",
                     possible->members == 0 ? json_null() : whole(possible->members), "why", possible->why, "theorem",
                     proof_of(possible->theorem));
}

static json_t *protocols_of(const struct plan_report *report)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->protocol_count; i++) {
        const struct plan_protocol *judged = &report->protocols[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o, s:s, s:o}", "name", judged->protocol->name, "can",
                            plan_can_name(judged->can), "rule", judged->members_rule, "members",
                            whole(judged->members), "why", judged->why, "theorem", proof_of(judged->theorem)));
    }
    return list;
}

static json_t *group_of(const struct plan_report *report)
{
    const struct plan_group *group = &report->group;
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "protocol", report->modelled->protocol->name,
                     "members", whole(group->members), "quorum", whole(group->quorum), "crews",
                     whole(group->crews == 0 ? group->members : group->crews), "durable", group->durable, "mttf",
                     time_of(group->mttf_s), "mttr", time_of(group->mttr_s), "disk_mttf", time_of(group->disk_mttf_s),
                     "disk_mttr", time_of(group->disk_mttr_s));
}

static json_t *exact_of(const struct plan_outlook *outlook)
{
    return json_pack("{s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:f, s:f}", "member_unavailability",
                     outlook->member_unavailability, "unavailability", outlook->unavailability, "availability",
                     1 - outlook->unavailability, "between_outages", time_of(outlook->outages_s), "outage",
                     time_of(outlook->outage_s), "to_outage", time_of(outlook->quorum_loss_s), "to_data_loss",
                     time_of(outlook->data_loss_s), "mission", time_of(outlook->mission_s), "mission_outage",
                     outlook->mission_outage, "mission_data_loss", outlook->mission_data_loss);
}

static json_t *sizes_of(const struct plan_report *report)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->size_count; i++) {
        const struct plan_size *size = &report->sizes[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "k", whole(size->k), "members",
                                              whole(size->group.members), "quorum", whole(size->group.quorum), "exact",
                                              exact_of(&size->outlook)));
    }
    return list;
}

static json_t *estimate_of(struct plan_estimate estimate)
{
    return json_pack("{s:o, s:o}", "mean", time_of(estimate.mean), "half_width",
                     isinf(estimate.mean) ? json_null() : time_of(estimate.half_width));
}

static json_t *simulated_of(const struct plan_simulation *simulation)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "cycles", whole(simulation->cycles), "steps",
                     whole(simulation->steps), "unavailability", estimate_of(simulation->unavailability), "to_outage",
                     estimate_of(simulation->quorum_loss_s), "to_data_loss", estimate_of(simulation->data_loss_s));
}

int plan_print_json(const struct plan_report *report)
{
    json_t *all = json_pack("{s:o, s:o, s:o}", "question", question_of(&report->arguments->question), "possible",
                            possible_of(&report->possible), "protocols", protocols_of(report));
    bool complete = all != NULL;
    if (complete && report->modelled != NULL)
        complete = json_object_set_new(all, "group", group_of(report)) == 0 &&
                   json_object_set_new(all, "exact", exact_of(&report->outlook)) == 0;
    if (complete && report->size_count > 0)
        complete = json_object_set_new(all, "sizes", sizes_of(report)) == 0;
    if (complete && report->simulated)
        complete = json_object_set_new(all, "simulated", simulated_of(&report->simulation)) == 0;
    complete = complete && json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0;
    json_decref(all);
    if (!complete) {
        fputs("lockstep plan: the answer could not be written\n", stderr);
        return CLI_FAILED;
    }
    putchar('\n');
    return CLI_OK;
}
