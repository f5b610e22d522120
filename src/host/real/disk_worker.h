/* A thread that runs disk operations one after the other, in the order given. Jobs are the caller's memory. */
#ifndef LOCKSTEP_HOST_REAL_DISK_WORKER_H
#define LOCKSTEP_HOST_REAL_DISK_WORKER_H

#include "host/real/disk_file.h"

struct disk_worker;

/* Starts the thread. After each job it calls `notify` from there, which must only wake the owner's loop. 0 or
 * ERROR_NO_MEMORY. */
int disk_worker_start(struct disk_worker **out, void (*notify)(void *context), void *context);
/* Lets the job that runs finish, drops those that wait, ends the thread. What was done or dropped is still to be taken
 * before disk_worker_free. */
void disk_worker_stop(struct disk_worker *worker);
void disk_worker_free(struct disk_worker *worker);

void disk_worker_give(struct disk_worker *worker, struct disk_job *job);
/* All jobs that are done, oldest first, linked by `next`; NULL if none. */
struct disk_job *disk_worker_take(struct disk_worker *worker);

#endif
