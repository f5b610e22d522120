/* Broken invariants: the one way in which a bug stops the process.
 *
 * An invariant is a statement that only a bug of our own can make false. It is checked in every build, release too,
 * because a replica that goes on with a broken invariant spreads the damage to its peers. Remote bytes, a disk's
 * contents and a full heap are never invariants: those are inputs and get an error code. */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

/* Stops the process. Builds the line "lockstep: broken invariant: <what>, <file>:<line>; this is a bug, the process
 * stops", gives it to the hook (by default: writes it to standard error), then calls abort(). A hook may leave by
 * longjmp, which is how a test observes a broken invariant. Allocates nothing, so it works in any state. A `what` so
 * long that the line passes 511 bytes is cut. */
_Noreturn void panic_at(const char *file, int line, const char *what);

/* Replaces what panic_at does with its line; NULL restores the default. `hook` gets the whole line without a newline
 * and must print it itself; `arg` is handed through and stays the caller's. Not synchronised: set it before threads
 * start. This is the only global in base: a panic has no context at hand through which a hook could be passed, and
 * the simulator must be able to print the seed that led here. */
void panic_hook_set(void (*hook)(const char *what, void *arg), void *arg);

/* The hook that is set now (NULL: the default) and its argument, for who replaces it for a while. */
typedef void panic_hook(const char *what, void *arg);
panic_hook *panic_hook_get(void **arg);

/* Stops the process when `cond` is false. `text` is a string literal that states what should have held. */
#define invariant(cond, text) ((cond) ? (void)0 : panic_at(__FILE__, __LINE__, (text)))

#endif
