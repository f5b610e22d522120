/* The stage of a scenario: the state that its files share. Nobody outside src/lab/scenario* includes it.
 *
 *   scenario.c          loads the script, runs one world after another, sums up
 *   scenario_stage.c    sights, and which story goes on when
 *   scenario_world.c    the world's doors: what it tells becomes sights
 *   scenario_group.c    group: what a run is like
 *   scenario_words.c    plan, wait, expect, never, when, count, violates
 *   scenario_deeds.c    crash, cut, lose, …: the kinds of the plan as functions, by time, by node, or by sentence
 *   scenario_asks.c     ask, and what is expected of the answer
 *   scenario_answer.c   RESP as people and scripts read it
 *   scenario_item.c     a plan's items from Lua values
 *   scenario_report.c   lines for people
 *
 * Stories. The script is the first story, each call of a `when` another one: coroutines. A story reads the list of
 * sights from its cursor on; when it has read all and its wait is not over, it sleeps until there are more. So nothing
 * that happens between the sight that woke it and its next wait is missed. */
#ifndef LOCKSTEP_LAB_SCENARIO_STAGE_H
#define LOCKSTEP_LAB_SCENARIO_STAGE_H

#include "host/world/world_network.h"
#include "lab/search/campaign.h"
#include "lab/scenario/scenario.h"
#include "lab/scenario/scenario_lua.h"
#include "lab/scenario/scenario_sight.h"

enum {
    STAGE_STORIES_MAX = 256,
    STAGE_RULES_MAX = 256, /* whens, nevers and fates by sentence, of one run */
    STAGE_ASKS_MAX = 4096,
    STAGE_PATTERNS_MAX = 16, /* of one wait */
    STAGE_SENTENCE_SIZE = 256,
    STAGE_CLIENTS = 16, /* when the script names no number */
};

/* A sentence with what it says. */
struct stage_sentence {
    char text[STAGE_SENTENCE_SIZE];
    struct sight_pattern pattern;
};

enum story_wait { STORY_RUNS, STORY_GROUP, STORY_SIGHTS, STORY_TIME, STORY_ANSWER, STORY_ENDED };

struct stage_story {
    lua_State *thread;
    int reference;  /* in Lua's registry */
    enum story_wait wait;
    uint32_t cursor; /* the next sight to look at */
    uint64_t number; /* of its wait, for alarms; rises */
    int64_t since_ns, until_ns;
    struct stage_sentence *sentences;  /* on the stage's heap; STORY_SIGHTS: all must be seen */
    uint32_t sentence_count, times, seen; /* times: of one sentence, how often */
    bool met[STAGE_PATTERNS_MAX];
    uint32_t sights[STAGE_PATTERNS_MAX]; /* that met them; UINT32_MAX: a state */
    uint32_t ask;                       /* STORY_ANSWER */
};

enum rule_kind { RULE_WHEN, RULE_NEVER, RULE_FATE };

/* What holds from its making on, until it is stopped or the run ends. */
struct stage_rule {
    enum rule_kind kind;
    struct stage_sentence sentence;
    bool active;
    uint32_t cursor;        /* WHEN */
    int function;           /* WHEN: in Lua's registry */
    struct plan_item fate;  /* FATE */
    uint64_t left;          /* FATE: messages that it still takes */
    uint64_t struck;
};

/* A request of a client, and what came of it. */
struct stage_ask {
    uint32_t client, node;
    uint64_t number; /* of the client's requests */
    bool answered, error, lost; /* lost: the connection broke first */
    int64_t answered_ns;
    char text[STAGE_SENTENCE_SIZE];   /* the command */
    char answer[STAGE_SENTENCE_SIZE]; /* as people read it */
    uint8_t *bytes;                   /* the answer as RESP, on the stage's heap */
    size_t bytes_size;
    uint32_t sight_count; /* when the answer came */
};

struct stage {
    const struct scenario_options *options;
    struct scenario_report *report;
    struct heap *heap;
    struct scenario_lua lua;

    /* the run */
    struct world_options world_options, next; /* next: of the group{} that has been called */
    int64_t elections_ns[WORLD_NODES_MAX], next_elections_ns[WORLD_NODES_MAX];
    struct plan plan;
    bool planned;         /* plan{} was called: the run goes to its end */
    struct world *world;  /* NULL: none */
    int64_t ended_ns;     /* of the last run, once it is over */
    bool over;            /* nothing more is done in this run */
    char violates[32];    /* the property that must break; empty: none */
    uint32_t runs;
    const void *members[WORLD_NODES_MAX]; /* NULL: not up */
    const struct group_spec *specs[WORLD_NODES_MAX];
    uint64_t stepped; /* bit place: its state may have changed since the stories looked */
    uint64_t sent[WORLD_NODES_MAX][WORLD_NODES_MAX]; /* whole messages on each link */

    struct sight *sights;
    uint32_t sight_count, sight_capacity;
    struct stage_story stories[STAGE_STORIES_MAX];
    uint32_t story_count;
    struct stage_rule *rules;
    uint32_t rule_count;
    struct stage_ask *asks;
    uint32_t ask_count;
    bool pumping;
    bool failed; /* a story or a rule disagreed, or an error: the report has it */
};

static inline struct stage *stage_of(lua_State *state)
{
    return scenario_lua_of(state)->context;
}

/* ---- scenario_stage.c ---- */

/* Adds a copy. Its text and body are copied too. */
void stage_see(struct stage *stage, const struct sight *sight, size_t body_size);
/* Lets every story go on that can. */
void stage_pump(struct stage *stage);
/* The story that runs on this coroutine. */
struct stage_story *stage_story_of(struct stage *stage, lua_State *thread);
/* Begins a story with the function at the top of `from`, which it pops, and as many values below it as arguments. */
struct stage_story *stage_begin(struct stage *stage, lua_State *from, int arguments, uint32_t cursor);
/* Goes on with a story; the values at the top of its stack are what its wait gives. */
void stage_resume(struct stage *stage, struct stage_story *story, int arguments);
/* The alarm of a wait rang. */
void stage_wait_is_late(struct stage *stage, uint32_t story, uint64_t number);
/* Does a state pattern hold now? The report gets an error when it asks for a word that is not there. */
bool stage_state_holds(struct stage *stage, const struct sight_pattern *pattern, uint32_t *node);
/* Prints the words of a member's state that a pattern asks for. */
void stage_print_words(struct stage *stage, const struct sight_pattern *pattern, uint32_t node, char *out,
                       size_t size);
/* Forgets the run, for the next one. */
void stage_clear(struct stage *stage);
/* Ends the run: the scenario disagrees, or makes no sense. The first sentence counts. */
void stage_disagree(struct stage *stage, const char *sentence);
void stage_error(struct stage *stage, const char *sentence);

/* ---- scenario_world.c ---- */

/* Runs the world that was set up, from group{} to its end. */
void stage_run(struct stage *stage);
/* The state of a member as a line of words; NULL when it is down. */
const char *stage_member_state(struct stage *stage, uint32_t node, char out[SIGHT_STATE_SIZE]);

/* ---- scenario_group.c, scenario_words.c, scenario_deeds.c, scenario_asks.c: define their functions ---- */
void stage_define_group(struct stage *stage);
void stage_define_words(struct stage *stage);
void stage_define_deeds(struct stage *stage);
void stage_define_asks(struct stage *stage);
/* Reads the sentence at an index of the stack; raises an error when it is none. */
void stage_take_sentence(lua_State *state, int at, struct stage_sentence *out);
/* The story that calls; raises an error where there is none. */
struct stage_story *stage_own_story(lua_State *state);
/* Raises an error unless a run is under way. */
void stage_want_world(lua_State *state);
/* Reads a duration ("200ms") at an index; raises an error when it is none. */
int64_t stage_take_time(lua_State *state, int at);
/* The same, at most a day, or with `forever` also PLAN_FOREVER. */
int64_t stage_take_time_of_run(lua_State *state, int at, bool forever);
/* Gives back a handle with :stop() for the rule. */
void stage_push_rule(lua_State *state, uint32_t rule);
/* A new rule; raises an error when there are too many. */
struct stage_rule *stage_new_rule(lua_State *state, enum rule_kind kind, uint32_t *number);
/* Yields until the wait of this story is over; `until_ns` is absolute. */
int stage_yield(lua_State *state, enum story_wait wait, int64_t until_ns,
                int (*go_on)(lua_State *state, int status, intptr_t context));

/* ---- scenario_answer.c ---- */

/* RESP as people read it: lists in brackets, null as nil, bytes that are no text by their number. */
void stage_print_answer(struct span bytes, char *out, size_t size);
/* Pushes the value at `*at` as Lua has it, and moves behind it: lists as tables, integers as integers, null as false,
 * the rest as text. */
void stage_push_answer(lua_State *state, struct span bytes, size_t *at);

/* ---- scenario_item.c ---- */

/* Fills in an item from the table at the top of the stack: { "crash", at = "1s", node = 1, … }. Raises errors. */
void stage_take_item(lua_State *state, uint32_t node_count, struct plan_item *out);
/* Fills in an item of that kind from the arguments on the stack, from `first` on, by what they are: a list is the set,
 * a number or "S1" the next field that takes a number, a time the duration and then the amount. */
void stage_take_arguments(lua_State *state, enum plan_kind kind, int first, uint32_t node_count,
                          struct plan_item *out);
bool stage_kind_has(enum plan_kind kind, const char *field);

/* ---- scenario_report.c ---- */

/* One expectation: what was expected, whether it was so, and what was seen. Not so: the scenario disagrees. */
void stage_judge(struct stage *stage, bool so, const char *expected, const char *saw);
void stage_print_title(struct stage *stage);
/* A line of the script's own. */
void stage_say(void *stage, const char *text, size_t size);

#endif
