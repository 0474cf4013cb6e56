/* Stress of the C core, for the sanitizers and for the soak: many callers, pools and sizes, nested
 * regions, loops, gangs, asynchronous regions, failing tasks, a default that is replaced, threads that
 * end with a pool active; and in ends.c pools closed while in use, leases and forks. Every task must run
 * exactly once, and must see what the caller wrote before the region; the caller must see what every
 * task wrote.
 *
 *     stress [seed [rounds [seconds before it is called hung]]]
 *
 * Exits with 0, "ok" and the number of regions, or with 1 and what went wrong; a hang ends in
 * SIGALRM. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pools.h"
#include "ranges.h"
#include "stress.h"

tpi_pool *shared[POOLS];
uint32_t seed = 1;
int rounds = 300;
unsigned seconds = 120;
static atomic_long regions;

void fail(const char *what, int a, int b) {
    fprintf(stderr, "stress: %s (%d, %d), seed %u\n", what, a, b, seed);
    _exit(1);
}

uint32_t next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

/* -- one region, checked ------------------------------------------------------------------- */

typedef struct {
    int before;        /* plain: written by the caller, read by every task */
    int ran[MOST];     /* plain: each written by its own task, read by the caller */
    int failing;       /* the task that fails, or -1 */
    int depth;
    atomic_int total;  /* relaxed: orders nothing, so a missing release is not hidden */
} round_state;

static int32_t nested_task(void *ctx, int32_t i, int32_t n) {
    (void)n;
    ((int *)ctx)[i] += 1;
    return 0;
}

static int32_t task(void *ctx, int32_t i, int32_t n) {
    round_state *r = ctx;
    if (r->before != n) fail("a task does not see what the caller wrote", r->before, n);
    r->ran[i] += 1;
    atomic_fetch_add_explicit(&r->total, 1, memory_order_relaxed);
    if (!tpi_in_parallel() || tpi_active_pool()) fail("a region is active inside a region", i, n);
    if (r->depth) {
        int seen[3] = {0};
        if (tpi_parallel(3, nested_task, seen) || seen[0] + seen[1] + seen[2] != 3)
            fail("a nested region", seen[0], seen[1]);
    }
    return i == r->failing ? 77 : 0;
}

static void check_round(const round_state *r, int n, int code, int may_be_closed) {
    if (may_be_closed && code == TPI_E_CLOSED) return;
    int total = 0;
    for (int i = 0; i < n; ++i) {
        total += r->ran[i];
        if (r->ran[i] > 1 || (r->failing < 0 && r->ran[i] != 1)) fail("task ran", i, r->ran[i]);
    }
    if (total != atomic_load_explicit(&((round_state *)r)->total, memory_order_relaxed))
        fail("tasks lost a write", total, n);
    if (code != (r->failing < 0 ? 0 : 77)) fail("a region returned", code, r->failing);
}

static int new_round(uint32_t *random, round_state *r) {
    memset(r, 0, sizeof *r);
    int n = r->before = 1 + (int)(next(random) >> 8) % MOST;
    r->depth = (next(random) >> 16) % 5 == 0;
    r->failing = (next(random) >> 16) % 7 == 0 ? (int)(next(random) >> 8) % n : -1;
    atomic_fetch_add_explicit(&regions, 1, memory_order_relaxed);
    return n;
}

void one_round(uint32_t *random, tpi_pool *pool, int may_be_closed) {
    round_state r;
    int n = new_round(random, &r);
    int code = pool ? tpi_pool_parallel(pool, n, task, &r) : tpi_parallel(n, task, &r);
    check_round(&r, n, code, may_be_closed);
}

/* Several regions at once, waited for in another order than they were started in. */
void asynchronous_rounds(uint32_t *random, tpi_pool *pool, int may_be_closed) {
    enum { AT_ONCE = 3 };
    round_state r[AT_ONCE];
    tpi_latch *latches[AT_ONCE] = {NULL};
    int n[AT_ONCE];
    for (int i = 0; i < AT_ONCE; ++i) {
        n[i] = new_round(random, &r[i]);
        int code = tpi_pool_submit(pool, n[i], task, &r[i], &latches[i]);
        if (code && !(may_be_closed && code == TPI_E_CLOSED)) fail("submit returned", code, i);
    }
    for (int i = AT_ONCE - 1; i >= 0; --i) {
        if (!latches[i]) continue;
        check_round(&r[i], n[i], tpi_latch_wait(latches[i]), may_be_closed);
        tpi_latch_release(latches[i]);
    }
}

/* -- a loop, checked ----------------------------------------------------------------------- */

enum { ITEMS = 500 };

typedef struct {
    int64_t failing;
    int ran[ITEMS]; /* plain: each written by the task that runs its range, read by the caller */
} loop_state;

static int32_t range_task(void *ctx, int64_t begin, int64_t end) {
    loop_state *l = ctx;
    for (int64_t i = begin; i < end; ++i) l->ran[i] += 1;
    return begin <= l->failing && l->failing < end ? 77 : 0;
}

static void one_loop(uint32_t *random, int may_be_closed) {
    loop_state l = {.failing = -1};
    int64_t n = (next(random) >> 8) % ITEMS;
    int64_t grain = (next(random) >> 16) % 2 ? 1 + (next(random) >> 8) % 40 : TPI_NOT_GIVEN;
    int64_t most = (next(random) >> 16) % 4 ? TPI_NOT_GIVEN : (next(random) >> 16) % 5;
    if (n && (next(random) >> 16) % 7 == 0) l.failing = (next(random) >> 8) % n;
    atomic_fetch_add_explicit(&regions, 1, memory_order_relaxed);
    int code = tpi_for(n, grain, (int32_t)((next(random) >> 16) % 3), most, 0.0, range_task, &l);
    if (may_be_closed && code == TPI_E_CLOSED) return;
    for (int i = 0; i < n; ++i)
        if (l.ran[i] > 1 || (l.failing < 0 && l.ran[i] != 1)) fail("item ran", i, l.ran[i]);
    if (code != (l.failing < 0 ? 0 : 77)) fail("a loop returned", code, (int)l.failing);
}

/* -- a gang, checked ----------------------------------------------------------------------- */

typedef struct {
    int failing, phases;
    int written[MOST]; /* plain: each by its own task, read by its neighbour after the barrier */
} gang_state;

static int32_t gang_task(void *ctx, int32_t i, int32_t n) {
    gang_state *g = ctx;
    for (int phase = 1; phase <= g->phases; ++phase) {
        if (i == g->failing && phase == g->phases) return 77;
        g->written[i] = phase;
        int32_t code = tpi_barrier();
        if (code) return code;
        if (g->written[(i + 1) % n] != phase) fail("a task missed a phase", i, phase);
        code = tpi_barrier();
        if (code) return code;
    }
    return 0;
}

void one_gang(uint32_t *random, tpi_pool *pool, int may_be_closed) {
    gang_state g = {.failing = -1, .phases = 1 + (int)(next(random) >> 16) % 4};
    int n = 1 + (int)(next(random) >> 8) % tpi_pool_num_threads(pool);
    if ((next(random) >> 16) % 7 == 0) g.failing = (int)(next(random) >> 8) % n;
    atomic_fetch_add_explicit(&regions, 1, memory_order_relaxed);
    int soon = (next(random) >> 16) % 2;
    int code = soon ? tpi_pool_run_together_soon(pool, n, gang_task, &g)
                    : tpi_pool_run_together(pool, n, gang_task, &g);
    if (may_be_closed && code == TPI_E_CLOSED) return;
    if (soon && code == TPI_E_BUSY) return;
    if (code != (g.failing < 0 ? 0 : 77)) fail("a gang returned", code, g.failing);
}

/* -- what the threads do ------------------------------------------------------------------- */

static void *caller(void *arg) {
    uint32_t random = seed * 2654435761u + (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < rounds; ++i) {
        tpi_pool *pool = shared[(next(&random) >> 16) % POOLS];
        if (i % 7 == 0) tpi_pool_park(pool);
        if (i % 11 == 0) one_gang(&random, pool, 0);
        if (i % 5 == 0) asynchronous_rounds(&random, pool, 0);
        if (i % 3 == 0) {
            one_round(&random, pool, 0);
            continue;
        }
        tpi_set_active(TPI_POOL, pool);
        one_round(&random, NULL, 0);
        one_loop(&random, 0);
        if (i % 5) tpi_set_active(TPI_UNSET, NULL); /* else it stays active to the thread's end */
        if (i % 5) one_round(&random, NULL, 1);     /* on the default */
        if (i % 5) one_loop(&random, 1);
    }
    return NULL;
}

tpi_pool *new_pool(int kind) {
    tpi_pool_options o = {.num_threads = 3, .blocktime_us = 100};
    switch (kind % POOLS) {
        case 0: return tpi_fork_join_new(&o, 0);
        case 1: o.num_threads = 7, o.blocktime_us = 0; return tpi_fork_join_new(&o, 1);
        case 2: return tpi_work_stealing_new(&o, 0);
        case 3: o.num_threads = 6, o.blocktime_us = 0; return tpi_work_stealing_new(&o, 0);
        case 4: o.num_threads = 6, o.metered = 1; return tpi_fork_join_new(&o, 0);
        case 5: o.num_threads = 4, o.metered = 1; return tpi_work_stealing_new(&o, 1);
        default: return tpi_sequential_new();
    }
}

/* Replaces the default while callers use it, and closes the old one under them. */
static void *replacer(void *arg) {
    (void)arg;
    for (int i = 0; i < rounds / 4; ++i) {
        tpi_pool *pool = new_pool(i);
        tpi_set_default(pool);
        sched_yield();
        if (i % 2) tpi_pool_close(pool);
        tpi_set_default(NULL);
        tpi_pool_close(pool);
        tpi_pool_release(pool);
    }
    return NULL;
}

/* Pools of its own, closed by one thread while another calls them. */
static void *closing_caller(void *arg) {
    uint32_t random = seed + 99;
    for (int i = 0; i < 50; ++i) {
        one_round(&random, arg, 1);
        if (i % 10 == 0) one_gang(&random, arg, 1);
        if (i % 10 == 5) asynchronous_rounds(&random, arg, 1);
    }
    return NULL;
}

static void *closer(void *arg) {
    (void)arg;
    for (int i = 0; i < rounds / 10; ++i) {
        tpi_pool *pool = new_pool(i);
        pthread_t thread;
        pthread_create(&thread, NULL, closing_caller, pool);
        sched_yield();
        tpi_pool_close(pool);
        pthread_join(thread, NULL);
        tpi_pool_release(pool);
    }
    return NULL;
}

static void *(*const others[])(void *) = {replacer, closer, close_pools, end_leases, fork_children};
enum { OTHERS = sizeof others / sizeof *others };

int main(int argc, char **argv) {
    if (argc > 1) seed = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2) rounds = atoi(argv[2]);
    if (argc > 3) seconds = (unsigned)atoi(argv[3]);
    alarm(seconds);
    tpi_set_machine_threads(4);
    for (int i = 0; i < POOLS; ++i) shared[i] = new_pool(i);
    pthread_t threads[CALLERS + OTHERS];
    for (int i = 0; i < CALLERS + OTHERS; ++i)
        pthread_create(&threads[i], NULL, i < CALLERS ? caller : others[i - CALLERS],
                       (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < CALLERS + OTHERS; ++i) pthread_join(threads[i], NULL);
    for (int i = 0; i < POOLS; ++i) {
        tpi_stats stats;
        tpi_pool_stats(shared[i], &stats);
        if (stats.regions == 0 || stats.tasks < stats.regions) fail("counters", i, 0);
        tpi_pool_close(shared[i]);
        tpi_pool_release(shared[i]);
    }
    printf("ok, %ld regions\n", atomic_load(&regions));
    return 0;
}
