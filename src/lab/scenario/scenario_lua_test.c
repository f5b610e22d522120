/* The sandbox: what a script can do is bounded and the same everywhere; the rest is not there. */
#include "lab/scenario/scenario_lua.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/heap_system.h"

enum { STEPS = 2000000, MEMORY = 8 << 20 };

struct bench {
    struct heap *heap;
    struct scenario_lua lua;
    char printed[4096];
};

static void on_print(void *context, const char *text, size_t size)
{
    struct bench *bench = context;
    size_t length = strlen(bench->printed);
    snprintf(bench->printed + length, sizeof bench->printed - length, "%.*s\n", (int)size, text);
}

static int set_up(void **state)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    bench.heap = heap_create_system(MEMORY + SCENARIO_LUA_SLACK);
    if (bench.heap == NULL || !scenario_lua_open(&bench.lua, bench.heap, MEMORY, STEPS))
        return 1;
    bench.lua.print = on_print;
    bench.lua.context = &bench;
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    scenario_lua_close(&bench->lua);
    int leaked = heap_used(bench->heap) != 0;
    heap_destroy_system(bench->heap);
    return leaked;
}

/* Runs in a coroutine, as scripts do. NULL: it ended well; else the error. */
static const char *run(struct bench *bench, const char *script)
{
    lua_State *thread = lua_newthread(bench->lua.state);
    static char why[200];
    int results;
    if (luaL_loadbufferx(thread, script, strlen(script), "=script", "t") != LUA_OK)
        return lua_tostring(thread, -1);
    return scenario_lua_resume(&bench->lua, thread, 0, &results, why, sizeof why);
}

static void prints(struct bench *bench, const char *script, const char *wanted)
{
    bench->printed[0] = '\0';
    const char *error = run(bench, script);
    if (error != NULL)
        fail_msg("%s: %s", script, error);
    assert_string_equal(bench->printed, wanted);
}

static void fails(struct bench *bench, const char *script, const char *says)
{
    const char *error = run(bench, script);
    if (error == NULL || strstr(error, says) == NULL)
        fail_msg("%s: %s", script, error != NULL ? error : "no error");
}

static void plain_lua_works(void **state)
{
    prints(*state, "print(1 + 2, 'x' .. 3, #'abc', nil, true)", "3 x3 3 nil true\n");
    prints(*state, "print(('%d-%s-%5.2f'):format(3, 'a', 0.5), ('ab'):rep(3), ('x'):upper())", "3-a- 0.50 ababab X\n");
    prints(*state, "local t = {3, 1} table.insert(t, 2) print(table.concat(t, ','), table.unpack(t))", "3,1,2 3 1 2\n");
    prints(*state, "print(math.floor(2.5), math.max(1, 7), tonumber('12'), select('#', 1, 2))", "2 7 12 2\n");
    prints(*state, "for i, v in ipairs{'a', 'b'} do print(i, v) end", "1 a\n2 b\n");
    fails(*state, "error('no good')", "script:1: no good");
    fails(*state, "assert(false, 'not so')", "not so");
    fails(*state, "local x = nil; x.y = 1", "script:1");
}

static void what_is_not_the_same_everywhere_is_not_there(void **state)
{
    static const char *const names[] = {"os", "io", "require", "package", "debug", "load", "loadstring", "dofile",
                                        "loadfile", "collectgarbage", "next", "pcall", "xpcall", "coroutine",
                                        "setmetatable", "getmetatable", "rawset", "rawget", "utf8", "_G",
                                        "string.dump", "string.gsub", "string.find", "string.match", "string.gmatch",
                                        "string.pack", "table.sort", "table.move", "math.random", "math.randomseed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char script[100];
        snprintf(script, sizeof script, "print(%s)", names[i]);
        prints(*state, script, "nil\n");
    }
}

static void addresses_are_not_shown(void **state)
{
    prints(*state, "print({}, print, tostring({}))", "table function table\n");
    prints(*state, "print(string.format('%s %q', print, 'a'))", "function \"a\"\n");
    fails(*state, "string.format('%p', {})", "%p shows an address");
    fails(*state, "string.format('%-20p', {})", "%p shows an address");
    fails(*state, "string.format('%%%p', {})", "%p shows an address");
    prints(*state, "print(string.format('%%p'))", "%p\n");
}

static void pairs_has_an_order(void **state)
{
    prints(*state,
           "local t = {b = 1, a = 2, [10] = 3, [2] = 4, ab = 5, [2.5] = 6, [-1] = 7} "
           "for k, v in pairs(t) do print(k, v) end",
           "-1 7\n2 4\n2.5 6\n10 3\na 2\nab 5\nb 1\n");
    prints(*state, "local t = {a = 1, b = 2, c = 3} for k in pairs(t) do print(k) t.b = nil end", "a\nc\n");
    prints(*state, "for k in pairs{} do print(k) end", "");
    fails(*state, "for k in pairs{[true] = 1} do end", "a key is a boolean");
    fails(*state, "pairs(3)", "table expected");
}

/* Many keys, in whatever order Lua has them: sorted, each once. */
static void pairs_sorts_many_keys(void **state)
{
    prints(*state,
           "local t, n, last = {}, 0, '' for i = 1, 3000 do t['k' .. (i * 7919) % 3001] = i end "
           "for k in pairs(t) do assert(k > last) last = k n = n + 1 end print(n)",
           "3000\n");
}

static void work_is_bounded(void **state)
{
    fails(*state, "while true do end", "more than 2000000 steps");
}

static void work_of_functions_is_bounded(void **state)
{
    fails(*state, "for i = 1, 1e9 do string.rep('', 1e15) print(#string.rep('ab', 1000)) end", "more than 2000000 steps");
}

static void a_loop_inside_a_function_ends(void **state)
{
    fails(*state, "local function f() return f() end f()", "more than 2000000 steps");
}

static void memory_is_bounded(void **state)
{
    fails(*state, "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end", "script:1: the script needs more than 8 MiB of memory");
}

static void long_texts_are_bounded(void **state)
{
    fails(*state, "local s = 'x' while true do s = s .. s end", "script:1: the script needs more than 8 MiB of memory");
}

static void deep_recursion_is_bounded_by_memory(void **state)
{
    fails(*state, "local function f() return 1 + f() end f()", "script:1: the script needs more than 8 MiB of memory");
}

static void loading_tells_file_and_line(void **state)
{
    struct bench *bench = *state;
    char why[300] = "", path[] = "scenario-lua-XXXXXX";
    assert_false(scenario_lua_load(&bench->lua, bench->lua.state, "no-such-file.lua", why, sizeof why));
    assert_non_null(strstr(why, "cannot read no-such-file.lua: No such file"));
    int end = mkstemp(path);
    assert_true(end >= 0);
    FILE *file = fdopen(end, "w");
    fputs("local x = 1\nlocal = 2\n", file);
    fclose(file);
    assert_false(scenario_lua_load(&bench->lua, bench->lua.state, path, why, sizeof why));
    remove(path);
    assert_non_null(strstr(why, ":2: <name> expected near '='"));
}

static void an_error_may_be_anything(void **state)
{
    fails(*state, "error({})", "the script raised an error that is no text");
    fails(*state, "error()", "the script raised an error that is no text");
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(plain_lua_works),
        WITH_BENCH(what_is_not_the_same_everywhere_is_not_there),
        WITH_BENCH(addresses_are_not_shown),
        WITH_BENCH(pairs_has_an_order),
        WITH_BENCH(pairs_sorts_many_keys),
        WITH_BENCH(work_is_bounded),
        WITH_BENCH(work_of_functions_is_bounded),
        WITH_BENCH(a_loop_inside_a_function_ends),
        WITH_BENCH(memory_is_bounded),
        WITH_BENCH(long_texts_are_bounded),
        WITH_BENCH(deep_recursion_is_bounded_by_memory),
        WITH_BENCH(an_error_may_be_anything),
        WITH_BENCH(loading_tells_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
