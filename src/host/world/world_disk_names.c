/* Names of files on the simulated disk: one list, ascending by name. A file that was removed while somebody uses it has
 * the empty name and lives until nobody does. */
#include <string.h>

#include "host/world/world_disk_file.h"

struct world_file *world_disk_find(struct world_disk *disk, const char *name)
{
    for (struct world_file *file = disk->files; file != NULL; file = file->next)
        if (file->name[0] != '\0' && strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

struct world_file *world_disk_find_open(struct world_disk *disk, uint32_t handle)
{
    for (struct world_file *file = disk->files; file != NULL; file = file->next)
        if (file->handle == handle && file->open_count > 0)
            return file;
    return NULL;
}

static void unlink_file(struct world_disk *disk, struct world_file *file)
{
    struct world_file **link = &disk->files;
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
}

/* Names ascend, so that list() needs no sorting. */
static void link_file(struct world_disk *disk, struct world_file *file)
{
    struct world_file **link = &disk->files;
    while (*link != NULL && strcmp((*link)->name, file->name) < 0)
        link = &(*link)->next;
    file->next = *link;
    *link = file;
}

void world_disk_rename(struct world_disk *disk, struct world_file *file, const char *name)
{
    unlink_file(disk, file);
    strcpy(file->name, name);
    link_file(disk, file);
}

struct world_file *world_disk_make(struct world_disk *disk, const char *name)
{
    struct world_file *file = world_file_create(disk->heap);
    strcpy(file->name, name);
    link_file(disk, file);
    return file;
}

static void drop_file(struct world_disk *disk, struct world_file *file)
{
    unlink_file(disk, file);
    disk->used_bytes -= file->seen.size;
    world_file_free(disk->heap, file);
}

void world_disk_remove(struct world_disk *disk, struct world_file *file)
{
    if (file->open_count > 0 || file->busy_count > 0)
        world_disk_rename(disk, file, "");
    else
        drop_file(disk, file);
}

/* A file without a name lives as long as somebody uses it. */
void world_disk_unused(struct world_disk *disk, struct world_file *file)
{
    if (file->name[0] == '\0' && file->open_count == 0 && file->busy_count == 0)
        drop_file(disk, file);
}
