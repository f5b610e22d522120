/* group { … }: what a run is like, read into the options of the world. */
#include <string.h>

#include <lauxlib.h>

#include "base/time.h"
#include "lab/search/mutants.h"
#include "lab/scenario/scenario_stage.h"
#include "protocol/registry.h"
#include "service/registry.h"

enum { RUN_S = 60 };

static const struct protocol *take_protocol(lua_State *state, const char *name)
{
    const struct protocol *protocol = protocol_find(name);
    if (protocol != NULL)
        return protocol;
    luaL_Buffer list;
    luaL_buffinit(state, &list);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        luaL_addchar(&list, ' ');
        luaL_addstring(&list, (*at)->name);
    }
    luaL_pushresult(&list);
    luaL_error(state, "there is no protocol '%s'; there are%s", name, lua_tostring(state, -1));
    return NULL;
}

static void take_break(lua_State *state, struct world_options *options, const char *name)
{
    const struct protocol *protocol = options->protocol;
    struct mutant mutant;
    if (mutant_find(protocol, name, &mutant)) {
        mutant_apply(&mutant, options);
        return;
    }
    luaL_Buffer list;
    luaL_buffinit(state, &list);
    for (uint32_t place = 0; mutant_at(protocol, place, &mutant); place++) {
        luaL_addchar(&list, ' ');
        luaL_addstring(&list, mutant.rule);
    }
    luaL_pushresult(&list);
    luaL_error(state, "%s has no rule '%s' to switch off; it has%s", protocol->name, name, lua_tostring(state, -1));
}

static void take_breaks(lua_State *state, struct world_options *options)
{
    luaL_checktype(state, -1, LUA_TTABLE);
    for (lua_Integer i = 1; lua_rawgeti(state, -1, i) != LUA_TNIL; i++) {
        take_break(state, options, luaL_checkstring(state, -1));
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
}

static void take_elections(lua_State *state, struct stage *stage)
{
    luaL_checktype(state, -1, LUA_TTABLE);
    memset(stage->next_elections_ns, 0, sizeof stage->next_elections_ns);
    for (lua_pushnil(state); lua_next(state, -2) != 0; lua_pop(state, 1)) {
        lua_Integer node = lua_isinteger(state, -2) ? lua_tointeger(state, -2) : 0;
        if (node < 1 || node > (lua_Integer)stage->next.node_count)
            luaL_error(state, "elections gives each node its time: { \"100ms\", \"300ms\" } or { [3] = \"100ms\" }");
        stage->next_elections_ns[node - 1] = stage_take_time(state, -1);
    }
    stage->next.election_timeouts_ns = stage->elections_ns;
}

static uint32_t take_count(lua_State *state, const char *name, lua_Integer least, lua_Integer most)
{
    lua_Integer value = lua_isinteger(state, -1) ? lua_tointeger(state, -1) : least - 1;
    if (value < least || value > most)
        luaL_error(state, "%s must be a number from %I to %I", name, (LUAI_UACINT)least, (LUAI_UACINT)most);
    return (uint32_t)value;
}

static int64_t take_positive_time(lua_State *state, const char *name)
{
    int64_t time_ns = stage_take_time(state, -1);
    if (time_ns <= 0 || time_ns > 24 * 3600 * NS_PER_S)
        luaL_error(state, "%s must be more than nothing and at most a day", name);
    return time_ns;
}

static void take_service(lua_State *state, struct world_options *options)
{
    options->service = service_find(luaL_checkstring(state, -1));
    if (options->service != NULL)
        return;
    luaL_Buffer list;
    luaL_buffinit(state, &list);
    for (const struct service *const *at = service_registry(); *at != NULL; at++) {
        luaL_addchar(&list, ' ');
        luaL_addstring(&list, (*at)->name);
    }
    luaL_pushresult(&list);
    luaL_error(state, "there is no such service; there are%s", lua_tostring(state, -1));
}

static void take_heal(lua_State *state, struct world_options *options)
{
    const char *text = luaL_checkstring(state, -1);
    options->heal_at_ns = strcmp(text, "never") == 0 ? PLAN_FOREVER : take_positive_time(state, "heal");
}

/* One entry of group{}, whose value is at the top. */
static void take_setting(lua_State *state, struct stage *stage, const char *name)
{
    struct world_options *options = &stage->next;
    if (strcmp(name, "protocol") == 0 || strcmp(name, "nodes") == 0)
        return; /* read before the others, which depend on them */
    if (strcmp(name, "service") == 0)
        take_service(state, options);
    else if (strcmp(name, "clients") == 0)
        options->client_count = take_count(state, name, 0, 64);
    else if (strcmp(name, "gateways") == 0)
        options->gateways = take_count(state, name, 0, WORLD_NODES_MAX - 1);
    else if (strcmp(name, "vote") == 0)
        options->vote = take_count(state, name, 1, WORLD_NODES_MAX);
    else if (strcmp(name, "seed") == 0)
        options->seed = (uint64_t)luaL_checkinteger(state, -1);
    else if (strcmp(name, "breaks") == 0)
        take_breaks(state, options);
    else if (strcmp(name, "time") == 0)
        options->time_ns = take_positive_time(state, name);
    else if (strcmp(name, "heal") == 0)
        take_heal(state, options);
    else if (strcmp(name, "latency") == 0)
        options->latency_ns = take_positive_time(state, name);
    else if (strcmp(name, "elections") == 0)
        take_elections(state, stage);
    else if (strcmp(name, "append_bytes") == 0)
        options->append_bytes_max = take_count(state, name, 1, 128 << 10);
    else if (strcmp(name, "checkpoint_bytes") == 0)
        options->checkpoint_log_bytes = take_count(state, name, 1024, 128 << 10);
    else if (strcmp(name, "drawn") == 0)
        options->calm = !lua_toboolean(state, -1);
    else
        luaL_error(state, "group has no '%s'; it has protocol, service, nodes, gateways, vote, clients, seed, breaks, time, heal, "
                   "latency, elections, append_bytes, checkpoint_bytes, drawn", name);
}

static void take_first_settings(lua_State *state, struct world_options *options)
{
    if (lua_getfield(state, 1, "protocol") != LUA_TSTRING)
        luaL_error(state, "group wants a protocol: group { protocol = \"raft\", nodes = 3 }");
    campaign_defaults(take_protocol(state, lua_tostring(state, -1)), options);
    options->node_count = 3;
    options->client_count = STAGE_CLIENTS;
    options->seed = 1;
    options->time_ns = RUN_S * NS_PER_S;
    options->heal_at_ns = PLAN_FOREVER;
    options->calm = true;
    options->faults = 0;
    if (lua_getfield(state, 1, "nodes") != LUA_TNIL)
        options->node_count = take_count(state, "nodes", 1, WORLD_NODES_MAX);
    lua_pop(state, 2);
}

static void add_breaks_of_options(lua_State *state, struct stage *stage)
{
    for (const char *const *name = stage->options->breaks; name != NULL && *name != NULL; name++)
        take_break(state, &stage->next, *name);
}

/* Reads the table of group{}, which is the only value on the stack. */
static void take_settings(lua_State *state, struct stage *stage)
{
    take_first_settings(state, &stage->next);
    if (lua_getfield(state, 1, "drawn") != LUA_TNIL && lua_toboolean(state, -1))
        stage->next.heal_at_ns = 0;
    lua_pop(state, 1);
    for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1)) {
        if (lua_type(state, -2) != LUA_TSTRING)
            luaL_error(state, "group takes names and values: group { protocol = \"raft\", nodes = 3 }");
        take_setting(state, stage, lua_tostring(state, -2));
    }
    add_breaks_of_options(state, stage);
    char why[160];
    if (!world_gateways_fit(&stage->next, why, sizeof why))
        luaL_error(state, "group: %s", why);
    if (stage->options->seed != NULL)
        stage->next.seed = *stage->options->seed;
}

/* group { … }: a new run; the one before it ends here. */
static int word_group(lua_State *state)
{
    struct stage *stage = stage_of(state);
    struct stage_story *story = stage_own_story(state);
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 1);
    if (story != &stage->stories[0])
        luaL_error(state, "group is not for handlers of when");
    take_settings(state, stage);
    story->wait = STORY_GROUP;
    return lua_yield(state, 0);
}

void stage_define_group(struct stage *stage)
{
    lua_register(stage->lua.state, "group", word_group);
}
