/* What record.c and record_value.c share. */
#ifndef LOCKSTEP_LAB_RECORD_INTERNAL_H
#define LOCKSTEP_LAB_RECORD_INTERNAL_H

#include "lab/history/record.h"

/* An empty table of values on that heap, or NULL. */
struct value_table *value_table_create(struct heap *heap);
void value_table_free(struct value_table *table);
/* Forgets all values and keeps the memory. */
void value_table_clear(struct value_table *table);

#endif
