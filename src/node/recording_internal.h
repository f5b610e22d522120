/* What writing and reading a recording share. */
#ifndef LOCKSTEP_NODE_RECORDING_INTERNAL_H
#define LOCKSTEP_NODE_RECORDING_INTERNAL_H

#define RECORDING_MAGIC "LOCKSTEP RECORD\n"

enum { RECORDING_ITEM_HEAD = 8 }; /* u32 size, u32 CRC32C */

enum recording_mark { RECORDING_MARK_HEAD = 1, RECORDING_MARK_GROUP, RECORDING_MARK_STEP };

/* The fields of struct tuning, each as 64 bits. */
#define RECORDING_TUNING(X)                                                                                            \
    X(heartbeat_ns)                                                                                                    \
    X(election_timeout_ns)                                                                                             \
    X(append_bytes_max)                                                                                                \
    X(append_inflight_max)                                                                                             \
    X(log_entries_max)                                                                                                 \
    X(checkpoint_interval)                                                                                             \
    X(checkpoint_log_bytes) X(service_bytes_max) X(service_heap_bytes) X(command_bytes_max)

#endif
