/* The calling thread's pool pointer, and the default for threads that never chose.
 *
 * Both hold counted references. The default may be replaced while other threads use it: each
 * thread keeps its own reference and looks at a generation number, so the common case is one load
 * and a replaced pool lives until the last thread that used it looks again or ends. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "blas_limits.h"
#include "handle.h"
#include "thread_state.h"
#include "workers.h"

_Thread_local tpi_thread_state tpi_thread __attribute__((tls_model("initial-exec")));

static pthread_mutex_t default_mutex = PTHREAD_MUTEX_INITIALIZER;
static tpi_pool *default_pool;
static _Atomic uint32_t default_generation;
static _Atomic int32_t machine_threads = 1;
static _Atomic int32_t thread_limit; /* 0: none */
static pthread_key_t exit_key;

static void drop(tpi_pool **slot) {
    tpi_pool *pool = *slot;
    *slot = NULL;
    if (pool) tpi_pool_release(pool);
}

static void at_thread_exit(void *state) {
    (void)state;
    tpi_thread.state = TPI_UNSET;
    tpi_blas_note_choice();
    drop(&tpi_thread.pool);
    drop(&tpi_thread.fallback);
}

/* The region of the task that forked exists in the parent only: the child is inside none. The frames of
 * that region, which may still be on the stack, put back what they found as they are left. */
static void leave_parents_region(void) {
    tpi_thread.depth = 0;
    tpi_thread.inside = NULL;
    tpi_thread.closing = NULL;
    tpi_thread.gang = NULL;
    tpi_thread.worker = tpi_thread.may_move = 0;
}

static void in_forked_child(void) {
    pthread_mutex_init(&default_mutex, NULL);
    if (tpi_thread.worker) tpi_worker_in_child();
    leave_parents_region();
}

__attribute__((constructor)) static void prepare(void) {
    pthread_key_create(&exit_key, at_thread_exit);
    pthread_atfork(NULL, NULL, in_forked_child);
}

/* Only a non-null value makes the key's destructor run at thread exit. */
static void release_at_exit(void) { pthread_setspecific(exit_key, &tpi_thread); }

int32_t tpi_set_active(int32_t state, tpi_pool *pool) {
    if (tpi_thread.depth) return TPI_E_IN_REGION;
    if (state < TPI_UNSET || state > TPI_POOL || (state == TPI_POOL) != (pool != NULL))
        return TPI_E_INVALID;
    if (pool) tpi_pool_retain(pool);
    if (state != TPI_UNSET) release_at_exit();
    drop(&tpi_thread.pool);
    tpi_thread.pool = pool;
    tpi_thread.state = state;
    tpi_blas_note_choice();
    return TPI_OK;
}

int32_t tpi_active_state(void) { return tpi_thread.state; }

void tpi_set_default(tpi_pool *pool) {
    if (pool) tpi_pool_retain(pool);
    pthread_mutex_lock(&default_mutex);
    tpi_pool *before = default_pool;
    default_pool = pool;
    atomic_fetch_add_explicit(&default_generation, 1, memory_order_release);
    pthread_mutex_unlock(&default_mutex);
    tpi_blas_note_default(pool);
    if (before) tpi_pool_release(before);
}

tpi_pool *tpi_default_pool(void) {
    pthread_mutex_lock(&default_mutex);
    tpi_pool *pool = default_pool;
    pthread_mutex_unlock(&default_mutex);
    return pool;
}

static tpi_pool *current_default(void) {
    uint32_t now = atomic_load_explicit(&default_generation, memory_order_acquire);
    if (__builtin_expect(now == tpi_thread.fallback_generation, 1)) return tpi_thread.fallback;
    drop(&tpi_thread.fallback);
    pthread_mutex_lock(&default_mutex);
    tpi_thread.fallback = default_pool;
    tpi_thread.fallback_generation =
        atomic_load_explicit(&default_generation, memory_order_relaxed);
    if (default_pool) tpi_pool_retain(default_pool);
    pthread_mutex_unlock(&default_mutex);
    release_at_exit();
    return tpi_thread.fallback;
}

tpi_pool *tpi_effective_pool(void) {
    if (tpi_thread.depth || tpi_thread.state == TPI_SEQUENTIAL) return NULL;
    return tpi_thread.state == TPI_POOL ? tpi_thread.pool : current_default();
}

tpi_pool *tpi_active_pool(void) { return tpi_effective_pool(); }

int32_t tpi_in_parallel(void) { return tpi_thread.depth > 0; }

int32_t tpi_machine_threads(void) {
    return atomic_load_explicit(&machine_threads, memory_order_relaxed);
}

int32_t tpi_max_threads(void) {
    tpi_pool *pool = tpi_effective_pool();
    return tpi_within_limit(pool ? tpi_pool_num_threads(pool) : tpi_machine_threads());
}

__attribute__((visibility("default"))) int32_t tpi_set_thread_limit(int32_t most) {
    if (most < 0) return TPI_E_INVALID;
    atomic_store_explicit(&thread_limit, most, memory_order_relaxed);
    return TPI_OK;
}

__attribute__((visibility("default"))) int32_t tpi_thread_limit(void) {
    return atomic_load_explicit(&thread_limit, memory_order_relaxed);
}

int32_t tpi_within_limit(int32_t n) {
    int32_t most = tpi_thread_limit();
    return most && most < n ? most : n;
}

void tpi_set_machine_threads(int32_t n) {
    atomic_store_explicit(&machine_threads, n < 1 ? 1 : n, memory_order_relaxed);
}
