/* A canary: a bug that a working fuzzer finds within seconds. If it does not, the other targets' silence means nothing;
 * tests/fuzz_test.py fails then. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "contract/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 12 && load_u16(data + 8) == HEADER_MAGIC && data[10] == HEADER_VERSION) abort();
    return 0;
}
