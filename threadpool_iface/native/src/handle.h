/* Counted handles of pools, and the gate that lets regions in and close() wait for them. */
#ifndef TPI_HANDLE_H
#define TPI_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "thread_state.h"
#include "threadpool_iface.h"

#define TPI_GATE_CLOSED 0x80000000u

struct tpi_pool {
    tpi_pool_ops ops;            /* a copy, with NULL for what an older table lacks */
    void *self;
    int32_t size;                /* what ops.num_threads said */
    bool native;                 /* ours: runs every task exactly once, so nobody counts */
    void (*after_fork)(void *self); /* native pools: forget the parent's threads */
    _Atomic uint32_t fork_generation; /* of the process the pool's threads belong to */
    _Atomic uint32_t references;
    _Atomic uint32_t gate;       /* regions inside, and TPI_GATE_CLOSED */
    _Atomic uint32_t ended;      /* 1: closed, and its threads have ended */
    _Atomic uint64_t regions, tasks; /* relaxed: counted, and order nothing */
};

/* A handle of one of our own pools; frees `self` through ops->destroy if it fails. */
tpi_pool *tpi_native_pool_new(const tpi_pool_ops *ops, void *self, void (*after_fork)(void *));

/* What the tables of our own pools have in common: the handle knows which pool's task a thread is
 * in, and parallel_for never returns early. */
int32_t tpi_ask_the_handle(void *self);
uint64_t tpi_synchronous(void *self);
void tpi_nothing_to_wait_for(void *self);

/* Let a region in: 0 or TPI_E_CLOSED. In a forked child, first forgets the parent's threads. Whoever
 * leaves names the generation of the process that it entered in: a child does not count the regions of
 * its parent. */
int32_t tpi_gate_enter(tpi_pool *pool, uint32_t *generation);
/* For one more region that a thread inside lets in, also where the gate has been closed since. */
uint32_t tpi_gate_enter_again(tpi_pool *pool);
void tpi_gate_leave(tpi_pool *pool, uint32_t generation);

/* The same for a thread that does both itself, and is inside the pool meanwhile. */
typedef struct {
    tpi_inside inside;
    uint32_t generation;
} tpi_visit;

int32_t tpi_visit_begin(tpi_visit *visit, tpi_pool *pool);
void tpi_visit_end(tpi_visit *visit);

/* Count a region of n tasks. */
static inline void tpi_count_region(tpi_pool *pool, int32_t n) {
    atomic_fetch_add_explicit(&pool->regions, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->tasks, (uint64_t)n, memory_order_relaxed);
}

#endif
