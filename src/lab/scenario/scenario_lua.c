/* The sandbox. What makes Lua's own library unfit here, and what replaces it:
 *
 * - Lua seeds its string hash from addresses and the clock, so `next` walks tables in an order of the day: pairs copies
 *   the keys and sorts them.
 * - tostring and string.format show addresses: both give the type's name instead.
 * - The bound on the work is a hook that counts instructions. It does not see the inside of C functions, so functions
 *   whose work is not bounded by their memory (patterns, rep of an empty string, table.move) are replaced or left out.
 * - table.sort falls back on the clock for its pivot: left out. */
#include "lab/scenario/scenario_lua.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/bytes.h"

enum { STEPS_A_HOOK = 1000, REPEATS_A_STEP = 64 };

struct scenario_lua *scenario_lua_of(lua_State *state)
{
    struct scenario_lua *lua;
    memcpy(&lua, lua_getextraspace(state), sizeof(void *));
    return lua;
}

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct scenario_lua *lua = context;
    if (new_size == 0) {
        heap_free(lua->heap, block);
        return NULL;
    }
    size_t old_bytes = block != NULL ? old_size : 0; /* else it is a kind of object */
    bool grows = new_size > old_bytes;
    if (lua->bounded && grows && heap_used(lua->heap) + (new_size - old_bytes) > lua->memory_max)
        return NULL;
    return heap_resize(lua->heap, block, new_size);
}

/* ---- the bound on the work ---- */

/* `level` of the script's function: 1 from a C function, 0 from a hook, which has no level of its own. */
static void spend(lua_State *state, uint64_t steps, int level)
{
    struct scenario_lua *lua = scenario_lua_of(state);
    if (lua->steps_left >= steps) {
        lua->steps_left -= steps;
        return;
    }
    lua->steps_left = 0;
    luaL_where(state, level);
    lua_pushfstring(state, "the script has taken more than %I steps, which is all that a scenario may take; is there a "
                           "loop without an end?", (LUAI_UACINT)lua->steps_max);
    lua_concat(state, 2);
    lua_error(state);
}

void scenario_lua_spend(lua_State *state, uint64_t steps)
{
    spend(state, steps, 1);
}

static void on_count(lua_State *state, lua_Debug *info)
{
    (void)info;
    spend(state, STEPS_A_HOOK, 0);
}

/* ---- pairs in order ---- */

struct key {
    bool is_text;
    bool is_real;
    lua_Integer integer;
    lua_Number real;
    const char *text;
    size_t size;
};

static int compare_numbers(const struct key *a, const struct key *b)
{
    if (!a->is_real && !b->is_real)
        return (a->integer > b->integer) - (a->integer < b->integer);
    lua_Number left = a->is_real ? a->real : (lua_Number)a->integer;
    lua_Number right = b->is_real ? b->real : (lua_Number)b->integer;
    if (left != right)
        return left < right ? -1 : 1;
    return (int)a->is_real - (int)b->is_real;
}

static int compare_keys(const void *first, const void *second)
{
    const struct key *a = first, *b = second;
    if (a->is_text != b->is_text)
        return (int)a->is_text - (int)b->is_text;
    if (!a->is_text)
        return compare_numbers(a, b);
    return span_compare(span_of(a->text, a->size), span_of(b->text, b->size));
}

/* The key at the top of the stack; its text stays, as the table that is walked holds it. */
static struct key key_at_top(lua_State *state)
{
    struct key key = {0};
    int type = lua_type(state, -1);
    if (type == LUA_TSTRING) {
        key.is_text = true;
        key.text = lua_tolstring(state, -1, &key.size);
    } else if (type != LUA_TNUMBER) {
        luaL_error(state, "pairs walks tables whose keys are numbers and strings, as others have no order; here a key "
                          "is a %s", lua_typename(state, type));
    } else if (lua_isinteger(state, -1)) {
        key.integer = lua_tointeger(state, -1);
    } else {
        key.is_real = true;
        key.real = lua_tonumber(state, -1);
    }
    return key;
}

static void push_key(lua_State *state, const struct key *key)
{
    if (key->is_text)
        lua_pushlstring(state, key->text, key->size);
    else if (key->is_real)
        lua_pushnumber(state, key->real);
    else
        lua_pushinteger(state, key->integer);
}

static lua_Integer count_keys(lua_State *state)
{
    lua_Integer count = 0;
    for (lua_pushnil(state); lua_next(state, 1) != 0; lua_pop(state, 1))
        count++;
    return count;
}

/* Upvalues: the sorted keys, how many were given out. */
static int next_pair(lua_State *state)
{
    for (;;) {
        lua_Integer at = lua_tointeger(state, lua_upvalueindex(2)) + 1;
        lua_pushinteger(state, at);
        lua_replace(state, lua_upvalueindex(2));
        if (lua_rawgeti(state, lua_upvalueindex(1), at) == LUA_TNIL)
            return 1;
        lua_pushvalue(state, -1);
        if (lua_rawget(state, 1) != LUA_TNIL)
            return 2;
        lua_pop(state, 2); /* taken out since */
    }
}

static int sorted_pairs(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_Integer count = count_keys(state), filled = 0;
    scenario_lua_spend(state, (uint64_t)count);
    struct key *keys = lua_newuserdatauv(state, ((size_t)count + 1) * sizeof *keys, 0);
    for (lua_pushnil(state); lua_next(state, 1) != 0;) {
        lua_pop(state, 1);
        keys[filled++] = key_at_top(state);
    }
    qsort(keys, (size_t)count, sizeof *keys, compare_keys);
    lua_createtable(state, count < 1000 ? (int)count : 1000, 0);
    for (lua_Integer i = 0; i < count; i++) {
        push_key(state, &keys[i]);
        lua_rawseti(state, -2, i + 1);
    }
    lua_pushinteger(state, 0);
    lua_pushcclosure(state, next_pair, 2);
    lua_pushvalue(state, 1);
    return 2;
}

/* ---- text without addresses ---- */

static bool shows_address(lua_State *state, int at)
{
    int type = lua_type(state, at);
    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TTHREAD || type == LUA_TUSERDATA ||
           type == LUA_TLIGHTUSERDATA;
}

static void push_text(lua_State *state, int at)
{
    if (shows_address(state, at))
        lua_pushstring(state, luaL_typename(state, at));
    else
        luaL_tolstring(state, at, NULL);
}

static int safe_tostring(lua_State *state)
{
    luaL_checkany(state, 1);
    push_text(state, 1);
    return 1;
}

/* Upvalue: string.format itself. */
static int safe_format(lua_State *state)
{
    for (const char *at = luaL_checkstring(state, 1); (at = strchr(at, '%')) != NULL;) {
        at++;
        at += strspn(at, "-+ #0123456789.");
        if (*at == 'p')
            return luaL_error(state, "format: %%p shows an address, which is not the same twice");
        at += *at != '\0';
    }
    int count = lua_gettop(state);
    for (int i = 2; i <= count; i++)
        if (shows_address(state, i)) {
            lua_pushstring(state, luaL_typename(state, i));
            lua_replace(state, i);
        }
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, count, 1);
    return 1;
}

static int safe_print(lua_State *state)
{
    struct scenario_lua *lua = scenario_lua_of(state);
    luaL_Buffer line;
    int count = lua_gettop(state);
    luaL_checkstack(state, 3, "too many values to print");
    luaL_buffinit(state, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, ' ');
        push_text(state, i);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    size_t size;
    const char *text = lua_tolstring(state, -1, &size);
    scenario_lua_spend(state, size);
    if (lua->print != NULL)
        lua->print(lua->context, text, size);
    return 0;
}

/* As string.rep, whose loop runs without end for an empty string. */
static int safe_repeat(lua_State *state)
{
    size_t size;
    const char *text = luaL_checklstring(state, 1, &size);
    lua_Integer times = luaL_checkinteger(state, 2);
    luaL_Buffer out;
    luaL_buffinit(state, &out);
    for (lua_Integer i = 0; i < times && size > 0; i++) {
        if (i % REPEATS_A_STEP == 0)
            scenario_lua_spend(state, 1);
        luaL_addlstring(&out, text, size);
    }
    luaL_pushresult(&out);
    return 1;
}

/* ---- opening ---- */

/* Copies the named fields of the table at the top into a new global table of that name. */
static void keep_fields(lua_State *state, const char *name, const char *const *fields)
{
    lua_newtable(state);
    for (; *fields != NULL; fields++) {
        lua_getfield(state, -2, *fields);
        lua_setfield(state, -2, *fields);
    }
    lua_setglobal(state, name);
    lua_pop(state, 1);
}

static void open_base(lua_State *state)
{
    static const char *const kept[] = {"assert", "error", "ipairs", "select", "tonumber", "type", NULL};
    luaL_requiref(state, "_G", luaopen_base, 0);
    lua_newtable(state);
    for (const char *const *name = kept; *name != NULL; name++) {
        lua_getfield(state, -2, *name);
        lua_setfield(state, -2, *name);
    }
    static const luaL_Reg own[] = {{"pairs", sorted_pairs}, {"print", safe_print}, {"tostring", safe_tostring},
                                   {NULL, NULL}};
    luaL_setfuncs(state, own, 0);
    lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pop(state, 1);
}

static void open_libraries(lua_State *state)
{
    static const char *const tables[] = {"concat", "insert", "remove", "unpack", NULL};
    static const char *const maths[] = {"abs", "ceil", "floor", "max", "min", "tointeger", NULL};
    static const char *const strings[] = {"byte", "char", "len", "lower", "reverse", "sub", "upper", NULL};
    open_base(state);
    luaL_requiref(state, "table", luaopen_table, 0);
    keep_fields(state, "table", tables);
    luaL_requiref(state, "math", luaopen_math, 0);
    keep_fields(state, "math", maths);
    luaL_requiref(state, "string", luaopen_string, 0);
    lua_getfield(state, -1, "format");
    lua_insert(state, -2);
    keep_fields(state, "string", strings);
    lua_getglobal(state, "string");
    lua_insert(state, -2);
    lua_pushcclosure(state, safe_format, 1);
    lua_setfield(state, -2, "format");
    lua_pushcfunction(state, safe_repeat);
    lua_setfield(state, -2, "rep");
    /* ("x"):upper() looks into the metatable that all strings share; nothing can change it from a script. */
    lua_pushliteral(state, "");
    lua_getmetatable(state, -1);
    lua_pushvalue(state, -3);
    lua_setfield(state, -2, "__index");
    lua_settop(state, 0);
    /* What luaL_requiref noted down is reachable by no function that is left. */
}

static int open_protected(lua_State *state)
{
    open_libraries(state);
    return 0;
}

bool scenario_lua_open(struct scenario_lua *lua, struct heap *heap, size_t memory_max, uint64_t steps_max)
{
    *lua = (struct scenario_lua){
        .heap = heap, .memory_max = memory_max, .steps_left = steps_max, .steps_max = steps_max};
    lua->state = lua_newstate(allocate, lua);
    if (lua->state == NULL)
        return false;
    void *self = lua;
    memcpy(lua_getextraspace(lua->state), &self, sizeof self);
    lua_pushcfunction(lua->state, open_protected);
    if (lua_pcall(lua->state, 0, 0, 0) != LUA_OK) {
        scenario_lua_close(lua);
        return false;
    }
    lua_sethook(lua->state, on_count, LUA_MASKCOUNT, STEPS_A_HOOK);
    return true;
}

void scenario_lua_close(struct scenario_lua *lua)
{
    if (lua->state != NULL)
        lua_close(lua->state);
    lua->state = NULL;
}

/* ---- running ---- */

/* Where a coroutine stands or fell; allocates nothing. */
static int print_where(lua_State *thread, char *out, size_t size)
{
    lua_Debug info;
    for (int level = 0; lua_getstack(thread, level, &info) != 0; level++)
        if (lua_getinfo(thread, "Sl", &info) != 0 && info.currentline > 0)
            return snprintf(out, size, "%s:%d: ", info.short_src, info.currentline);
    return 0;
}

const char *scenario_lua_resume(struct scenario_lua *lua, lua_State *thread, int arguments, int *results, char *why,
                                size_t why_size)
{
    bool outer = lua->bounded;
    lua->bounded = true;
    int status = lua_resume(thread, NULL, arguments, results);
    lua->bounded = outer;
    if (status == LUA_OK || status == LUA_YIELD)
        return NULL;
    if (status == LUA_ERRMEM) {
        int length = print_where(thread, why, why_size);
        snprintf(why + length, why_size - (size_t)length, "the script needs more than %zu MiB of memory",
                 lua->memory_max >> 20);
        return why;
    }
    const char *error = lua_tostring(thread, -1);
    if (error != NULL)
        return error;
    int length = print_where(thread, why, why_size);
    snprintf(why + length, why_size - (size_t)length, "the script raised an error that is no text");
    return why;
}

/* ---- loading ---- */

static char *read_file(const char *path, size_t *size, char *why, size_t why_size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = malloc((size_t)SCENARIO_SCRIPT_BYTES_MAX + 1);
    *size = text != NULL ? fread(text, 1, (size_t)SCENARIO_SCRIPT_BYTES_MAX + 1, file) : 0;
    bool failed = ferror(file) != 0;
    if (text == NULL || failed)
        snprintf(why, why_size, "cannot read %s: %s", path, failed ? strerror(errno) : "no memory");
    else if (*size > SCENARIO_SCRIPT_BYTES_MAX)
        snprintf(why, why_size, "%s is longer than a script may be, which is %d bytes", path,
                 (int)SCENARIO_SCRIPT_BYTES_MAX);
    bool fine = text != NULL && !failed && *size <= SCENARIO_SCRIPT_BYTES_MAX;
    fclose(file);
    if (fine)
        return text;
    free(text);
    return NULL;
}

bool scenario_lua_load(struct scenario_lua *lua, lua_State *thread, const char *path, char *why, size_t why_size)
{
    size_t size;
    char name[512];
    char *text = read_file(path, &size, why, why_size);
    (void)lua;
    if (text == NULL)
        return false;
    snprintf(name, sizeof name, "@%s", path);
    bool fine = luaL_loadbufferx(thread, text, size, name, "t") == LUA_OK;
    if (!fine)
        snprintf(why, why_size, "%s", lua_tostring(thread, -1));
    free(text);
    return fine;
}
