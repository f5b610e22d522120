/* Sights, rules, and which story goes on when. */
#include "lab/scenario/scenario_stage.h"

#include <inttypes.h>
#include <string.h>

#include <lauxlib.h>

#include "lab/scenario/scenario_time.h"

/* ---- the end ---- */

static void end_run(struct stage *stage)
{
    stage->over = true;
    if (stage->world != NULL)
        world_stop(stage->world);
}

static void fail(struct stage *stage, enum scenario_verdict verdict, const char *sentence)
{
    if (!stage->failed) {
        stage->failed = true;
        stage->report->verdict = verdict;
        snprintf(stage->report->sentence, sizeof stage->report->sentence, "%s", sentence);
    }
    end_run(stage);
}

void stage_disagree(struct stage *stage, const char *sentence)
{
    fail(stage, SCENARIO_DISAGREES, sentence);
}

void stage_error(struct stage *stage, const char *sentence)
{
    fail(stage, SCENARIO_ERROR, sentence);
}

/* ---- sights ---- */

static bool make_room(struct stage *stage)
{
    if (stage->sight_count < stage->sight_capacity)
        return true;
    uint32_t capacity = stage->sight_capacity > 0 ? 2 * stage->sight_capacity : 4096;
    struct sight *sights = heap_resize(stage->heap, stage->sights, capacity * sizeof *sights);
    if (sights == NULL || stage->sight_count >= SCENARIO_SIGHTS_MAX)
        return false;
    stage->sights = sights;
    stage->sight_capacity = capacity;
    return true;
}

static const void *copy(struct stage *stage, const void *data, size_t size)
{
    if (data == NULL)
        return NULL;
    void *block = heap_alloc(stage->heap, size);
    if (block != NULL)
        memcpy(block, data, size);
    return block;
}

static void tell_never(struct stage *stage, struct stage_rule *rule, const struct sight *sight)
{
    char expected[STAGE_SENTENCE_SIZE + 16], saw[400];
    rule->active = false;
    snprintf(expected, sizeof expected, "never %s", rule->sentence.text);
    sight_print(sight, stage->world_options.protocol, saw, sizeof saw);
    stage_judge(stage, false, expected, saw);
}

static void check_nevers(struct stage *stage, const struct sight *sight)
{
    for (uint32_t i = 0; i < stage->rule_count && !stage->over; i++) {
        struct stage_rule *rule = &stage->rules[i];
        if (rule->kind == RULE_NEVER && rule->active && sight_matches(&rule->sentence.pattern, sight))
            tell_never(stage, rule, sight);
    }
}

void stage_see(struct stage *stage, const struct sight *sight, size_t body_size)
{
    bool nobody_looks = stage->stories[0].wait == STORY_ENDED && stage->rule_count == 0;
    if (stage->over || nobody_looks)
        return;
    if (!make_room(stage)) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "more happened than a scenario may see, which is %d sights; give the run "
                 "less time", (int)SCENARIO_SIGHTS_MAX);
        stage_error(stage, sentence);
        return;
    }
    struct sight *kept = &stage->sights[stage->sight_count++];
    *kept = *sight;
    kept->body = copy(stage, sight->body, body_size);
    if (sight->text != NULL)
        kept->text = copy(stage, sight->text, strlen(sight->text) + 1);
    check_nevers(stage, kept);
}

/* ---- states ---- */

static bool node_state_holds(struct stage *stage, const struct sight_pattern *pattern, uint32_t node)
{
    char line[SIGHT_STATE_SIZE], sentence[SIGHT_STATE_SIZE + 200];
    const char *missing;
    const char *state = stage_member_state(stage, node, line);
    bool holds = sight_state_holds(pattern, state, &missing);
    if (missing != NULL && pattern->node != 0) {
        snprintf(sentence, sizeof sentence, "the state of node %u has no word '%s'; it is: %s", node, missing, line);
        stage_error(stage, sentence);
    }
    return holds;
}

bool stage_state_holds(struct stage *stage, const struct sight_pattern *pattern, uint32_t *node)
{
    uint32_t first = pattern->node != 0 ? pattern->node : 1;
    uint32_t last = pattern->node != 0 ? pattern->node : world_process_count(&stage->world_options);
    for (*node = first; *node <= last; ++*node)
        if (node_state_holds(stage, pattern, *node))
            return true;
    return false;
}

/* ---- stories ---- */

struct stage_story *stage_story_of(struct stage *stage, lua_State *thread)
{
    for (uint32_t i = 0; i < stage->story_count; i++)
        if (stage->stories[i].thread == thread)
            return &stage->stories[i];
    return NULL;
}

static void free_sentences(struct stage *stage, struct stage_story *story)
{
    heap_free(stage->heap, story->sentences);
    story->sentences = NULL;
    story->sentence_count = 0;
}

static void end_story(struct stage *stage, struct stage_story *story)
{
    free_sentences(stage, story);
    luaL_unref(stage->lua.state, LUA_REGISTRYINDEX, story->reference);
    story->reference = LUA_NOREF;
    story->thread = NULL;
    story->wait = STORY_ENDED;
}

static struct stage_story *free_story(struct stage *stage)
{
    for (uint32_t i = 0; i < stage->story_count; i++)
        if (stage->stories[i].wait == STORY_ENDED && i > 0)
            return &stage->stories[i];
    return stage->story_count < STAGE_STORIES_MAX ? &stage->stories[stage->story_count++] : NULL;
}

struct stage_story *stage_begin(struct stage *stage, lua_State *from, int arguments, uint32_t cursor)
{
    struct stage_story *story = free_story(stage);
    if (story == NULL) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "too many stories at once: %d handlers of `when` are waiting for something",
                 (int)STAGE_STORIES_MAX - 1);
        stage_error(stage, sentence);
        return NULL;
    }
    uint64_t number = story->number;
    lua_State *thread = lua_newthread(from);
    *story = (struct stage_story){.thread = thread, .cursor = cursor, .number = number};
    story->reference = luaL_ref(from, LUA_REGISTRYINDEX);
    lua_xmove(from, thread, arguments + 1);
    return story;
}

void stage_resume(struct stage *stage, struct stage_story *story, int arguments)
{
    int results = 0;
    char why[400];
    bool is_main = story == &stage->stories[0];
    free_sentences(stage, story);
    story->wait = STORY_RUNS;
    story->number++;
    const char *error = scenario_lua_resume(&stage->lua, story->thread, arguments, &results, why, sizeof why);
    if (error != NULL) {
        stage_error(stage, error);
        end_story(stage, story);
        return;
    }
    if (lua_status(story->thread) == LUA_YIELD) {
        lua_pop(story->thread, results);
        if (story->wait == STORY_GROUP)
            end_run(stage);
        return;
    }
    end_story(stage, story);
    if (is_main && !stage->planned && stage->violates[0] == '\0')
        end_run(stage);
}

/* ---- what ends a wait ---- */

/* { at = seconds, node =, other = } on the story's stack, for scripts that want to know. */
static void push_sight(lua_State *thread, int64_t at_ns, uint32_t node, uint32_t other, uint64_t value)
{
    lua_createtable(thread, 0, 4);
    lua_pushinteger(thread, at_ns);
    lua_setfield(thread, -2, "at_ns");
    lua_pushinteger(thread, node);
    lua_setfield(thread, -2, "node");
    lua_pushinteger(thread, other);
    lua_setfield(thread, -2, "other");
    lua_pushinteger(thread, (lua_Integer)value);
    lua_setfield(thread, -2, "value");
}

static void push_seen(struct stage *stage, lua_State *thread, uint32_t sight)
{
    const struct sight *seen = &stage->sights[sight];
    push_sight(thread, seen->at_ns, seen->node, seen->other, seen->value);
}

void stage_print_words(struct stage *stage, const struct sight_pattern *pattern, uint32_t node, char *out, size_t size)
{
    char line[SIGHT_STATE_SIZE];
    const char *state = stage_member_state(stage, node, line);
    size_t length = (size_t)snprintf(out, size, "%u %s", node, state == NULL ? "is down" : "has");
    if (state != NULL && pattern->up_asked)
        snprintf(out, size, "%u is up", node);
    for (uint32_t i = 0; i < pattern->test_count && state != NULL && length < size; i++) {
        struct span value;
        if (sight_state_word(state, pattern->tests[i].name, &value))
            length += (size_t)snprintf(out + length, size - length, " %s=%.*s", pattern->tests[i].name, (int)value.size,
                                       (const char *)value.data);
    }
}

static void tell_met(struct stage *stage, const struct stage_sentence *sentence, uint32_t times, uint32_t sight,
                     uint32_t node)
{
    char expected[STAGE_SENTENCE_SIZE + 32], saw[SIGHT_STATE_SIZE];
    if (times > 1)
        snprintf(expected, sizeof expected, "%s, %u times", sentence->text, times);
    else
        snprintf(expected, sizeof expected, "%s", sentence->text);
    if (sight != UINT32_MAX)
        sight_print(&stage->sights[sight], stage->world_options.protocol, saw, sizeof saw);
    else
        stage_print_words(stage, &sentence->pattern, node, saw, sizeof saw);
    if (sentence->pattern.kind == SIGHT_BREAKS)
        snprintf(stage->violates, sizeof stage->violates, "%.31s", sentence->pattern.text);
    stage_judge(stage, true, expected, saw);
}

/* Looks at one sight for one sentence. True: it is met now. */
static bool meets(struct stage *stage, struct stage_story *story, uint32_t sentence, uint32_t sight)
{
    const struct stage_sentence *wanted = &story->sentences[sentence];
    if (story->met[sentence] || !sight_matches(&wanted->pattern, &stage->sights[sight]))
        return false;
    if (++story->seen < story->times && story->sentence_count == 1)
        return false;
    story->met[sentence] = true;
    story->sights[sentence] = sight;
    tell_met(stage, wanted, story->times, sight, 0);
    return true;
}

static void look_at_states(struct stage *stage, struct stage_story *story)
{
    for (uint32_t i = 0; i < story->sentence_count && !stage->over; i++) {
        uint32_t node;
        const struct stage_sentence *wanted = &story->sentences[i];
        if (story->met[i] || wanted->pattern.kind != SIGHT_STATE || !stage_state_holds(stage, &wanted->pattern, &node))
            continue;
        story->met[i] = true;
        story->sights[i] = UINT32_MAX;
        tell_met(stage, wanted, 1, UINT32_MAX, node);
    }
}

static bool all_met(const struct stage_story *story)
{
    for (uint32_t i = 0; i < story->sentence_count; i++)
        if (!story->met[i])
            return false;
    return true;
}

static bool sights_go_on(struct stage *stage, struct stage_story *story)
{
    look_at_states(stage, story);
    while (!all_met(story) && story->cursor < stage->sight_count && !stage->over) {
        uint32_t sight = story->cursor++;
        for (uint32_t i = 0; i < story->sentence_count; i++)
            if (meets(stage, story, i, sight))
                break; /* one sight meets one sentence */
    }
    if (!all_met(story) || stage->over)
        return false;
    if (story->sentence_count > 1 || story->sights[0] == UINT32_MAX) {
        stage_resume(stage, story, 0);
        return true;
    }
    push_seen(stage, story->thread, story->sights[0]);
    stage_resume(stage, story, 1);
    return true;
}

static bool answer_goes_on(struct stage *stage, struct stage_story *story)
{
    const struct stage_ask *ask = &stage->asks[story->ask];
    if (!ask->answered)
        return false;
    if (story->cursor < ask->sight_count)
        story->cursor = ask->sight_count;
    stage_resume(stage, story, 0);
    return true;
}

static bool goes_on(struct stage *stage, struct stage_story *story)
{
    switch (story->wait) {
    case STORY_SIGHTS:
        return sights_go_on(stage, story);
    case STORY_ANSWER:
        return answer_goes_on(stage, story);
    case STORY_RUNS:
    case STORY_GROUP:
    case STORY_TIME:
    case STORY_ENDED:
        break;
    }
    return false;
}

/* The next sight that the handler is for begins a story. */
static bool handler_goes_on(struct stage *stage, uint32_t number)
{
    while (stage->rules[number].active && stage->rules[number].cursor < stage->sight_count) {
        struct stage_rule *rule = &stage->rules[number];
        uint32_t sight = rule->cursor++;
        if (!sight_matches(&rule->sentence.pattern, &stage->sights[sight]))
            continue;
        lua_State *state = stage->lua.state;
        lua_rawgeti(state, LUA_REGISTRYINDEX, rule->function);
        push_seen(stage, state, sight);
        struct stage_story *story = stage_begin(stage, state, 1, sight + 1);
        if (story != NULL)
            stage_resume(stage, story, 1);
        return true;
    }
    return false;
}

void stage_pump(struct stage *stage)
{
    if (stage->pumping)
        return;
    stage->pumping = true;
    for (bool again = true; again && !stage->over;) {
        again = false;
        for (uint32_t i = 0; i < stage->rule_count && !stage->over; i++)
            again = (stage->rules[i].kind == RULE_WHEN && handler_goes_on(stage, i)) || again;
        for (uint32_t i = 0; i < stage->story_count && !stage->over; i++)
            again = goes_on(stage, &stage->stories[i]) || again;
    }
    stage->pumping = false;
}

/* ---- what does not come ---- */

static void sights_are_late(struct stage *stage, struct stage_story *story)
{
    char since[SCENARIO_TIME_SIZE], saw[SIGHT_STATE_SIZE + 80], state[SIGHT_STATE_SIZE];
    scenario_time_print(story->since_ns, since);
    for (uint32_t i = 0; i < story->sentence_count; i++) {
        if (story->met[i])
            continue;
        if (story->times > 1)
            snprintf(saw, sizeof saw, "%u of %u times since %s", story->seen, story->times, since);
        else if (story->sentences[i].pattern.kind == SIGHT_STATE && story->sentences[i].pattern.node != 0)
            snprintf(saw, sizeof saw, "not since %s; now %s", since,
                     stage_member_state(stage, story->sentences[i].pattern.node, state) != NULL ? state : "it is down");
        else
            snprintf(saw, sizeof saw, "not since %s", since);
        stage_judge(stage, false, story->sentences[i].text, saw);
        return;
    }
}

static void answer_is_late(struct stage *stage, struct stage_story *story)
{
    const struct stage_ask *ask = &stage->asks[story->ask];
    char expected[STAGE_SENTENCE_SIZE + 64];
    snprintf(expected, sizeof expected, "%u answers %s", ask->node, ask->text);
    stage_judge(stage, false, expected, "no answer came");
}

void stage_wait_is_late(struct stage *stage, uint32_t index, uint64_t number)
{
    struct stage_story *story = &stage->stories[index];
    if (index >= stage->story_count || story->number != number || stage->over)
        return;
    if (story->wait == STORY_SIGHTS)
        sights_are_late(stage, story);
    else if (story->wait == STORY_ANSWER)
        answer_is_late(stage, story);
    else if (story->wait == STORY_TIME) {
        story->cursor = stage->sight_count;
        stage->pumping = true;
        stage_resume(stage, story, 0);
        stage->pumping = false;
        stage_pump(stage);
    }
}

void stage_clear(struct stage *stage)
{
    for (uint32_t i = 0; i < stage->sight_count; i++) {
        heap_free(stage->heap, (void *)(uintptr_t)stage->sights[i].body);
        heap_free(stage->heap, (void *)(uintptr_t)stage->sights[i].text);
    }
    for (uint32_t i = 1; i < stage->story_count; i++)
        if (stage->stories[i].wait != STORY_ENDED)
            end_story(stage, &stage->stories[i]);
    for (uint32_t i = 0; i < stage->rule_count; i++)
        if (stage->rules[i].kind == RULE_WHEN)
            luaL_unref(stage->lua.state, LUA_REGISTRYINDEX, stage->rules[i].function);
    for (uint32_t i = 0; i < stage->ask_count; i++)
        heap_free(stage->heap, stage->asks[i].bytes);
    stage->sight_count = stage->rule_count = stage->ask_count = 0;
    stage->stories[0].cursor = 0;
    stage->world = NULL;
    stage->over = stage->planned = false;
    stage->violates[0] = '\0';
    memset(stage->members, 0, sizeof stage->members);
    memset(stage->sent, 0, sizeof stage->sent);
    plan_free(&stage->plan);
}
