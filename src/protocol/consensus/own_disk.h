/* What a member knows of its own disk: how much it has written, how much of that survives a crash, and whether the disk
 * still works. A message that depends on a record waits for that record's position; a disk that finishes nothing for a
 * whole timeout hangs, and its member should not lead.
 *
 * Invariants: positions rise; only what was written is ever stored. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_OWN_DISK_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_OWN_DISK_H

#include "base/panic.h"
#include "contract/canon.h"
#include "contract/event.h"

struct own_disk {
    uint64_t written; /* the last position given out, 0 if none */
    uint64_t stored;  /* … and the last that is on disk */
    int64_t unstored_since_ns; /* when the oldest write that is out began, or last made progress */
    bool full;        /* no room for new work */
};

/* A restarted member: everything up to `position` is on disk. */
static inline void own_disk_start(struct own_disk *disk, uint64_t position)
{
    disk->written = disk->stored = position;
}

/* A record was given this position now. */
static inline void own_disk_write(struct own_disk *disk, uint64_t position, int64_t now_ns)
{
    if (disk->written == disk->stored)
        disk->unstored_since_ns = now_ns;
    invariant(position > disk->written, "positions rise");
    disk->written = position;
}

/* EVENT_STORED. True when more is on disk than before. */
static inline bool own_disk_stored(struct own_disk *disk, const struct event_stored *stored, int64_t now_ns)
{
    disk->full = stored->room_bytes == 0;
    if (stored->position <= disk->stored)
        return false;
    invariant(stored->position <= disk->written, "only what was stored can be on disk");
    disk->stored = stored->position;
    disk->unstored_since_ns = now_ns;
    return true;
}

/* The position that a message which depends on it must wait for: 0 when it is on disk already. */
static inline uint64_t own_disk_after(const struct own_disk *disk, uint64_t position)
{
    return position > disk->stored ? position : 0;
}

/* No write was finished for longer than the timeout. */
static inline bool own_disk_stalled(const struct own_disk *disk, int64_t now_ns, int64_t timeout_ns)
{
    return disk->written != disk->stored && now_ns - disk->unstored_since_ns > timeout_ns;
}

/* `stored`: the position up to which all counts as stored now. */
static inline void own_disk_canonical(const struct own_disk *disk, uint64_t stored, int64_t now_ns, struct canon *out)
{
    canon_position(out, disk->written, stored);
    int64_t waited_ns = disk->written == disk->stored ? 0 : now_ns - disk->unstored_since_ns;
    canon_u8(out, waited_ns > 0); /* else the next event comes one timeout after the write, which is no hang yet */
    canon_u8(out, disk->full);
}

#endif
