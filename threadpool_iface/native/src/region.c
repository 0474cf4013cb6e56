/* A region, from fork to join, whatever the pool: nesting, the first error, and skipping after it.
 *
 * Pools receive `tpi_run_task` and never see an error; a foreign pool's calls are counted too, since
 * a task that runs twice or never would be a silently wrong number. */
#define _GNU_SOURCE
#include "region.h"

#include <stdlib.h>

#include "float_mode.h"
#include "gang.h"
#include "handle.h"
#include "thread_state.h"
#include "ticks.h"
#include "waiting.h"

static int32_t call(tpi_region *r, int32_t ithr, int32_t nthr) {
    tpi_inside here = {.pool = r->pool, .region = r, .outer = tpi_thread.inside};
    struct tpi_gang *outer_gang = tpi_thread.gang;
    int32_t outer_depth = tpi_thread.depth;
    uint64_t mode = tpi_float_mode_enter();
    tpi_thread.inside = &here;
    tpi_thread.gang = r->gang;
    tpi_thread.depth = outer_depth + 1;
    int32_t code = r->task(r->ctx, ithr, nthr);
    tpi_thread.depth = outer_depth;
    tpi_thread.gang = outer_gang;
    tpi_thread.inside = here.outer;
    tpi_float_mode_leave(mode);
    return code;
}

/* Whether the task that has just returned on this thread forked, and this is the child of a thread that
 * did not start the region: the region lies on the stack of a thread that the child does not have, where
 * another one may live by now. */
static bool region_is_lost(const tpi_region *r, uint32_t generation) {
    return __builtin_expect(tpi_generation() != generation, 0) && tpi_thread.region != r;
}

/* A worker's child has no pool to go back to: its process ends with its task. It need not be the last
 * thread, since the child may have used pools, whose workers wait for ever. */
static _Noreturn void end_child(int32_t code) {
    exit(code >= 0 && code <= UINT8_MAX ? code : EXIT_FAILURE);
}

/* `call`, for a region that may be left in a forked child. There its caller takes the fork for a failure,
 * unless it runs all of the tasks itself. */
static int32_t call_and_notice_fork(tpi_region *r, int32_t ithr, int32_t nthr) {
    uint32_t generation = tpi_generation();
    bool on_worker = tpi_thread.worker;
    int32_t code = call(r, ithr, nthr);
    if (__builtin_expect(tpi_generation() == generation, 1)) return code;
    bool lost = region_is_lost(r, generation);
    if (lost && on_worker) end_child(code);
    return !lost && r->alone ? code : TPI_E_FORKED;
}

void tpi_note_error(tpi_region *r, int32_t code) {
    int32_t none = 0;
    if (atomic_compare_exchange_strong_explicit(&r->error, &none, code, memory_order_relaxed,
                                                memory_order_relaxed) &&
        r->gang)
        tpi_gang_break(r->gang);
}

void tpi_set_interrupt_check(int32_t (*interrupted)(void)) { tpi_thread.interrupted = interrupted; }

void tpi_poll_interrupt(void) {
    if (!tpi_thread.interrupted) return;
    uint64_t now = tpi_ticks();
    if (now - tpi_thread.asked < TPI_POLL_TICKS) return;
    tpi_thread.asked = now;
    int32_t code = tpi_thread.interrupted();
    if (code && tpi_thread.region) tpi_note_error(tpi_thread.region, code);
}

int32_t tpi_run_task(void *region, int32_t ithr, int32_t nthr) {
    tpi_region *r = region;
    if (tpi_region_error(r)) return 0;
    uint32_t generation = tpi_generation();
    int32_t code = call_and_notice_fork(r, ithr, nthr);
    if (region_is_lost(r, generation)) return code;
    if (__builtin_expect(code != 0, 0)) tpi_note_error(r, code);
    tpi_poll_interrupt();
    if (__builtin_expect(tpi_generation() != generation, 0) && !r->alone)
        tpi_note_error(r, TPI_E_FORKED); /* a signal handler did, if no task */
    return code;
}

/* A region that is narrower than its tasks: whoever runs one of its parts claims them one by one. */
static int32_t run_some(void *region, int32_t part, int32_t parts) {
    (void)part, (void)parts;
    tpi_region *r = region;
    int64_t i;
    uint32_t generation = tpi_generation();
    while (!region_is_lost(r, generation) &&
           (i = atomic_fetch_add_explicit(&r->claimed, 1, memory_order_relaxed)) < r->nthr)
        tpi_run_task(r, (int32_t)i, r->nthr);
    return 0;
}

/* A gang's task starts whatever became of the others: they may be waiting for it. */
static int32_t run_task_together(void *region, int32_t ithr, int32_t nthr) {
    tpi_region *r = region;
    uint32_t generation = tpi_generation();
    int32_t code = call_and_notice_fork(r, ithr, nthr);
    if (region_is_lost(r, generation)) return code;
    if (!code) code = tpi_gang_end_task(r->gang);
    if (code) tpi_note_error(r, code);
    return code;
}

/* The same without the barrier: of a team that has one of its own. */
static int32_t run_task_of_team(void *region, int32_t ithr, int32_t nthr) {
    tpi_region *r = region;
    uint32_t generation = tpi_generation();
    int32_t code = call_and_notice_fork(r, ithr, nthr);
    if (code && !region_is_lost(r, generation)) tpi_note_error(r, code);
    return code;
}

static int32_t run_task_counted(void *region, int32_t ithr, int32_t nthr) {
    tpi_region *r = region;
    if (ithr < 0 || ithr >= r->width || nthr != r->width ||
        atomic_exchange_explicit(&r->ran[ithr], 1, memory_order_relaxed)) {
        tpi_note_error(r, TPI_E_INCOMPLETE);
        return TPI_E_INCOMPLETE;
    }
    uint32_t generation = tpi_generation();
    int32_t code = r->counted(region, ithr, nthr);
    if (region_is_lost(r, generation)) return code;
    /* release: a caller that sees zero sees what every task wrote, even if the pool's own join
     * were weaker than the contract. */
    atomic_fetch_sub_explicit(&r->left, 1, memory_order_release);
    return code;
}

/* `pool` is the one whose tasks these are to be taken for. */
static int32_t run_inline(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx) {
    tpi_region r = {.task = task, .ctx = ctx, .pool = pool, .nthr = nthr, .alone = true};
    tpi_region *outer = tpi_thread.region;
    tpi_thread.region = &r;
    int32_t code = 0;
    for (int32_t ithr = 0; ithr < nthr && !code; ++ithr) {
        tpi_run_task(&r, ithr, nthr);
        code = tpi_region_error(&r);
    }
    tpi_thread.region = outer;
    return code;
}

typedef int32_t (*start_region)(void *self, int32_t n, tpi_task task, void *ctx);

static int32_t submit(tpi_region *r, start_region start, tpi_task task) {
    tpi_pool *pool = r->pool;
    tpi_region *outer_region = tpi_thread.region;
    int32_t outer_depth = tpi_thread.depth;
    uint32_t generation = tpi_generation();
    tpi_thread.depth = outer_depth + 1;
    tpi_thread.region = r;
    int32_t code = start(pool->self, r->width, task, r);
    if (!pool->native && (pool->ops.flags(pool->self) & TPI_ASYNCHRONOUS))
        pool->ops.wait(pool->self);
    tpi_thread.region = outer_region;
    tpi_thread.depth = outer_depth;
    if (tpi_generation() != generation) return TPI_E_FORKED;
    int32_t failed = tpi_region_error(r);
    return failed ? failed : code;
}

static int32_t submit_counted(tpi_region *r, start_region start, tpi_task task) {
    r->ran = calloc((size_t)r->width, sizeof *r->ran);
    if (!r->ran) return TPI_E_NO_MEMORY;
    r->counted = task;
    atomic_init(&r->left, r->width);
    int32_t code = submit(r, start, run_task_counted);
    if (!code && atomic_load_explicit(&r->left, memory_order_acquire) != 0) code = TPI_E_INCOMPLETE;
    free(r->ran);
    return code;
}

static int32_t run_region(tpi_region *r, start_region start, tpi_task task) {
    tpi_count_region(r->pool, r->nthr);
    return r->pool->native ? submit(r, start, task) : submit_counted(r, start, task);
}

static inline int32_t run_let_in(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx) {
    tpi_inside here = {.pool = pool, .outer = tpi_thread.inside};
    tpi_pool *running = tpi_running_pool();
    tpi_thread.inside = &here;
    int32_t code;
    if (tpi_thread.depth) {
        code = run_inline(running, nthr, task, ctx);
    } else {
        tpi_region r = {.task = task, .ctx = ctx, .pool = pool, .nthr = nthr};
        r.width = tpi_within_limit(nthr);
        code = run_region(&r, pool->ops.parallel_for, r.width == nthr ? tpi_run_task : run_some);
    }
    tpi_thread.inside = here.outer;
    return code;
}

int32_t tpi_run_let_in(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx) {
    return run_let_in(pool, nthr, task, ctx);
}

int32_t tpi_pool_parallel(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx) {
    if (nthr < 0 || !task) return TPI_E_INVALID;
    if (nthr == 0) nthr = pool ? tpi_pool_num_threads(pool) : tpi_max_threads();
    if (!pool) return run_inline(tpi_running_pool(), nthr, task, ctx);
    uint32_t generation;
    int32_t code = tpi_gate_enter(pool, &generation);
    if (code) return code;
    code = run_let_in(pool, nthr, task, ctx);
    tpi_gate_leave(pool, generation);
    return code;
}

int32_t tpi_parallel(int32_t nthr, tpi_task task, void *ctx) {
    if (nthr < 0 || !task) return TPI_E_INVALID;
    return tpi_pool_parallel(tpi_effective_pool(), nthr, task, ctx);
}

static int32_t run_gang(tpi_pool *pool, start_region together, int32_t n, tpi_task task,
                        void *ctx) {
    tpi_gang gang;
    tpi_gang_init(&gang, n);
    tpi_region r = {.task = task, .ctx = ctx, .pool = pool, .nthr = n, .width = n,
                    .gang = &gang};
    /* The caller alone is a gang on every pool. */
    start_region start = n == 1 ? pool->ops.parallel_for : together;
    return start ? run_region(&r, start, run_task_together) : TPI_E_UNSUPPORTED;
}

static int32_t run_team(tpi_pool *pool, start_region together, int32_t n, tpi_task task,
                        void *ctx) {
    tpi_region r = {.task = task, .ctx = ctx, .pool = pool, .nthr = n, .width = n};
    return together ? run_region(&r, together, run_task_of_team) : TPI_E_UNSUPPORTED;
}

typedef int32_t (*together_runner)(tpi_pool *pool, start_region together, int32_t n, tpi_task task,
                                   void *ctx);

static inline int32_t enter_gang(tpi_pool *pool, start_region together, int32_t n, tpi_task task,
                                 void *ctx, together_runner run) {
    if (n < 0 || !task) return TPI_E_INVALID;
    if (tpi_thread.depth) return TPI_E_IN_REGION;
    int32_t size = tpi_pool_num_threads(pool);
    if (n == 0) n = size;
    if (n > size) return TPI_E_INVALID;
    tpi_visit visit;
    int32_t code = tpi_visit_begin(&visit, pool);
    if (code) return code;
    code = run(pool, together, n, task, ctx);
    tpi_visit_end(&visit);
    return code;
}

int32_t tpi_pool_run_together(tpi_pool *pool, int32_t n, tpi_task task, void *ctx) {
    return pool ? enter_gang(pool, pool->ops.run_together, n, task, ctx, run_gang)
                : TPI_E_INVALID;
}

int32_t tpi_pool_run_together_soon(tpi_pool *pool, int32_t n, tpi_task task, void *ctx) {
    return pool ? enter_gang(pool, pool->ops.run_together_soon, n, task, ctx, run_gang)
                : TPI_E_INVALID;
}

int32_t tpi_pool_run_team(tpi_pool *pool, int32_t n, tpi_task task, void *ctx) {
    return enter_gang(pool, pool->ops.run_together_soon, n, task, ctx, run_team);
}

int32_t tpi_barrier(void) {
    return tpi_thread.gang ? tpi_gang_barrier(tpi_thread.gang) : TPI_E_INVALID;
}
