/* New references put where Python owns them already; part of the extension, not of the core.
 *
 * A reference that a call returns is lost if Ctrl-C comes before Python has noted it. So Python makes a
 * box, a `tpi_pool *` that its finalizer drops, and the call fills it. NULL in it: there was no memory. */
#ifndef TPI_BOXES_H
#define TPI_BOXES_H

#include "pools.h"
#include "threadpool_iface.h"

static void tpi_box_drop(tpi_pool **box) {
    tpi_pool_release(*box);
    *box = NULL;
}

static void tpi_box_retained(tpi_pool **box, tpi_pool *pool) {
    tpi_pool_retain(pool);
    *box = pool;
}

static void tpi_box_taken_over(tpi_pool **box, tpi_pool *pool) { *box = pool; }

static void tpi_box_sequential(tpi_pool **box) { *box = tpi_sequential_new(); }

static void tpi_box_fork_join(tpi_pool **box, const tpi_pool_options *options, int32_t dynamic) {
    *box = tpi_fork_join_new(options, dynamic);
}

static void tpi_box_work_stealing(tpi_pool **box, const tpi_pool_options *options,
                                  int32_t asynchronous) {
    *box = tpi_work_stealing_new(options, asynchronous);
}

static void tpi_box_openmp(tpi_pool **box, int32_t num_threads, int32_t dynamic,
                           uintptr_t gomp_parallel, uintptr_t get_thread_num,
                           uintptr_t get_num_threads, int32_t survives_fork) {
    *box = tpi_openmp_new(num_threads, dynamic, gomp_parallel, get_thread_num, get_num_threads,
                          survives_fork);
}

static void tpi_latch_drop(tpi_latch **box) {
    if (*box) tpi_latch_release(*box);
    *box = NULL;
}

#endif
