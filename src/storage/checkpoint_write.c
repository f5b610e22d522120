/* Writing a checkpoint: a row of steps, each begun when what the one before asked of the disk is complete.
 *
 * FILL, then after checkpoint_finish: LAST frame, HEAD, SYNC, VERIFY (a bounded part at each call), RENAME, NAMED,
 * CLEAN (the third oldest goes), DONE. At the first failure nothing more is begun; it is reported once the disk holds
 * none of the writer's memory any more. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/panic.h"
#include "storage/checkpoint_internal.h"

enum { SLOT_COUNT = 2, KEPT_COUNT = 2 };

enum writer_state { STATE_FILL, STATE_LAST, STATE_HEAD, STATE_SYNC, STATE_VERIFY, STATE_RENAME, STATE_NAMED,
                    STATE_CLEAN, STATE_DONE };

struct checkpoint_writer {
    struct heap *heap;
    struct disk *disk;
    struct checkpoint_head head;
    uint32_t handle, seed;
    bool open;       /* handle is valid */
    enum writer_state state;
    int error;       /* the first failure */
    uint16_t serial; /* of the last request; part of its token */
    struct {
        void *block; /* memory that the disk reads */
        uint16_t serial;
        bool busy;
    } slots[SLOT_COUNT];
    struct buffer tail; /* content that does not fill a frame yet */
    uint64_t frames;    /* written or being written */
    uint64_t content;   /* bytes taken by checkpoint_add */
    uint64_t digest;
    struct sha256 sha; /* of a sealed one */
    uint64_t verified; /* bytes of frames read back */
    uint8_t *scratch;  /* for reading back */
    void *scratch_block;
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
};

/* ---- requests ---- */

static uint64_t writer_token(const struct checkpoint_writer *writer, unsigned slot)
{
    uint64_t value = (uint64_t)writer->head.group << 24 | (uint64_t)writer->slots[slot].serial << 8 | slot;
    return disk_token(DISK_TOKEN_CHECKPOINT, value);
}

static bool writer_busy(const struct checkpoint_writer *writer)
{
    return writer->slots[0].busy || writer->slots[1].busy;
}

static void slot_done(struct checkpoint_writer *writer, unsigned slot, int status)
{
    heap_free(writer->heap, writer->slots[slot].block);
    writer->slots[slot].block = NULL;
    writer->slots[slot].busy = false;
    /* An old file that stays is no failure: its removal is tried again after the next checkpoint. */
    if (status < 0 && writer->state >= STATE_CLEAN)
        writer->state = STATE_DONE;
    else if (status < 0 && writer->error == OK)
        writer->error = status;
}

static void writer_submit(struct checkpoint_writer *writer, struct disk_request *request, void *block)
{
    unsigned slot = writer->slots[0].busy ? 1 : 0;
    invariant(!writer->slots[slot].busy, "a checkpoint has at most two requests under way");
    writer->slots[slot].busy = true;
    writer->slots[slot].block = block;
    writer->slots[slot].serial = ++writer->serial;
    request->handle = writer->handle;
    request->token = writer_token(writer, slot);
    int status = writer->disk->submit(writer->disk, request);
    if (status != DISK_PENDING)
        slot_done(writer, slot, status == DISK_DONE ? OK : status);
}

/* ---- filling ---- */

int checkpoint_begin(struct checkpoint_writer **out, struct heap *heap, struct disk *disk,
                     const struct checkpoint_head *head)
{
    struct checkpoint_writer *writer = heap_alloc_zero(heap, sizeof *writer);
    if (writer == NULL)
        return ERROR_NO_MEMORY;
    writer->heap = heap;
    writer->disk = disk;
    writer->head = *head;
    writer->seed = checkpoint_seed(head);
    sha256_begin(&writer->sha);
    /* Tokens of a writer that was given up for the same group begin elsewhere. */
    writer->serial = (uint16_t)(writer->seed >> 8);
    buffer_init(&writer->tail, heap);
    checkpoint_name(writer->name, head->group, head->index, true);
    checkpoint_name(writer->name_to, head->group, head->index, false);
    struct disk_request request = {.op = DISK_REMOVE, .name = writer->name};
    int result = disk->now(disk, &request);
    if (result == OK)
        result = disk->open(disk, writer->name, true, &writer->handle);
    if (result != OK) {
        heap_free(heap, writer);
        return result;
    }
    writer->open = true;
    *out = writer;
    return OK;
}

bool checkpoint_ready(const struct checkpoint_writer *writer)
{
    return writer->state == STATE_FILL && !(writer->slots[0].busy && writer->slots[1].busy);
}

static void frames_submit(struct checkpoint_writer *writer, uint8_t *memory, void *block, uint64_t first, size_t size)
{
    struct disk_request request = {
        .op = DISK_WRITE, .offset = checkpoint_frame_offset(first), .data = memory, .size = size};
    writer_submit(writer, &request, block);
}

/* Seals the next frame at `frame`, whose content is in place. */
static void frame_seal(struct checkpoint_writer *writer, uint8_t *frame, size_t content)
{
    checkpoint_frame_seal(frame, writer->seed, writer->frames, content);
    writer->digest = checkpoint_digest_add(writer->digest, frame + FRAME_HEADER_SIZE, content);
    if (writer->head.sealed)
        sha256_add(&writer->sha, frame + FRAME_HEADER_SIZE, content);
    writer->frames++;
}

int checkpoint_add(struct checkpoint_writer *writer, struct span bytes)
{
    if (writer->error != OK)
        return writer->error;
    invariant(checkpoint_ready(writer), "a piece is added only when the writer is ready");
    writer->content += bytes.size;
    size_t whole = (writer->tail.size + bytes.size) / FRAME_CONTENT;
    if (whole == 0)
        return buffer_append(&writer->tail, bytes.data, bytes.size) ? OK : ERROR_NO_MEMORY;
    void *block;
    uint8_t *memory = disk_memory(writer->heap, whole * FRAME_SIZE, &block);
    if (memory == NULL)
        return ERROR_NO_MEMORY;
    uint64_t first = writer->frames;
    for (size_t i = 0; i < whole; i++) {
        uint8_t *frame = memory + i * FRAME_SIZE;
        size_t old = writer->tail.size, fresh = FRAME_CONTENT - old;
        if (old > 0)
            memcpy(frame + FRAME_HEADER_SIZE, writer->tail.data, old);
        memcpy(frame + FRAME_HEADER_SIZE + old, bytes.data, fresh);
        buffer_clear(&writer->tail);
        bytes = span_of(bytes.data + fresh, bytes.size - fresh);
        frame_seal(writer, frame, FRAME_CONTENT);
    }
    frames_submit(writer, memory, block, first, whole * FRAME_SIZE);
    if (bytes.size > 0 && !buffer_append(&writer->tail, bytes.data, bytes.size))
        return ERROR_NO_MEMORY;
    return OK;
}

/* ---- finishing ---- */

static int last_begin(struct checkpoint_writer *writer)
{
    size_t content = writer->tail.size;
    if (content == 0)
        return OK;
    void *block;
    uint8_t *memory = disk_memory(writer->heap, checkpoint_frame_size(content), &block);
    if (memory == NULL)
        return ERROR_NO_MEMORY;
    memcpy(memory + FRAME_HEADER_SIZE, writer->tail.data, content);
    uint64_t first = writer->frames;
    frame_seal(writer, memory, content);
    buffer_free(&writer->tail);
    frames_submit(writer, memory, block, first, checkpoint_frame_size(content));
    return OK;
}

static int head_begin(struct checkpoint_writer *writer)
{
    uint64_t digest = checkpoint_digest_close(writer->digest, &writer->head);
    if (writer->head.digest != 0 && writer->head.digest != digest)
        return ERROR_CORRUPT; /* these are not the bytes that were announced */
    writer->head.digest = digest;
    struct sha256_seal wanted = writer->head.seal;
    if (writer->head.sealed)
        checkpoint_seal_close(&writer->sha, &writer->head);
    if (wanted.size != 0 && !sha256_seal_equal(&wanted, &writer->head.seal))
        return ERROR_CORRUPT;
    void *block;
    uint8_t *memory = disk_memory(writer->heap, FILE_HEAD_SIZE, &block);
    if (memory == NULL)
        return ERROR_NO_MEMORY;
    checkpoint_head_encode(&writer->head, memory);
    struct disk_request request = {.op = DISK_WRITE, .data = memory, .size = FILE_HEAD_SIZE};
    writer_submit(writer, &request, block);
    return OK;
}

static int verify_begin(struct checkpoint_writer *writer)
{
    uint64_t all = checkpoint_frames_size(writer->content);
    size_t size = all < VERIFY_SIZE ? (size_t)all : VERIFY_SIZE;
    if (size < FILE_HEAD_SIZE)
        size = FILE_HEAD_SIZE;
    writer->scratch = disk_memory(writer->heap, size, &writer->scratch_block);
    if (writer->scratch == NULL)
        return ERROR_NO_MEMORY;
    struct checkpoint_head head;
    int result = writer->disk->read(writer->disk, writer->handle, 0, writer->scratch, FILE_HEAD_SIZE);
    if (result == OK)
        result = checkpoint_head_decode(writer->scratch, &head);
    if (result == OK && (head.digest != writer->head.digest || head.size != writer->head.size))
        result = ERROR_CORRUPT;
    return result;
}

/* Reads the next part back. */
static int verify_part(struct checkpoint_writer *writer)
{
    uint64_t all = checkpoint_frames_size(writer->content);
    uint64_t left = all - writer->verified;
    size_t size = left < VERIFY_SIZE ? (size_t)left : VERIFY_SIZE;
    if (size == 0)
        return OK;
    int result = writer->disk->read(writer->disk, writer->handle, FILE_HEAD_SIZE + writer->verified, writer->scratch,
                                    size);
    for (size_t at = 0; result == OK && at < size; at += FRAME_SIZE) {
        uint64_t frame = (writer->verified + at) / FRAME_SIZE;
        uint64_t before = frame * FRAME_CONTENT;
        uint64_t content = writer->content - before < FRAME_CONTENT ? writer->content - before : FRAME_CONTENT;
        result = checkpoint_frame_check(writer->scratch + at, writer->seed, frame, (size_t)content);
    }
    writer->verified += size;
    return result;
}

static void rename_begin(struct checkpoint_writer *writer)
{
    writer->disk->close(writer->disk, writer->handle);
    writer->open = false;
    struct disk_request request = {.op = DISK_RENAME, .name = writer->name, .name_to = writer->name_to};
    writer_submit(writer, &request, NULL);
}

/* Removes one of the files that are older than those kept; true when there is none. */
static bool clean_begin(struct checkpoint_writer *writer)
{
    uint64_t indexes[KEPT_COUNT + 1];
    uint32_t count = 0;
    int result = checkpoint_indexes(writer->disk, writer->head.group, false, indexes, KEPT_COUNT + 1, &count);
    if (result != OK || count <= KEPT_COUNT)
        return true;
    checkpoint_name(writer->name, writer->head.group, indexes[KEPT_COUNT], false);
    struct disk_request request = {.op = DISK_REMOVE, .name = writer->name};
    writer_submit(writer, &request, NULL);
    return false;
}

/* Begins the state's work and moves to the next state. */
static int state_begin(struct checkpoint_writer *writer)
{
    struct disk_request sync = {.op = DISK_SYNC};
    int result = OK;
    switch (writer->state) {
    case STATE_FILL:
    case STATE_DONE:
        return OK;
    case STATE_LAST:
        writer->state = STATE_HEAD;
        return last_begin(writer);
    case STATE_HEAD:
        writer->state = STATE_SYNC;
        return head_begin(writer);
    case STATE_SYNC:
        writer->state = STATE_VERIFY;
        writer_submit(writer, &sync, NULL);
        return OK;
    case STATE_VERIFY:
        result = writer->scratch == NULL ? verify_begin(writer) : OK;
        if (result == OK)
            result = verify_part(writer);
        if (writer->verified == checkpoint_frames_size(writer->content))
            writer->state = STATE_RENAME;
        return result;
    case STATE_RENAME:
        writer->state = STATE_NAMED;
        rename_begin(writer);
        return OK;
    case STATE_NAMED:
        writer->state = STATE_CLEAN;
        return OK;
    case STATE_CLEAN:
        if (clean_begin(writer))
            writer->state = STATE_DONE;
        return OK;
    }
    return result;
}

/* Goes on as far as nothing is awaited, with at most one part read back. */
static int writer_advance(struct checkpoint_writer *writer)
{
    bool verified = false;
    while (!writer_busy(writer) && writer->error == OK && writer->state != STATE_FILL && writer->state != STATE_DONE &&
           !verified) {
        verified = writer->state == STATE_VERIFY;
        int result = state_begin(writer);
        if (result != OK && writer->error == OK)
            writer->error = result;
    }
    if (writer_busy(writer))
        return 0;
    if (writer->error != OK)
        return writer->error;
    return writer->state == STATE_DONE;
}

int checkpoint_finish(struct checkpoint_writer *writer, const struct checkpoint_head *head)
{
    invariant(writer->state == STATE_FILL, "a checkpoint is finished once");
    writer->head.keep_from = head->keep_from;
    writer->head.part_size = head->part_size;
    writer->head.table_size = head->table_size;
    writer->head.digest = head->digest;
    writer->head.seal = head->seal;
    writer->head.size = writer->content;
    bool sizes_right = (head->size == 0 || head->size == writer->content) && head->part_size <= writer->content &&
                       head->table_size <= writer->content - head->part_size;
    if (!sizes_right && writer->error == OK)
        writer->error = ERROR_CORRUPT;
    writer->state = STATE_LAST;
    return writer_advance(writer);
}

bool checkpoint_busy(const struct checkpoint_writer *writer)
{
    return writer_busy(writer);
}

bool checkpoint_wants_step(const struct checkpoint_writer *writer)
{
    return !writer_busy(writer) && (writer->state != STATE_FILL || writer->error != OK);
}

int checkpoint_complete(struct checkpoint_writer *writer, uint64_t token_value, int status)
{
    unsigned slot = (unsigned)(token_value & 0xff);
    if (slot >= SLOT_COUNT || !writer->slots[slot].busy ||
        disk_token_value(writer_token(writer, slot)) != token_value)
        return 0; /* somebody else's */
    slot_done(writer, slot, status);
    return writer_advance(writer);
}

int checkpoint_step(struct checkpoint_writer *writer)
{
    return writer_advance(writer);
}

const struct checkpoint_head *checkpoint_written(const struct checkpoint_writer *writer)
{
    return &writer->head;
}

void checkpoint_writer_free(struct checkpoint_writer *writer)
{
    if (writer->open)
        writer->disk->close(writer->disk, writer->handle);
    if (writer->state <= STATE_NAMED) {
        struct disk_request request = {.op = DISK_REMOVE, .name = writer->name};
        /* A leftover is removed at the next opening. */
        (void)writer->disk->now(writer->disk, &request);
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        heap_free(writer->heap, writer->slots[slot].block);
    heap_free(writer->heap, writer->scratch_block);
    buffer_free(&writer->tail);
    heap_free(writer->heap, writer);
}
