#define _GNU_SOURCE
#include "handle.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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

static bool has_what_is_required(const tpi_pool_ops *ops) {
    return ops->num_threads && ops->in_parallel && ops->parallel_for && ops->flags && ops->wait &&
           ops->close && ops->destroy;
}

/* A table ends after a whole pointer. */
static bool is_a_table(const tpi_pool_ops *ops) {
    return ops->abi_version == TPI_ABI_VERSION && ops->struct_size >= TPI_POOL_OPS_LEAST &&
           (ops->struct_size - TPI_POOL_OPS_LEAST) % sizeof(void (*)(void)) == 0 &&
           has_what_is_required(ops);
}

static tpi_pool *new_handle(const tpi_pool_ops *ops, void *self) {
    int32_t size = ops->num_threads(self);
    if (size < 1 || size > TPI_MAX_THREADS) return NULL;
    tpi_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    size_t known = ops->struct_size < sizeof *ops ? ops->struct_size : sizeof *ops;
    memcpy(&pool->ops, ops, known);
    pool->self = self;
    pool->size = size;
    pool->fork_generation = tpi_generation();
    atomic_init(&pool->references, 1);
    atomic_init(&pool->gate, 0);
    return pool;
}

tpi_pool *tpi_pool_new(const tpi_pool_ops *ops, void *self) {
    return ops && is_a_table(ops) ? new_handle(ops, self) : NULL;
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
    if (!pool) return;
    /* acq_rel: the last user has seen every other user's last access. */
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) return;
    /* The last user is one of the pool's own tasks: leaking beats freeing what it stands on. */
    if (tpi_pool_close(pool) != TPI_OK) return;
    if (atomic_load_explicit(&threads_abandoned, memory_order_relaxed)) return;
    pool->ops.destroy(pool->self);
    free(pool);
}

static void forget_parent(tpi_pool *pool, uint32_t generation) {
    pthread_mutex_lock(&fork_mutex);
    if (atomic_load_explicit(&pool->fork_generation, memory_order_relaxed) != generation) {
        uint32_t closed = atomic_load_explicit(&pool->gate, memory_order_relaxed) & TPI_GATE_CLOSED;
        atomic_store_explicit(&pool->gate, closed, memory_order_relaxed);
        /* If the parent was just closing it, the threads that it waited for do not exist here. */
        atomic_store_explicit(&pool->ended, closed != 0, memory_order_relaxed);
        if (pool->after_fork) pool->after_fork(pool->self);
        /* release: a thread that sees the new generation sees a pool without the parent's threads. */
        atomic_store_explicit(&pool->fork_generation, generation, memory_order_release);
    }
    pthread_mutex_unlock(&fork_mutex);
}

/* The process's generation, with the pool belonging to it. */
static uint32_t notice_fork(tpi_pool *pool) {
    uint32_t now = tpi_generation();
    if (__builtin_expect(
            atomic_load_explicit(&pool->fork_generation, memory_order_acquire) != now, 0))
        forget_parent(pool, now);
    return now;
}

int32_t tpi_gate_enter(tpi_pool *pool, uint32_t *generation) {
    *generation = notice_fork(pool);
    /* acquire: pairs with the closer's release, so a closed pool is seen whole. */
    uint32_t before = atomic_fetch_add_explicit(&pool->gate, 1, memory_order_acquire);
    if (__builtin_expect(before & TPI_GATE_CLOSED, 0)) {
        tpi_gate_leave(pool, *generation);
        return TPI_E_CLOSED;
    }
    return TPI_OK;
}

uint32_t tpi_gate_enter_again(tpi_pool *pool) {
    /* relaxed: the first entry has seen the pool whole. */
    atomic_fetch_add_explicit(&pool->gate, 1, memory_order_relaxed);
    return tpi_generation();
}

void tpi_gate_leave(tpi_pool *pool, uint32_t generation) {
#ifdef TPI_PLANT_LEFT_IN_CHILD
    generation = tpi_generation();
#endif
    if (__builtin_expect(tpi_generation() != generation, 0)) return;
    /* release: the closer, who waits for zero, sees all that the region did. */
    uint32_t before = atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_release);
    if (before == (TPI_GATE_CLOSED | 1)) tpi_futex_wake(&pool->gate, INT32_MAX);
}

int32_t tpi_visit_begin(tpi_visit *visit, tpi_pool *pool) {
    int32_t code = tpi_gate_enter(pool, &visit->generation);
    if (code) return code;
    visit->inside = (tpi_inside){.pool = pool, .outer = tpi_thread.inside};
    tpi_thread.inside = &visit->inside;
    return TPI_OK;
}

void tpi_visit_end(tpi_visit *visit) {
    tpi_thread.inside = visit->inside.outer;
    tpi_gate_leave(visit->inside.pool, visit->generation);
}

static bool inside_of(const tpi_pool *pool) {
    for (const tpi_inside *i = tpi_thread.inside; i; i = i->outer)
        if (i->pool == pool) return true;
    return false;
}

static void await_value(_Atomic uint32_t *word, uint32_t wanted) {
    uint32_t now;
    while ((now = atomic_load_explicit(word, memory_order_acquire)) != wanted)
        tpi_futex_wait(word, now);
}

static void end_threads(tpi_pool *pool) {
    tpi_pool *outer = tpi_thread.closing;
    tpi_thread.closing = pool;
    pool->ops.close(pool->self);
    tpi_thread.closing = outer;
#ifdef TPI_PLANT_RELAXED_END
    atomic_store_explicit(&pool->ended, 1, memory_order_relaxed);
#else
    atomic_store_explicit(&pool->ended, 1, memory_order_release);
#endif
    tpi_futex_wake(&pool->ended, INT32_MAX);
}

int32_t tpi_pool_close(tpi_pool *pool) {
    if (!pool) return TPI_E_INVALID;
    if (inside_of(pool)) return TPI_E_IN_REGION;
    if (tpi_thread.closing == pool) return TPI_OK; /* a foreign pool's `close` that calls this one */
    notice_fork(pool);
    uint32_t gate = atomic_fetch_or_explicit(&pool->gate, TPI_GATE_CLOSED, memory_order_acq_rel);
    if (atomic_load_explicit(&threads_abandoned, memory_order_relaxed)) return TPI_OK;
    await_value(&pool->gate, TPI_GATE_CLOSED);
#ifdef TPI_PLANT_HASTY_CLOSE
    if (gate & TPI_GATE_CLOSED) return TPI_OK;
#endif
    if (gate & TPI_GATE_CLOSED) await_value(&pool->ended, 1);
    else end_threads(pool);
    return TPI_OK;
}

int32_t tpi_pool_is_closed(tpi_pool *pool) {
    return (atomic_load_explicit(&pool->gate, memory_order_relaxed) & TPI_GATE_CLOSED) != 0;
}

int32_t tpi_pool_in_use(tpi_pool *pool) {
    notice_fork(pool);
    return (atomic_load_explicit(&pool->gate, memory_order_relaxed) & ~TPI_GATE_CLOSED) != 0;
}

int32_t tpi_pool_num_threads(tpi_pool *pool) { return pool->size; }

int32_t tpi_pool_in_parallel(tpi_pool *pool) {
    return tpi_running_pool() == pool || pool->ops.in_parallel(pool->self);
}

uint64_t tpi_pool_flags(tpi_pool *pool) { return pool->ops.flags(pool->self); }

int32_t tpi_pool_wait(tpi_pool *pool) {
    tpi_visit visit;
    int32_t code = tpi_visit_begin(&visit, pool);
    if (code) return code;
    pool->ops.wait(pool->self);
    tpi_visit_end(&visit);
    return TPI_OK;
}

void tpi_pool_park(tpi_pool *pool) {
    tpi_visit visit;
    if (!pool->ops.park || tpi_visit_begin(&visit, pool)) return;
    pool->ops.park(pool->self);
    tpi_visit_end(&visit);
}

void tpi_pool_stats(tpi_pool *pool, tpi_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (pool->ops.meters) pool->ops.meters(pool->self, stats);
    stats->regions = atomic_load_explicit(&pool->regions, memory_order_relaxed);
    stats->tasks = atomic_load_explicit(&pool->tasks, memory_order_relaxed);
}
