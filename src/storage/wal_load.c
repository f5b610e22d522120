/* Opening: which files there are, what their heads say, and their bytes as far as they can be read. */
#include <stdio.h>

#include "base/error.h"
#include "storage/wal_internal.h"

enum { READ_SIZE = 1 << 20 };

static void name_visit(void *context, const char *name)
{
    struct wal_files *files = context;
    uint32_t number;
    if (wal_name_parse(name, "new", &number)) {
        if (files->remove_count < sizeof files->remove / sizeof files->remove[0])
            files->remove[files->remove_count++] = number;
        return;
    }
    if (!wal_name_parse(name, "log", &number))
        return;
    if (!wal_grow(files->heap, (void **)&files->list, files->count, &files->size, sizeof *files->list)) {
        files->failed = true;
        return;
    }
    files->list[files->count++] = (struct wal_file){.number = number};
}

/* Judges the head block; a head of another node or cluster refuses the whole directory. */
static int head_judge(struct wal *wal, struct wal_file *file, const uint8_t *block, char *why, size_t why_size)
{
    struct wal_head head;
    int result = wal_head_decode(block, &head);
    file->head = result == ERROR_NOT_FOUND ? WAL_FILE_ZERO : WAL_FILE_BAD;
    if (result == ERROR_VERSION) {
        (void)snprintf(why, why_size, "log-%010u has a format that this build does not read", file->number);
        return result;
    }
    if (result != OK)
        return OK;
    if (head.cluster != wal->options.cluster) {
        (void)snprintf(why, why_size, "log-%010u belongs to another cluster", file->number);
        return ERROR_WRONG_CLUSTER;
    }
    if (head.node != wal->options.node) {
        (void)snprintf(why, why_size, "log-%010u belongs to node %u", file->number, head.node);
        return ERROR_WRONG_NODE;
    }
    file->head = head.number == file->number ? WAL_FILE_OWN : WAL_FILE_OTHER;
    if (file->head == WAL_FILE_OTHER)
        return OK;
    file->first_sequence = head.first_sequence;
    file->synced = head.synced;
    for (uint32_t i = 0; i < head.hole_count; i++)
        (void)wal_hole_add(wal, head.holes[i]); /* without room, the range looks like damage: the safe side */
    return OK;
}

static int file_open(struct wal *wal, struct wal_file *file, uint8_t *block, char *why, size_t why_size)
{
    char name[DISK_NAME_SIZE_MAX];
    wal_name(name, "log", file->number);
    int result = wal->disk->open(wal->disk, name, false, &file->handle);
    if (result != OK) {
        (void)snprintf(why, why_size, "%s cannot be opened: %s", name, error_text(result));
        file->adopted = true; /* there is no handle to close */
        return result;
    }
    result = wal->disk->size(wal->disk, file->handle, &file->size);
    if (result != OK)
        return result;
    file->size = file->size / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE;
    file->head = WAL_FILE_ZERO;
    if (file->size == 0)
        return OK;
    result = wal->disk->read(wal->disk, file->handle, 0, block, WAL_BLOCK_SIZE);
    if (result == ERROR_IO) {
        file->head = WAL_FILE_BAD;
        return OK;
    }
    return result == OK ? head_judge(wal, file, block, why, why_size) : result;
}

static int unfinished_remove(struct wal *wal, const struct wal_files *files)
{
    int result = OK;
    for (uint32_t i = 0; result == OK && i < files->remove_count; i++) {
        char name[DISK_NAME_SIZE_MAX];
        wal_name(name, "new", files->remove[i]);
        struct disk_request request = {.op = DISK_REMOVE, .name = name};
        result = wal->disk->now(wal->disk, &request);
    }
    return result;
}

int wal_files_open(struct wal *wal, struct wal_files *files, char *why, size_t why_size)
{
    files->heap = wal->heap;
    int result = wal->disk->list(wal->disk, name_visit, files);
    if (result == OK && files->failed)
        result = ERROR_NO_MEMORY;
    if (result == OK)
        result = unfinished_remove(wal, files);
    void *block_memory;
    uint8_t *block = disk_memory(wal->heap, WAL_BLOCK_SIZE, &block_memory);
    if (block == NULL)
        result = ERROR_NO_MEMORY;
    size_t opened = 0;
    for (; result == OK && opened < files->count; opened++) {
        struct wal_file *file = &files->list[opened];
        if (file->number >= wal->next_number)
            wal->next_number = file->number + 1;
        result = file_open(wal, file, block, why, why_size);
    }
    for (; opened < files->count; opened++)
        files->list[opened].adopted = true; /* never opened */
    heap_free(wal->heap, block_memory);
    return result;
}

void wal_files_close(struct wal *wal, struct wal_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        if (!files->list[i].adopted)
            wal->disk->close(wal->disk, files->list[i].handle);
    heap_free(wal->heap, files->list);
}

/* A run that cannot be read as a whole is read block by block; blocks that cannot be read become zeros and are
 * noted. */
static int run_read(struct wal *wal, const struct wal_file *file, struct wal_load *load, uint64_t offset, size_t size)
{
    int result = wal->disk->read(wal->disk, file->handle, offset, load->image + offset, size);
    if (result != ERROR_IO && result != ERROR_INVALID)
        return result;
    if (load->bad == NULL)
        load->bad = heap_alloc_zero(wal->heap, (size_t)(file->size / WAL_BLOCK_SIZE));
    if (load->bad == NULL)
        return ERROR_NO_MEMORY;
    for (uint64_t at = offset; at < offset + size; at += WAL_BLOCK_SIZE) {
        result = wal->disk->read(wal->disk, file->handle, at, load->image + at, WAL_BLOCK_SIZE);
        if (result == ERROR_IO || result == ERROR_INVALID) {
            load->bad[at / WAL_BLOCK_SIZE] = 1;
            memset(load->image + at, 0, WAL_BLOCK_SIZE);
        } else if (result != OK) {
            return result;
        }
    }
    return OK;
}

int wal_load_file(struct wal *wal, const struct wal_file *file, struct wal_load *out)
{
    *out = (struct wal_load){0};
    out->image = disk_memory(wal->heap, (size_t)file->size, &out->image_block);
    if (out->image == NULL)
        return ERROR_NO_MEMORY;
    int result = OK;
    for (uint64_t offset = 0; result == OK && offset < file->size;) {
        uint64_t left = file->size - offset;
        size_t size = left < READ_SIZE ? (size_t)left : READ_SIZE;
        result = run_read(wal, file, out, offset, size);
        offset += size;
    }
    out->view = (struct wal_view){.bytes = out->image,
                                  .size = file->size,
                                  .seed = wal_seed(&wal->options, file->number),
                                  .node = wal->options.node,
                                  .bad = out->bad};
    if (result != OK)
        wal_load_free(wal, out);
    return result;
}

void wal_load_free(struct wal *wal, struct wal_load *load)
{
    heap_free(wal->heap, load->image_block);
    heap_free(wal->heap, load->bad);
    *load = (struct wal_load){0};
}
