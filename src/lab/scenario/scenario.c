/* Running a scenario: its script, one world after another, and what it came to. */
#include "lab/scenario/scenario.h"

#include <string.h>

#include <lauxlib.h>

#include "base/heap_system.h"
#include "lab/scenario/scenario_stage.h"

/* Of sights, stories and plans; address space, of which only what is used costs memory. */
#define STAGE_HEAP_BYTES ((size_t)2 << 30)

struct place {
    struct heap *stage_heap, *lua_heap;
    struct stage *stage;
};

static bool open_place(struct place *place, const struct scenario_options *options, struct scenario_report *report)
{
    place->stage_heap = heap_create_system(STAGE_HEAP_BYTES);
    place->lua_heap = heap_create_system(SCENARIO_MEMORY_BYTES + SCENARIO_LUA_SLACK);
    if (place->stage_heap == NULL || place->lua_heap == NULL)
        return false;
    struct stage *stage = heap_alloc_zero(place->stage_heap, sizeof *stage);
    if (stage == NULL)
        return false;
    place->stage = stage;
    stage->options = options;
    stage->report = report;
    stage->heap = place->stage_heap;
    stage->rules = heap_alloc_zero(stage->heap, STAGE_RULES_MAX * sizeof *stage->rules);
    stage->asks = heap_alloc_zero(stage->heap, STAGE_ASKS_MAX * sizeof *stage->asks);
    plan_init(&stage->plan, stage->heap);
    return stage->rules != NULL && stage->asks != NULL &&
           scenario_lua_open(&stage->lua, place->lua_heap, SCENARIO_MEMORY_BYTES, SCENARIO_STEPS_MAX);
}

/* A run that was left by a jump may have left Lua in the midst of a function, so Lua is not asked to close: its memory
 * goes as a whole. */
static void close_place(struct place *place)
{
    heap_destroy_system(place->lua_heap);
    heap_destroy_system(place->stage_heap);
}

static int define(lua_State *state)
{
    struct stage *stage = stage_of(state);
    stage_define_group(stage);
    stage_define_words(stage);
    stage_define_deeds(stage);
    stage_define_asks(stage);
    return 0;
}

/* The script becomes the first story, which has not begun. */
static bool load(struct stage *stage)
{
    lua_State *state = stage->lua.state;
    char why[500];
    stage->lua.context = stage;
    stage->lua.print = stage_say;
    lua_pushcfunction(state, define);
    if (lua_pcall(state, 0, 0, 0) != LUA_OK) {
        stage_error(stage, lua_tostring(state, -1));
        return false;
    }
    if (!scenario_lua_load(&stage->lua, state, stage->options->path, why, sizeof why)) {
        stage_error(stage, why);
        return false;
    }
    return stage_begin(stage, state, 0, 0) != NULL;
}

static void no_group(struct stage *stage)
{
    char sentence[500];
    snprintf(sentence, sizeof sentence, "%s: the script sets up no group: group { protocol = \"raft\", nodes = 3 }",
             stage->options->path);
    stage_error(stage, sentence);
}

static void run_all(struct stage *stage)
{
    struct stage_story *main = &stage->stories[0];
    stage_resume(stage, main, 0);
    if (main->wait == STORY_ENDED && !stage->failed)
        no_group(stage);
    bool titled = false;
    while (main->wait == STORY_GROUP && !stage->failed) {
        stage_clear(stage);
        if (!titled)
            stage_print_title(stage);
        titled = true;
        stage_run(stage);
    }
}

static void print_verdict(const struct scenario_options *options, const struct scenario_report *report)
{
    if (options->out == NULL)
        return;
    if (report->verdict == SCENARIO_AGREES)
        fprintf(options->out, "  agrees: %u expectations\n", report->expectations);
    else if (report->verdict == SCENARIO_DISAGREES)
        fprintf(options->out, "  DISAGREES: %s\n", report->sentence);
    fflush(options->out);
}

void scenario_run(const struct scenario_options *options, struct scenario_report *report)
{
    struct place place = {0};
    *report = (struct scenario_report){.verdict = SCENARIO_AGREES};
    if (!open_place(&place, options, report)) {
        report->verdict = SCENARIO_ERROR;
        snprintf(report->sentence, sizeof report->sentence, "no memory for a scenario");
    } else if (load(place.stage)) {
        run_all(place.stage);
    }
    close_place(&place);
    print_verdict(options, report);
}
