/* Gangs on a pool whose workers take items from queues: one item for each task, which holds the worker
 * that takes it. One gang at a time, or two could hold half the workers each. */
#ifndef TPI_QUEUED_GANG_H
#define TPI_QUEUED_GANG_H

#include <stdint.h>

#include "lock.h"
#include "run_queue.h"
#include "threadpool_iface.h"
#include "waiting.h"

/* What a gang needs of its pool. */
typedef struct {
    void *pool;
    /* Put `count` items into queues and wake workers for them; how many had room. */
    int32_t (*enqueue)(void *pool, int32_t count, tpi_item item);
    const tpi_patience *patience;
    uint32_t fork_generation;
    tpi_lock *turn;
} tpi_crew;

/* Run tasks 0..n-1 at the same time: task 0 on the caller, each other one on a worker of its own. */
int32_t tpi_run_gang(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx);
/* The same, or TPI_E_BUSY if not all of its workers are there within TPI_SOON_MS: no task has started
 * then. */
int32_t tpi_run_gang_soon(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx);

#endif
