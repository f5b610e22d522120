/* The state of a world, private to world_*.c of this folder. Everything lies in the run's region. */
#ifndef LOCKSTEP_HOST_WORLD_STATE_H
#define LOCKSTEP_HOST_WORLD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/heap.h"
#include "base/random.h"
#include "contract/spec.h"
#include "front/front.h"
#include "host/world/world.h"
#include "host/world/world_act.h"
#include "host/world/world_disk.h"
#include "host/world/world_faults.h"
#include "host/world/world_member_faults.h"
#include "host/world/world_keys.h"
#include "host/world/world_network.h"
#include "host/world/world_schedule.h"
#include "node/node.h"

enum {
    WORLD_GROUP = 0, /* the one group of every node, which the front serves */
    WORLD_CLIENTS_MAX = 64,
};

/* What a schedule entry means. */
enum world_kind {
    WORLD_WAKE,         /* target: place; inputs are waiting */
    WORLD_TIMER,        /* target: place; a timer may be due */
    WORLD_BOOT,         /* target: place */
    WORLD_PACKET,       /* object: packet */
    WORLD_DISK_DONE,    /* target: place; object: operation */
    WORLD_CONNECT,      /* target: pair of places; both are to hear of one another */
    WORLD_PEER_GONE,    /* target: pair of places; the first is to hear that the second is lost */
    WORLD_CLIENT_ACT,   /* target: client; object: its epoch */
    WORLD_CLIENT_LATE,  /* target: client; object: its epoch */
    WORLD_CLIENT_FLUSH, /* target: client; what it has asked leaves */
    WORLD_TO_SERVER,    /* object: letter */
    WORLD_TO_CLIENT,    /* object: letter */
    WORLD_FAULT,        /* target: number of the fault process */
    WORLD_ITEM,         /* target: 1 if it is to be freed; object: plan item, to be done now */
    WORLD_HEAL,         /* the phase of faults is over */
    WORLD_END,          /* object: number of the timed item that ends */
    WORLD_ALARM,        /* object: number, for world_options.alarm */
    WORLD_ADVERSARY,    /* target: place; object: number of the deed */
    WORLD_ATTACK,       /* target: place; what its attack could not do inside a turn */
};

/* What gets out of a turn in which its process dies. */
struct cut {
    struct random random;
    bool nothing;
};

/* In the target of an entry: it is for the twin of that place. */
enum { WORLD_TWIN = 1 << 16 };
/* How many twins there may ever be in a run: its region has room for so many. */
static inline uint32_t world_twins_max(uint32_t node_count) { return (node_count + 1) / 2; }

static inline uint32_t world_pair(uint32_t first, uint32_t second) { return first << 8 | second; }

/* A client's connection. Both ends hold it, and so does each letter on its way. */
struct wire {
    uint32_t references;
    uint32_t client, place;
    uint64_t life;                 /* of the process */
    struct connection *connection; /* NULL before it is accepted and after it is gone */
    bool refused, server_gone, client_gone;
    int64_t last_to_server_ns, last_to_client_ns; /* letters stay in order */
};

enum letter_kind { LETTER_OPEN, LETTER_BYTES, LETTER_CLOSE };

struct letter {
    struct letter *next;
    enum letter_kind kind;
    struct wire *wire;
    struct parcel *parcel; /* LETTER_BYTES */
};

struct disk_done {
    struct disk_done *next;
    uint64_t token;
    int status;
};

enum peer_news_kind { PEER_NEWS_PACKET, PEER_NEWS_CONNECTED, PEER_NEWS_LOST };

/* Packets and news of connections, in the order in which they came. */
struct peer_news {
    struct peer_news *next;
    enum peer_news_kind kind;
    uint32_t place;        /* of the other */
    uint64_t incarnation;  /* of the other */
    struct packet *packet; /* PEER_NEWS_PACKET */
};

/* local = base + time * (1 + drift); wall = monotone, from another base. */
struct clock {
    int64_t mono_base_ns, wall_base_ns;
    int64_t drift_ppb;
    int64_t since_ns; /* world time at which the bases were taken */
    bool frozen;      /* local = base */
};

struct process {
    struct world *world;
    uint32_t place, id;
    struct group_spec spec;
    struct node_options options;
    uint32_t peers[WORLD_NODES_MAX]; /* other members, then of a member the gateways */
    uint32_t peer_count;
    char address[32];
    void *region;
    size_t region_size;
    struct heap *heap;
    struct node *node; /* NULL while it is down */
    struct front *front;
    struct world_disk disk;
    struct clock clock;
    uint64_t life; /* counts starts */
    uint64_t boots, connects, runs; /* ordinals of draws: starts that were tried, connections, runs */
    int64_t booted_wall_ns; /* the highest wall time at any start */
    bool up;
    bool amnesiac;     /* its disk was replaced: it must not call itself new */
    bool forgot;       /* and it has not started since */
    bool begun;        /* its member has been stepped with START in this life */
    uint32_t doom_turns; /* dies in that turn from now on; 0: it does not */
    uint64_t doom_draw;
    uint32_t turn;     /* of the run under way, from 1 */
    bool boot_pending; /* a WORLD_BOOT is scheduled */
    bool turned;       /* what it claims counts no more: see world_member_faults.h */
    struct member_faults member_faults;
    struct adversary *adversary; /* NULL: it is under none */
    struct attack_scene *attack; /* NULL: it follows none; see world_attack.c */
    struct process *twin, *twin_of; /* see world_twin.c */
    bool twin_lives;                /* of a twin: it may start */
    uint64_t twin_draw;
    uint32_t slow_factor;
    int64_t restart_delay_ns; /* after the death it is doomed to */
    int64_t died_at_ns;       /* last */
    int64_t paused_until_ns, busy_until_ns;
    int64_t wake_at_ns;  /* of the scheduled WORLD_WAKE that counts, INT64_MAX: none */
    int64_t timer_at_ns; /* of the scheduled WORLD_TIMER, INT64_MAX: none */
    uint64_t connected;  /* bit place: it was told that it is connected, */
    uint64_t peer_life[WORLD_NODES_MAX]; /* to that life of the other */
    struct disk_done *disk_first, **disk_last;
    struct peer_news *news_first, **news_last;
    struct letter *letters_first, **letters_last;
    uint32_t news_count, news_fed; /* waiting; of those, in the node's hands for this turn */
    uint64_t orderer_seen; /* number of the view in which it was seen to order */
    uint64_t digest_index; /* of the last digest taken */
};

/* What a client waits for, in the order asked. */
enum expected_kind {
    EXPECTED_GREETING, /* HELLO, READONLY: nobody asked for it */
    EXPECTED_ANSWER,
    EXPECTED_MULTI,
    EXPECTED_QUEUED, /* a command inside a transaction: its answer comes with EXEC's */
    EXPECTED_EXEC,
};

struct expected {
    enum expected_kind kind;
    size_t operation; /* its place in the history; SIZE_MAX: it is none */
    uint64_t number;  /* of the client's request */
    int64_t asked_ns;
    struct span request; /* kept */
};

struct expectations {
    struct expected *list;
    uint32_t first, count, capacity; /* list[first] to list[count - 1] */
};

struct client {
    uint32_t number;
    struct random random; /* of the act under way */
    uint64_t acts, letters[2]; /* ordinals of draws; letters to the server and to the client */
    struct wire *wire;
    uint64_t epoch; /* rises when what was scheduled for it no longer applies */
    bool readonly;  /* its reads may be stale, so they are not recorded */
    bool resp3;
    struct buffer in, out;
    bool flushes;                       /* a WORLD_CLIENT_FLUSH is scheduled */
    bool transaction;                   /* between MULTI and EXEC */
    struct expectations waiting, queued; /* `queued`: whose answers EXEC's will hold */
    uint64_t value_number;
    uint64_t requests; /* so far */
    uint32_t failures; /* requests in a row that were left open or refused */
    bool wrote_after_heal;
};

struct history {
    struct world_operation *list;
    size_t count, capacity;
};

struct digest_entry {
    uint64_t index, digest;
    uint32_t place;
};

/* Digests by index: a ring, as old ones no longer matter to anybody. */
enum { DIGEST_EVERY = 32, DIGESTS_KEPT = 4096 };

/* Names of keys, by number. */
struct key_names {
    struct span *list;
    uint32_t count, capacity;
};

struct world {
    struct heap *heap;
    struct world_options options;
    struct world_result *result;
    int64_t now_ns;
    int64_t heal_at_ns, quiet_at_ns, end_ns;
    bool healed, stopped;
    struct schedule schedule;
    struct network network;
    struct faults faults;
    struct acts acts;
    struct process *processes;
    uint32_t node_count;   /* processes: the members, then the gateways */
    uint32_t member_count;
    struct adversary_script *scripts; /* that adversaries share */
    uint32_t twin_count;              /* ever made */
    uint32_t members[WORLD_NODES_MAX];
    struct tuning tuning;
    struct client *clients;
    uint32_t client_count;
    uint32_t key_count;
    int64_t think_ns, client_timeout_ns;
    bool raw; /* clients hand commands to the node, without RESP */
    struct history history;
    struct key_names keys;
    bool history_torn; /* something was asked that the history cannot tell */
    struct digest_entry *digests;
    uint64_t hash, steps;
    struct process *stepping; /* whose turn it is */
    const struct event *event;
    uint8_t *scratch; /* for decoding in traces */
};

/* ---- world.c ---- */
/* The tuning that needs the most memory of those that can be drawn. */
void world_tuning_largest(struct tuning *out);
int64_t world_election_timeout_ns(const struct world *world, uint32_t place);
void world_fail(struct world *world, const char *property, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A text that begins with its tag ("RAFT-1 two leaders …"). */
void world_fail_tagged(struct world *world, const struct process *process, const char *text);

/* ---- world_process.c ---- */
void process_init(struct process *process, struct world *world, uint32_t place);
/* A second one under the same name, which is down. */
void process_init_twin(struct process *twin, struct process *process);
size_t process_region_size(const struct world_options *options, uint32_t place);
/* It asks the members and is none. */
bool process_is_gateway(const struct process *process);
/* Does the watcher hear of it? It does of members whose word counts. */
bool process_is_watched(const struct process *process);
void process_boot(struct process *process);
/* `draw`: what its disk keeps, see world_disk_crash_by. A delay of PLAN_FOREVER: until the world heals. */
void process_crash(struct process *process, int64_t restart_delay_ns, uint64_t draw);
void process_wake(struct process *process, int64_t at_ns);
void process_run(struct process *process);
void process_timer(struct process *process);
int64_t process_mono_ns(const struct process *process, int64_t at_ns);
int64_t process_wall_ns(const struct process *process, int64_t at_ns);
void process_clock_change(struct process *process, int64_t drift_ppb, int64_t wall_step_ns);
/* Both of its clocks stand still, or go on from where they stood. */
void process_clock_freeze(struct process *process, bool frozen);
/* It is down; its disk is replaced by an empty one, and it starts again. */
void process_replace_disk(struct process *process);
bool process_status(const struct process *process, struct member_status *out);

/* ---- world_link.c: connections between nodes, and what waits for a process ---- */
void link_boot(struct process *process);
void link_crash(struct process *process);
void link_connect(struct world *world, uint32_t first, uint32_t second);
/* The first hears that it has lost that life of the second. */
void link_gone(struct world *world, uint32_t first, uint32_t second, uint64_t life);
void link_reset(struct world *world, uint32_t first, uint32_t second);
void link_packet(struct world *world, struct packet *packet);
/* Sends messages to a peer (its place), of which the first `count_max` leave; or one that comes when it comes. */
void link_put(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns);
void link_put_late(struct process *process, uint32_t to, struct span message, int64_t arrival_ns);
/* What leaves for a peer, by way of who stands between the process and its links: a twin, an adversary, or nobody. */
void link_pass(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns);
/* A packet waits for that process from now on, which owns it. */
void link_give(struct process *process, struct packet *packet);
/* `cut`: NULL, or what draws how many messages leave for each peer; a seed of 0 lets none. */
void link_send(struct process *process, int64_t at_ns, struct cut *cut);
void link_feed(struct process *process);
void link_fed(struct process *process);
void link_disk_done(struct process *process, struct world_disk_operation *operation);
void link_drop_inputs(struct process *process);

/* ---- world_wire.c: connections of clients ---- */
struct wire *wire_open(struct world *world, struct client *client, uint32_t place);
void wire_send(struct world *world, struct wire *wire, bool to_server, enum letter_kind kind, struct span bytes);
void wire_release(struct world *world, struct wire *wire);
void wire_arrive(struct world *world, struct letter *letter);
bool wire_feed(struct process *process);
void wire_collect(struct process *process, struct cut *cut);
void wire_crash(struct process *process);
void letter_free(struct world *world, struct letter *letter);

/* ---- world_client.c ---- */
void client_init(struct client *client, struct world *world, uint32_t number);
void client_act(struct world *world, struct client *client, uint64_t epoch);
void client_late(struct world *world, struct client *client, uint64_t epoch);
void client_letter(struct world *world, struct letter *letter);
/* Items: a request, and the closing of the connection. False: not done. */
bool client_request(struct world *world, const struct plan_item *item);
bool client_leave(struct world *world, const struct plan_item *item);
void client_flush(struct world *world, struct client *client);
/* From now on clients ask by themselves, whoever asked before. */
void client_heal(struct world *world, struct client *client);

/* ---- world_workload.c: what clients ask when they ask by themselves ---- */
void workload_ask(struct world *world, struct client *client, uint32_t node);
void workload_ask_raw(struct world *world, struct client *client);

/* ---- world_request.c: commands in words, as RESP and in the history ---- */
enum { WORDS_MAX = 16 };
struct words {
    struct span list[WORDS_MAX];
    uint32_t count;
};
/* False: too many words, or none. */
bool words_split(struct span text, struct words *out);
bool word_is(struct span word, const char *text);
/* Appends the command to what the client sends next, and notes what it then waits for. */
void request_write(struct world *world, struct client *client, struct span text, const struct words *words);
void request_expect(struct world *world, struct client *client, enum expected_kind kind, size_t operation,
                    struct span text);
void expectations_add(struct world *world, struct expectations *expectations, const struct expected *expected);

/* ---- world_reply.c: how clients understand the answers ---- */
/* True: everything asked for was answered. `*broken`: the bytes make no sense, or an answer was not to be expected. */
bool reply_take(struct world *world, struct client *client, bool *broken);
/* What has no answer stays open. */
void reply_abandon(struct world *world, struct client *client);
void reply_tell(struct world *world, const struct client *client, const struct expected *expected,
                enum world_answer_kind kind, struct span bytes);

/* ---- world_raw.c: clients of protocols that do not serve RESP ---- */
bool raw_request(struct world *world, struct client *client, uint32_t place, struct span text,
                 const struct words *words);
void raw_door(struct process *process);

/* ---- world_observe.c ---- */
void observe_install(struct process *process);
void observe_end(struct world *world);

/* ---- world_trace.c: all do nothing where the tracer wants nothing ---- */
/* Something that is neither an event nor an effect, with a sentence for people; `process` may be NULL. */
void trace_mark(struct world *world, const struct process *process, enum world_mark mark, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same as a WORLD_MARK_NOTE. */
void trace_line(struct world *world, const struct process *process, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What a client says or hears: RESP with its line ends as blanks. */
void trace_client(struct world *world, const struct client *client, const char *does, struct span bytes);
void trace_event(struct world *world, const struct process *process, const struct event *event);
void trace_effect(struct world *world, const struct process *process, const struct effect *effect);
/* After the effects of a step. */
void trace_stepped(struct world *world, const struct process *process);

#endif
