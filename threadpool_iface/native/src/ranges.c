/* A dynamic loop gives every task a share of its own and lets those who have finished theirs take from
 * others: in a loop that is run again and again each thread so meets the items that it has in its
 * cache. Shares are counted in pieces: of a grain where there is one, else of one item, and then each
 * task measures what it runs and takes so many at a time as tpi_block_size finds worth scheduling.
 * Loops that were too short for a second thread when they last ran begin on their caller. */
#define _GNU_SOURCE
#include "ranges.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "region.h"
#include "small_loops.h"
#include "thread_state.h"
#include "ticks.h"
#include "waiting.h"

/* Long enough for the clock's own 10 ns not to count, short against what a region costs. A guess. */
static const double PROBE_CYCLES = 3000.0;
/* What is taken next is at most so many times the last, which a loop of growing items needs. */
static const int64_t GROWTH = 4;
/* About a millisecond: longer ones save nothing, balance worse and make Ctrl-C wait. */
static const double MOST_CYCLES = 2e6;
#define SHARES_ON_STACK 32

typedef struct {
    alignas(64) _Atomic int64_t next;
    int64_t end;
} share;

typedef struct {
    tpi_range_task run;
    void *ctx;
    int64_t first, n, grain, pieces; /* items before `first` have been run */
    share *shares; /* NULL: static */
    bool measured;
    _Atomic int32_t over; /* a range failed, or the caller was interrupted */
} loop;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The first of `count` pieces that belongs to task `i` of `tasks`: shares differ by at most one. */
static int64_t share_begin(int64_t count, int64_t tasks, int64_t i) {
    return count / tasks * i + least(i, count % tasks);
}

static int32_t run_pieces(loop *l, int64_t begin, int64_t end) {
    int64_t last = end == l->pieces ? l->n : l->first + end * l->grain;
    return l->run(l->ctx, l->first + begin * l->grain, last);
}

static int32_t static_task(void *ctx, int32_t ithr, int32_t nthr) {
    loop *l = ctx;
    return run_pieces(l, share_begin(l->pieces, nthr, ithr), share_begin(l->pieces, nthr, ithr + 1));
}

/* relaxed throughout: who takes a piece reads nothing that another task wrote. */
static bool claim(share *s, int64_t size, int64_t *begin, int64_t *end) {
    *begin = atomic_load_explicit(&s->next, memory_order_relaxed);
    do {
        if (*begin >= s->end) return false;
        *end = size < s->end - *begin ? *begin + size : s->end;
    } while (!atomic_compare_exchange_weak_explicit(&s->next, begin, *end, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

/* The main thread may have to look after Ctrl-C in the middle of a task that runs many ranges. */
static bool is_over(loop *l) {
    tpi_poll_interrupt();
    if (tpi_thread.region && tpi_region_error(tpi_thread.region))
        atomic_store_explicit(&l->over, 1, memory_order_relaxed);
    return atomic_load_explicit(&l->over, memory_order_relaxed);
}

/* tpi_ticks counts cycles on x86 only; what everywhere counts about 50 ms gives the ratio. */
static double cycles_of(uint64_t ticks) {
    return (double)ticks * ((double)(UINT64_C(1) << 27) / (double)TPI_POLL_TICKS);
}

/* How many pieces to take after `count` of them took `cycles`. */
static int64_t next_size(const loop *l, int64_t size, int64_t count, double cycles, int32_t nthr) {
    int64_t grown = size < l->pieces / GROWTH ? size * GROWTH : l->pieces;
    if (cycles < PROBE_CYCLES) return grown;
    double each = cycles / (double)count, most = MOST_CYCLES / each;
    if (most < (double)grown) grown = most < 1 ? 1 : (int64_t)most;
    return least(grown, tpi_block_size(l->pieces, each, nthr));
}

/* What a task has measured, and how many pieces it takes next. */
typedef struct {
    int64_t size, run;
    uint64_t ticks;
    uint32_t generation; /* of the process that the task was started in */
} pace;

static int32_t run_measured(loop *l, int64_t begin, int64_t end, int32_t nthr, pace *p) {
    uint64_t start = tpi_ticks();
    int32_t code = run_pieces(l, begin, end);
    uint64_t taken = tpi_ticks() - start;
    if (tpi_generation() != p->generation) return code;
    p->ticks += taken;
    p->run += end - begin;
    p->size = next_size(l, p->size, end - begin, cycles_of(taken), nthr);
    return code;
}

static int32_t run_share(loop *l, share *s, int32_t nthr, pace *p) {
    int32_t code = 0;
    int64_t begin, end;
    while (!code && !atomic_load_explicit(&l->over, memory_order_relaxed) &&
           claim(s, p->size, &begin, &end)) {
        code = l->measured ? run_measured(l, begin, end, nthr, p) : run_pieces(l, begin, end);
        if (tpi_generation() != p->generation) return TPI_E_FORKED; /* the loop is the parent's */
        if (end < s->end && is_over(l)) break;
    }
    if (code) atomic_store_explicit(&l->over, 1, memory_order_relaxed);
    return code;
}

static int32_t dynamic_task(void *ctx, int32_t ithr, int32_t nthr) {
    loop *l = ctx;
    pace p = {.size = 1, .generation = tpi_generation()};
    int32_t code = 0;
    for (int32_t i = 0, other = ithr; i < nthr && !code; ++i) {
        code = run_share(l, &l->shares[other], nthr, &p);
        if (++other == nthr) other = 0;
    }
    if (p.run && tpi_generation() == p.generation)
        tpi_learn_cost((const void *)l->run, (double)p.run, p.ticks);
    return code;
}

/* On the caller, up to where the loop turns out not to be small any more. */
static int32_t small_task(void *ctx, int32_t ithr, int32_t nthr) {
    (void)ithr, (void)nthr;
    loop *l = ctx;
    uint64_t start = tpi_ticks();
    l->first = tpi_small_start(l->n);
    int32_t code = l->run(l->ctx, 0, l->first);
    if (!code && l->first < l->n && tpi_stays_small(l->n, l->first, tpi_ticks() - start)) {
        code = l->run(l->ctx, l->first, l->n);
        l->first = l->n;
    }
    tpi_learn_cost((const void *)l->run, (double)l->first, tpi_ticks() - start);
    return code;
}

static void deal(loop *l, int32_t tasks) {
    for (int32_t i = 0; i < tasks; ++i) {
        atomic_init(&l->shares[i].next, share_begin(l->pieces, tasks, i));
        l->shares[i].end = share_begin(l->pieces, tasks, i + 1);
    }
}

static int32_t run_dynamic(loop *l, tpi_pool *pool, int32_t tasks) {
    share few[SHARES_ON_STACK];
    l->shares = tasks <= SHARES_ON_STACK ? few : aligned_alloc(64, (size_t)tasks * sizeof *few);
    if (!l->shares) return TPI_E_NO_MEMORY;
    deal(l, tasks);
    int32_t code = tpi_pool_parallel(pool, tasks, dynamic_task, l);
    if (l->shares != few) free(l->shares);
    return code;
}

static bool valid(int64_t n, int64_t grain, int64_t most) {
    return n >= 0 && (grain == TPI_NOT_GIVEN || grain > 0) && (most == TPI_NOT_GIVEN || most >= 0);
}

static bool is_schedule(int32_t schedule) {
    return schedule >= TPI_ANY_SCHEDULE && schedule <= TPI_DYNAMIC;
}

int32_t tpi_for(int64_t n, int64_t grain, int32_t schedule, int64_t most, double cost,
                tpi_range_task run, void *ctx) {
    if (!valid(n, grain, most) || !is_schedule(schedule) || !run) return TPI_E_INVALID;
    if (n == 0) return TPI_OK;
    loop l = {.run = run, .ctx = ctx, .n = n, .grain = 1, .pieces = 1};
    if (most == 0) {
        l.grain = n;
        return tpi_pool_parallel(NULL, 1, static_task, &l);
    }
    tpi_pool *pool = tpi_effective_pool();
    int64_t threads = pool ? tpi_pool_num_threads(pool) : 1;
    if (most != TPI_NOT_GIVEN) threads = least(threads, most);
    bool given = grain != TPI_NOT_GIVEN || cost > 0;
    if (cost > 0) grain = tpi_block_size(n, cost, (int32_t)threads);
    if (given) l.grain = grain;
    l.pieces = n / l.grain + (n % l.grain != 0);
    int32_t tasks = (int32_t)least(threads, l.pieces);
    bool is_static = schedule == TPI_STATIC ||
                     (schedule == TPI_ANY_SCHEDULE && given && !(cost > 0));
    if (is_static) return tpi_pool_parallel(pool, tasks, static_task, &l);
    l.measured = !given;
    if (l.measured && tasks > 1 && tpi_is_small((const void *)run, (double)n)) {
        int32_t code = tpi_pool_parallel(pool, 1, small_task, &l);
        if (code || l.first == n) return code;
        l.pieces = n - l.first;
        tasks = (int32_t)least(threads, l.pieces);
    }
    return run_dynamic(&l, pool, tasks);
}
