/* lockstep plan: whether agreement is possible, by which protocols, and what a group of them is worth. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "cli/cli.h"
#include "cli/plan_report.h"
#include "protocol/registry.h"

/* Address space; the largest group touches a tenth. */
#define PLAN_HEAP_BYTES ((size_t)256 << 20)

static void judge_all(struct plan_report *report)
{
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        if (plan_protocol_is_known(*at) && report->protocol_count < PLAN_PROTOCOLS_MAX)
            plan_protocol_judge(&report->arguments->question, *at, &report->protocols[report->protocol_count++]);
}

static bool agrees(const struct plan_protocol *judged)
{
    return judged->can == PLAN_YES || judged->can == PLAN_IN_TIME;
}

static bool any_agrees(const struct plan_report *report)
{
    for (uint32_t i = 0; i < report->protocol_count; i++)
        if (agrees(&report->protocols[i]))
            return true;
    return false;
}

/* The protocol to model: the one that was named, or the first that can. */
static const struct plan_protocol *to_model(const struct plan_report *report)
{
    const char *wanted = report->arguments->protocol;
    for (uint32_t i = 0; i < report->protocol_count; i++) {
        const struct plan_protocol *judged = &report->protocols[i];
        if (wanted != NULL ? strcmp(judged->protocol->name, wanted) == 0 : agrees(judged))
            return judged;
    }
    return NULL;
}

static struct plan_group group_of(const struct plan_report *report, uint64_t members, uint64_t k)
{
    const struct protocol *protocol = report->modelled->protocol;
    struct plan_group group = report->arguments->group;
    group.members = (uint32_t)members;
    group.quorum = plan_protocol_quorum(protocol, group.members, (uint32_t)k);
    group.durable = protocol->durable;
    return group;
}

static int no_memory(void)
{
    fputs("lockstep plan: no memory for the model\n", stderr);
    return CLI_FAILED;
}

static int model(struct plan_report *report, struct heap *heap)
{
    const struct plan_arguments *arguments = report->arguments;
    const struct plan_question *question = &arguments->question;
    char why[200];
    report->group =
        group_of(report, question->members != 0 ? question->members : report->modelled->members, question->k);
    if (!plan_group_check(&report->group, why, sizeof why)) {
        fprintf(stderr, "lockstep plan: %s: %s; give another --members or --k, or leave out --mttf\n",
                report->modelled->protocol->name, why);
        return CLI_USAGE;
    }
    if (plan_outlook(&report->group, arguments->mission_s, heap, &report->outlook) != OK)
        return no_memory();
    if (arguments->simulate == 0)
        return CLI_OK;
    if (plan_simulate(&report->group, arguments->simulate, arguments->seed, &report->simulation) != OK) {
        fprintf(stderr,
                "lockstep plan: the simulation took more than %llu steps, because nodes are down so much of the time; "
                "ask for fewer cycles than --simulate %llu\n",
                (unsigned long long)PLAN_STEPS_MAX, (unsigned long long)arguments->simulate);
        return CLI_FAILED;
    }
    report->simulated = true;
    return CLI_OK;
}

/* The same nodes in groups of other sizes: the smallest for each k, while they grow and can be modelled. */
static int model_sizes(struct plan_report *report, struct heap *heap)
{
    struct plan_question question = report->arguments->question;
    struct plan_protocol judged;
    char why[200];
    uint64_t members = 0;
    question.members = 0;
    for (question.k = 0; question.k < PLAN_SIZES_MAX; question.k++) {
        struct plan_size *size = &report->sizes[report->size_count];
        plan_protocol_judge(&question, report->modelled->protocol, &judged);
        if (judged.members <= members)
            break;
        members = judged.members;
        *size = (struct plan_size){.k = question.k, .group = group_of(report, members, question.k)};
        if (!plan_group_check(&size->group, why, sizeof why))
            break;
        if (plan_outlook(&size->group, report->arguments->mission_s, heap, &size->outlook) != OK)
            return no_memory();
        report->size_count++;
    }
    return CLI_OK;
}

static int work_out(struct plan_report *report)
{
    report->possible = plan_feasible(&report->arguments->question);
    judge_all(report);
    report->modelled = report->arguments->group.mttf_s > 0 ? to_model(report) : NULL;
    if (report->modelled == NULL)
        return CLI_OK;
    struct heap *heap = heap_create_system(PLAN_HEAP_BYTES);
    if (heap == NULL)
        return no_memory();
    int status = model(report, heap);
    if (status == CLI_OK && report->arguments->sizes)
        status = model_sizes(report, heap);
    heap_destroy_system(heap);
    return status;
}

int cli_plan(int argc, char **argv)
{
    static struct plan_report report;
    struct plan_arguments arguments;
    int status = plan_arguments_read(&arguments, argc, argv);
    if (status != CLI_OK)
        return status;
    if (arguments.help) {
        plan_help();
        return CLI_OK;
    }
    report.arguments = &arguments;
    status = work_out(&report);
    if (status != CLI_OK)
        return status;
    if (!arguments.json)
        plan_print_text(&report);
    else
        status = plan_print_json(&report);
    return status != CLI_OK ? status : any_agrees(&report) ? CLI_OK : CLI_FAILED;
}
