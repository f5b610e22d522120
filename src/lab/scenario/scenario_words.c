/* The words of scripts that say what must be seen. */
#include <string.h>

#include <lauxlib.h>

#include "base/time.h"
#include "lab/scenario/scenario_stage.h"

enum { WAIT_S = 10 };

/* ---- reading arguments ---- */

void stage_want_world(lua_State *state)
{
    if (stage_of(state)->world == NULL)
        luaL_error(state, "there is no group yet: begin with group { protocol = \"raft\", nodes = 3 }");
}

void stage_take_sentence(lua_State *state, int at, struct stage_sentence *out)
{
    struct stage *stage = stage_of(state);
    char why[600];
    size_t size;
    stage_want_world(state);
    if (lua_type(state, at) != LUA_TSTRING)
        luaL_error(state, "a sentence such as \"1 leads\" is wanted here, not a %s", luaL_typename(state, at));
    const char *text = lua_tolstring(state, at, &size);
    if (size >= STAGE_SENTENCE_SIZE)
        luaL_error(state, "a sentence may have %d bytes", (int)STAGE_SENTENCE_SIZE - 1);
    memcpy(out->text, text, size + 1);
    if (!sight_pattern_parse(span_of(text, size), stage->world_options.protocol, world_process_count(&stage->world_options),
                             &out->pattern, why, sizeof why))
        luaL_error(state, "\"%s\": %s", text, why);
}

struct stage_story *stage_own_story(lua_State *state)
{
    struct stage_story *story = stage_story_of(stage_of(state), state);
    if (story == NULL)
        luaL_error(state, "waiting is for scripts and the handlers of when");
    return story;
}

int stage_yield(lua_State *state, enum story_wait wait, int64_t until_ns,
                int (*go_on)(lua_State *state, int status, intptr_t context))
{
    struct stage *stage = stage_of(state);
    struct stage_story *story = stage_own_story(state);
    uint64_t place = (uint64_t)(story - stage->stories);
    story->wait = wait;
    story->since_ns = world_now_ns(stage->world);
    if (until_ns != INT64_MAX)
        world_alarm(stage->world, until_ns, (place + 1) << 32 | (story->number & UINT32_MAX));
    return lua_yieldk(state, 0, 0, go_on);
}

/* ---- plan and violates ---- */

static int word_plan(lua_State *state)
{
    struct stage *stage = stage_of(state);
    stage_want_world(state);
    luaL_checktype(state, 1, LUA_TTABLE);
    stage->planned = true;
    for (lua_Integer i = 1; lua_rawgeti(state, 1, i) != LUA_TNIL; i++) {
        struct plan_item item;
        stage_take_item(state, world_process_count(&stage->world_options), &item);
        if ((item.kind == PLAN_REQUEST || item.kind == PLAN_LEAVE) && item.client >= stage->world_options.client_count)
            luaL_error(state, "there is no client %d; group says how many there are, and they are counted from 0",
                       (int)item.client);
        world_do(stage->world, &item);
        lua_pop(state, 1);
    }
    return 0;
}

static int word_violates(lua_State *state)
{
    struct stage *stage = stage_of(state);
    stage_want_world(state);
    snprintf(stage->violates, sizeof stage->violates, "%.31s", luaL_checkstring(state, 1));
    return 0;
}

static int word_scenario(lua_State *state)
{
    struct stage *stage = stage_of(state);
    snprintf(stage->report->title, sizeof stage->report->title, "%s", luaL_checkstring(state, 1));
    return 0;
}

/* ---- wait ---- */

static void take_wait_sentences(lua_State *state, struct stage *stage, struct stage_story *story)
{
    bool many = lua_istable(state, 1);
    lua_Integer count = many ? luaL_len(state, 1) : 1;
    if (count < 1 || count > STAGE_PATTERNS_MAX)
        luaL_error(state, "wait takes 1 to %d sentences", (int)STAGE_PATTERNS_MAX);
    struct stage_sentence *sentences = heap_alloc(stage->heap, (size_t)count * sizeof *sentences);
    if (sentences == NULL)
        luaL_error(state, "no memory for so many sentences");
    story->sentences = sentences;
    story->sentence_count = (uint32_t)count;
    memset(story->met, 0, sizeof story->met);
    story->seen = 0;
    story->times = 1;
    for (lua_Integer i = 0; i < count; i++) {
        if (many)
            lua_rawgeti(state, 1, i + 1);
        stage_take_sentence(state, many ? -1 : 1, &sentences[i]);
        if (many)
            lua_pop(state, 1);
    }
}

static bool is_time(lua_State *state, int at)
{
    return lua_type(state, at) == LUA_TSTRING && lua_tostring(state, at)[0] >= '0' &&
           lua_tostring(state, at)[0] <= '9' && strchr(lua_tostring(state, at), ' ') == NULL;
}

/* wait "200ms"; wait "1 leads"; wait { "2 starts", "3 starts" }; then how often, and within what time. */
static int word_wait(lua_State *state)
{
    struct stage *stage = stage_of(state);
    stage_want_world(state);
    struct stage_story *story = stage_own_story(state);
    int64_t now_ns = world_now_ns(stage->world), within_ns = WAIT_S * NS_PER_S;
    if (lua_gettop(state) == 1 && is_time(state, 1)) {
        int64_t time_ns = stage_take_time(state, 1);
        return stage_yield(state, STORY_TIME, time_ns < INT64_MAX - now_ns ? now_ns + time_ns : INT64_MAX - 1, NULL);
    }
    take_wait_sentences(state, stage, story);
    for (int i = 2; i <= lua_gettop(state); i++) {
        if (!lua_isinteger(state, i))
            within_ns = stage_take_time(state, i);
        else if (story->sentence_count > 1 || lua_tointeger(state, i) < 1 ||
                 story->sentences[0].pattern.kind == SIGHT_STATE)
            luaL_error(state, "how often something must be seen is a positive number, and for one sentence that is no "
                       "state");
        else
            story->times = (uint32_t)lua_tointeger(state, i);
    }
    bool bounded = within_ns < INT64_MAX - now_ns;
    return stage_yield(state, STORY_SIGHTS, bounded ? now_ns + within_ns : INT64_MAX, NULL);
}

/* ---- expect, count, never, when ---- */

static uint64_t count_seen(const struct stage *stage, const struct sight_pattern *pattern, uint32_t *last)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < stage->sight_count; i++)
        if (sight_matches(pattern, &stage->sights[i])) {
            *last = i;
            count++;
        }
    return count;
}

static void refuse_state(lua_State *state, const struct stage_sentence *sentence)
{
    if (sentence->pattern.kind == SIGHT_STATE)
        luaL_error(state, "\"%s\" is a state, not something that happens", sentence->text);
}

static int word_count(lua_State *state)
{
    struct stage_sentence sentence;
    uint32_t last;
    stage_take_sentence(state, 1, &sentence);
    refuse_state(state, &sentence);
    lua_pushinteger(state, (lua_Integer)count_seen(stage_of(state), &sentence.pattern, &last));
    return 1;
}

static void expect_state(struct stage *stage, const struct stage_sentence *sentence)
{
    char saw[SIGHT_STATE_SIZE];
    uint32_t node;
    bool holds = stage_state_holds(stage, &sentence->pattern, &node);
    if (!holds)
        node = sentence->pattern.node != 0 ? sentence->pattern.node : 1;
    if (holds)
        stage_print_words(stage, &sentence->pattern, node, saw, sizeof saw);
    else if (stage_member_state(stage, node, saw) == NULL)
        snprintf(saw, sizeof saw, "%u is down", node);
    stage_judge(stage, holds, sentence->text, saw);
}

static void expect_sights(struct stage *stage, const struct stage_sentence *sentence, lua_Integer wanted)
{
    char expected[STAGE_SENTENCE_SIZE + 40], saw[500];
    uint32_t last = 0;
    uint64_t count = count_seen(stage, &sentence->pattern, &last);
    bool so = wanted < 0 ? count > 0 : count == (uint64_t)wanted;
    if (wanted < 0)
        snprintf(expected, sizeof expected, "so far: %s", sentence->text);
    else
        snprintf(expected, sizeof expected, "so far, %lld times: %s", (long long)wanted, sentence->text);
    if (count == 1)
        sight_print(&stage->sights[last], stage->world_options.protocol, saw, sizeof saw);
    else if (count == 0)
        snprintf(saw, sizeof saw, "never");
    else
        snprintf(saw, sizeof saw, "%llu times", (unsigned long long)count);
    stage_judge(stage, so, expected, saw);
}

/* expect "1 has term=2"; expect("any sends VOTE", 4); expect(a == b, "they are equal") */
static int word_expect(lua_State *state)
{
    struct stage *stage = stage_of(state);
    struct stage_sentence sentence;
    if (lua_isboolean(state, 1)) {
        bool so = lua_toboolean(state, 1);
        stage_judge(stage, so, luaL_checkstring(state, 2), so ? "it is so" : "it is not so");
    } else {
        stage_take_sentence(state, 1, &sentence);
        if (sentence.pattern.kind == SIGHT_STATE)
            expect_state(stage, &sentence);
        else
            expect_sights(stage, &sentence, lua_isnoneornil(state, 2) ? -1 : luaL_checkinteger(state, 2));
    }
    return stage->over ? lua_yield(state, 0) : 0;
}

struct stage_rule *stage_new_rule(lua_State *state, enum rule_kind kind, uint32_t *number)
{
    struct stage *stage = stage_of(state);
    if (stage->rule_count == STAGE_RULES_MAX)
        luaL_error(state, "a run may have %d rules (when, never, lose and their like)", (int)STAGE_RULES_MAX);
    *number = stage->rule_count;
    struct stage_rule *rule = &stage->rules[stage->rule_count++];
    *rule = (struct stage_rule){.kind = kind, .active = true, .function = LUA_NOREF};
    return rule;
}

static int word_never(lua_State *state)
{
    struct stage_sentence sentence;
    uint32_t number;
    stage_take_sentence(state, 1, &sentence);
    refuse_state(state, &sentence);
    stage_new_rule(state, RULE_NEVER, &number)->sentence = sentence;
    stage_push_rule(state, number);
    return 1;
}

static int word_when(lua_State *state)
{
    struct stage *stage = stage_of(state);
    struct stage_sentence sentence;
    uint32_t number;
    stage_take_sentence(state, 1, &sentence);
    refuse_state(state, &sentence);
    luaL_checktype(state, 2, LUA_TFUNCTION);
    lua_settop(state, 2);
    int function = luaL_ref(state, LUA_REGISTRYINDEX);
    struct stage_rule *rule = stage_new_rule(state, RULE_WHEN, &number);
    rule->sentence = sentence;
    rule->function = function;
    rule->cursor = stage->sight_count;
    stage_push_rule(state, number);
    return 1;
}

/* ---- state ---- */

/* The member's state as a table of its words, numbers as numbers; nil when it is down. */
static int word_state(lua_State *state)
{
    struct stage *stage = stage_of(state);
    char line[SIGHT_STATE_SIZE];
    stage_want_world(state);
    lua_Integer node = luaL_checkinteger(state, 1);
    if (node < 1 || node > (lua_Integer)world_process_count(&stage->world_options))
        luaL_error(state, "there is no node %I", (LUAI_UACINT)node);
    const char *at = stage_member_state(stage, (uint32_t)node, line);
    if (at == NULL)
        return 0;
    lua_newtable(state);
    while (*at != '\0') {
        size_t size = strcspn(at, " "), name = strcspn(at, "= ");
        if (name < size) {
            lua_pushlstring(state, at, name);
            lua_pushlstring(state, at + name + 1, size - name - 1);
            if (lua_stringtonumber(state, lua_tostring(state, -1)) != 0)
                lua_replace(state, -2);
            lua_rawset(state, -3);
        }
        at += size;
        at += strspn(at, " ");
    }
    return 1;
}

/* ---- handles ---- */

static const char rule_name[] = "rule";

struct rule_handle {
    uint32_t run, rule;
};

void stage_push_rule(lua_State *state, uint32_t rule)
{
    struct rule_handle *handle = lua_newuserdatauv(state, sizeof *handle, 0);
    *handle = (struct rule_handle){.run = stage_of(state)->runs, .rule = rule};
    luaL_setmetatable(state, rule_name);
}

/* NULL: its run is over, and so is the rule. */
static struct stage_rule *rule_of(lua_State *state)
{
    struct stage *stage = stage_of(state);
    const struct rule_handle *handle = luaL_checkudata(state, 1, rule_name);
    return stage->world != NULL && handle->run == stage->runs ? &stage->rules[handle->rule] : NULL;
}

/* rule:stop(): it holds no longer. What a `never` saw to until then is told now. */
static int rule_stop(lua_State *state)
{
    struct stage_rule *rule = rule_of(state);
    if (rule == NULL || !rule->active)
        return 0;
    rule->active = false;
    if (rule->kind == RULE_NEVER) {
        char expected[STAGE_SENTENCE_SIZE + 16];
        snprintf(expected, sizeof expected, "never %s", rule->sentence.text);
        stage_judge(stage_of(state), true, expected, "it was not seen until here");
    }
    return 0;
}

/* rule:count(): messages that a fate has struck. */
static int rule_count(lua_State *state)
{
    const struct stage_rule *rule = rule_of(state);
    lua_pushinteger(state, rule != NULL ? (lua_Integer)rule->struck : 0);
    return 1;
}

static void define_handle(lua_State *state)
{
    static const luaL_Reg methods[] = {{"stop", rule_stop}, {"count", rule_count}, {NULL, NULL}};
    luaL_newmetatable(state, rule_name);
    luaL_newlib(state, methods);
    lua_setfield(state, -2, "__index");
    lua_pop(state, 1);
}

void stage_define_words(struct stage *stage)
{
    static const struct luaL_Reg words[] = {
        {"scenario", word_scenario}, {"plan", word_plan},   {"violates", word_violates}, {"wait", word_wait},
        {"count", word_count},       {"never", word_never}, {"expect", word_expect},     {"when", word_when},
        {"state", word_state},       {NULL, NULL},
    };
    lua_State *state = stage->lua.state;
    define_handle(state);
    for (const luaL_Reg *word = words; word->name != NULL; word++)
        lua_register(state, word->name, word->func);
}
