/* Asynchronous regions: a loop whose tasks are scheduled on a pool, and a latch to wait on. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "handle.h"
#include "loop.h"
#include "region.h"
#include "thread_state.h"

struct tpi_latch {
    tpi_region region;
    uint32_t generation; /* of the process that let the region in */
    tpi_loop loop;
    tpi_patience patience; /* of those who wait for it */
};

/* How long a waiter yields before it sleeps; as long as the pools' own default. */
#define BLOCKTIME_US 2000

static void drop(tpi_latch *latch, int32_t count) {
    if (tpi_loop_release(&latch->loop, count)) free(latch);
}

/* The region leaves the gate before a sleeping waiter is woken, so that a close that follows need not
 * wait. One that is awake may see the last task ended a moment earlier; then `close` waits. */
static void end(tpi_latch *latch) {
    tpi_gate_leave(latch->region.pool, latch->generation);
    tpi_loop_end(&latch->loop, NULL);
}

static void help(void *arg) {
    tpi_latch *latch = arg;
    if (tpi_loop_run(&latch->loop)) end(latch);
    drop(latch, 1);
}

static tpi_latch *new_latch(tpi_pool *pool, int32_t n, tpi_task task, void *ctx, int32_t helpers) {
    tpi_latch *latch = aligned_alloc(alignof(tpi_latch), sizeof *latch);
    if (!latch) return NULL;
    latch->region = (tpi_region){.task = task, .ctx = ctx, .pool = pool, .nthr = n};
    /* The helpers', the caller's, and one until it is submitted: a task may release its own latch. */
    tpi_loop_init(&latch->loop, n, tpi_run_task, &latch->region, helpers + 2);
    tpi_patience_init(&latch->patience, tpi_pool_num_threads(pool), BLOCKTIME_US, NULL);
    return latch;
}

/* Run what nobody has claimed yet. The region is the calling thread's meanwhile: where a task forks, it is
 * not lost in the child, and Ctrl-C ends it. */
static void run_here(tpi_latch *latch) {
    tpi_region *outer = tpi_thread.region;
    tpi_thread.region = &latch->region;
    if (tpi_loop_run(&latch->loop)) end(latch);
    tpi_thread.region = outer;
}

/* On a pool that cannot go on by itself: run it now. */
static void run_now(tpi_latch *latch) {
    tpi_region *r = &latch->region;
    atomic_store_explicit(&latch->loop.next, r->nthr, memory_order_relaxed); /* nothing to claim */
    int32_t code = tpi_run_let_in(r->pool, r->nthr, tpi_run_task, r);
    if (code) tpi_note_error(r, code);
    atomic_store_explicit(&latch->loop.left, 0, memory_order_release);
    end(latch); /* a task may have told another thread to wait for it */
}

static int32_t schedule(tpi_latch *latch, int32_t helpers) {
    tpi_pool *pool = latch->region.pool;
    tpi_count_region(pool, latch->region.nthr);
    int32_t queued = pool->ops.schedule(pool->self, helpers, help, latch);
    if (queued < 0) return queued;
    if (queued < helpers) drop(latch, helpers - queued);
    if (queued == 0) run_here(latch);
    return TPI_OK;
}

static int32_t submit(tpi_pool *pool, int32_t n, tpi_task task, void *ctx, tpi_latch **result) {
    int32_t workers = tpi_pool_num_threads(pool) - 1;
    int32_t helpers = !pool->ops.schedule ? 0 : n < workers ? n : workers;
    tpi_latch *latch = new_latch(pool, n, task, ctx, helpers);
    if (!latch) return TPI_E_NO_MEMORY;
    latch->generation = tpi_gate_enter_again(pool);
    *result = latch; /* first: a task may ask for its own latch */
    int32_t code = TPI_OK;
    if (helpers > 0) code = schedule(latch, helpers);
    else run_now(latch);
    if (code) {
        *result = NULL;
        tpi_gate_leave(pool, latch->generation);
        free(latch);
    } else {
        drop(latch, 1);
    }
    return code;
}

/* It stays in the gate until the pool has all of the helpers' requests: its last task, which leaves for
 * the region, may end before. */
int32_t tpi_pool_submit(tpi_pool *pool, int32_t n, tpi_task task, void *ctx, tpi_latch **result) {
    if (!pool || n < 1 || !task || !result) return TPI_E_INVALID;
    uint32_t generation;
    int32_t code = tpi_gate_enter(pool, &generation);
    if (code) return code;
    code = submit(pool, n, task, ctx, result);
    tpi_gate_leave(pool, generation);
    return code;
}

/* Whether the calling thread is in one of the latch's tasks. */
static bool is_own(const tpi_latch *latch) {
    for (const tpi_inside *i = tpi_thread.inside; i; i = i->outer)
        if (i->region == &latch->region) return true;
    return false;
}

int32_t tpi_latch_wait(tpi_latch *latch) {
    if (is_own(latch)) return TPI_E_OWN_TASK;
    if (latch->loop.fork_generation != tpi_generation() && !tpi_loop_ended(&latch->loop))
        return TPI_E_FORKED;
    run_here(latch);
    tpi_region *outer = tpi_thread.region;
    tpi_thread.region = &latch->region;
    tpi_loop_await(&latch->loop, &latch->patience);
    tpi_thread.region = outer;
    if (!tpi_loop_ended(&latch->loop)) return TPI_E_FORKED;
    return tpi_region_error(&latch->region);
}

int32_t tpi_latch_ended(tpi_latch *latch) { return tpi_loop_ended(&latch->loop); }

void tpi_latch_release(tpi_latch *latch) { drop(latch, 1); }
