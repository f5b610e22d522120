/* Does the state hold keys under a prefix? Asked when a group is to own them (service/directory/). */
#include "service/kv/kv.h"
#include "service/kv/kv_state.h"

bool kv_holds_prefix(const void *self, struct span prefix)
{
    const struct kv *kv = self;
    struct table_cursor cursor;
    kv_table_seek(kv->table, 0, &cursor);
    for (struct entry *entry; (entry = kv_table_next(kv->table, &cursor)) != NULL;) {
        struct span key = entry_key(entry);
        if (key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0)
            return true;
    }
    return false;
}
