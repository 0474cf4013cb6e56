/* A region, from fork to join, whatever the pool: nesting, the first error, and skipping after it.
 *
 * Pools receive `run_task` and never see an error; a foreign pool's calls are counted too, since
 * a task that runs twice or never would be a silently wrong number. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "float_mode.h"
#include "handle.h"
#include "thread_state.h"
#include "ticks.h"
#include "waiting.h"

typedef struct tpi_region {
    tpi_task task;
    void *ctx;
    tpi_pool *pool;
    int32_t nthr;
    _Atomic int32_t error; /* the first non-zero code; 0 while nothing failed */
    _Atomic uint8_t *ran;  /* foreign pools: which tasks were run */
    _Atomic int32_t left;  /* foreign pools: tasks not yet run */
} region;

static int32_t call(region *r, int32_t ithr, int32_t nthr) {
    tpi_pool *outer = tpi_thread.running;
    uint64_t mode = tpi_float_mode_enter();
    tpi_thread.running = r->pool;
    ++tpi_thread.depth;
    int32_t code = r->task(r->ctx, ithr, nthr);
    --tpi_thread.depth;
    tpi_thread.running = outer;
    tpi_float_mode_leave(mode);
    return code;
}

/* relaxed: skipping is a courtesy, and the caller reads the code after the join. */
static void note_error(region *r, int32_t code) {
    int32_t none = 0;
    atomic_compare_exchange_strong_explicit(&r->error, &none, code, memory_order_relaxed,
                                            memory_order_relaxed);
}

void tpi_set_interrupt_check(int32_t (*interrupted)(void)) { tpi_thread.interrupted = interrupted; }

void tpi_poll_interrupt(void) {
    if (!tpi_thread.interrupted) return;
    uint64_t now = tpi_ticks();
    if (now - tpi_thread.asked < TPI_POLL_TICKS) return;
    tpi_thread.asked = now;
    int32_t code = tpi_thread.interrupted();
    if (code && tpi_thread.region) note_error(tpi_thread.region, code);
}

static int32_t run_task(void *ctx, int32_t ithr, int32_t nthr) {
    region *r = ctx;
    if (atomic_load_explicit(&r->error, memory_order_relaxed)) return 0;
    int32_t code = call(r, ithr, nthr);
    if (__builtin_expect(code != 0, 0)) note_error(r, code);
    tpi_poll_interrupt();
    return code;
}

static int32_t run_task_counted(void *ctx, int32_t ithr, int32_t nthr) {
    region *r = ctx;
    if (ithr < 0 || ithr >= r->nthr || nthr != r->nthr ||
        atomic_exchange_explicit(&r->ran[ithr], 1, memory_order_relaxed)) {
        note_error(r, TPI_E_INCOMPLETE);
        return TPI_E_INCOMPLETE;
    }
    int32_t code = run_task(ctx, ithr, nthr);
    /* release: a caller that sees zero sees what every task wrote, even if the pool's own join
     * were weaker than the contract. */
    atomic_fetch_sub_explicit(&r->left, 1, memory_order_release);
    return code;
}

static int32_t run_inline(int32_t nthr, tpi_task task, void *ctx) {
    region r = {.task = task, .ctx = ctx, .pool = tpi_thread.running, .nthr = nthr};
    struct tpi_region *outer = tpi_thread.region;
    tpi_thread.region = &r;
    int32_t code = 0;
    for (int32_t ithr = 0; ithr < nthr && !code; ++ithr) {
        run_task(&r, ithr, nthr);
        code = atomic_load_explicit(&r.error, memory_order_relaxed);
    }
    tpi_thread.region = outer;
    return code;
}

static int32_t submit(region *r, tpi_task task) {
    tpi_pool *pool = r->pool, *outer = tpi_thread.running;
    struct tpi_region *outer_region = tpi_thread.region;
    uint32_t generation = pool->fork_generation;
    ++tpi_thread.depth;
    tpi_thread.running = pool;
    tpi_thread.region = r;
    int32_t code = pool->ops->parallel_for(pool->self, r->nthr, task, r);
    if (!pool->native && (pool->ops->flags(pool->self) & TPI_ASYNCHRONOUS))
        pool->ops->wait(pool->self);
    tpi_thread.region = outer_region;
    tpi_thread.running = outer;
    --tpi_thread.depth;
    if (atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed) != generation)
        return TPI_E_FORKED;
    int32_t failed = atomic_load_explicit(&r->error, memory_order_relaxed);
    return failed ? failed : code;
}

static int32_t submit_counted(region *r) {
    r->ran = calloc((size_t)r->nthr, sizeof *r->ran);
    if (!r->ran) return TPI_E_NO_MEMORY;
    atomic_init(&r->left, r->nthr);
    int32_t code = submit(r, run_task_counted);
    if (!code && atomic_load_explicit(&r->left, memory_order_acquire) != 0) code = TPI_E_INCOMPLETE;
    free(r->ran);
    return code;
}

int32_t tpi_pool_parallel(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx) {
    if (nthr < 0 || !task) return TPI_E_INVALID;
    if (nthr == 0) nthr = pool ? tpi_pool_num_threads(pool) : tpi_max_threads();
    if (!pool) return run_inline(nthr, task, ctx);
    int32_t code = tpi_gate_enter(pool);
    if (code) return code;
    region r = {.task = task, .ctx = ctx, .pool = pool, .nthr = nthr};
    if (tpi_thread.depth)
        code = run_inline(nthr, task, ctx);
    else if (pool->native)
        code = submit(&r, run_task);
    else
        code = submit_counted(&r);
    tpi_gate_leave(pool);
    return code;
}

int32_t tpi_parallel(int32_t nthr, tpi_task task, void *ctx) {
    if (nthr < 0 || !task) return TPI_E_INVALID;
    return tpi_pool_parallel(tpi_effective_pool(), nthr, task, ctx);
}
