/* Tasks that are claimed one by one, by a caller and any number of helpers.
 *
 * A helper that comes too late finds nothing to claim and drops its reference: the loop is counted,
 * not on the caller's stack, and a caller never waits for a thread that has not started. */
#ifndef TPI_LOOP_H
#define TPI_LOOP_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "threadpool_iface.h"
#include "waiting.h"

typedef struct {
    /* What a helper needs to begin, in one cache line: it reads the plain part once. */
    alignas(64) _Atomic int64_t next;  /* first task nobody has claimed */
    tpi_task task;
    void *ctx;
    int32_t n;
    uint32_t fork_generation;
    bool allocated;                    /* for its owner: to be freed after the last release */
    alignas(64) _Atomic int32_t left;  /* tasks that have not ended */
    _Atomic int32_t references;        /* the caller's and one for each helper */
    _Atomic uint32_t over;             /* signal word: 2 when the last task has ended */
} tpi_loop;

void tpi_loop_init(tpi_loop *loop, int32_t n, tpi_task task, void *ctx, int32_t references);

/* Take a loop that nobody refers to, to be initialised; false if somebody does. */
static inline bool tpi_loop_take(tpi_loop *loop) {
    int32_t none = 0;
    /* acquire: the last one to drop a reference has finished with it. */
    return atomic_load_explicit(&loop->references, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&loop->references, &none, 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Claim and run tasks until none is left; true if the last one of all ended here. */
bool tpi_loop_run(tpi_loop *loop);

/* Tell those who wait that the last task has ended. */
static inline void tpi_loop_end(tpi_loop *loop, tpi_meter *meter) {
    tpi_signal_many(&loop->over, 2, INT32_MAX, meter);
}

static inline bool tpi_loop_ended(tpi_loop *loop) {
    return atomic_load_explicit(&loop->left, memory_order_acquire) == 0;
}

static inline void tpi_loop_await(tpi_loop *loop, const tpi_patience *patience) {
    if (!tpi_loop_ended(loop)) tpi_await(&loop->over, 0, patience, loop->fork_generation);
}

/* Drop references; true if these were the last. */
static inline bool tpi_loop_release(tpi_loop *loop, int32_t count) {
    /* acq_rel: the one that frees has seen everybody's last access. */
    return atomic_fetch_sub_explicit(&loop->references, count, memory_order_acq_rel) == count;
}

#endif
