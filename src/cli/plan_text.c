/* What `lockstep plan` found, for people. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/plan_report.h"
#include "cli/scenario_folder.h"
#include "lab/plan/plan_duration.h"

enum { WIDTH = 110, PROTOCOL_INDENT = 45, TOP_INDENT = 10, TEXT_SIZE = 1024, NUMBER_SIZE = 96 };

/* Prints words from that column on; the first line begins where the cursor is, at that column. */
static void print_wrapped(int indent, const char *text)
{
    int column = indent;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf("%s%.*s", column > indent ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_proof(int indent, enum plan_theorem theorem, bool with_scenario)
{
    const struct plan_proof *proof = plan_proof_of(theorem);
    char text[TEXT_SIZE], scenario[SCENARIO_NAME_SIZE];
    if (proof->name == NULL)
        return;
    snprintf(text, sizeof text, "%s: %s", proof->name, proof->claim);
    printf("%*s", indent, "");
    print_wrapped(indent, text);
    if (with_scenario && proof->scenario != NULL && scenario_named(proof->scenario, scenario))
        printf("%*ssee: lockstep run %s\n", indent, "", scenario);
}

static void print_question(const struct plan_question *question)
{
    char text[TEXT_SIZE], parts[256] = "";
    if (question->processes != PLAN_PARTIALLY_SYNCHRONOUS)
        snprintf(parts, sizeof parts, ", delay %s, messages %s, %s", question->delay_bounded ? "bounded" : "unbounded",
                 question->ordered ? "ordered" : "unordered", question->multicast ? "multicast" : "unicast");
    char members[64] = "";
    if (question->members != 0)
        snprintf(members, sizeof members, " of %llu", (unsigned long long)question->members);
    bool one = question->order == ORDER_NONE;
    snprintf(text, sizeof text, "%s%s, with k = %llu%s nodes that may fail (%s); %s%s%s%s%s",
             one ? "one decision" : order_name(question->order), one ? "" : " order",
             (unsigned long long)question->k, members, failure_model_name(question->failures),
             plan_processes_name(question->processes), parts, question->lossy ? ", messages lost" : "",
             question->signatures ? ", signatures" : "",
             question->partition == PLAN_REFUSE   ? "; cut off from the others: refuse"
             : question->partition == PLAN_ANSWER ? "; cut off from the others: answer"
                                                  : "");
    printf("question: ");
    print_wrapped(TOP_INDENT, text);
}

static void print_possible(const struct plan_report *report)
{
    const struct plan_feasible *possible = &report->possible;
    const char *rule = possible->rule;
    printf("possible: %s", plan_can_name(possible->can));
    if (possible->members > 0)
        printf(", %s %s%s%llu members", possible->can == PLAN_NO ? "it takes" : "with", rule,
               *rule != '\0' ? " = " : "", (unsigned long long)possible->members);
    printf("\n%*s", TOP_INDENT, "");
    print_wrapped(TOP_INDENT, possible->why);
    print_proof(TOP_INDENT, possible->theorem, possible->can == PLAN_NO);
}

/* What was proved of protocols, each once, but for what stands at the top. */
static void print_proofs(const struct plan_report *report)
{
    bool said[PLAN_THEOREMS] = {false};
    said[report->possible.theorem] = true;
    for (uint32_t i = 0; i < report->protocol_count; i++) {
        enum plan_theorem theorem = report->protocols[i].theorem;
        if (theorem == PLAN_THEOREM_NONE || said[theorem])
            continue;
        said[theorem] = true;
        putchar('\n');
        print_proof(0, theorem, true);
    }
}

static void print_protocols(const struct plan_report *report)
{
    printf("\n%-20s %-10s %-12s %s\n", "PROTOCOL", "AGREES", "MEMBERS", "WHY");
    for (uint32_t i = 0; i < report->protocol_count; i++) {
        const struct plan_protocol *judged = &report->protocols[i];
        const struct plan_proof *proof = plan_proof_of(judged->theorem);
        char members[64] = "-", why[TEXT_SIZE];
        if (judged->can != PLAN_NO)
            snprintf(members, sizeof members, "%s%s%llu", judged->members_rule,
                     strcmp(judged->members_rule, "any") == 0 ? ", from " : " = ", (unsigned long long)judged->members);
        snprintf(why, sizeof why, "%s%s%s%s", judged->why, proof->name != NULL ? " [" : "",
                 proof->name != NULL ? proof->name : "", proof->name != NULL ? "]" : "");
        printf("%-20s %-10s %-12s ", judged->protocol->name, plan_can_name(judged->can), members);
        print_wrapped(PROTOCOL_INDENT, why);
    }
    print_proofs(report);
}

static void print_partition(const struct plan_report *report)
{
    const struct plan_question *question = &report->arguments->question;
    char consistent[SCENARIO_NAME_SIZE] = "", available[SCENARIO_NAME_SIZE] = "", text[TEXT_SIZE];
    bool shown = scenario_named("cap-partition", consistent) && scenario_named("cap-partition-available", available);
    char see[2 * SCENARIO_NAME_SIZE + 80] = "";
    if (shown)
        snprintf(see, sizeof see, " The same cut both ways: lockstep run %s, lockstep run %s.", consistent, available);
    if (question->partition == PLAN_ANSWER && question->order == ORDER_TOTAL)
        snprintf(text, sizeof text, "\nWho orders totally chooses one truth, and refuses without a quorum. Where each "
                 "member's updates need keep no order but their own (--order fifo), anti-entropy answers on every side "
                 "of a cut and reconciles afterwards.%s", see);
    else if (question->partition == PLAN_ANSWER)
        snprintf(text, sizeof text, "\nAnswers on both sides of a cut may contradict each other; the service has to make "
                 "that good when they meet.%s", see);
    else if (question->partition == PLAN_REFUSE)
        snprintf(text, sizeof text, "\nWhile the network is cut, the side with a quorum goes on, and every other "
                 "refuses.%s", see);
    else
        return;
    print_wrapped(0, text);
}

/* ---- the group ---- */

/* So many nines as there are, and one digit more. */
static void percent(char out[NUMBER_SIZE], double unavailable)
{
    if (unavailable <= 0)
        snprintf(out, NUMBER_SIZE, "100 %%");
    else if (unavailable < 1e-14)
        snprintf(out, NUMBER_SIZE, "100 %% less %.2g %%", 100 * unavailable);
    else
        snprintf(out, NUMBER_SIZE, "%.*f %%", unavailable > 0.1 ? 1 : (int)ceil(-log10(unavailable)),
                 100 * (1 - unavailable));
}

/* "fails after 4 years and is back in 2 h" */
static void print_pace(char *out, size_t size, const char *fails, double after_s, const char *back, double in_s)
{
    char after[PLAN_DURATION_SIZE], in[PLAN_DURATION_SIZE];
    plan_duration_print(after, after_s);
    plan_duration_print(in, in_s);
    if (isinf(in_s))
        snprintf(out, size, "%s after %s and is never %s", fails, after, back);
    else
        snprintf(out, size, "%s after %s and is %s in %s", fails, after, back, in);
}

static void print_times(const struct plan_report *report)
{
    const struct plan_group *group = &report->group;
    char text[TEXT_SIZE], nodes[160], disks[160] = "disks are not lost", crews[64] = "";
    print_pace(nodes, sizeof nodes, "a node fails", group->mttf_s, "back", group->mttr_s);
    if (!isinf(group->disk_mttf_s))
        print_pace(disks, sizeof disks, "a disk is lost", group->disk_mttf_s, "filled again", group->disk_mttr_s);
    if (group->crews != 0)
        snprintf(crews, sizeof crews, " up to %u repairs at a time;", group->crews);
    snprintf(text, sizeof text, "%s, %u members of which %u must be up; in the mean %s; %s; %s;%s failures are "
                                "independent",
             report->modelled->protocol->name, group->members, group->quorum, nodes,
             group->durable ? "a crash leaves what is on disk" : "a crash leaves nothing", disks, crews);
    printf("\ngroup:    ");
    print_wrapped(TOP_INDENT, text);
}

static void print_row(const char *name, const char *exact, const char *simulated)
{
    if (*simulated == '\0')
        printf("  %-34s %s\n", name, exact);
    else
        printf("  %-34s %-30s %s\n", name, exact, simulated);
}

static void estimate_time(const struct plan_report *report, struct plan_estimate estimate, char out[NUMBER_SIZE])
{
    char mean[PLAN_DURATION_SIZE];
    out[0] = '\0';
    if (!report->simulated)
        return;
    plan_duration_print(mean, estimate.mean);
    if (isinf(estimate.mean))
        snprintf(out, NUMBER_SIZE, "not seen");
    else
        snprintf(out, NUMBER_SIZE, "%s, within %.2g %%", mean, 100 * estimate.half_width / estimate.mean);
}

static void print_unavailable(const struct plan_report *report)
{
    const struct plan_outlook *outlook = &report->outlook;
    char exact[NUMBER_SIZE], simulated[NUMBER_SIZE] = "", span[PLAN_DURATION_SIZE];
    percent(exact, outlook->member_unavailability);
    print_row("availability of one member", exact, "");
    percent(exact, outlook->unavailability);
    print_row("availability of the group", exact, "");
    plan_duration_print(span, outlook->unavailability * PLAN_YEAR_S);
    snprintf(exact, sizeof exact, "%.4g, %s a year", outlook->unavailability, span);
    struct plan_estimate estimate = report->simulation.unavailability;
    if (report->simulated)
        snprintf(simulated, sizeof simulated, "%.4g, within %.2g %%", estimate.mean,
                 estimate.mean > 0 ? 100 * estimate.half_width / estimate.mean : 0);
    print_row("share of time that it is out", exact, simulated);
    plan_duration_print(span, outlook->outage_s);
    print_row("an outage lasts", isinf(outlook->outage_s) ? "for ever" : span, "");
}

static void print_losses(const struct plan_report *report)
{
    const struct plan_outlook *outlook = &report->outlook;
    char exact[NUMBER_SIZE], simulated[NUMBER_SIZE], mission[PLAN_DURATION_SIZE], name[NUMBER_SIZE];
    plan_duration_print(mission, outlook->mission_s);
    plan_duration_print(exact, outlook->quorum_loss_s);
    estimate_time(report, report->simulation.quorum_loss_s, simulated);
    print_row("mean time to the first outage", exact, simulated);
    snprintf(name, sizeof name, "an outage within %s", mission);
    snprintf(exact, sizeof exact, "probability %.4g", outlook->mission_outage);
    print_row(name, exact, "");
    plan_duration_print(exact, outlook->data_loss_s);
    estimate_time(report, report->simulation.data_loss_s, simulated);
    print_row("mean time to loss of data", exact, simulated);
    snprintf(name, sizeof name, "loss of data within %s", mission);
    snprintf(exact, sizeof exact, "probability %.4g", outlook->mission_data_loss);
    print_row(name, exact, "");
}

static void print_sizes(const struct plan_report *report)
{
    char mission[PLAN_DURATION_SIZE], available[NUMBER_SIZE], outage[PLAN_DURATION_SIZE], loss[PLAN_DURATION_SIZE];
    if (report->size_count == 0)
        return;
    plan_duration_print(mission, report->outlook.mission_s);
    printf("\n  %2s  %7s  %6s  %-22s %-19s %-19s LOSS IN %s\n", "K", "MEMBERS", "QUORUM", "AVAILABILITY",
           "TO FIRST OUTAGE", "TO LOSS OF DATA", mission);
    for (uint32_t i = 0; i < report->size_count; i++) {
        const struct plan_size *size = &report->sizes[i];
        percent(available, size->outlook.unavailability);
        plan_duration_print(outage, size->outlook.quorum_loss_s);
        plan_duration_print(loss, size->outlook.data_loss_s);
        printf("  %2llu  %7u  %6u  %-22s %-19s %-19s %.3g\n", (unsigned long long)size->k, size->group.members,
               size->group.quorum, available, outage, loss, size->outlook.mission_data_loss);
    }
}

static void print_group(const struct plan_report *report)
{
    char simulated[NUMBER_SIZE] = "";
    if (report->simulated)
        snprintf(simulated, sizeof simulated, "SIMULATED, %llu CYCLES (95 %%)",
                 (unsigned long long)report->simulation.cycles);
    print_times(report);
    print_row("", "EXACT", simulated);
    print_unavailable(report);
    print_losses(report);
    if (isinf(report->outlook.data_loss_s))
        puts("  A crash loses no data that is on disk; --disk-mttf tells what lost disks do.");
    print_sizes(report);
}

void plan_print_text(const struct plan_report *report)
{
    print_question(&report->arguments->question);
    print_possible(report);
    print_protocols(report);
    print_partition(report);
    if (report->modelled != NULL)
        print_group(report);
    else if (report->arguments->group.mttf_s > 0)
        puts("\nNo protocol of this build can, so no group was modelled; --protocol NAME models one all the same.");
}
