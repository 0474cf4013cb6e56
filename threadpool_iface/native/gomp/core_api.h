/* What the OpenMP layer takes from the C core: a table of functions, handed over when the layer is
 * installed. The layer is a library of its own, which a program may load without Python and without
 * the core; it calls nothing of the core but through this table. */
#ifndef TPI_CORE_API_H
#define TPI_CORE_API_H

#include <stdint.h>

#include "../include/threadpool_iface.h"

typedef enum {
    TPI_WITHOUT_POOL,
    TPI_INSIDE,     /* on the thread itself, which is in a region of the library */
    TPI_BY_CHOICE,  /* on the thread itself: it chose no pool */
    TPI_ON_A_POOL,
} tpi_place;

/* `struct_size` is the size that the core was built with, so that the table can grow. */
typedef struct tpi_core_api {
    uint32_t abi_version;
    uint32_t struct_size;
    /* Where regions of the calling thread run; *pool is set for TPI_ON_A_POOL only. */
    tpi_place (*place)(tpi_pool **pool);
    int32_t (*max_threads)(void); /* of that pool, within the limit on threads */
    int32_t (*pool_threads)(tpi_pool *pool);
    int32_t (*pool_in_use)(tpi_pool *pool); /* whether a region is running on it */
    /* All n tasks at the same time, within a bounded time: see tpi_pool_run_team. Ctrl-C
     * is not taken up meanwhile, since nothing could raise it. */
    int32_t (*run_team)(tpi_pool *pool, int32_t n, tpi_task task, void *ctx);
    /* One task on the calling thread, inside a region. */
    int32_t (*run_inside)(tpi_task task, void *ctx);
} tpi_core_api;

#endif
