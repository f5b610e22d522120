/* Whose keys are a command's? (directory_keys.h) */
#include "service/directory/directory_keys.h"

#include "service/commands.h"

enum { WATCH_HEAD_SIZE = 12 };

/* Keys among a command's arguments, by the table of commands. */
static const struct directory_group *owner_of_keys(const struct directory *directory, const struct command *command)
{
    const struct command_spec *spec = command_by_op(command->op);
    if (spec == NULL || spec->first_key == 0)
        return NULL;
    int64_t last = spec->last_key < 0 ? (int64_t)command->argc + 1 + spec->last_key : spec->last_key;
    struct span rest = command->arguments, argument;
    for (int64_t place = 1; place <= last && argument_next(&rest, &argument); place++) {
        if (place < spec->first_key || (place - spec->first_key) % spec->key_step != 0)
            continue;
        const struct directory_group *owner = directory_owner(directory, argument);
        if (owner != NULL)
            return owner;
    }
    return NULL;
}

/* EXEC: what is watched (u64 version, u32 size, key; repeated), then whole commands. */
static const struct directory_group *owner_in_transaction(const struct directory *directory,
                                                          const struct command *command)
{
    struct span rest = command->arguments, argument;
    if (!argument_next(&rest, &argument))
        return NULL;
    while (argument.size >= WATCH_HEAD_SIZE) {
        size_t size = load_u32(argument.data + 8);
        if (size > argument.size - WATCH_HEAD_SIZE)
            return NULL;
        const struct directory_group *owner =
            directory_owner(directory, span_of(argument.data + WATCH_HEAD_SIZE, size));
        if (owner != NULL)
            return owner;
        argument = span_of(argument.data + WATCH_HEAD_SIZE + size, argument.size - WATCH_HEAD_SIZE - size);
    }
    while (argument_next(&rest, &argument)) {
        struct command inner;
        if (!command_open(argument, &inner))
            return NULL; /* kv answers what is wrong with it */
        const struct directory_group *owner = owner_of_keys(directory, &inner);
        if (owner != NULL)
            return owner;
    }
    return NULL;
}

const struct directory_group *directory_owner_of_command(const struct directory *directory,
                                                         const struct command *command)
{
    if (directory->count == 0)
        return NULL;
    return command->op == OP_EXEC ? owner_in_transaction(directory, command) : owner_of_keys(directory, command);
}
