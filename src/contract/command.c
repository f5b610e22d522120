/* Bundles and commands (command.h).
 *
 * Opening checks every size once, from the outside inwards: a command lies in its bundle, an argument in its command,
 * and each container is filled exactly. The walks after it still compare sizes, since that costs one predictable
 * branch, so that even bytes which nobody opened cannot lead them outside; they then end early. The level is not
 * judged here: an unknown one is well-formed, and who applies the bundle refuses it. */
#include "contract/command.h"

#include "base/panic.h"

enum { /* offsets */
    AT_NODE = 0,
    AT_COUNT = 4,
    AT_INCARNATION = 8,
    AT_FIRST_NUMBER = 16,
    AT_FIRST_INCOMPLETE = 24,
    AT_LEVEL = 32,
    AT_ZERO = 36,
};

void bundle_header_read(const uint8_t *bytes, struct bundle *out)
{
    out->node = load_u32(bytes + AT_NODE);
    out->count = load_u32(bytes + AT_COUNT);
    out->incarnation = load_u64(bytes + AT_INCARNATION);
    out->first_number = load_u64(bytes + AT_FIRST_NUMBER);
    out->first_incomplete = load_u64(bytes + AT_FIRST_INCOMPLETE);
    out->level = load_u32(bytes + AT_LEVEL);
}

bool argument_next(struct span *rest, struct span *out)
{
    if (rest->size < ARGUMENT_HEADER_SIZE)
        return false;
    size_t size = load_u32(rest->data);
    if (size > rest->size - ARGUMENT_HEADER_SIZE)
        return false;
    *out = span_of(rest->data + ARGUMENT_HEADER_SIZE, size);
    rest->data += ARGUMENT_HEADER_SIZE + size;
    rest->size -= ARGUMENT_HEADER_SIZE + size;
    return true;
}

bool command_next(struct span *rest, struct command *out)
{
    if (rest->size < COMMAND_HEADER_SIZE)
        return false;
    size_t size = load_u32(rest->data);
    if (size > rest->size - COMMAND_HEADER_SIZE)
        return false;
    out->op = load_u16(rest->data + 4);
    out->flags = load_u16(rest->data + 6);
    out->argc = load_u32(rest->data + 8);
    out->arguments = span_of(rest->data + COMMAND_HEADER_SIZE, size);
    out->whole = span_of(rest->data, COMMAND_HEADER_SIZE + size);
    rest->data += COMMAND_HEADER_SIZE + size;
    rest->size -= COMMAND_HEADER_SIZE + size;
    return true;
}

/* True when the arguments are as many as the command says and fill it. A count that lies ends the loop at the end of
 * the bytes, so it costs nothing. */
static bool arguments_whole(const struct command *command)
{
    struct span rest = command->arguments;
    struct span argument;
    for (uint32_t i = 0; i < command->argc; i++)
        if (!argument_next(&rest, &argument))
            return false;
    return rest.size == 0;
}

bool command_open(struct span bytes, struct command *out)
{
    return command_next(&bytes, out) && bytes.size == 0 && arguments_whole(out);
}

bool bundle_open(struct span bytes, struct bundle *out)
{
    *out = (struct bundle){0};
    if (bytes.size == 0)
        return true;
    if (bytes.size < BUNDLE_HEADER_SIZE || load_u32(bytes.data + AT_ZERO) != 0)
        return false;
    bundle_header_read(bytes.data, out);
    out->commands = span_of(bytes.data + BUNDLE_HEADER_SIZE, bytes.size - BUNDLE_HEADER_SIZE);
    if (out->first_number > UINT64_MAX - out->count)
        return false; /* numbers would wrap */

    struct span rest = out->commands;
    struct command command;
    for (uint32_t i = 0; i < out->count; i++)
        if (!command_next(&rest, &command) || !arguments_whole(&command))
            return false;
    return rest.size == 0;
}

bool bundle_begin(struct buffer *out)
{
    uint8_t *bytes = buffer_grow(out, BUNDLE_HEADER_SIZE);
    if (bytes == NULL)
        return false;
    bundle_header_write(bytes, &(struct bundle){.level = COMMAND_LEVEL});
    return true;
}

void bundle_header_write(uint8_t *bytes, const struct bundle *header)
{
    store_u32(bytes + AT_NODE, header->node);
    store_u32(bytes + AT_COUNT, header->count);
    store_u64(bytes + AT_INCARNATION, header->incarnation);
    store_u64(bytes + AT_FIRST_NUMBER, header->first_number);
    store_u64(bytes + AT_FIRST_INCOMPLETE, header->first_incomplete);
    store_u32(bytes + AT_LEVEL, header->level);
    store_u32(bytes + AT_ZERO, 0);
}

size_t command_begin(struct buffer *out, uint16_t op, uint16_t flags, uint32_t argc)
{
    size_t offset = out->size;
    uint8_t *bytes = buffer_grow(out, COMMAND_HEADER_SIZE);
    if (bytes == NULL)
        return SIZE_MAX;
    store_u32(bytes, 0);
    store_u16(bytes + 4, op);
    store_u16(bytes + 6, flags);
    store_u32(bytes + 8, argc);
    return offset;
}

bool command_argument(struct buffer *out, struct span argument)
{
    if (argument.size > UINT32_MAX)
        return false; /* no heap of ours has room for it either */
    uint8_t *bytes = buffer_grow(out, ARGUMENT_HEADER_SIZE + argument.size);
    if (bytes == NULL)
        return false;
    store_u32(bytes, (uint32_t)argument.size);
    if (argument.size > 0)
        memcpy(bytes + ARGUMENT_HEADER_SIZE, argument.data, argument.size);
    return true;
}

void command_end(struct buffer *out, size_t command_offset)
{
    size_t size = out->size - command_offset - COMMAND_HEADER_SIZE;
    invariant(size <= UINT32_MAX, "a command's size fits 32 bits: the front bounds it");
    store_u32(out->data + command_offset, (uint32_t)size);
}
