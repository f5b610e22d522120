#include "lab/history/verdict.h"

const char *verdict_name(enum verdict_kind kind)
{
    switch (kind) {
    case VERDICT_OK:
        return "ok";
    case VERDICT_ILLEGAL:
        return "illegal";
    case VERDICT_UNKNOWN:
        break;
    }
    return "unknown";
}

void verdict_clear(struct verdict *verdict, struct heap *heap)
{
    heap_free(heap, verdict->operations);
    heap_free(heap, verdict->parts);
    *verdict = (struct verdict){.kind = VERDICT_UNKNOWN};
}
