/* Items of a plan from Lua values: as a table with named fields, which is how runs are written down, or as arguments in
 * any sensible order, which is how people write them. */
#include <lauxlib.h>

#include "base/time.h"
#include "lab/attack/attack.h"
#include "lab/scenario/scenario_stage.h"
#include "lab/scenario/scenario_time.h"

#define DAY_NS (24 * 3600 * NS_PER_S)

/* ---- fields ---- */

static bool next_field(const char **at, struct span *field)
{
    if (**at == '\0')
        return false;
    size_t size = strcspn(*at, " ");
    *field = span_of(*at, size);
    *at += size + ((*at)[size] == ' ');
    return true;
}

bool stage_kind_has(enum plan_kind kind, const char *field)
{
    const char *at = plan_kind_fields(kind);
    struct span name;
    while (next_field(&at, &name))
        if (span_equal(name, span_string(field)))
            return true;
    return false;
}

static struct span text_at(lua_State *state, int at)
{
    size_t size;
    const char *text = lua_tolstring(state, at, &size);
    return span_of(text, size);
}

static uint32_t take_node(lua_State *state, int at, uint32_t node_count)
{
    uint32_t node;
    if (lua_isinteger(state, at)) {
        lua_Integer number = lua_tointeger(state, at);
        if (number >= 1 && number <= (lua_Integer)node_count)
            return (uint32_t)number;
        luaL_error(state, "there is no node %I; nodes are 1 to %d", (LUAI_UACINT)number, (int)node_count);
    }
    if (lua_type(state, at) != LUA_TSTRING)
        luaL_error(state, "a node is a number or a name such as S1, not a %s", luaL_typename(state, at));
    if (!sight_node_parse(text_at(state, at), node_count, &node) || node == 0)
        luaL_error(state, "'%s' is no node; nodes are 1 to %d, also with a letter in front", lua_tostring(state, at),
                   (int)node_count);
    return node;
}

static uint64_t take_set(lua_State *state, int at, uint32_t node_count)
{
    uint64_t set = 0;
    luaL_checktype(state, at, LUA_TTABLE);
    int table = lua_absindex(state, at);
    for (lua_Integer i = 1; lua_rawgeti(state, table, i) != LUA_TNIL; i++) {
        set |= UINT64_C(1) << (take_node(state, -1, node_count) - 1);
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
    if (set == 0)
        luaL_error(state, "a set of nodes is a list such as { 1, 2 }, and this one is empty");
    return set;
}

int64_t stage_take_time(lua_State *state, int at)
{
    int64_t time_ns = 0;
    if (lua_type(state, at) != LUA_TSTRING)
        luaL_error(state, "a time is a text such as \"200ms\" or \"1.5s\", not a %s", luaL_typename(state, at));
    if (!scenario_time_parse(text_at(state, at), &time_ns))
        luaL_error(state, "'%s' is no time: write a number and ns, us, ms, s or m, or \"forever\"",
                   lua_tostring(state, at));
    return time_ns;
}

static lua_Integer take_integer(lua_State *state, int at, const char *field)
{
    if (!lua_isinteger(state, at))
        luaL_error(state, "%s must be an integer", field);
    return lua_tointeger(state, at);
}

/* No run is longer than a day, so nothing else makes sense; PLAN_FOREVER is a duration only. */
int64_t stage_take_time_of_run(lua_State *state, int at, bool forever)
{
    int64_t time_ns = stage_take_time(state, at);
    if (time_ns > DAY_NS && !(forever && time_ns == PLAN_FOREVER))
        luaL_error(state, "'%s' is longer than a day, which is all that a run may take", lua_tostring(state, at));
    return time_ns;
}

/* What an amount may be. Within these bounds nothing overflows and nothing takes long; campaigns draw far less. */
static void amount_bounds(enum plan_kind kind, int64_t *least, int64_t *most)
{
    static const struct {
        enum plan_kind kind;
        int64_t least, most;
    } bounds[] = {
        {PLAN_VALUE, 0, 1000},
        {PLAN_ANSWERS, 0, 1000},
        {PLAN_TRANSITION, 0, 1000},
        {PLAN_OMIT_SEND, 0, 1000},
        {PLAN_OMIT_RECEIVE, 0, 1000},
        {PLAN_ADVERSARY, 0, DEED_ALL},
        {PLAN_CUT, 0, 3},
        {PLAN_DISK_LOSE, 0, 1000},
        {PLAN_DISK_ROT, 0, 1000},
        {PLAN_DISK_LATENT, 0, 1000},
        {PLAN_SLOW_LINK, 0, DAY_NS},
        {PLAN_CLOCK_DRIFT, -NS_PER_S / 2, NS_PER_S / 2},
        {PLAN_CLOCK_STEP, -3650 * DAY_NS, 3650 * DAY_NS},
    };
    *least = 0;
    *most = 1000000000;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (bounds[i].kind == kind) {
            *least = bounds[i].least;
            *most = bounds[i].most;
        }
}

static int64_t take_amount(lua_State *state, int at, enum plan_kind kind)
{
    int64_t least, most;
    int64_t amount = lua_type(state, at) == LUA_TSTRING ? stage_take_time(state, at) : take_integer(state, at, "amount");
    amount_bounds(kind, &least, &most);
    if (amount < least || amount > most)
        luaL_error(state, "%s takes an amount from %I to %I, not %I", plan_kind_name(kind), (LUAI_UACINT)least,
                   (LUAI_UACINT)most, (LUAI_UACINT)amount);
    return amount;
}

static void know_attack(lua_State *state, const char *name)
{
    const struct protocol *protocol = stage_of(state)->next.protocol;
    const struct world_attacks *attacks = protocol != NULL ? attacks_find(protocol->name) : NULL;
    for (uint32_t i = 0; attacks != NULL && i < attacks->count; i++)
        if (strcmp(attacks->list[i]->name, name) == 0)
            return;
    luaL_Buffer list;
    luaL_buffinit(state, &list);
    for (uint32_t i = 0; attacks != NULL && i < attacks->count; i++) {
        luaL_addstring(&list, i > 0 ? ", " : "");
        luaL_addstring(&list, attacks->list[i]->name);
    }
    luaL_pushresult(&list);
    luaL_error(state, "nobody knows the attack '%s' on %s; there is %s", name,
               protocol != NULL ? protocol->name : "it",
               attacks != NULL ? lua_tostring(state, -1) : "none");
}

static struct span take_text(lua_State *state, int at, enum plan_kind kind)
{
    const char *text = luaL_checkstring(state, at);
    if (kind == PLAN_ATTACK)
        know_attack(state, text);
    return span_of(text, text_at(state, at).size);
}

/* Puts the value at `at` into the field. */
static void set_field(lua_State *state, int at, const char *field, uint32_t node_count, struct plan_item *out)
{
    if (strcmp(field, "node") == 0)
        out->node = take_node(state, at, node_count);
    else if (strcmp(field, "other") == 0)
        out->other = take_node(state, at, node_count);
    else if (strcmp(field, "set") == 0)
        out->set = take_set(state, at, node_count);
    else if (strcmp(field, "duration") == 0)
        out->duration_ns = stage_take_time_of_run(state, at, !plan_kind_is_fate(out->kind));
    else if (strcmp(field, "number") == 0)
        out->number = (uint64_t)take_integer(state, at, field);
    else if (strcmp(field, "draw") == 0)
        out->draw = (uint64_t)take_integer(state, at, field);
    else if (strcmp(field, "amount") == 0)
        out->amount = take_amount(state, at, out->kind);
    else if (strcmp(field, "text") == 0)
        out->text = take_text(state, at, out->kind);
    else
        out->client = (uint32_t)take_integer(state, at, field);
}

static void name_of(struct span field, char out[SIGHT_WORD_SIZE])
{
    memcpy(out, field.data, field.size);
    out[field.size] = '\0';
}

/* ---- from a table ---- */

static void unknown_kind(lua_State *state, const char *name)
{
    luaL_Buffer list;
    luaL_buffinit(state, &list);
    for (unsigned i = 0; i < PLAN_KIND_COUNT; i++) {
        luaL_addstring(&list, i > 0 ? ", " : "");
        luaL_addstring(&list, plan_kind_name((enum plan_kind)i));
    }
    luaL_pushresult(&list);
    luaL_error(state, "a plan has no '%s'; it has %s", name, lua_tostring(state, -1));
}

/* Every key of the table is a field of the kind, or `at`, or the kind itself at [1]. */
static void check_keys(lua_State *state, enum plan_kind kind)
{
    int table = lua_gettop(state);
    for (lua_pushnil(state); lua_next(state, table) != 0; lua_pop(state, 1)) {
        if (lua_isinteger(state, -2) && lua_tointeger(state, -2) == 1)
            continue;
        const char *name = lua_type(state, -2) == LUA_TSTRING ? lua_tostring(state, -2) : NULL;
        bool timed = !plan_kind_is_fate(kind);
        if (name == NULL || (!(timed && strcmp(name, "at") == 0) && !stage_kind_has(kind, name)))
            luaL_error(state, "%s has no '%s'; it has %s%s", plan_kind_name(kind),
                       name != NULL ? name : "value without a name", timed ? "at " : "", plan_kind_fields(kind));
    }
}

/* Of what must be given the absence is an error; the rest is 0. */
static bool is_needed(const char *field)
{
    return strcmp(field, "amount") != 0 && strcmp(field, "draw") != 0 && strcmp(field, "client") != 0;
}

void stage_take_item(lua_State *state, uint32_t node_count, struct plan_item *out)
{
    luaL_checktype(state, -1, LUA_TTABLE);
    *out = (struct plan_item){0};
    if (lua_rawgeti(state, -1, 1) != LUA_TSTRING)
        luaL_error(state, "an item of a plan begins with its kind: { \"crash\", at = \"1s\", node = 1 }");
    if (!plan_kind_find(text_at(state, -1), &out->kind))
        unknown_kind(state, lua_tostring(state, -1));
    lua_pop(state, 1);
    check_keys(state, out->kind);
    if (lua_getfield(state, -1, "at") != LUA_TNIL)
        out->at_ns = stage_take_time_of_run(state, -1, false);
    lua_pop(state, 1);
    const char *at = plan_kind_fields(out->kind);
    for (struct span field; next_field(&at, &field);) {
        char name[SIGHT_WORD_SIZE];
        name_of(field, name);
        if (lua_getfield(state, -1, name) != LUA_TNIL)
            set_field(state, -1, name, node_count, out);
        else if (is_needed(name))
            luaL_error(state, "%s wants '%s'", plan_kind_name(out->kind), name);
        lua_pop(state, 1);
    }
}

/* ---- from arguments ---- */

static bool is_time(lua_State *state, int at)
{
    int64_t ignored;
    return lua_type(state, at) == LUA_TSTRING && scenario_time_parse(text_at(state, at), &ignored);
}

/* Does the value at `at` fit the field? */
static bool suits(lua_State *state, int at, const char *field)
{
    if (strcmp(field, "set") == 0)
        return lua_istable(state, at);
    if (strcmp(field, "duration") == 0)
        return is_time(state, at);
    if (strcmp(field, "amount") == 0)
        return lua_isinteger(state, at) || is_time(state, at);
    if (strcmp(field, "node") == 0 || strcmp(field, "other") == 0)
        return lua_isinteger(state, at) || (lua_type(state, at) == LUA_TSTRING && !is_time(state, at));
    if (strcmp(field, "text") == 0)
        return lua_type(state, at) == LUA_TSTRING && !is_time(state, at);
    return lua_isinteger(state, at);
}

static void no_place(lua_State *state, enum plan_kind kind, int at)
{
    luaL_error(state, "%s takes %s; argument %d, a %s, fits none of them that is left", plan_kind_name(kind),
               plan_kind_fields(kind), at, luaL_typename(state, at));
}

/* The value at `at` goes into the first field that it suits. False: there is none. */
static bool place(lua_State *state, int at, uint32_t node_count, bool times_only, bool *filled, struct plan_item *out)
{
    const char *fields = plan_kind_fields(out->kind);
    struct span field;
    for (int n = 0; next_field(&fields, &field); n++) {
        char name[SIGHT_WORD_SIZE];
        name_of(field, name);
        if (filled[n] || !suits(state, at, name) || (times_only && strcmp(name, "duration") != 0))
            continue;
        set_field(state, at, name, node_count, out);
        filled[n] = true;
        return true;
    }
    return false;
}

void stage_take_arguments(lua_State *state, enum plan_kind kind, int first, uint32_t node_count,
                          struct plan_item *out)
{
    bool filled[16] = {false};
    *out = (struct plan_item){.kind = kind, .duration_ns = stage_kind_has(kind, "duration") ? PLAN_FOREVER : 0};
    for (int i = first; i <= lua_gettop(state); i++) /* a time is the duration first */
        if (!place(state, i, node_count, true, filled, out) && !place(state, i, node_count, false, filled, out))
            no_place(state, kind, i);
    const char *at = plan_kind_fields(kind);
    struct span field;
    for (int n = 0; next_field(&at, &field); n++) {
        char name[SIGHT_WORD_SIZE];
        name_of(field, name);
        bool says_what = strcmp(name, "node") == 0 || strcmp(name, "other") == 0 || strcmp(name, "set") == 0 ||
                         strcmp(name, "text") == 0;
        if (!filled[n] && says_what)
            luaL_error(state, "%s takes %s; %s is missing", plan_kind_name(kind), plan_kind_fields(kind), name);
    }
}
