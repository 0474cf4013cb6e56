#define _GNU_SOURCE
#include "openmp_layer.h"

#include <stddef.h>

#include "../gomp/core_api.h"
#include "region.h"
#include "thread_state.h"

static tpi_place place(tpi_pool **pool) {
    if (tpi_thread.depth) return TPI_INSIDE;
    if (tpi_thread.state == TPI_SEQUENTIAL) return TPI_BY_CHOICE;
    *pool = tpi_effective_pool();
    return *pool ? TPI_ON_A_POOL : TPI_WITHOUT_POOL;
}

static int32_t run_team(tpi_pool *pool, int32_t n, tpi_task task, void *ctx) {
    int32_t (*interrupted)(void) = tpi_thread.interrupted;
    tpi_thread.interrupted = NULL;
    int32_t code = tpi_pool_run_team(pool, n, task, ctx);
    tpi_thread.interrupted = interrupted;
    return code;
}

static int32_t run_inside(tpi_task task, void *ctx) {
    int32_t (*interrupted)(void) = tpi_thread.interrupted;
    tpi_thread.interrupted = NULL;
    int32_t code = tpi_pool_parallel(NULL, 1, task, ctx);
    tpi_thread.interrupted = interrupted;
    return code;
}

uintptr_t tpi_openmp_core(void) {
    static const tpi_core_api api = {
        .abi_version = TPI_ABI_VERSION, .struct_size = sizeof api,
        .place = place, .max_threads = tpi_max_threads,
        .pool_threads = tpi_pool_num_threads, .pool_in_use = tpi_pool_in_use, .run_team = run_team, .run_inside = run_inside,
    };
    return (uintptr_t)&api;
}
