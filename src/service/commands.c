/* Look-up in the command table.
 *
 * The table is an array indexed by op. The name is found without any table of names: the preprocessor writes, for
 * each length of a name, a chain of comparisons with the few names of that length, which the compiler turns into
 * comparisons of whole words with constants. So there is nothing to sort, to hash or to generate, and an entry in
 * commands.def is all that a new command needs. */
#include "service/commands.h"

enum { NAME_SIZE_MAX = 16 };

/* Categories that follow from flags, as in Redis (setImplicitACLCategories). */
#define ACL_IMPLIED(flags)                                                                                             \
    ((((flags) & CMD_WRITE) ? ACL_WRITE : 0) | (((flags) & CMD_READONLY) ? ACL_READ : 0) |                             \
     (((flags) & CMD_ADMIN) ? ACL_ADMIN | ACL_DANGEROUS : 0) | (((flags) & CMD_FAST) ? ACL_FAST : ACL_SLOW))

#define SPEC(text, op_number, parent_op, kind_name, arity_count, flag_bits, first, last, step, acl_bits, tip_bits,     \
             key_bits, group_name, since_text, complexity_text, summary_text)                                          \
    [op_number] = {.name = (text),                                                                                     \
                   .op = (op_number),                                                                                  \
                   .parent = (parent_op),                                                                              \
                   .kind = COMMAND_##kind_name,                                                                        \
                   .group = (group_name),                                                                              \
                   .arity = (arity_count),                                                                             \
                   .first_key = (first),                                                                               \
                   .last_key = (last),                                                                                 \
                   .key_step = (step),                                                                                 \
                   .flags = (flag_bits),                                                                               \
                   .acl = (acl_bits) | ACL_IMPLIED(flag_bits),                                                         \
                   .tips = (tip_bits),                                                                                 \
                   .key_flags = (key_bits),                                                                            \
                   .since = (since_text),                                                                              \
                   .complexity = (complexity_text),                                                                    \
                   .summary = (summary_text)},

static const struct command_spec specs[] = {
#define COMMAND(id, lower, op, ...) SPEC(#lower, op, 0, __VA_ARGS__)
#define SUBCOMMAND(container, id, text, op, ...) SPEC(text, op, OP_##container, __VA_ARGS__)
#define DOTTED(id, upper, lower, op, ...) SPEC(lower, op, 0, __VA_ARGS__)
#include "service/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED
};

enum { SPEC_COUNT = sizeof specs / sizeof specs[0] };

/* A name is at most that long, so that it can be compared in its padded upper-case copy. */
#define COMMAND(id, ...) _Static_assert(sizeof #id - 1 <= NAME_SIZE_MAX, "a longer name needs a larger NAME_SIZE_MAX");
#define SUBCOMMAND(...)
#define DOTTED(id, text, ...)                                                                                          \
    _Static_assert(sizeof text - 1 <= NAME_SIZE_MAX, "a longer name needs a larger NAME_SIZE_MAX");
#include "service/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED

/* The op whose name is `upper`, of exactly so many bytes; 0 when there is none. */
#define COMMAND(id, lower, op, ...)                                                                                    \
    if (sizeof #id - 1 == size && memcmp(upper, #id, size) == 0)                                                       \
        return (op);
#define SUBCOMMAND(...)
#define DOTTED(id, text, lower, op, ...)                                                                               \
    if (sizeof text - 1 == size && memcmp(upper, text, size) == 0)                                                     \
        return (op);

#define FIND_SIZED(bytes)                                                                                              \
    case bytes: {                                                                                                      \
        enum { size = (bytes) };

static uint16_t op_of_name(const uint8_t upper[NAME_SIZE_MAX], size_t name_size)
{
    switch (name_size) {
        FIND_SIZED(3)
#include "service/commands.def"
    }
    break;
    FIND_SIZED(4)
#include "service/commands.def"
}
break;
FIND_SIZED(5)
#include "service/commands.def"
}
break;
FIND_SIZED(6)
#include "service/commands.def"
}
break;
FIND_SIZED(7)
#include "service/commands.def"
}
break;
FIND_SIZED(8)
#include "service/commands.def"
}
break;
default: {
    size_t size = name_size;
#include "service/commands.def"
}
}
return 0;
}
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED

static uint8_t upper_of(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

const struct command_spec *command_find(struct span name)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX)
        return NULL;
    uint8_t upper[NAME_SIZE_MAX] = {0};
    for (size_t i = 0; i < name.size; i++)
        upper[i] = upper_of(name.data[i]);
    uint16_t op = op_of_name(upper, name.size);
    return op == 0 ? NULL : &specs[op];
}

const struct command_spec *command_find_sub(const struct command_spec *parent, struct span name)
{
    size_t skip = strlen(parent->name) + 1;
    for (const struct command_spec *spec = parent; (spec = command_following(spec));) {
        if (spec->parent != parent->op)
            continue; /* later subcommands have whatever op was free */
        const char *text = spec->name + skip;
        if (strlen(text) != name.size)
            continue;
        size_t same = 0;
        while (same < name.size && upper_of(name.data[same]) == upper_of((uint8_t)text[same]))
            same++;
        if (same == name.size)
            return spec;
    }
    return NULL;
}

const struct command_spec *command_by_op(uint16_t op)
{
    return op < SPEC_COUNT && specs[op].name ? &specs[op] : NULL;
}

const struct command_spec *command_following(const struct command_spec *spec)
{
    for (size_t op = spec ? spec->op + 1u : 0; op < SPEC_COUNT; op++)
        if (specs[op].name)
            return &specs[op];
    return NULL;
}

#define BIT_TEXT(name, bit, text) [bit] = (text),
#define TEXT_FUNCTION(function, LIST)                                                                                  \
    const char *function(unsigned place)                                                                               \
    {                                                                                                                  \
        static const char *const texts[] = {LIST(BIT_TEXT)};                                                           \
        return place < sizeof texts / sizeof texts[0] ? texts[place] : NULL;                                           \
    }
TEXT_FUNCTION(command_flag_text, COMMAND_FLAG_LIST)
TEXT_FUNCTION(command_acl_text, COMMAND_ACL_LIST)
TEXT_FUNCTION(command_tip_text, COMMAND_TIP_LIST)
TEXT_FUNCTION(command_key_text, COMMAND_KEY_LIST)

const char *command_group_text(enum command_group group)
{
    static const char *const texts[] = {
#define GROUP_TEXT(name, text) [name] = (text),
        COMMAND_GROUP_LIST(GROUP_TEXT)
#undef GROUP_TEXT
    };
    return texts[group];
}
