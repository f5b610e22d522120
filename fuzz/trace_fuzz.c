/* Fuzzes stored traces: whatever the file holds, it is refused with a sentence that names a line, or it can be drawn in
 * every form and stored again, and what was stored is read back as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/heap_system.h"
#include "base/panic.h"
#include "lab/diagram/diagram.h"
#include "lab/trace/trace_shiviz.h"
#include "lab/trace/trace_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAP_SIZE ((size_t)256 << 20)

static int load(struct trace *trace, const void *bytes, size_t size)
{
    char why[200] = "";
    FILE *in = fmemopen((void *)(uintptr_t)bytes, size, "r");
    if (in == NULL)
        return ERROR_IO;
    int error = trace_read(trace, in, why, sizeof why);
    fclose(in);
    invariant(error == OK || strncmp(why, "line ", 5) == 0, "FUZZ a refusal names the line");
    return error;
}

static char *store(const struct trace *trace, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    invariant(out != NULL && trace_write(trace, out) && fclose(out) == 0, "FUZZ the trace is written");
    return text;
}

static void draw(struct trace *trace)
{
    struct diagram_options options = {.rows = DIAGRAM_ROWS_MAX, .vectors = trace->line_count < 100};
    FILE *out = fopen("/dev/null", "w");
    invariant(out != NULL, "FUZZ there is a /dev/null");
    invariant(diagram_write_svg(trace, &options, out) == DIAGRAM_OK, "FUZZ the diagram is drawn");
    invariant(diagram_write_html(trace, out) == DIAGRAM_OK, "FUZZ the page is written");
    invariant(trace_write_shiviz(trace, out) == SHIVIZ_OK, "FUZZ the log is written");
    fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace, copy;
    struct heap *heap = heap_create_system(HEAP_SIZE);
    if (size == 0 || heap == NULL) {
        heap_destroy_system(heap);
        return 0;
    }
    trace_init(&trace, heap);
    trace_init(&copy, heap);
    if (load(&trace, data, size) == OK) {
        size_t stored_size, again_size;
        char *stored = store(&trace, &stored_size);
        invariant(load(&copy, stored, stored_size) == OK, "FUZZ what was stored can be read");
        char *again = store(&copy, &again_size);
        invariant(stored_size == again_size && memcmp(stored, again, stored_size) == 0, "FUZZ it is the same trace");
        free(stored);
        free(again);
        if (trace_finish(&trace))
            draw(&trace);
    }
    trace_free(&trace);
    trace_free(&copy);
    heap_destroy_system(heap);
    return 0;
}
