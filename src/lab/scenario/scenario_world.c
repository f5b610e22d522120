/* Between the world and the stage: what the world tells becomes sights and answers, and one run from its beginning to
 * what it came to. */
#include <string.h>

#include "contract/header.h"
#include "contract/text.h"
#include "lab/scenario/scenario_stage.h"
#include "lab/scenario/scenario_time.h"
#include "node/proof.h"

/* ---- messages and records ---- */

union body {
    uint64_t align;
    uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
};

/* The fields of an encoded record or message; NULL where they make no sense. */
static const void *decode(const struct message_type *type, struct span bytes, union body *out)
{
    return message_decode(type, bytes, out->bytes) ? out->bytes : NULL;
}

/* A bulk is on its way somewhere else soon: only its size is kept. */
static void forget_bulk(const struct message_type *type, union body *body)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        struct span bulk;
        if (type->fields[i].kind != FIELD_BYTES && type->fields[i].kind != FIELD_RECORDS)
            continue;
        memcpy(&bulk, body->bytes + type->fields[i].offset, sizeof bulk);
        bulk.data = NULL;
        memcpy(body->bytes + type->fields[i].offset, &bulk, sizeof bulk);
    }
}

static void see_body(struct stage *stage, struct sight *sight, const struct message_type *type, const void *body)
{
    union body kept;
    if (body != NULL) {
        memcpy(kept.bytes, body, type->struct_size);
        forget_bulk(type, &kept);
        sight->body = kept.bytes;
    }
    stage_see(stage, sight, type->struct_size);
}

static void see_received(struct stage *stage, int64_t at_ns, uint32_t node, const struct event_message *message)
{
    const struct message_type *type = &stage->world_options.protocol->messages.types[message->type];
    struct sight sight = {.kind = SIGHT_RECEIVES, .at_ns = at_ns, .node = node, .other = message->from.node,
                          .type = message->type};
    see_body(stage, &sight, type, message->body);
}

static void see_stored(struct stage *stage, int64_t at_ns, uint32_t node, const struct effect_store *store)
{
    const struct message_type *type = &stage->world_options.protocol->records.types[store->type];
    struct sight sight = {.kind = SIGHT_STORES, .at_ns = at_ns, .node = node, .type = store->type};
    union body body;
    const void *decoded = NULL;
    size_t size = store->head.size + store->tail.size;
    uint8_t *whole = heap_alloc(stage->heap, size);
    if (whole != NULL) {
        memcpy(whole, store->head.data, store->head.size);
        if (store->tail.size > 0)
            memcpy(whole + store->head.size, store->tail.data, store->tail.size);
        decoded = decode(type, span_of(whole, size), &body);
    }
    see_body(stage, &sight, type, decoded);
    heap_free(stage->heap, whole);
}

/* ---- the tracer ---- */

/* Who hears this run besides. */
static const struct world_tracer *listener(const struct stage *stage)
{
    static const struct world_tracer nobody;
    return stage->runs == stage->options->traced_run ? &stage->options->tracer : &nobody;
}

static void on_event(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                     const struct event *event)
{
    struct stage *stage = context;
    const struct world_tracer *other = listener(stage);
    if (other->event != NULL)
        other->event(other->context, at_ns, place, spec, event);
    if (event->kind != EVENT_MESSAGE || spec->served_by != NULL) /* what gateways hear is not of the protocol */
        return;
    see_received(stage, at_ns, place + 1, &event->message);
    stage_pump(stage);
}

static void see_effect(struct stage *stage, int64_t at_ns, uint32_t node, const struct effect *effect)
{
    struct sight sight = {.at_ns = at_ns, .node = node};
    switch (effect->kind) {
    case EFFECT_STORE:
        see_stored(stage, at_ns, node, &effect->store);
        return;
    case EFFECT_DELIVER:
        if (effect->deliver.kind != DELIVER_UPDATE)
            return;
        sight.kind = SIGHT_DELIVERS;
        sight.value = effect->deliver.index;
        sight.count = effect->deliver.count;
        break;
    case EFFECT_VIEW:
        sight.kind = SIGHT_VIEW;
        sight.other = effect->view.orderer;
        sight.value = effect->view.number;
        break;
    case EFFECT_NOTE:
        sight.kind = SIGHT_NOTE;
        sight.text = effect->note.text;
        sight.value = effect->note.value;
        break;
    case EFFECT_SEND:
    case EFFECT_ARM:
    case EFFECT_CHECKPOINT:
    case EFFECT_ADOPT:
    case EFFECT_REPLY:
    case EFFECT_SUSPECT:
    case EFFECT_AGAIN:
        return;
    }
    stage_see(stage, &sight, 0);
}

static void on_effect(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec,
                      const struct effect *effect)
{
    struct stage *stage = context;
    const struct world_tracer *other = listener(stage);
    if (other->effect != NULL)
        other->effect(other->context, at_ns, place, spec, effect);
    if (spec->served_by == NULL || effect->kind == EFFECT_NOTE) /* gateways order nothing, though they name themselves */
        see_effect(stage, at_ns, place + 1, effect);
    stage_pump(stage);
}

static void on_stepped(void *context, int64_t at_ns, uint32_t place, const struct group_spec *spec, const void *member)
{
    struct stage *stage = context;
    const struct world_tracer *other = listener(stage);
    if (other->stepped != NULL)
        other->stepped(other->context, at_ns, place, spec, member);
    stage->members[place] = member;
    stage->specs[place] = spec;
    stage->stepped |= UINT64_C(1) << place;
    stage_pump(stage);
}

/* The fate that the script's rules give a message. */
static void decide_fate(struct stage *stage, const struct sight *sight, uint64_t number)
{
    for (uint32_t i = 0; i < stage->rule_count; i++) {
        struct stage_rule *rule = &stage->rules[i];
        if (rule->kind != RULE_FATE || !rule->active || rule->left == 0 ||
            !sight_matches(&rule->sentence.pattern, sight))
            continue;
        struct plan_item item = rule->fate;
        item.node = sight->node;
        item.other = sight->other;
        item.number = number;
        rule->left--;
        rule->struck++;
        world_do(stage->world, &item);
        return;
    }
}

/* The fields of a whole message, without its header and its proof. */
static struct span fields_of(const struct stage *stage, uint32_t place, const struct message_type *type,
                             struct span message)
{
    const struct group_spec *spec = stage->specs[place];
    size_t proof = spec != NULL ? proof_size(spec, proof_kind(spec, type)) : 0, size = message.size - HEADER_SIZE;
    return span_of(message.data + HEADER_SIZE, proof <= size ? size - proof : size);
}

static void on_sent(void *context, int64_t at_ns, uint32_t place, uint32_t to, struct span message)
{
    struct stage *stage = context;
    const struct world_tracer *other = listener(stage);
    if (other->sent != NULL)
        other->sent(other->context, at_ns, place, to, message);
    struct header header;
    header_decode(message.data, &header);
    uint64_t number = ++stage->sent[place][to - 1];
    const struct message_table *table = &stage->world_options.protocol->messages;
    if (header.kind != HEADER_MESSAGE || header.type >= table->count || stage->over)
        return;
    union body body;
    struct span encoded = fields_of(stage, place, &table->types[header.type], message);
    struct sight sight = {.kind = SIGHT_SENDS, .at_ns = at_ns, .node = place + 1, .other = to, .type = header.type};
    see_body(stage, &sight, &table->types[header.type], decode(&table->types[header.type], encoded, &body));
    if (!stage->over && stage->rule_count > 0)
        decide_fate(stage, &stage->sights[stage->sight_count - 1], number);
    stage_pump(stage);
}

/* "RAFT-1: two leaders …" is about RAFT-1. */
static void see_violation(struct stage *stage, struct sight *sight, const char *text)
{
    char property[32];
    size_t size = strcspn(text, ": ");
    snprintf(property, sizeof property, "%.*s", (int)(size < 31 ? size : 31), text);
    sight->kind = SIGHT_BREAKS;
    sight->text = property;
    stage_see(stage, sight, 0);
}

static void on_mark(void *context, int64_t at_ns, uint32_t place, enum world_mark mark, const char *text)
{
    struct stage *stage = context;
    const struct world_tracer *other = listener(stage);
    if (other->mark != NULL)
        other->mark(other->context, at_ns, place, mark, text);
    struct sight sight = {.at_ns = at_ns, .node = place == WORLD_NOWHERE ? 0 : place + 1};
    switch (mark) {
    case WORLD_MARK_UP:
        sight.kind = SIGHT_STARTS;
        break;
    case WORLD_MARK_DOWN:
        sight.kind = SIGHT_CRASHES;
        if (place != WORLD_NOWHERE)
            stage->members[place] = NULL;
        break;
    case WORLD_MARK_PAUSED:
        sight.kind = SIGHT_PAUSES;
        break;
    case WORLD_MARK_RUNS:
        sight.kind = SIGHT_RESUMES;
        break;
    case WORLD_MARK_VIOLATION:
        see_violation(stage, &sight, text);
        stage_pump(stage);
        return;
    case WORLD_MARK_NOTE:
    case WORLD_MARK_CUT:
    case WORLD_MARK_HEALED:
    case WORLD_MARK_LOST:
    case WORLD_MARK_FAULT:
    case WORLD_MARK_FAULT_END:
    case WORLD_MARK_CLIENT:
        return;
    }
    stage_see(stage, &sight, 0);
    stage_pump(stage);
}

/* ---- states ---- */

const char *stage_member_state(struct stage *stage, uint32_t node, char out[SIGHT_STATE_SIZE])
{
    const void *member = stage->members[node - 1];
    if (member == NULL || stage->world == NULL || !world_is_up(stage->world, node - 1))
        return NULL;
    const struct protocol *protocol = stage->specs[node - 1]->protocol; /* a gateway has its own */
    struct text text = text_begin(out, SIGHT_STATE_SIZE);
    if (protocol->print != NULL)
        protocol->print(member, &text);
    return out;
}

/* ---- answers ---- */

static void on_answer(void *context, struct world *world, const struct world_answer *answer)
{
    struct stage *stage = context;
    (void)world;
    for (uint32_t i = 0; i < stage->ask_count; i++) {
        struct stage_ask *ask = &stage->asks[i];
        if (ask->client != answer->client || ask->number != answer->number || ask->answered)
            continue;
        ask->answered = true;
        ask->answered_ns = answer->answered_ns;
        ask->lost = answer->kind == WORLD_ANSWER_NONE;
        /* A refusal by a node without RESP is bare text, an error of a service a value. */
        bool bare = answer->kind == WORLD_ANSWER_ERROR && (answer->bytes.size == 0 || answer->bytes.data[0] != '-');
        ask->error = answer->kind == WORLD_ANSWER_ERROR || (answer->bytes.size > 0 && answer->bytes.data[0] == '-');
        ask->sight_count = stage->sight_count;
        if (bare)
            snprintf(ask->answer, sizeof ask->answer, "%.*s", (int)answer->bytes.size,
                     (const char *)answer->bytes.data);
        else
            stage_print_answer(answer->bytes, ask->answer, sizeof ask->answer);
        ask->bytes = heap_alloc(stage->heap, answer->bytes.size + 1);
        ask->bytes_size = ask->bytes != NULL ? answer->bytes.size : 0;
        if (ask->bytes_size > 0)
            memcpy(ask->bytes, answer->bytes.data, ask->bytes_size);
    }
    stage_pump(stage);
}

/* ---- one run ---- */

static void on_alarm(void *context, struct world *world, uint64_t number)
{
    struct stage *stage = context;
    if (number != 0) {
        stage_wait_is_late(stage, (uint32_t)(number >> 32) - 1, number & UINT32_MAX);
        return;
    }
    stage->world = world;
    stage->pumping = true;
    stage_resume(stage, &stage->stories[0], 0);
    stage->pumping = false;
    stage_pump(stage);
}

static void judge_nevers(struct stage *stage)
{
    char expected[STAGE_SENTENCE_SIZE + 16];
    for (uint32_t i = 0; i < stage->rule_count; i++) {
        if (stage->rules[i].kind != RULE_NEVER || !stage->rules[i].active)
            continue;
        snprintf(expected, sizeof expected, "never %s", stage->rules[i].sentence.text);
        stage_judge(stage, true, expected, "it was not seen");
    }
}

static void judge_violation(struct stage *stage, const struct world_result *result)
{
    char expected[64], saw[320];
    bool wanted = strcmp(stage->violates, result->property) == 0;
    if (wanted)
        snprintf(expected, sizeof expected, "%s breaks", stage->violates);
    else if (stage->violates[0] != '\0')
        snprintf(expected, sizeof expected, "%s breaks, and nothing else", stage->violates);
    else
        snprintf(expected, sizeof expected, "no property breaks");
    snprintf(saw, sizeof saw, "%s: %s", result->property, result->sentence);
    stage_judge(stage, wanted, expected, saw);
}

static void judge_quiet_run(struct stage *stage, const struct campaign_result *result)
{
    char expected[64], saw[160], time[SCENARIO_TIME_SIZE];
    enum story_wait wait = stage->stories[0].wait;
    scenario_time_print(result->world.time_ns, time);
    if (wait == STORY_SIGHTS || wait == STORY_ANSWER || wait == STORY_TIME) {
        snprintf(saw, sizeof saw, "the run's time of %s was over before; `time` of group gives it more", time);
        stage_judge(stage, false, "the script comes to its end", saw);
        return;
    }
    if (stage->violates[0] != '\0') {
        snprintf(expected, sizeof expected, "%s breaks", stage->violates);
        snprintf(saw, sizeof saw, "it did not, in %s", time);
        stage_judge(stage, false, expected, saw);
        return;
    }
    judge_nevers(stage);
    snprintf(saw, sizeof saw, "%llu events%s", (unsigned long long)result->world.steps,
             result->undecided ? "; the history was too much work to judge" : "");
    stage_judge(stage, true, "no property breaks", saw);
}

static void set_doors(struct stage *stage)
{
    struct world_options *options = &stage->world_options;
    options->tracer = (struct world_tracer){.context = stage, .event = on_event, .effect = on_effect,
                                            .stepped = on_stepped, .sent = on_sent, .mark = on_mark};
    options->alarm = (struct world_alarm){.context = stage, .rings = on_alarm};
    options->ear = (struct world_ear){.context = stage, .answered = on_answer};
    options->plan = &stage->plan;
}

void stage_run(struct stage *stage)
{
    struct campaign_result result;
    stage->world_options = stage->next;
    memcpy(stage->elections_ns, stage->next_elections_ns, sizeof stage->elections_ns);
    set_doors(stage);
    struct campaign_runner *runner = campaign_runner_create(&stage->world_options);
    if (runner == NULL) {
        stage_error(stage, "no memory for a world of so many nodes");
        return;
    }
    campaign_runner_run(runner, &stage->world_options, &result);
    campaign_runner_free(runner);
    stage->world = NULL;
    stage->over = true;
    stage->ended_ns = result.world.time_ns;
    stage->report->world = result.world;
    stage->report->ran = true;
    stage->report->runs = ++stage->runs;
    if (stage->failed)
        return;
    if (result.world.violated)
        judge_violation(stage, &result.world);
    else
        judge_quiet_run(stage, &result);
}
