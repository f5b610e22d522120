/* Broken invariants. Nothing here allocates or uses stdio: the process may be in any state. */
#include "base/panic.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line under construction; what does not fit is cut. */
struct line {
    char text[512];
    size_t size;
};

static void line_add(struct line *line, const char *text)
{
    size_t room = sizeof line->text - 1 - line->size;
    size_t size = strlen(text);
    if (size > room)
        size = room;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    line->text[line->size] = '\0';
}

static void line_add_number(struct line *line, int number)
{
    char digits[16];
    size_t at = sizeof digits - 1;
    unsigned rest = number < 0 ? 0 : (unsigned)number;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    line_add(line, digits + at);
}

static void write_line(const char *what, void *arg)
{
    (void)arg;
    size_t size = strlen(what);
    /* When standard error is gone too there is nobody left to tell, so the results are dropped on purpose. */
    ssize_t text_written = write(STDERR_FILENO, what, size);
    ssize_t end_written = write(STDERR_FILENO, "\n", 1);
    (void)text_written;
    (void)end_written;
}

/* The only global in base; panic.h says why. */
static struct {
    void (*call)(const char *what, void *arg);
    void *arg;
} hook = {.call = write_line, .arg = NULL};

void panic_hook_set(void (*call)(const char *what, void *arg), void *arg)
{
    hook.call = call != NULL ? call : write_line;
    hook.arg = call != NULL ? arg : NULL;
}

panic_hook *panic_hook_get(void **arg)
{
    *arg = hook.arg;
    return hook.call == write_line ? NULL : hook.call;
}

_Noreturn void panic_at(const char *file, int line_number, const char *what)
{
    struct line line = {.size = 0};
    line_add(&line, "lockstep: broken invariant: ");
    line_add(&line, what);
    line_add(&line, ", ");
    line_add(&line, file);
    line_add(&line, ":");
    line_add_number(&line, line_number);
    line_add(&line, "; this is a bug, the process stops");
    hook.call(line.text, hook.arg);
    abort();
}
