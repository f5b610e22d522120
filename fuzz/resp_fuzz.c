/* Clients' bytes through the whole front, over a test's node: the first byte chooses limits and where the rest is cut.
 * What must hold for all bytes: no sanitizer complains, what comes out is a row of whole RESP values and the same
 * however the bytes are cut, and when all is gone no memory is left. */
#include <stdint.h>

#include "front/fake_node.h"
#include "front/resp_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct front_options options_of(uint8_t choice)
{
    struct front_options options;
    front_options_default(&options);
    if ((choice & 1) != 0)
        options.pipeline_max = 2;
    if ((choice & 2) != 0) {
        options.value_bytes_max = 64;
        options.query_bytes_max = 1024;
    }
    return options;
}

static void check_values(struct span output)
{
    while (output.size > 0) {
        size_t size = resp_value_size(output);
        invariant(size > 0, "answers are whole RESP values");
        output = span_of(output.data + size, output.size - size);
    }
}

/* Gives the bytes in pieces of `piece` bytes and copies what comes out to `out`, which is from malloc. */
static uint8_t *run(const struct front_options *options, const uint8_t *data, size_t size, size_t piece,
                    size_t *out_size)
{
    struct fake_world world = fake_world_create(options);
    struct connection *connection = front_accept(world.front, "127.0.0.1:50000", "127.0.0.1:7001", NULL);
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(count);
        invariant(copy != NULL, "the fuzzer has memory");
        memcpy(copy, data + at, count);
        front_receive(world.front, connection, copy, count);
        free(copy);
    }
    fake_world_turn(&world);
    struct span output = connection_output(connection);
    check_values(output);
    uint8_t *out = malloc(output.size + 1);
    invariant(out != NULL, "the fuzzer has memory");
    if (output.size > 0)
        memcpy(out, output.data, output.size);
    *out_size = output.size;
    front_disconnected(world.front, connection);
    invariant(fake_world_destroy(&world) == 0, "all memory was given back");
    return out;
}

/* These commands tell how much was received, kept or sent meanwhile, which depends on the cuts. */
static bool tells_of_buffers(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"client", "info", "config", "lockstep"};
    for (size_t at = 0; at < size; at++)
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (size - at >= strlen(words[i])) {
                size_t same = 0;
                while (words[i][same] != '\0' && (data[at + same] | 0x20) == (uint8_t)words[i][same])
                    same++;
                if (words[i][same] == '\0')
                    return true;
            }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct front_options options = options_of(data[0]);
    size_t piece = (size_t)(data[0] >> 2) + 1, whole_size, cut_size;
    uint8_t *whole = run(&options, data + 1, size - 1, size, &whole_size);
    uint8_t *cut = run(&options, data + 1, size - 1, piece, &cut_size);
    if (!tells_of_buffers(data + 1, size - 1))
        invariant(whole_size == cut_size && memcmp(whole, cut, whole_size) == 0,
                  "the answers do not depend on where the bytes are cut");
    free(whole);
    free(cut);
    return 0;
}
