/* Which groups have checkpoints, and removing those of one that is gone. */
#include <string.h>

#include "base/error.h"
#include "storage/checkpoint_internal.h"

enum { REMOVED_AT_ONCE = 16 };

static int remove_some(struct disk *disk, uint32_t group, bool temporary, uint32_t *found)
{
    uint64_t indexes[REMOVED_AT_ONCE];
    int result = checkpoint_indexes(disk, group, temporary, indexes, REMOVED_AT_ONCE, found);
    for (uint32_t i = 0; result == OK && i < *found && i < REMOVED_AT_ONCE; i++) {
        char name[DISK_NAME_SIZE_MAX];
        checkpoint_name(name, group, indexes[i], temporary);
        struct disk_request request = {.op = DISK_REMOVE, .name = name};
        result = disk->now(disk, &request);
    }
    return result;
}

int checkpoint_remove_all(struct disk *disk, uint32_t group)
{
    for (int temporary = 0; temporary < 2; temporary++) {
        uint32_t found = 1;
        while (found > 0) {
            int result = remove_some(disk, group, temporary != 0, &found);
            if (result != OK)
                return result;
        }
    }
    return OK;
}

struct group_visit {
    uint32_t *out;
    uint32_t size, count;
};

static void group_visit(void *context, const char *name)
{
    static const char prefix[] = "checkpoint-";
    struct group_visit *visit = context;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return;
    uint64_t group = 0, index;
    const char *digit = name + sizeof prefix - 1;
    for (; *digit >= '0' && *digit <= '9' && group <= UINT32_MAX; digit++)
        group = group * 10 + (uint64_t)(*digit - '0');
    bool temporary;
    if (group > UINT32_MAX || !checkpoint_name_parse(name, (uint32_t)group, &index, &temporary))
        return;
    uint32_t place = 0;
    while (place < visit->count && visit->out[place] < group)
        place++;
    if ((place < visit->count && visit->out[place] == group) || place == visit->size)
        return;
    if (visit->count < visit->size)
        visit->count++;
    for (uint32_t i = visit->count - 1; i > place; i--)
        visit->out[i] = visit->out[i - 1];
    visit->out[place] = (uint32_t)group;
}

int checkpoint_groups(struct disk *disk, uint32_t *out, uint32_t size, uint32_t *count)
{
    struct group_visit visit = {.out = out, .size = size};
    int result = disk->list(disk, group_visit, &visit);
    *count = visit.count;
    return result;
}
