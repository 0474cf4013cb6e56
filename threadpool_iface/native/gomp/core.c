#define _GNU_SOURCE
#include "core.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/openmp_layer.h"
#include "../src/pools.h"
#include "abi.h"

static _Atomic(const tpi_core_api *) attached;
static _Atomic bool is_on;

const tpi_core_api *tpi_core(void) {
    /* acquire: pairs with the release of whoever attached it. */
    return atomic_load_explicit(&attached, memory_order_acquire);
}

bool tpi_core_is_on(void) {
    /* acquire: who sees it on sees the core. */
    return atomic_load_explicit(&is_on, memory_order_acquire);
}

/* From now on calls go to the pools of this core; NULL: to the real libgomp. Regions that run end
 * where they began. 0, or -1 for a table that is not understood. */
TPI_EXPORT int tpi_gomp_attach(const tpi_core_api *core);
TPI_EXPORT int tpi_gomp_attach(const tpi_core_api *core) {
    if (core && (core->abi_version != TPI_ABI_VERSION || core->struct_size < sizeof *core)) return -1;
    if (core) atomic_store_explicit(&attached, core, memory_order_release);
    atomic_store_explicit(&is_on, core != NULL, memory_order_release);
    return 0;
}

/* A variable of the environment that asks for what the layer does not do; NULL: none. */
TPI_EXPORT const char *tpi_gomp_refused(void);
TPI_EXPORT const char *tpi_gomp_refused(void) { return tpi_environment.refused; }

/* -- a program without Python ------------------------------------------------------------------ */

static tpi_pool *pool_named(const char *kind, const tpi_pool_options *options) {
    if (!strcmp(kind, "omp")) return tpi_fork_join_new(options, 0);
    if (!strcmp(kind, "eigen")) return tpi_work_stealing_new(options, 0);
    return NULL;
}

/* The default pool that the environment asks for, as the package would make it. */
__attribute__((constructor)) static void make_default_pool(void) {
    tpi_set_machine_threads(tpi_num_procs());
    const char *wanted = getenv("THREADPOOL_IFACE_OPENMP"), *kind = getenv("THREADPOOL_IFACE_POOL");
    if (!wanted || strcmp(wanted, "preload") || !kind) return;
    if (tpi_environment.refused) {
        fprintf(stderr, "threadpool_iface: %s binds OpenMP threads to places, which a pool's threads do "
                        "not follow; libgomp's own threads are used\n", tpi_environment.refused);
        return;
    }
    int32_t n = tpi_environment.icv.nthreads ? tpi_environment.icv.nthreads : tpi_num_procs();
    tpi_pool_options options = {
        .num_threads = n, .blocktime_us = (int64_t)(tpi_blocktime_ns / 1000)};
    tpi_pool *pool = pool_named(kind, &options);
    if (!pool) {
        fprintf(stderr, "threadpool_iface: no pool %s of %d threads for a program without Python: omp "
                        "and eigen are there, of up to %d\n", kind, n, TPI_MAX_THREADS);
        return;
    }
    tpi_set_default(pool);
    tpi_gomp_attach((const tpi_core_api *)tpi_openmp_core());
}
