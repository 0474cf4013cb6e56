/* One region, as the library sees it; pools only ever see a task and a context. */
#ifndef TPI_REGION_H
#define TPI_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "threadpool_iface.h"

struct tpi_gang;

typedef struct tpi_region {
    tpi_task task;
    void *ctx;
    tpi_pool *pool; /* NULL: inline */
    int32_t nthr;
    bool alone;             /* all of its tasks run on the thread that started it */
    int32_t width;          /* what the pool runs: nthr tasks, or fewer that each run some of them */
    _Atomic int64_t claimed; /* of the tasks of a region that is narrower */
    struct tpi_gang *gang;  /* NULL unless the tasks run together */
    _Atomic int32_t error;  /* the first non-zero code; 0 while nothing failed */
    tpi_task counted;       /* foreign pools: what is run and counted */
    _Atomic uint8_t *ran;   /* foreign pools: which tasks were run */
    _Atomic int32_t left;   /* foreign pools: tasks not yet run */
} tpi_region;

/* Run one task, unless the region has failed; a tpi_task whose context is the region. */
int32_t tpi_run_task(void *region, int32_t ithr, int32_t nthr);

/* A region of a pool whose gate the caller has entered. */
int32_t tpi_run_let_in(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx);

/* tpi_pool_run_together_soon for tasks that have a barrier of their own: tpi_barrier is none of theirs. */
int32_t tpi_pool_run_team(tpi_pool *pool, int32_t n, tpi_task task, void *ctx);

/* Make `code` the region's if it is the first. */
void tpi_note_error(tpi_region *r, int32_t code);

static inline int32_t tpi_region_error(const tpi_region *r) {
    /* relaxed: skipping is a courtesy, and callers read the code after the join. */
    return atomic_load_explicit(&r->error, memory_order_relaxed);
}

#endif
