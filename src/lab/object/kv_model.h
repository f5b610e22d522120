/* One key of a key-value store, as a sequential specification: what each function answers and does. */
#ifndef LOCKSTEP_LAB_KV_MODEL_H
#define LOCKSTEP_LAB_KV_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/history/history.h"

/* The state of a key is the id of its value in history.values, or this: it holds nothing. */
#define KV_NOTHING (UINT32_MAX - 1)

/* Executes an operation in a state. True when an ok operation would have got the answer that it got (any other may be
 * executed in any state), with the state after it in `next`, which is untouched else. New values are interned; when
 * the heap is full, history.incomplete is set and the result is false. */
bool kv_model_apply(struct history *history, const struct history_operation *operation, uint32_t state, uint32_t *next);

#endif
