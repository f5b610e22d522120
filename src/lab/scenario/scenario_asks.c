/* Requests of clients, and what is expected of their answers.
 *
 * Each request is made by a client that has none under way and is not bound to another node, so that requests never
 * wait for one another; the script may name the client. */
#include <string.h>

#include <lauxlib.h>

#include "base/time.h"
#include "lab/scenario/scenario_stage.h"

enum { ANSWER_S = 10 };
static const char ask_name[] = "ask";

struct ask_handle {
    uint32_t run, ask;
};

/* ---- asking ---- */

static bool is_free(const struct stage *stage, uint32_t client, uint32_t node)
{
    const struct stage_ask *last = NULL;
    for (uint32_t i = 0; i < stage->ask_count; i++)
        if (stage->asks[i].client == client)
            last = &stage->asks[i];
    return last == NULL || (last->answered && last->node == node);
}

static uint32_t free_client(lua_State *state, const struct stage *stage, uint32_t node)
{
    for (uint32_t client = 0; client < stage->world_options.client_count; client++)
        if (is_free(stage, client, node))
            return client;
    luaL_error(state, "all %d clients have been used: `clients` of group gives more, at most 64",
               (int)stage->world_options.client_count);
    return 0;
}

/* What is asked within a step is handed over after it, so the world's own count may lag behind. */
static uint64_t next_number(const struct stage *stage, uint32_t client)
{
    uint64_t number = world_requests(stage->world, client);
    for (uint32_t i = 0; i < stage->ask_count; i++)
        if (stage->asks[i].client == client && stage->asks[i].number > number)
            number = stage->asks[i].number;
    return number + 1;
}

static uint32_t take_node(lua_State *state, uint32_t node_count)
{
    struct plan_item item;
    int top = lua_gettop(state);
    lua_pushvalue(state, 1);
    stage_take_arguments(state, PLAN_OMIT_SEND, top + 1, node_count, &item);
    lua_settop(state, top);
    return item.node;
}

/* ask(node, "SET ka 1"[, client]) */
static int word_ask(lua_State *state)
{
    struct stage *stage = stage_of(state);
    size_t size;
    stage_want_world(state);
    uint32_t node = take_node(state, world_process_count(&stage->world_options));
    const char *text = luaL_checklstring(state, 2, &size);
    if (size >= STAGE_SENTENCE_SIZE || size == 0)
        return luaL_error(state, "a command has 1 to %d bytes", (int)STAGE_SENTENCE_SIZE - 1);
    if (stage->ask_count == STAGE_ASKS_MAX)
        return luaL_error(state, "a run may ask %d times", (int)STAGE_ASKS_MAX);
    lua_Integer client = luaL_optinteger(state, 3, -1);
    if (client >= (lua_Integer)stage->world_options.client_count)
        return luaL_error(state, "there is no client %I; they are counted from 0", (LUAI_UACINT)client);
    struct stage_ask *ask = &stage->asks[stage->ask_count];
    *ask = (struct stage_ask){.node = node};
    ask->client = client >= 0 ? (uint32_t)client : free_client(state, stage, node);
    ask->number = next_number(stage, ask->client);
    memcpy(ask->text, text, size + 1);
    struct ask_handle *handle = lua_newuserdatauv(state, sizeof *handle, 0);
    *handle = (struct ask_handle){.run = stage->runs, .ask = stage->ask_count++};
    luaL_setmetatable(state, ask_name);
    world_do(stage->world, &(struct plan_item){.kind = PLAN_REQUEST, .client = ask->client, .node = node,
                                               .text = span_of(ask->text, size)});
    return 1;
}

static struct stage_ask *ask_of(lua_State *state)
{
    struct stage *stage = stage_of(state);
    const struct ask_handle *handle = luaL_checkudata(state, 1, ask_name);
    if (stage->world == NULL || handle->run != stage->runs)
        luaL_error(state, "this request belongs to a run that is over");
    return &stage->asks[handle->ask];
}

/* ---- what is expected ---- */

static void tell(const struct stage_ask *ask, char *out, size_t size)
{
    if (!ask->answered)
        snprintf(out, size, "no answer so far");
    else if (ask->lost)
        snprintf(out, size, "the connection broke");
    else if (ask->error)
        snprintf(out, size, "error: %s", ask->answer);
    else
        snprintf(out, size, "%s", ask->answer);
}

/* Waits until the answer is there, then goes on with `judge`. */
static int when_answered(lua_State *state, lua_KFunction judge)
{
    struct stage *stage = stage_of(state);
    struct stage_ask *ask = ask_of(state);
    if (ask->answered)
        return judge(state, LUA_OK, 0);
    struct stage_story *story = stage_story_of(stage, state);
    if (story == NULL)
        return luaL_error(state, "waiting is for scripts and the handlers of when");
    story->ask = (uint32_t)(ask - stage->asks);
    return stage_yield(state, STORY_ANSWER, world_now_ns(stage->world) + ANSWER_S * NS_PER_S, judge);
}

static int judged(lua_State *state, bool so, const char *expected)
{
    struct stage *stage = stage_of(state);
    char saw[STAGE_SENTENCE_SIZE + 16];
    tell(ask_of(state), saw, sizeof saw);
    stage_judge(stage, so, expected, saw);
    lua_settop(state, 1);
    return stage->over ? lua_yield(state, 0) : 1;
}

static int judge_answer(lua_State *state, int status, lua_KContext context)
{
    const struct stage_ask *ask = ask_of(state);
    const char *wanted = lua_tostring(state, 2);
    char expected[2 * STAGE_SENTENCE_SIZE + 40];
    (void)status;
    (void)context;
    snprintf(expected, sizeof expected, "%u answers %s with %s", ask->node, ask->text, wanted);
    return judged(state, !ask->lost && !ask->error && strcmp(ask->answer, wanted) == 0, expected);
}

/* request:answers("OK") */
static int ask_answers(lua_State *state)
{
    luaL_checkstring(state, 2);
    return when_answered(state, judge_answer);
}

static bool begins_with_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    return strncmp(text, word, size) == 0 && (text[size] == '\0' || text[size] == ' ');
}

static int judge_failure(lua_State *state, int status, lua_KContext context)
{
    const struct stage_ask *ask = ask_of(state);
    const char *wanted = lua_tostring(state, 2);
    char expected[2 * STAGE_SENTENCE_SIZE + 40];
    (void)status;
    (void)context;
    snprintf(expected, sizeof expected, "%u refuses %s with %s", ask->node, ask->text, wanted);
    return judged(state, ask->error && begins_with_word(ask->answer, wanted), expected);
}

/* request:fails("CLUSTERDOWN"): an error that begins with that word. */
static int ask_fails(lua_State *state)
{
    luaL_checkstring(state, 2);
    return when_answered(state, judge_failure);
}

static int judge_loss(lua_State *state, int status, lua_KContext context)
{
    const struct stage_ask *ask = ask_of(state);
    char expected[STAGE_SENTENCE_SIZE + 60];
    (void)status;
    (void)context;
    snprintf(expected, sizeof expected, "%u leaves open whether %s happened", ask->node, ask->text);
    return judged(state, ask->lost || (ask->error && begins_with_word(ask->answer, "INDETERMINATE")), expected);
}

/* request:is_lost(): the connection broke, or the node says INDETERMINATE. */
static int ask_is_lost(lua_State *state)
{
    return when_answered(state, judge_loss);
}

/* request:is_open(): there is no answer now. */
static int ask_is_open(lua_State *state)
{
    const struct stage_ask *ask = ask_of(state);
    char expected[STAGE_SENTENCE_SIZE + 60];
    snprintf(expected, sizeof expected, "%u has not answered %s", ask->node, ask->text);
    return judged(state, !ask->answered, expected);
}

static int push_answer(lua_State *state, int status, lua_KContext context)
{
    const struct stage_ask *ask = ask_of(state);
    size_t at = 0;
    (void)status;
    (void)context;
    if (ask->lost)
        return 0;
    stage_push_answer(state, span_of(ask->bytes, ask->bytes_size), &at);
    return 1;
}

/* request:answer(): waits, and gives it as a Lua value; nil when the connection broke. */
static int ask_answer(lua_State *state)
{
    return when_answered(state, push_answer);
}

void stage_define_asks(struct stage *stage)
{
    static const luaL_Reg methods[] = {{"answers", ask_answers}, {"fails", ask_fails},   {"is_lost", ask_is_lost},
                                       {"is_open", ask_is_open}, {"answer", ask_answer}, {NULL, NULL}};
    lua_State *state = stage->lua.state;
    lua_register(state, "ask", word_ask);
    luaL_newmetatable(state, ask_name);
    luaL_newlib(state, methods);
    lua_setfield(state, -2, "__index");
    lua_pop(state, 1);
}
