/* Faults inside a member, through the node's door for them (node_set_tamper). */
#include "host/world/world_member_faults.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "host/world/world_mutate.h"
#include "host/world/world_state.h"

enum {
    BRANCH_EVENTS_MAX = 64,    /* as long as a rule is off */
    STOPPED_RESTART_MS = 500,  /* after a member found its own state broken */
};

static bool strikes(uint64_t draw, uint64_t number, uint32_t permille)
{
    return permille > 0 && hash_mix(draw, number) % 1000 < permille;
}

static struct random dice(uint64_t draw, uint64_t number)
{
    struct random random;
    random_seed(&random, hash_mix(draw ^ UINT64_C(0x77726f6e67), number));
    return random;
}

/* ---- values ---- */

static void on_answered(void *context, uint32_t group, const struct delivery *delivery, uint8_t *bytes, size_t size)
{
    struct process *process = context;
    struct member_faults *faults = &process->member_faults;
    (void)group;
    uint64_t number = faults->values++, place = delivery->index << 1 | delivery->read;
    bool value = strikes(faults->value_draw, number, faults->value_permille);
    if (!value && !strikes(faults->answer_draw, place, faults->answer_permille))
        return;
    struct random random = value ? dice(faults->value_draw, number) : dice(faults->answer_draw, place);
    if (mutate_answer(bytes, size, &random))
        faults->answers_changed++;
}

static void on_sends(void *context, uint32_t group, uint16_t type, uint8_t *body, size_t size)
{
    struct process *process = context;
    struct member_faults *faults = &process->member_faults;
    (void)group;
    uint64_t number = faults->values++;
    if (!strikes(faults->value_draw, number, faults->value_permille))
        return;
    struct random random = dice(faults->value_draw, number);
    if (mutate_number(&process->spec.protocol->messages.types[type], body, size, &random))
        faults->numbers_changed++;
}

/* ---- transitions ---- */

static uint32_t ablation_count(const struct protocol *protocol)
{
    uint32_t count = 0;
    while (protocol->ablations != NULL && protocol->ablations[count] != NULL)
        count++;
    return count;
}

/* The member's own specification says that the rule is off: it takes the branch that it must not take. */
static void force_branch(struct process *process, struct random *random)
{
    uint32_t count = ablation_count(process->spec.protocol);
    if (count == 0)
        return;
    process->member_faults.branches++;
    process->member_faults.branch_events_left = (uint32_t)(1 + random_below(random, BRANCH_EVENTS_MAX));
    process->spec.ablations |= (uint32_t)ABLATION_PROTOCOL_FIRST << random_below(random, count);
}

static void restore_branch(struct process *process)
{
    process->member_faults.branch_events_left = 0;
    process->spec.ablations = process->world->options.ablations;
}

static uint32_t on_event(void *context, uint32_t group, const struct event *event)
{
    struct process *process = context;
    struct member_faults *faults = &process->member_faults;
    (void)group;
    (void)event;
    if (faults->branch_events_left > 0 && --faults->branch_events_left == 0)
        restore_branch(process);
    uint64_t number = faults->transitions++;
    if (!strikes(faults->transition_draw, number, faults->transition_permille))
        return 1;
    struct random random = dice(faults->transition_draw, number);
    switch (random_below(&random, 3)) {
    case 0:
        faults->skipped++;
        return 0;
    case 1:
        faults->doubled++;
        return 2;
    default:
        force_branch(process, &random);
        return 1;
    }
}

static bool on_hastens(void *context, uint32_t group)
{
    struct process *process = context;
    struct member_faults *faults = &process->member_faults;
    (void)group;
    bool hastens = strikes(faults->transition_draw, faults->transitions++, faults->transition_permille);
    faults->hastened += hastens;
    return hastens;
}

/* ---- the door ---- */

/* Only what is wanted, so that healthy processes are stepped as ever. */
void member_faults_install(struct process *process)
{
    const struct member_faults *faults = &process->member_faults;
    bool value = faults->value_permille > 0, transition = faults->transition_permille > 0;
    struct node_tamper tamper = {
        .context = process,
        .event = transition ? on_event : NULL,
        .hastens = transition ? on_hastens : NULL,
        .answered = value || faults->answer_permille > 0 ? on_answered : NULL,
        .sends = value ? on_sends : NULL,
    };
    if (process->node != NULL)
        invariant(node_set_tamper(process->node, &tamper), "nodes of a world may be tampered with");
}

void member_fault_value(struct process *process, uint32_t permille, uint64_t draw)
{
    process->member_faults.value_permille = permille;
    process->member_faults.value_draw = draw;
    member_faults_install(process);
    if (permille > 0)
        process_turn(process);
}

void member_fault_answers(struct process *process, uint32_t permille, uint64_t draw)
{
    process->member_faults.answer_permille = permille;
    process->member_faults.answer_draw = draw;
    member_faults_install(process);
    if (permille > 0)
        process_turn(process);
}

void member_fault_transition(struct process *process, uint32_t permille, uint64_t draw)
{
    process->member_faults.transition_permille = permille;
    process->member_faults.transition_draw = draw;
    if (permille == 0)
        restore_branch(process);
    member_faults_install(process);
    if (permille > 0)
        process_turn(process);
}

/* ---- whoever was struck ---- */

void process_turn(struct process *process)
{
    const struct world_watch *watch = &process->world->options.watch;
    if (process->turned)
        return;
    process->turned = true;
    if (process->up && watch->stopped != NULL)
        watch->stopped(watch->context, process->place);
    if (watch->turned != NULL)
        watch->turned(watch->context, process->place);
}

struct refuge {
    jmp_buf escape;
    char line[200];
};

static void leave(const char *what, void *arg)
{
    struct refuge *refuge = arg;
    snprintf(refuge->line, sizeof refuge->line, "%s", what);
    longjmp(refuge->escape, 1);
}

/* False: it broke an invariant, and its memory is given up as it is; disk and links are the world's, and whole. */
static bool guarded(struct process *process, void (*action)(struct process *process))
{
    struct refuge refuge;
    void *argument;
    panic_hook *hook = panic_hook_get(&argument);
    panic_hook_set(leave, &refuge);
    bool broken = setjmp(refuge.escape) != 0;
    if (!broken)
        action(process);
    panic_hook_set(hook, argument);
    if (!broken)
        return true;
    process->world->stepping = NULL;
    process->member_faults.stopped++;
    trace_line(process->world, process, "stops itself: %s", refuge.line);
    return false;
}

void process_run_guarded(struct process *process)
{
    if (!process->turned)
        process_run(process);
    else if (!guarded(process, process_run))
        process_crash(process, STOPPED_RESTART_MS * NS_PER_MS, process->member_faults.stopped);
}

void process_boot_guarded(struct process *process)
{
    if (!process->turned)
        process_boot(process);
    else if (!guarded(process, process_boot))
        process_replace_disk(process);
}
