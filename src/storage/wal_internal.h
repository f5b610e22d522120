/* The log's insides, private to wal*.c. The format and the rules of recovery open wal.c. */
#ifndef LOCKSTEP_STORAGE_WAL_INTERNAL_H
#define LOCKSTEP_STORAGE_WAL_INTERNAL_H

#include "storage/disk_memory.h"
#include "storage/wal.h"

enum {
    WAL_BLOCK_SIZE = DISK_ALIGNMENT,
    WAL_HEAD_VERSION = 1,
    WAL_MARK_TYPE = 1,        /* header.type of a mark, whose header.kind is HEADER_NODE */
    WAL_IMAGES_MAX = 3,       /* segments kept in memory, the current one included */
    WAL_HOLES_MAX = 240,      /* ranges of released sequences that fit into a segment's head */
    WAL_SPARES_MAX = 8,       /* ready for use */
    WAL_LOST_MAX = 65536,     /* lost positions in a row that the index keeps; more begin it anew */
    WAL_SMALL_SIZE_MAX = 4096 - 2 * HEADER_SIZE, /* body of a record that may use the reserve */
};

#define WAL_RECORD_SIZE_MAX (UINT64_C(1) << 30) /* bytes of a body */
#define WAL_OVERSIZE_UNIT (UINT64_C(1) << 20)   /* segments for larger records are multiples of this */
#define WAL_NUMBER_MAX (UINT64_MAX / 2)         /* of sequences and positions; higher ones are damage */
#define WAL_RETRY_NS (INT64_C(200) * 1000 * 1000)

/* Sequences in [first, end). */
struct wal_range {
    uint64_t first, end;
};

/* The content of a segment's head block. */
struct wal_head {
    uint32_t node, number;
    uint64_t cluster, size;
    uint64_t first_sequence; /* of the first record in this segment */
    uint64_t synced;         /* all records with a lower sequence were durable when the segment was begun */
    uint32_t hole_count;
    struct wal_range holes[WAL_HOLES_MAX]; /* of recycled segments between others that are still held */
};

struct wal_segment {
    uint32_t number, handle, seed;
    uint32_t inflight;       /* requests that read the image */
    uint64_t size;           /* of the file, in whole blocks */
    uint8_t *image;          /* aligned; NULL: only on the disk */
    void *image_block;       /* what the heap gave for it */
    uint64_t first_sequence, end_sequence;
    uint64_t begun;          /* everything before this offset was handed to the disk; a multiple of a block */
    uint64_t end;            /* of what was appended; begun: nothing is unwritten */
    uint64_t batch_sequence; /* of the first unwritten record */
    uint64_t live;           /* index entries that point here */
    uint32_t listed_in;      /* number of the segment whose head lists this one as released; 0: none */
    bool head_durable;
};

/* Where a record is. `lost`: damage; then only the segment counts, which it keeps from being recycled so that the
 * damage is seen again at the next opening. */
struct wal_entry {
    uint32_t segment; /* number */
    uint32_t place;   /* offset / 8 */
    uint32_t size;    /* of the body */
    uint16_t type;
    uint8_t slot;
    uint8_t lost;
};
_Static_assert(sizeof(struct wal_entry) == 16, "16 bytes for each record");

struct wal_group {
    uint32_t group;
    uint32_t touched_place; /* in the open batch's list, valid when touched_batch is the open batch's serial */
    uint64_t touched_batch;
    uint64_t first, next;   /* positions; the ring holds [first, next) */
    uint64_t stored;        /* last position that is safe */
    uint64_t last_sequence; /* recovery: of the last record seen */
    bool forgotten;         /* goes when nothing of it is under way */
    bool seen;              /* recovery: has had a record or a position */
    struct wal_entry *ring;
    uint64_t ring_size; /* a power of two, or 0 */
};

/* Last position of a group in a batch. */
struct wal_touch {
    struct wal_group *group;
    uint64_t position;
};

/* What one wal_write took. */
struct wal_batch {
    uint64_t serial;
    uint64_t end_sequence;  /* one more than its last record's */
    uint32_t requests_left; /* to the disk, not complete */
    struct wal_touch *touched;
    uint32_t touched_count, touched_size;
};

enum wal_request_kind { WAL_REQUEST_FREE, WAL_REQUEST_WRITE, WAL_REQUEST_ALLOCATE, WAL_REQUEST_RENAME,
                        WAL_REQUEST_REMOVE };

struct wal_request {
    enum wal_request_kind kind;
    uint32_t serial; /* tells a late completion from one of the slot's present use */
    uint32_t number; /* ALLOCATE, RENAME: of the segment that comes of it; else of what goes */
    bool recycles;   /* RENAME, REMOVE: of a segment that was in use */
    struct wal_segment *segment;
    uint64_t batch;  /* WRITE: serial */
    uint64_t offset; /* WRITE */
    char name[DISK_NAME_SIZE_MAX], name_to[DISK_NAME_SIZE_MAX];
};

struct wal_spare {
    uint32_t number, handle;
};

struct wal {
    struct heap *heap;
    struct disk *disk;
    struct wal_options options;

    struct wal_segment **segments; /* ascending numbers; the last one is the current one */
    size_t segment_count, segment_size;
    uint32_t image_count; /* segments that have one */
    struct wal_spare spares[WAL_SPARES_MAX]; /* ascending numbers */
    uint32_t spare_count;
    uint32_t spares_coming; /* requests under way that end in a spare */
    uint32_t next_number;
    struct wal_range holes[WAL_HOLES_MAX];
    uint32_t hole_count;

    struct wal_group **groups; /* ascending ids */
    size_t group_count, group_size;
    struct wal_group *group_last; /* found last */

    uint64_t next_sequence, synced_sequence;
    struct wal_batch *batches; /* a ring: those in flight, then the open one */
    uint32_t batch_first, batch_inflight, batch_size;
    struct wal_request **requests;
    size_t request_count, request_size;

    bool may_lack; /* damage was found: a group without records may have lost them */
    bool recycling; /* one at a time: were a younger one gone before an older one, a crash could leave a hole */
    bool allocating;
    bool disk_full;
    bool retry; /* retry_at_ns is set */
    int64_t retry_at_ns;
    int failed; /* a negative error: the disk failed, for ever */

    uint8_t *scratch; /* aligned, for cold reads */
    void *scratch_block;
    size_t scratch_size;
    uint32_t scratch_segment; /* whose bytes [first, end) lie there; UINT32_MAX: none */
    uint64_t scratch_first, scratch_end;
    struct wal_counters counters;
};

static inline uint64_t wal_round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static inline uint64_t wal_record_span(uint64_t body_size)
{
    return wal_round_up(HEADER_SIZE + body_size, 8);
}

/* ---- wal_memory.c ---- */
/* Makes room for one more element; false when the heap is full. */
bool wal_grow(struct heap *heap, void **array, size_t count, size_t *size, size_t element_size);

/* ---- wal_head.c ---- */
uint32_t wal_seed(const struct wal_options *options, uint32_t number);
void wal_head_encode(const struct wal_head *head, uint8_t out[WAL_BLOCK_SIZE]);
/* OK, ERROR_CORRUPT, ERROR_NOT_FOUND (all zeros: never written), ERROR_VERSION. */
int wal_head_decode(const uint8_t in[WAL_BLOCK_SIZE], struct wal_head *out);
void wal_name(char out[DISK_NAME_SIZE_MAX], const char *prefix, uint32_t number);
bool wal_name_parse(const char *name, const char *prefix, uint32_t *number);

/* ---- wal_segment.c: the segments in use ---- */
struct wal_segment *wal_segment_find(const struct wal *wal, uint32_t number);
static inline struct wal_segment *wal_current(const struct wal *wal)
{
    return wal->segment_count == 0 ? NULL : wal->segments[wal->segment_count - 1];
}
/* Adds a segment at the end of the table; NULL when the heap is full. */
struct wal_segment *wal_segment_add(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size);
int wal_segment_image(struct wal *wal, struct wal_segment *segment);
void wal_segment_image_drop(struct wal *wal, struct wal_segment *segment);
void wal_segment_free(struct wal *wal, struct wal_segment *segment);
/* Makes a segment current that a record of that span fits into. */
int wal_segment_begin(struct wal *wal, uint64_t record_span);
/* Recycles the segments that nobody needs. */
int wal_reclaim(struct wal *wal);
void wal_images_trim(struct wal *wal);
/* Adds a range of released sequences, merged with its neighbours; false when there is no room. */
bool wal_hole_add(struct wal *wal, struct wal_range range);
/* How many of [first, end) are not in the released ranges; `*first_lost` is the lowest of them. */
uint64_t wal_holes_outside(const struct wal *wal, uint64_t first, uint64_t end, uint64_t *first_lost);

/* ---- wal_spare.c: segments that wait for their use ---- */
/* Submits allocations until enough are ahead. */
int wal_spares_ahead(struct wal *wal);
/* Takes a spare, or allocates at once a segment of that size; 0, ERROR_NO_SPACE, ... */
int wal_spare_take(struct wal *wal, uint64_t size, uint32_t *number, uint32_t *handle);
/* A file of the log that nobody needs becomes a spare under a new number, or goes. Its handle is closed. */
int wal_spare_recycle(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size);
/* The same at once, while opening. */
int wal_spare_recycle_now(struct wal *wal, uint32_t number, uint32_t handle, uint64_t size);
int wal_spare_add(struct wal *wal, uint32_t number, uint32_t handle);
int wal_spare_complete(struct wal *wal, struct wal_request *request, int status);
/* Creates a segment file of that number at once, its head durable before the file has its name. */
int wal_spare_create_first(struct wal *wal, const struct wal_head *head);

/* ---- wal_request.c: what the disk was asked for ---- */
struct wal_request *wal_request_new(struct wal *wal, enum wal_request_kind kind, uint64_t *token);
void wal_request_done(struct wal_request *request);
struct wal_request *wal_request_find(const struct wal *wal, uint64_t token_value);

/* ---- wal_index.c ---- */
struct wal_group *wal_group_find(const struct wal *wal, uint32_t group);
/* Finds or makes it; NULL when the heap is full. */
struct wal_group *wal_group_get(struct wal *wal, uint32_t group);
/* Makes room for another entry; false when the heap is full. */
bool wal_index_reserve(struct wal *wal, struct wal_group *group);
/* Adds the entry at group->next, for which room was made. */
void wal_index_push(struct wal_group *group, struct wal_entry entry);
const struct wal_entry *wal_index_at(const struct wal_group *group, uint64_t position);
/* Drops the entries before the position. */
void wal_index_release(struct wal *wal, struct wal_group *group, uint64_t position);
/* Frees the groups that are forgotten and have nothing under way. */
void wal_groups_sweep(struct wal *wal);
void wal_groups_free(struct wal *wal);

/* ---- wal_write.c ---- */
/* The batch that collects what is appended now. */
struct wal_batch *wal_batch_open(const struct wal *wal);
/* Notes in the open batch that the group's positions up to this one are part of it; false when the heap is full. */
bool wal_batch_touch(struct wal *wal, struct wal_group *group, uint64_t position);
int wal_write_complete(struct wal *wal, struct wal_request *request, int status);

/* ---- wal_scan.c: finding records in the bytes of a segment ---- */
struct wal_view {
    const uint8_t *bytes;
    uint64_t size;
    uint32_t seed, node;
    const uint8_t *bad; /* for each block: 1 when it could not be read; NULL: all could */
};
struct wal_item {
    bool record; /* else a mark */
    struct header header;
    struct span body;
    uint64_t offset, end;
};
/* True when a whole, valid item stands at the offset. */
bool wal_item_at(const struct wal_view *view, uint64_t offset, struct wal_item *out);
/* The next valid item at the offset or at a later block; moves the offset behind it. */
bool wal_item_next(const struct wal_view *view, uint64_t *offset, struct wal_item *out);
/* True when what should stand at the offset may be missing because a block could not be read. */
bool wal_view_unreadable(const struct wal_view *view, uint64_t offset);
/* Bytes that a record cut at the offset claims, as far as they lie in the view; 0 when nothing looks like one. */
uint64_t wal_view_torn_size(const struct wal_view *view, uint64_t offset);

/* ---- wal_load.c: the files found at opening ---- */
enum wal_file_head { WAL_FILE_OWN, WAL_FILE_OTHER, WAL_FILE_ZERO, WAL_FILE_BAD };
struct wal_file {
    uint32_t number, handle;
    uint64_t size; /* in whole blocks */
    enum wal_file_head head;
    uint64_t first_sequence, synced; /* WAL_FILE_OWN */
    bool used;                       /* holds something of the log */
    bool walked, remnants;           /* it was looked through; there is something that its number makes valid */
    bool adopted;                    /* its handle belongs to a segment or spare now */
};
struct wal_files {
    struct wal_file *list;
    size_t count, size;
    bool failed; /* the heap was full */
    struct heap *heap;
    uint32_t remove[16]; /* numbers of unfinished files; the rest goes at the next opening */
    uint32_t remove_count;
};
/* Lists, opens and looks at the head of each; collects released ranges. */
int wal_files_open(struct wal *wal, struct wal_files *files, char *why, size_t why_size);
void wal_files_close(struct wal *wal, struct wal_files *files);

/* A file's bytes in memory. */
struct wal_load {
    struct wal_view view;
    uint8_t *image;
    void *image_block;
    uint8_t *bad;
};
int wal_load_file(struct wal *wal, const struct wal_file *file, struct wal_load *out);
void wal_load_free(struct wal *wal, struct wal_load *load);

/* ---- wal_recover.c ---- */
int wal_recover(struct wal *wal, struct wal_files *files, enum wal_condition *condition,
                void (*found)(void *context, const struct wal_found *found), void *context, char *why,
                size_t why_size);

#endif
