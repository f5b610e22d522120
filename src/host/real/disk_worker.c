/* A thread for the disk (disk_worker.h): two queues under one lock. */
#include "host/real/disk_worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/error.h"

struct queue {
    struct disk_job *first, **end;
};

struct disk_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct queue waiting, done;
    bool stopping;
    void (*notify)(void *context);
    void *context;
};

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void queue_put(struct queue *queue, struct disk_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct disk_job *queue_take(struct queue *queue)
{
    struct disk_job *job = queue->first;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return job;
}

static void *work(void *argument)
{
    struct disk_worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->waiting.first == NULL && !worker->stopping)
            pthread_cond_wait(&worker->wake, &worker->lock);
        if (worker->stopping)
            break;
        struct disk_job *job = queue_take(&worker->waiting);
        pthread_mutex_unlock(&worker->lock);
        disk_job_run(job);
        pthread_mutex_lock(&worker->lock);
        queue_put(&worker->done, job);
        worker->notify(worker->context);
    }
    while (worker->waiting.first != NULL) {
        struct disk_job *job = queue_take(&worker->waiting);
        job->status = ERROR_CLOSED;
        queue_put(&worker->done, job);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* The thread takes no signals: those belong to the program that runs the loop. */
static int start_thread(struct disk_worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? OK : ERROR_NO_MEMORY;
}

int disk_worker_start(struct disk_worker **out, void (*notify)(void *context), void *context)
{
    struct disk_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return ERROR_NO_MEMORY;
    queue_init(&worker->waiting);
    queue_init(&worker->done);
    worker->notify = notify;
    worker->context = context;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    if (start_thread(worker) != OK) {
        disk_worker_free(worker);
        return ERROR_NO_MEMORY;
    }
    *out = worker;
    return OK;
}

void disk_worker_stop(struct disk_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
}

void disk_worker_free(struct disk_worker *worker)
{
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

void disk_worker_give(struct disk_worker *worker, struct disk_job *job)
{
    pthread_mutex_lock(&worker->lock);
    queue_put(&worker->waiting, job);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

struct disk_job *disk_worker_take(struct disk_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    struct disk_job *done = worker->done.first;
    queue_init(&worker->done);
    pthread_mutex_unlock(&worker->lock);
    return done;
}
