#define _GNU_SOURCE
#include "handle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "thread_state.h"
#include "waiting.h"

static pthread_mutex_t fork_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool threads_abandoned;

void tpi_abandon_threads(void) {
    atomic_store_explicit(&threads_abandoned, true, memory_order_relaxed);
}

/* Nothing is locked before a fork, so it never waits for a region; the child starts clean. */
static void in_forked_child(void) {
    pthread_mutex_init(&fork_mutex, NULL);
    atomic_fetch_add_explicit(&tpi_fork_generation, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_forked_child);
}

static tpi_pool *new_handle(const tpi_pool_ops *ops, void *self) {
    tpi_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    size_t known = ops->struct_size < sizeof *ops ? ops->struct_size : sizeof *ops;
    memcpy(&pool->ops, ops, known);
    pool->self = self;
    pool->fork_generation = atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
    atomic_init(&pool->references, 1);
    atomic_init(&pool->gate, 0);
    return pool;
}

tpi_pool *tpi_pool_new(const tpi_pool_ops *ops, void *self) {
    if (!ops || ops->abi_version != TPI_ABI_VERSION || ops->struct_size < TPI_POOL_OPS_LEAST)
        return NULL;
    return new_handle(ops, self);
}

tpi_pool *tpi_native_pool_new(const tpi_pool_ops *ops, void *self, void (*after_fork)(void *)) {
    tpi_pool *pool = new_handle(ops, self);
    if (!pool) {
        ops->destroy(self);
        return NULL;
    }
    pool->native = true;
    pool->after_fork = after_fork;
    return pool;
}

int32_t tpi_ask_the_handle(void *self) {
    (void)self;
    return 0;
}

uint64_t tpi_synchronous(void *self) {
    (void)self;
    return 0;
}

void tpi_nothing_to_wait_for(void *self) { (void)self; }

void tpi_pool_retain(tpi_pool *pool) {
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
}

void tpi_pool_release(tpi_pool *pool) {
    /* acq_rel: whoever frees has seen every other user's last access. */
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) return;
    /* The last user is one of the pool's own tasks: leaking beats freeing what it stands on. */
    if (tpi_pool_close(pool) != TPI_OK) return;
    if (atomic_load_explicit(&threads_abandoned, memory_order_relaxed)) return;
    pool->ops.destroy(pool->self);
    free(pool);
}

static void forget_parent(tpi_pool *pool, uint32_t generation) {
    pthread_mutex_lock(&fork_mutex);
    if (pool->fork_generation != generation) {
        uint32_t closed = atomic_load_explicit(&pool->gate, memory_order_relaxed) & TPI_GATE_CLOSED;
        atomic_store_explicit(&pool->gate, closed, memory_order_relaxed);
        if (pool->after_fork) pool->after_fork(pool->self);
        pool->fork_generation = generation;
    }
    pthread_mutex_unlock(&fork_mutex);
}

static void notice_fork(tpi_pool *pool) {
    uint32_t now = atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
    if (__builtin_expect(pool->fork_generation != now, 0)) forget_parent(pool, now);
}

int32_t tpi_gate_enter(tpi_pool *pool) {
    notice_fork(pool);
    /* acquire: pairs with the closer's release, so a closed pool is seen whole. */
    uint32_t before = atomic_fetch_add_explicit(&pool->gate, 1, memory_order_acquire);
    if (__builtin_expect(before & TPI_GATE_CLOSED, 0)) {
        tpi_gate_leave(pool);
        return TPI_E_CLOSED;
    }
    return TPI_OK;
}

void tpi_gate_leave(tpi_pool *pool) {
    uint32_t now = atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
    if (pool->fork_generation != now) return; /* entered in the parent: not counted here */
    /* release: the closer, who waits for zero, sees all that the region did. */
    uint32_t before = atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_release);
    if (before == (TPI_GATE_CLOSED | 1)) tpi_futex_wake(&pool->gate, INT32_MAX);
}

int32_t tpi_pool_close(tpi_pool *pool) {
    if (tpi_thread.running == pool) return TPI_E_IN_REGION;
    notice_fork(pool);
    uint32_t gate = atomic_fetch_or_explicit(&pool->gate, TPI_GATE_CLOSED, memory_order_acq_rel);
    bool first = !(gate & TPI_GATE_CLOSED);
    if (atomic_load_explicit(&threads_abandoned, memory_order_relaxed)) return TPI_OK;
    while ((gate = atomic_load_explicit(&pool->gate, memory_order_acquire)) != TPI_GATE_CLOSED)
        tpi_futex_wait(&pool->gate, gate);
    if (first) pool->ops.close(pool->self);
    return TPI_OK;
}

int32_t tpi_pool_is_closed(tpi_pool *pool) {
    return (atomic_load_explicit(&pool->gate, memory_order_relaxed) & TPI_GATE_CLOSED) != 0;
}

int32_t tpi_pool_in_use(tpi_pool *pool) {
    return (atomic_load_explicit(&pool->gate, memory_order_relaxed) & ~TPI_GATE_CLOSED) != 0;
}

int32_t tpi_pool_num_threads(tpi_pool *pool) { return pool->ops.num_threads(pool->self); }

int32_t tpi_pool_in_parallel(tpi_pool *pool) {
    return tpi_thread.running == pool || pool->ops.in_parallel(pool->self);
}

uint64_t tpi_pool_flags(tpi_pool *pool) { return pool->ops.flags(pool->self); }

int32_t tpi_pool_wait(tpi_pool *pool) {
    int32_t code = tpi_gate_enter(pool);
    if (code) return code;
    pool->ops.wait(pool->self);
    tpi_gate_leave(pool);
    return TPI_OK;
}

void tpi_pool_park(tpi_pool *pool) {
    if (!pool->ops.park || tpi_gate_enter(pool)) return;
    pool->ops.park(pool->self);
    tpi_gate_leave(pool);
}

void tpi_pool_stats(tpi_pool *pool, tpi_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (pool->ops.meters) pool->ops.meters(pool->self, stats);
    stats->regions = atomic_load_explicit(&pool->regions, memory_order_relaxed);
    stats->tasks = atomic_load_explicit(&pool->tasks, memory_order_relaxed);
}
