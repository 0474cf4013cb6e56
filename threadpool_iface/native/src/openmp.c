/* OpenMPPool: the team of an OpenMP runtime that is already in the process, or was asked for.
 *
 * GOMP_parallel is libgomp's entry for `#pragma omp parallel`; LLVM's and Intel's runtimes have it
 * too. Each calling thread has a team of its own, as always in OpenMP. */
#define _GNU_SOURCE
#include <stdalign.h>
#include <stdlib.h>

#include "handle.h"
#include "pools.h"
#include "waiting.h"

typedef struct {
    int32_t size;
    bool dynamic;
    bool survives_fork;
    void (*gomp_parallel)(void (*body)(void *), void *data, unsigned num_threads, unsigned flags);
    int (*get_thread_num)(void);
    int (*get_num_threads)(void);
} openmp;

typedef struct {
    openmp *pool;
    tpi_task task;
    void *ctx;
    int32_t n;
    bool together;
    alignas(64) _Atomic int64_t next;
    _Atomic bool refused; /* a gang got fewer threads than it needs */
} team_work;

/* Which of the process's generations last used a runtime from this thread; 0: none. */
static _Thread_local uint32_t used_in;

static void run_block(team_work *w, int32_t member, int32_t members) {
    int64_t n = w->n, begin = n * member / members, end = n * (member + 1) / members;
    for (int64_t i = begin; i < end; ++i) w->task(w->ctx, (int32_t)i, w->n);
}

static void run_claimed(team_work *w) {
    int64_t i;
    while ((i = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed)) < w->n)
        w->task(w->ctx, (int32_t)i, w->n);
}

static void take_part(team_work *w) {
    int32_t members = w->pool->get_num_threads();
    if (w->together && members < w->n)
        atomic_store_explicit(&w->refused, true, memory_order_relaxed);
    else if (w->pool->dynamic && !w->together)
        run_claimed(w);
    else
        run_block(w, w->pool->get_thread_num(), members);
}

static void team_body(void *arg) {
    team_work *w = arg;
    int32_t outer = tpi_thread.worker;
    if (w->pool->get_thread_num() != 0) tpi_thread.worker = 1;
    take_part(w);
    tpi_thread.worker = outer;
}

/* libgomp keeps a thread's workers in the thread; in a forked child they are gone and the next
 * region would wait for them for ever. */
static int32_t run_team(team_work *w) {
    uint32_t now = tpi_generation() + 1;
    if (used_in && used_in != now && !w->pool->survives_fork) return TPI_E_NOT_AFTER_FORK;
    used_in = now;
    int32_t most = w->n < w->pool->size ? w->n : w->pool->size;
    w->pool->gomp_parallel(team_body, w, (unsigned)most, 0);
    return atomic_load_explicit(&w->refused, memory_order_relaxed) ? TPI_E_UNSUPPORTED : TPI_OK;
}

static int32_t parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    openmp *pool = self;
    if (n > 1 && pool->size > 1)
        return run_team(&(team_work){.pool = pool, .task = task, .ctx = ctx, .n = n});
    for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
    return TPI_OK;
}

static int32_t run_together(void *self, int32_t n, tpi_task task, void *ctx) {
    return run_team(
        &(team_work){.pool = self, .task = task, .ctx = ctx, .n = n, .together = true});
}

static int32_t num_threads(void *self) { return ((openmp *)self)->size; }

static void close_pool(void *self) { (void)self; } /* the threads are the runtime's */

tpi_pool *tpi_openmp_new(int32_t size, int32_t dynamic, uintptr_t gomp_parallel,
                         uintptr_t get_thread_num, uintptr_t get_num_threads,
                         int32_t survives_fork) {
    static const tpi_pool_ops ops = {
        .abi_version = TPI_ABI_VERSION, .struct_size = sizeof ops, .num_threads = num_threads,
        .in_parallel = tpi_ask_the_handle, .parallel_for = parallel_for, .flags = tpi_synchronous,
        .wait = tpi_nothing_to_wait_for, .close = close_pool, .destroy = free,
        .run_together = run_together, .run_together_soon = run_together,
    };
    openmp *pool = size < 1 || size > TPI_MAX_THREADS ? NULL : malloc(sizeof *pool);
    if (!pool) return NULL;
    *pool = (openmp){.size = size, .dynamic = dynamic, .survives_fork = survives_fork};
    pool->gomp_parallel = (void (*)(void (*)(void *), void *, unsigned, unsigned))gomp_parallel;
    pool->get_thread_num = (int (*)(void))get_thread_num;
    pool->get_num_threads = (int (*)(void))get_num_threads;
    return tpi_native_pool_new(&ops, pool, NULL);
}
