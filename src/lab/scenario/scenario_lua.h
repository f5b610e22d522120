/* The Lua that scenarios are written in: Lua 5.4 without a clock, randomness, files, other code, or any order that
 * depends on addresses; with bounded memory and work.
 *
 * There is: assert, error, ipairs, pairs, print, select, tonumber, tostring, type; string.byte, char, format, len,
 * lower, rep, reverse, sub, upper; table.concat, insert, remove, unpack; math.abs, ceil, floor, max, min, tointeger.
 * pairs walks numbers, then strings, in ascending order. tostring and %s write "table" for a table, and %p is refused.
 * Left out on purpose: pcall, which would catch the bound on the work; metatables, load, patterns and sort, whose work
 * or order could not be told. */
#ifndef LOCKSTEP_LAB_SCENARIO_LUA_H
#define LOCKSTEP_LAB_SCENARIO_LUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

typedef struct lua_State lua_State; /* lua.h says the same */

struct scenario_lua {
    lua_State *state;
    struct heap *heap;    /* borrowed; all of Lua's memory */
    size_t memory_max;    /* that scripts may take of it */
    bool bounded;         /* a script runs: what is allocated now is its own */
    uint64_t steps_left;  /* instructions, all coroutines together */
    uint64_t steps_max;
    void (*print)(void *context, const char *text, size_t size); /* of print(): a line without its end; NULL: nowhere */
    void *context;        /* of print, and of whoever defines functions: scenario_lua_of(state)->context */
};

/* Opens it in `lua`, which must stay where it is until it is closed. The heap must have SCENARIO_LUA_SLACK bytes more
 * than scripts may take: between the runs of scripts an allocation cannot fail. False: the heap has no room. */
enum { SCENARIO_LUA_SLACK = 8 << 20 };
bool scenario_lua_open(struct scenario_lua *lua, struct heap *heap, size_t memory_max, uint64_t steps_max);
void scenario_lua_close(struct scenario_lua *lua);

/* The one that a state, or a coroutine of it, belongs to. */
struct scenario_lua *scenario_lua_of(lua_State *state);

/* lua_resume, within the bounds. NULL: the coroutine has yielded or ended (lua_status tells), with `*results` values on
 * its stack. Else the error, with file and line, which lives as long as the coroutine or in `why`. */
const char *scenario_lua_resume(struct scenario_lua *lua, lua_State *thread, int arguments, int *results, char *why,
                                size_t why_size);

/* Takes steps of the bound for work that is not counted otherwise; raises a Lua error when they run out. */
void scenario_lua_spend(lua_State *state, uint64_t steps);

/* Reads the script and leaves its main function on the stack of `thread`. False: `why` has a sentence with file and
 * line (or what the system says of the file). A script may have SCENARIO_SCRIPT_BYTES_MAX bytes. */
enum { SCENARIO_SCRIPT_BYTES_MAX = 8 << 20 };
bool scenario_lua_load(struct scenario_lua *lua, lua_State *thread, const char *path, char *why, size_t why_size);

#endif
