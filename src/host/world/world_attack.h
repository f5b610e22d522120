/* Attacks: what an adversary does who knows the protocol that it attacks.
 *
 * world_adversary.h draws lies from the table of messages; it knows no protocol, and what takes three right lies in a
 * row it finds once in millions of runs. An attack is a strategy: code above this floor, which hears and sees what the
 * member in its hands does and says, and says something else under that member's name. It holds the member's keys and
 * no others, as in world_adversary.h. Some also hold messages of others back, which every protocol that claims to mask
 * delays must stand; they say so by their classes.
 *
 * An attack is an item of a plan like any fault (PLAN_ATTACK), drawn with class byzantine, and what it draws is keyed
 * by the item's draw. So a run with one shrinks, and a script can order one by its name. Where its classes hold
 * byzantine the process is turned (world_member_faults.h) from the attack's first moment.
 *
 * What the attacked member runs is the honest code. An attack that wants it to believe something lets it hear that. */
#ifndef LOCKSTEP_HOST_WORLD_ATTACK_H
#define LOCKSTEP_HOST_WORLD_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/service.h"

struct attack_scene; /* one process that follows an attack */

/* A message of the protocol, decoded by its table; the bulk is borrowed for the call. Nodes are places. */
struct attack_message {
    uint32_t from, to;
    uint16_t type;
    bool of_twin; /* said by the second instance (attack_twin) */
    const void *body;
};

struct world_attack {
    const char *name;   /* in plans and scripts: "equivocate" */
    const char *what;   /* a sentence for people, about "it" */
    uint32_t classes;   /* enum world_fault: what it is made of. A run draws it when it draws all of these */
    size_t state_size;  /* bytes of state, zero at the beginning; gone at the end */
    /* Each may be NULL. `sends`: the member's message is about to leave; `hears`: one has come for it, whose sender is
     * known and whose proof is not checked. False: it does not leave, or is not heard. */
    void (*begins)(void *state, struct attack_scene *scene);
    bool (*sends)(void *state, struct attack_scene *scene, const struct attack_message *message);
    bool (*hears)(void *state, struct attack_scene *scene, const struct attack_message *message);
    /* The member's service has executed a command. */
    void (*executes)(void *state, struct attack_scene *scene, const struct delivery *delivery);
};

/* Those that a protocol's campaigns draw from. */
struct world_attacks {
    const struct world_attack *const *list;
    uint32_t count;
};

/* ---- what an attack sees ---- */

uint32_t attack_place(const struct attack_scene *scene); /* of the process in its hands */
uint32_t attack_node_count(const struct attack_scene *scene); /* of members */
/* The honest member; NULL while the process is down. */
const void *attack_member(const struct attack_scene *scene);
/* It follows an attack with the same draw: it plays along. The own place is an ally, too. */
bool attack_ally(const struct attack_scene *scene, uint32_t place);
/* A draw by key; equal for all who share the item's draw. */
uint64_t attack_draw(const struct attack_scene *scene, uint64_t key);
int64_t attack_now_ns(const struct attack_scene *scene);
/* The group's measure of patience. */
int64_t attack_election_ns(const struct attack_scene *scene);

/* ---- what it can do ---- */

#define ATTACK_GOOD_FOR_ALL UINT64_MAX

/* Sends a message as the member's own, which the member knows nothing of. `good_for`: bits of the places for which its
 * MACs are good; of a signature nothing can be spoilt, so then who is not named does not get it. */
void attack_send(struct attack_scene *scene, uint32_t to, uint16_t type, const void *body, uint64_t good_for);
/* What is sent from one place to another is that much later from now on, instead of what an earlier call said; 0: as
 * ever. Also for links between others. All end with the attack. */
void attack_hold(struct attack_scene *scene, uint32_t from, uint32_t to, int64_t late_ns);
/* The member's own service executes a command that nobody ordered. */
void attack_execute(struct attack_scene *scene, const struct delivery *delivery);
/* Another instance under the member's name begins, until the attack ends (world_twin.c). */
void attack_twin(struct attack_scene *scene);
/* Which of the two hears a place now: 0, both; 1, the first; 2, the twin. It changes with time, by the draw. */
uint32_t attack_twin_heard(const struct attack_scene *scene, uint32_t place);
/* The power of all nodes fails as soon as this turn is over, and what is not durable is lost. */
void attack_power(struct attack_scene *scene);

/* ---- for world_*.c ---- */

struct process;
struct world;

/* The number of an attack, from 1; 0: the world knows none of that name. */
uint32_t attack_number(const struct world *world, struct span name);
uint32_t attack_classes(const struct world *world, struct span name);
/* The process follows it from now on, instead of another; is left alone. */
void attack_begin(struct process *process, uint32_t number, uint64_t draw);
void attack_end(struct process *process);
/* Of a process or its twin; NULL: none. */
struct attack_scene *attack_of(const struct process *process);
/* What it wants to leave for a peer, and what came for it. The latter returns what node_receive does. */
void attack_filter(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns);
int64_t attack_receive(struct process *process, uint32_t from, struct span bytes);
void attack_applied(struct process *process, const struct delivery *delivery);
/* WORLD_ATTACK: what could not be done inside a turn. */
void attack_act(struct process *process);

#endif
