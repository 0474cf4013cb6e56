/* The pool of one: every task on the calling thread, in order. */
#include <stddef.h>

#include "handle.h"
#include "pools.h"

static int32_t one(void *self) {
    (void)self;
    return 1;
}

static void nothing(void *self) { (void)self; }

static int32_t parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    (void)self;
    for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
    return TPI_OK;
}

tpi_pool *tpi_sequential_new(void) {
    static const tpi_pool_ops ops = {
        .abi_version = TPI_ABI_VERSION, .struct_size = sizeof ops, .num_threads = one,
        .in_parallel = tpi_ask_the_handle, .parallel_for = parallel_for, .flags = tpi_synchronous,
        .wait = tpi_nothing_to_wait_for, .close = nothing, .destroy = nothing,
    };
    return tpi_native_pool_new(&ops, NULL, NULL);
}
