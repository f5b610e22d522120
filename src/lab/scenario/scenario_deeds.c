/* What scripts do to a group: every kind of the plan is a function, with '_' for '-'. Those that strike one message
 * also take a sentence that says which: lose "1 sends APPEND to 3". */
#include <string.h>

#include <lauxlib.h>

#include "lab/scenario/scenario_stage.h"

/* ---- by node and time ---- */

/* Fates of single messages: the next one on the link, when no number is given. */
static void do_fate(lua_State *state, struct stage *stage, struct plan_item *item)
{
    if (item->number == 0)
        item->number = stage->sent[item->node - 1][item->other - 1] + 1;
    if (item->number <= stage->sent[item->node - 1][item->other - 1])
        luaL_error(state, "message %I from %d to %d has left already", (LUAI_UACINT)item->number, (int)item->node,
                   (int)item->other);
    world_do(stage->world, item);
}

/* ---- by sentence ---- */

/* kind(sentence[, how many][, time]): the time is how late, for delay. */
static int add_fate_rule(lua_State *state, enum plan_kind kind)
{
    struct stage_sentence sentence;
    uint32_t number;
    stage_take_sentence(state, 1, &sentence);
    if (sentence.pattern.kind != SIGHT_SENDS)
        return luaL_error(state, "\"%s\": %s strikes messages as they leave: write \"1 sends APPEND to 3\"",
                          sentence.text, plan_kind_name(kind));
    struct plan_item fate = {.kind = kind};
    uint64_t left = UINT64_MAX;
    for (int i = 2; i <= lua_gettop(state); i++) {
        if (lua_isinteger(state, i))
            left = (uint64_t)lua_tointeger(state, i);
        else
            fate.duration_ns = stage_take_time_of_run(state, i, false);
    }
    if (kind == PLAN_DELAY && fate.duration_ns == 0)
        return luaL_error(state, "delay wants how late: delay(\"1 sends APPEND to 3\", \"20ms\")");
    struct stage_rule *rule = stage_new_rule(state, RULE_FATE, &number);
    rule->sentence = sentence;
    rule->fate = fate;
    rule->left = left;
    stage_push_rule(state, number);
    return 1;
}

static bool is_sentence(lua_State *state, int at)
{
    return lua_type(state, at) == LUA_TSTRING && strchr(lua_tostring(state, at), ' ') != NULL;
}

/* Upvalue: the kind. */
static int deed(lua_State *state)
{
    struct stage *stage = stage_of(state);
    enum plan_kind kind = (enum plan_kind)lua_tointeger(state, lua_upvalueindex(1));
    struct plan_item item;
    stage_want_world(state);
    if (plan_kind_is_fate(kind) && is_sentence(state, 1))
        return add_fate_rule(state, kind);
    stage_take_arguments(state, kind, 1, world_process_count(&stage->world_options), &item);
    if (kind == PLAN_CUT && item.amount == 0)
        item.amount = 3;
    if (plan_kind_is_fate(kind))
        do_fate(state, stage, &item);
    else
        world_do(stage->world, &item);
    return 0;
}

/* ---- what takes things back ---- */

static uint32_t node_argument(lua_State *state, int at)
{
    struct plan_item item;
    lua_settop(state, at);
    stage_take_arguments(state, PLAN_OMIT_SEND, at, world_process_count(&stage_of(state)->world_options), &item);
    return item.node;
}

/* restart(node): now, if it is down. */
static int deed_restart(lua_State *state)
{
    stage_want_world(state);
    uint32_t node = node_argument(state, 1);
    world_undo(stage_of(state)->world, PLAN_CRASH, node);
    return 0;
}

static int deed_resume(lua_State *state)
{
    stage_want_world(state);
    uint32_t node = node_argument(state, 1);
    world_undo(stage_of(state)->world, PLAN_PAUSE, node);
    return 0;
}

/* heal(): all links are whole again, and no rule of the script strikes messages any more. */
static int deed_heal(lua_State *state)
{
    struct stage *stage = stage_of(state);
    stage_want_world(state);
    world_undo(stage->world, PLAN_CUT, 0);
    world_undo(stage->world, PLAN_CUT_LINK, 0);
    for (uint32_t i = 0; i < stage->rule_count; i++)
        if (stage->rules[i].kind == RULE_FATE)
            stage->rules[i].active = false;
    return 0;
}

/* undo("disk-stall", 2): any other fault that lasts. */
static int deed_undo(lua_State *state)
{
    struct stage *stage = stage_of(state);
    enum plan_kind kind;
    stage_want_world(state);
    if (!plan_kind_find(span_string(luaL_checkstring(state, 1)), &kind) || !stage_kind_has(kind, "duration"))
        return luaL_error(state, "'%s' is no fault that lasts", lua_tostring(state, 1));
    world_undo(stage->world, kind, lua_gettop(state) > 1 ? node_argument(state, 2) : 0);
    return 0;
}

void stage_define_deeds(struct stage *stage)
{
    static const luaL_Reg others[] = {{"restart", deed_restart}, {"resume", deed_resume}, {"heal", deed_heal},
                                      {"undo", deed_undo},       {NULL, NULL}};
    lua_State *state = stage->lua.state;
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        char name[SIGHT_WORD_SIZE];
        snprintf(name, sizeof name, "%s", plan_kind_name((enum plan_kind)i));
        for (char *at = name; *at != '\0'; at++)
            *at = *at == '-' ? '_' : *at;
        if (i == PLAN_REQUEST || i == PLAN_LEAVE)
            continue; /* ask */
        lua_pushinteger(state, i);
        lua_pushcclosure(state, deed, 1);
        lua_setglobal(state, name);
    }
    for (const luaL_Reg *word = others; word->name != NULL; word++)
        lua_register(state, word->name, word->func);
}
