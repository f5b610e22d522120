/* The format of a checkpoint's file, private to checkpoint*.c; described in checkpoint.c. */
#ifndef LOCKSTEP_STORAGE_CHECKPOINT_INTERNAL_H
#define LOCKSTEP_STORAGE_CHECKPOINT_INTERNAL_H

#include "storage/checkpoint.h"
#include "storage/disk_memory.h"

enum {
    FILE_HEAD_SIZE = DISK_ALIGNMENT,
    FRAME_SIZE = 65536,
    FRAME_HEADER_SIZE = 16,
    FRAME_CONTENT = FRAME_SIZE - FRAME_HEADER_SIZE,
    VERIFY_SIZE = 16 * FRAME_SIZE, /* read back at once: 1 MiB */
    READ_SIZE_MAX = 1 << 20,
};

/* Bytes that `content` bytes take up in whole frames, the last one cut to whole blocks. */
uint64_t checkpoint_frames_size(uint64_t content);
/* Offset in the file of a frame. */
uint64_t checkpoint_frame_offset(uint64_t frame);
/* Bytes on the disk of a frame with so much content. */
size_t checkpoint_frame_size(size_t content);

/* Seed of the frames' CRCs. */
uint32_t checkpoint_seed(const struct checkpoint_head *head);
/* Seals a frame whose content is in place; clears what follows it up to a whole block. */
void checkpoint_frame_seal(uint8_t *frame, uint32_t seed, uint64_t number, size_t content);
/* OK or ERROR_CORRUPT. */
int checkpoint_frame_check(const uint8_t *frame, uint32_t seed, uint64_t number, size_t content);

/* The digest grows by the content of one frame after the other, and is closed at the end. */
uint64_t checkpoint_digest_add(uint64_t digest, const uint8_t *content, size_t size);
uint64_t checkpoint_digest_close(uint64_t digest, const struct checkpoint_head *head);
/* The content was added: writes the head's seal. */
void checkpoint_seal_close(struct sha256 *sha, struct checkpoint_head *head);

void checkpoint_head_encode(const struct checkpoint_head *head, uint8_t out[FILE_HEAD_SIZE]);
/* OK, ERROR_CORRUPT or ERROR_VERSION. */
int checkpoint_head_decode(const uint8_t in[FILE_HEAD_SIZE], struct checkpoint_head *out);

void checkpoint_name(char out[DISK_NAME_SIZE_MAX], uint32_t group, uint64_t index, bool temporary);
/* True for a checkpoint of that group. */
bool checkpoint_name_parse(const char *name, uint32_t group, uint64_t *index, bool *temporary);

/* The indexes for which the group has files, youngest first, at most `size` of them; `*count` all there are. */
int checkpoint_indexes(struct disk *disk, uint32_t group, bool temporary, uint64_t *out, uint32_t size,
                       uint32_t *count);

#endif
