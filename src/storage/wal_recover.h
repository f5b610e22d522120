/* The state of a recovery, private to wal_recover.c and wal_resume.c. */
#ifndef LOCKSTEP_STORAGE_WAL_RECOVER_H
#define LOCKSTEP_STORAGE_WAL_RECOVER_H

#include "storage/wal_internal.h"

/* Records missing at one place. */
struct wal_loss {
    uint64_t end;       /* sequence of what follows */
    uint64_t count;     /* of the records */
    uint64_t explained; /* those whose group and position are known from their neighbours */
};

struct wal_recovery {
    struct wal *wal;
    struct wal_files *files;
    void (*found)(void *context, const struct wal_found *found);
    void *context;

    size_t place;         /* of the file being walked */
    struct wal_load load; /* its bytes */
    uint64_t expected;    /* sequence of the next record; 0: nothing was found yet */
    uint64_t durable;     /* the highest `synced` of what was taken */
    uint64_t incarnation; /* of the youngest life that what was taken is from */

    struct wal_loss *losses;
    size_t loss_count, loss_size;
    uint64_t lost;         /* records, in all of them */
    uint64_t front_lost;   /* at most so many are lost before the first item that was found */
    uint32_t hole_segment; /* number of the segment that the last hole begins in */

    bool stalled;    /* the place behind the last item taken was looked at */
    bool unreadable; /* and a block there cannot be read */
    bool cut;        /* the log ends here although valid items follow */
    bool end_lost;   /* its end cannot be read */

    bool ended; /* something was taken; its end is: */
    size_t end_place;
    uint64_t end_offset;
    struct wal_load end_load;
};

/* Makes the files fit for going on: what follows the end is cleared durably, what was taken is made durable, the
 * current segment gets its image, and all other files become spares. */
int wal_resume(struct wal_recovery *recovery);

#endif
