/* EigenLikePool: work-stealing, after Eigen's thread pool (unsupported/Eigen/CXX11/src/ThreadPool).
 *
 * Each worker has a queue; it serves its own first and then steals, visiting the others in an order
 * given by a random start and a step coprime to their number, so that thieves spread out. What a
 * worker schedules itself it takes up last in, first out; what others bring it, and thieves take,
 * enters and leaves at the back. Idle workers look for work for the blocktime and then park on one
 * event count.
 *
 * A region is a loop whose tasks are claimed. The caller asks a helper for each further thread that
 * could be of use and claims tasks itself until none is left, so it needs nobody to finish. Any
 * number of callers share the workers. Beside its queue each worker has a box for one such request,
 * which anybody who looks for work may empty: one cache line instead of the queue's three. */
#define _GNU_SOURCE
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "event_count.h"
#include "handle.h"
#include "lock.h"
#include "loop.h"
#include "pools.h"
#include "queued_gang.h"
#include "run_queue.h"
#include "thread_state.h"
#include "waiting.h"
#include "workers.h"

/* Loops that a pool has ready: a region takes no memory from the system unless so many overlap. */
#define LOOPS 8

struct stealing;

typedef struct {
    struct stealing *pool;
    int32_t index;
    uint32_t random;
    pthread_t thread;
    alignas(64) _Atomic(tpi_loop *) box; /* a loop that could do with a helper, or NULL */
    tpi_run_queue queue;
} worker;

typedef struct stealing {
    int32_t size;
    int32_t count; /* workers: size - 1 */
    bool asynchronous;
    tpi_patience patience;
    int32_t *cpus;
    int32_t ncpus;
    uint32_t fork_generation;
    pthread_mutex_t start_mutex;
    _Atomic uint32_t started;
    _Atomic uint32_t stopping;
    worker *workers;
    int32_t *steps; /* numbers coprime to count */
    int32_t nsteps;
    alignas(64) tpi_event_count idle;
    alignas(64) _Atomic int32_t searching; /* workers awake and looking for work */
    alignas(64) _Atomic uint32_t turn;     /* who gets the next helper's item */
    alignas(64) tpi_lock gang;
    alignas(64) tpi_meter meter;
    tpi_loop loops[LOOPS];
} stealing;

/* The worker that the calling thread is, of whichever pool. */
static _Thread_local worker *this_worker __attribute__((tls_model("initial-exec")));

/* -- workers ------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state) { /* xorshift32, Marsaglia 2003 */
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static void help(void *arg);

static bool empty_box(worker *w, tpi_item *item) {
    if (!atomic_load_explicit(&w->box, memory_order_relaxed)) return false;
    /* acquire: the loop was written before it was put here. */
    tpi_loop *loop = atomic_exchange_explicit(&w->box, NULL, memory_order_acquire);
    *item = (tpi_item){help, loop};
    return loop;
}

static bool steal(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    uint32_t random = next_random(&me->random), count = (uint32_t)pool->count;
    uint32_t victim = random % count, step = (uint32_t)pool->steps[random / count % pool->nsteps];
    for (uint32_t i = 0; i < count; ++i) {
        worker *other = &pool->workers[victim];
        if (empty_box(other, item) || tpi_queue_pop_back(&other->queue, item)) {
            if (pool->patience.meter && victim != (uint32_t)me->index)
                tpi_meter_add(&pool->patience.meter->steals, 1);
            return true;
        }
        victim += step;
        if (victim >= count) victim -= count;
    }
    return false;
}

static bool find_work(worker *me, tpi_item *item) {
    return empty_box(me, item) || tpi_queue_pop_front(&me->queue, item) || steal(me, item);
}

static bool find_while_pausing(worker *me, tpi_item *item, int pauses) {
    for (; pauses > 0; --pauses) {
        if (find_work(me, item)) return true;
        tpi_pause();
    }
    return find_work(me, item);
}

/* Look for work as long as the waiting policy allows. A look takes as long as several pauses, so the
 * first, unconditional phase has fewer of them. */
static bool search(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    if (find_while_pausing(me, item, pool->patience.pauses / 4)) return true;
    tpi_lull lull = tpi_lull_begin(&pool->patience);
    do {
        if (find_while_pausing(me, item, lull.burst)) {
            tpi_note_company(&pool->patience);
            return true;
        }
        if (atomic_load_explicit(&pool->stopping, memory_order_relaxed)) return false;
    } while (tpi_lull_go_on(&lull));
    return false;
}

/* Wake parked workers for those of `queued` items that nobody awake is looking for. */
static void notify(stealing *pool, int32_t queued) {
    /* seq_cst, with a parking worker's own: either it is seen here, or it sees the items when it
     * looks once more. `searching`, which changes with every region, is read only after that. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!tpi_has_waiters(&pool->idle)) return;
    int32_t awake = atomic_load_explicit(&pool->searching, memory_order_seq_cst);
    if (queued <= awake) return;
    int woken = tpi_notify(&pool->idle, queued - awake);
    if (pool->patience.meter && woken > 0)
        tpi_meter_add(&pool->patience.meter->wakes, (uint64_t)woken);
}

static bool anything_queued(stealing *pool) {
    for (int32_t i = 0; i < pool->count; ++i) {
        worker *w = &pool->workers[i];
        if (atomic_load_explicit(&w->box, memory_order_relaxed) || tpi_queue_has_back(&w->queue))
            return true;
    }
    return false;
}

/* Two notifiers may have counted on this worker, which now stops searching with one item. The last
 * one that does wakes somebody for the other. */
static void pass_on(stealing *pool) {
    /* seq_cst, after the decrement of `searching`: what a notifier did before it counted this
     * worker is seen from here on. */
    if (atomic_load_explicit(&pool->idle.waiters, memory_order_seq_cst) == 0) return;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&pool->searching, memory_order_relaxed) == 0 && anything_queued(pool))
        notify(pool, 1);
}

/* Park until notified, unless a last look finds work. */
static bool park_worker(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    uint32_t key = tpi_prewait(&pool->idle);
#ifndef TPI_PLANT_LOST_WAKE_UP
    bool found = find_work(me, item);
    if (found || atomic_load_explicit(&pool->stopping, memory_order_relaxed)) {
        tpi_cancel_wait(&pool->idle);
        if (found) pass_on(pool);
        return found;
    }
#else
    (void)item;
#endif
    if (pool->patience.meter) tpi_meter_add(&pool->patience.meter->parks, 1);
    tpi_commit_wait(&pool->idle, key);
    return false;
}

/* One search, and one sleep if it finds nothing. */
static bool next_item(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    atomic_fetch_add_explicit(&pool->searching, 1, memory_order_relaxed);
    bool found = search(me, item);
    atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
    if (!found) return park_worker(me, item);
    pass_on(pool);
    return true;
}

static bool next_item_metered(worker *me, tpi_item *item) {
    tpi_meter *meter = me->pool->patience.meter;
    if (!meter) return next_item(me, item);
    if (find_work(me, item)) return true;
    uint64_t start = tpi_now_ns();
    bool found = next_item(me, item);
    tpi_meter_add(&meter->idle_ns, tpi_now_ns() - start);
    return found;
}

static void *worker_body(void *arg) {
    worker *me = arg;
    stealing *pool = me->pool;
    uint32_t generation = pool->fork_generation;
    tpi_item item;
    this_worker = me;
    tpi_thread.may_move = pool->ncpus == 0;
    while (tpi_generation() == generation) {
        if (next_item_metered(me, &item))
            item.run(item.arg);
        else if (atomic_load_explicit(&pool->stopping, memory_order_relaxed))
            return NULL;
    }
    return NULL;
}

/* -- starting and stopping ----------------------------------------------------------------- */

static void stop_workers(stealing *pool, int32_t count) {
    atomic_store_explicit(&pool->stopping, 1, memory_order_relaxed);
    tpi_notify(&pool->idle, INT32_MAX);
    for (int32_t i = 0; i < count; ++i) pthread_join(pool->workers[i].thread, NULL);
    atomic_store_explicit(&pool->stopping, 0, memory_order_relaxed);
}

static void drain(stealing *pool) {
    tpi_item item;
    for (int32_t i = 0; i < pool->count; ++i) {
        worker *w = &pool->workers[i];
        while (empty_box(w, &item) || tpi_queue_pop_back(&w->queue, &item)) item.run(item.arg);
    }
}

static void reset(stealing *pool) {
    pthread_mutex_init(&pool->start_mutex, NULL);
    memset(&pool->idle, 0, sizeof pool->idle);
    atomic_store_explicit(&pool->started, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->stopping, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->searching, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->turn, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->gang, 0, memory_order_relaxed);
    for (int32_t i = 0; i < pool->count; ++i) {
        worker *w = &pool->workers[i];
        w->pool = pool;
        w->index = i;
        w->random = 0x9E3779B9u * (uint32_t)(i + 1) | 1u;
        atomic_store_explicit(&w->box, NULL, memory_order_relaxed);
        tpi_queue_init(&w->queue);
    }
}

static int32_t start_all(stealing *pool) {
    pool->fork_generation = tpi_generation();
    for (int32_t i = 0; i < pool->count; ++i) {
        worker *w = &pool->workers[i];
        int32_t cpu = pool->ncpus ? pool->cpus[(i + 1) % pool->ncpus] : -1;
        if (tpi_thread_start(&w->thread, worker_body, w, "tpi-ws", i + 1, cpu)) {
            stop_workers(pool, i);
            return TPI_E_NO_THREAD;
        }
    }
    atomic_store_explicit(&pool->started, 1, memory_order_release);
    return TPI_OK;
}

static int32_t ensure_started(stealing *pool) {
    if (atomic_load_explicit(&pool->started, memory_order_acquire)) return TPI_OK;
    pthread_mutex_lock(&pool->start_mutex);
    int32_t code = TPI_OK;
    if (!atomic_load_explicit(&pool->started, memory_order_relaxed)) code = start_all(pool);
    pthread_mutex_unlock(&pool->start_mutex);
    return code;
}

/* -- scheduling ---------------------------------------------------------------------------- */

/* Put `count` items into the queues, one after the other; how many of them had room. */
static int32_t push(stealing *pool, int32_t count, tpi_item item) {
    int32_t queued = 0;
    uint32_t turn = atomic_fetch_add_explicit(&pool->turn, (uint32_t)count, memory_order_relaxed);
    for (int32_t i = 0; i < count; ++i) {
        worker *w = &pool->workers[(turn + (uint32_t)i) % (uint32_t)pool->count];
        queued += tpi_queue_push_back(&w->queue, item);
    }
    return queued;
}

static int32_t enqueue(void *self, int32_t count, tpi_item item) {
    int32_t queued = push(self, count, item);
    notify(self, queued);
    return queued;
}

static int32_t schedule(void *self, int32_t count, void (*run)(void *arg), void *arg) {
    stealing *pool = self;
    if (pool->count == 0) return 0;
    int32_t code = ensure_started(pool);
    if (code) return code;
    tpi_item item = {run, arg};
    bool mine = this_worker && this_worker->pool == pool &&
                tpi_queue_push_front(&this_worker->queue, item);
    int32_t queued = mine + push(pool, count - mine, item);
    notify(pool, queued);
    return queued;
}

/* -- regions ------------------------------------------------------------------------------- */

/* A loop with one reference, the caller's. */
static tpi_loop *take_loop(stealing *pool) {
    for (int i = 0; i < LOOPS; ++i)
        if (tpi_loop_take(&pool->loops[i])) return &pool->loops[i];
    tpi_loop *loop = aligned_alloc(alignof(tpi_loop), sizeof *loop);
    if (loop) loop->allocated = true;
    return loop;
}

static void release_loop(tpi_loop *loop, int32_t count) {
    bool allocated = loop->allocated; /* it may be somebody else's after the last release */
    if (tpi_loop_release(loop, count) && allocated) free(loop);
}

static void help(void *arg) {
    tpi_loop *loop = arg;
    if (tpi_loop_run(loop)) tpi_loop_end(loop, NULL);
    release_loop(loop, 1);
}

static bool put_in_box(worker *w, tpi_loop *loop) {
    tpi_loop *empty = NULL;
    return !atomic_load_explicit(&w->box, memory_order_relaxed) &&
           atomic_compare_exchange_strong_explicit(&w->box, &empty, loop, memory_order_release,
                                                   memory_order_relaxed);
}

/* Ask for `count` helpers, from one worker after the other; how many will come. */
static int32_t ask_for_help(stealing *pool, tpi_loop *loop, int32_t count) {
    int32_t asked = 0;
    uint32_t turn = atomic_fetch_add_explicit(&pool->turn, (uint32_t)count, memory_order_relaxed);
    for (int32_t i = 0; i < count; ++i) {
        worker *w = &pool->workers[(turn + (uint32_t)i) % (uint32_t)pool->count];
        asked += put_in_box(w, loop) || tpi_queue_push_back(&w->queue, (tpi_item){help, loop});
    }
    return asked;
}

static int32_t run_loop(stealing *pool, tpi_loop *loop, int32_t helpers) {
    tpi_note_caller(&pool->patience);
    int32_t asked = ask_for_help(pool, loop, helpers);
    if (asked < helpers) release_loop(loop, helpers - asked); /* the caller's is left */
    notify(pool, asked);
    if (!tpi_loop_run(loop)) tpi_loop_await(loop, &pool->patience);
    release_loop(loop, 1);
    return TPI_OK;
}

static int32_t parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    stealing *pool = self;
    if (n <= 1 || pool->count == 0) {
        for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
        return TPI_OK;
    }
    int32_t code = ensure_started(pool);
    if (code) return code;
    int32_t helpers = n - 1 < pool->count ? n - 1 : pool->count;
    tpi_loop *loop = take_loop(pool);
    if (!loop) return TPI_E_NO_MEMORY;
    tpi_loop_init(loop, n, task, ctx, helpers + 1);
    return run_loop(pool, loop, helpers);
}

/* -- gangs --------------------------------------------------------------------------------- */

static tpi_crew crew_of(stealing *pool) {
    return (tpi_crew){pool, enqueue, &pool->patience, pool->fork_generation, &pool->gang};
}

static int32_t run_together(void *self, int32_t n, tpi_task task, void *ctx) {
    int32_t code = ensure_started(self);
    if (code) return code;
    tpi_crew crew = crew_of(self);
    return tpi_run_gang(&crew, n, task, ctx);
}

static int32_t run_together_soon(void *self, int32_t n, tpi_task task, void *ctx) {
    int32_t code = ensure_started(self);
    if (code) return code;
    tpi_crew crew = crew_of(self);
    return tpi_run_gang_soon(&crew, n, task, ctx);
}

/* -- the table ----------------------------------------------------------------------------- */

static int32_t num_threads(void *self) { return ((stealing *)self)->size; }

static uint64_t flags(void *self) {
    return ((stealing *)self)->asynchronous ? TPI_ASYNCHRONOUS : 0;
}

static void park(void *self) { tpi_park_now(&((stealing *)self)->patience); }

static void meters(void *self, tpi_stats *stats) {
    tpi_meter_read(((stealing *)self)->patience.meter, stats);
}

static void close_pool(void *self) {
    stealing *pool = self;
    if (!atomic_load_explicit(&pool->started, memory_order_acquire)) return;
    stop_workers(pool, pool->count);
    drain(pool);
    atomic_store_explicit(&pool->started, 0, memory_order_relaxed);
}

static void after_fork(void *self) { reset(self); }

/* The thread that forked may have been a worker, which it is not in the child. */
static void in_forked_child(void) { this_worker = NULL; }

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_forked_child);
}

static void destroy(void *self) {
    stealing *pool = self;
    for (int32_t i = 0; pool->workers && i < pool->count; ++i)
        tpi_queue_destroy(&pool->workers[i].queue);
    free(pool->workers);
    free(pool->steps);
    free(pool->cpus);
    free(pool);
}

static int32_t gcd(int32_t a, int32_t b) { return b ? gcd(b, a % b) : a; }

static bool find_steps(stealing *pool) {
    pool->steps = malloc(((size_t)pool->count + 1) * sizeof *pool->steps);
    if (!pool->steps) return false;
    for (int32_t step = 1; step <= pool->count; ++step)
        if (gcd(step, pool->count) == 1) pool->steps[pool->nsteps++] = step % pool->count;
    return true;
}

static stealing *allocate(const tpi_pool_options *options) {
    stealing *pool = aligned_alloc(alignof(stealing), sizeof *pool);
    if (!pool) return NULL;
    memset(pool, 0, sizeof *pool);
    pool->size = options->num_threads;
    pool->count = pool->size - 1;
    pool->ncpus = options->cpus ? options->ncpus : 0;
    int failed = 0;
    pool->cpus = tpi_copy_cpus(options->cpus, options->ncpus, &failed);
    if (pool->count) {
        pool->workers = aligned_alloc(alignof(worker), (size_t)pool->count * sizeof(worker));
        failed |= !pool->workers;
    }
    if (failed || !find_steps(pool)) {
        pool->count = 0; /* no queue to destroy yet */
        destroy(pool);
        return NULL;
    }
    reset(pool);
    tpi_patience_init(&pool->patience, pool->size, options->blocktime_us,
                      options->metered ? &pool->meter : NULL);
    return pool;
}

tpi_pool *tpi_work_stealing_new(const tpi_pool_options *options, int32_t asynchronous) {
    static const tpi_pool_ops ops = {
        .abi_version = TPI_ABI_VERSION, .struct_size = sizeof ops, .num_threads = num_threads,
        .in_parallel = tpi_ask_the_handle, .parallel_for = parallel_for, .flags = flags,
        .wait = tpi_nothing_to_wait_for, .close = close_pool, .destroy = destroy,
        .run_together = run_together, .schedule = schedule, .park = park, .meters = meters,
        .run_together_soon = run_together_soon,
    };
    int32_t size = options->num_threads;
    if (size < 1 || size > TPI_MAX_THREADS) return NULL;
    stealing *pool = allocate(options);
    if (!pool) return NULL;
    pool->asynchronous = asynchronous;
    return tpi_native_pool_new(&ops, pool, after_fork);
}
