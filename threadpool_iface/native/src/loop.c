#define _GNU_SOURCE
#include "loop.h"

void tpi_loop_init(tpi_loop *loop, int32_t n, tpi_task task, void *ctx, int32_t references) {
    loop->task = task;
    loop->ctx = ctx;
    loop->n = n;
    loop->fork_generation = tpi_generation();
    atomic_init(&loop->next, 0);
    atomic_init(&loop->left, n);
    /* Others look whether this loop is free while it is being taken. */
    atomic_store_explicit(&loop->references, references, memory_order_relaxed);
    atomic_init(&loop->over, 0);
}

bool tpi_loop_run(tpi_loop *loop) {
    tpi_task task = loop->task;
    void *ctx = loop->ctx;
    int32_t n = loop->n, ran = 0;
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&loop->next, 1, memory_order_relaxed);
        if (i >= n) break;
        task(ctx, (int32_t)i, n);
        ++ran;
        if (i == n - 1) break; /* asking for more would delay who waits for this one */
    }
    /* acq_rel: the last one releases what all of them wrote. */
    return ran && atomic_fetch_sub_explicit(&loop->left, ran, memory_order_acq_rel) == ran;
}
