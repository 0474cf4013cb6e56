/* EigenLikePool: work-stealing.
 *
 * Each worker has a queue; it serves its own first and then steals, visiting the others in an order
 * given by a random start and a step coprime to their number, so that thieves spread out. Idle
 * workers look for work for the blocktime and then park on one event count.
 *
 * A region is a counter of unclaimed tasks. The caller queues a helper for each further thread that
 * could be of use and claims tasks itself until none is left, so it needs nobody to finish. A
 * helper that comes too late finds nothing to claim and drops its reference: the region's state
 * is counted, not on the caller's stack, and a caller never waits for a thread that has not
 * started. Any number of callers share the workers. */
#define _GNU_SOURCE
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "event_count.h"
#include "handle.h"
#include "pools.h"
#include "run_queue.h"
#include "waiting.h"
#include "workers.h"

struct stealing;

typedef struct {
    struct stealing *pool;
    int32_t index;
    uint32_t random;
    pthread_t thread;
    tpi_run_queue queue;
} worker;

typedef struct stealing {
    int32_t size;
    int32_t count; /* workers: size - 1 */
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
    _Atomic uint32_t turn;                 /* whose queue gets the next helper */
} stealing;

/* -- a region ------------------------------------------------------------------------------ */

typedef struct {
    tpi_task task;
    void *ctx;
    int32_t n;
    alignas(64) _Atomic int64_t next;       /* first task nobody has claimed */
    alignas(64) _Atomic int32_t left;       /* tasks that have not ended */
    _Atomic int32_t references;             /* the caller's and one for each queued helper */
    _Atomic uint32_t over;                  /* signal word: 2 when `left` reached 0 */
} loop;

static void release_loop(loop *l, int32_t count) {
    /* acq_rel: the one that frees has seen everybody's last access. */
    if (atomic_fetch_sub_explicit(&l->references, count, memory_order_acq_rel) == count) free(l);
}

/* Claim and run tasks until none is left; true if the last one of the region ended here. */
static bool run_claimed(loop *l) {
    int32_t ran = 0;
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
        if (i >= l->n) break;
        l->task(l->ctx, (int32_t)i, l->n);
        ++ran;
    }
    /* acq_rel: the last one releases what all of them wrote. */
    return ran && atomic_fetch_sub_explicit(&l->left, ran, memory_order_acq_rel) == ran;
}

static void help(void *arg) {
    loop *l = arg;
    if (run_claimed(l)) tpi_signal(&l->over, 2);
    release_loop(l, 1);
}

/* -- workers ------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state) { /* xorshift32, Marsaglia 2003 */
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static bool steal(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    uint32_t random = next_random(&me->random), count = (uint32_t)pool->count;
    uint32_t victim = random % count, step = (uint32_t)pool->steps[random / count % pool->nsteps];
    for (uint32_t i = 0; i < count; ++i) {
        if (tpi_queue_pop_back(&pool->workers[victim].queue, item)) return true;
        victim += step;
        if (victim >= count) victim -= count;
    }
    return false;
}

static bool find_work(worker *me, tpi_item *item) {
    return tpi_queue_pop_front(&me->queue, item) || steal(me, item);
}

/* Look for work as long as the waiting policy allows. */
static bool search(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    uint64_t since = 0;
    for (int i = pool->patience.pauses / 4; i > 0; --i) {
        if (find_work(me, item)) return true;
        tpi_pause();
    }
    do {
        if (find_work(me, item)) return true;
        if (atomic_load_explicit(&pool->stopping, memory_order_relaxed)) return false;
        sched_yield();
    } while (tpi_keep_yielding(pool->patience.blocktime_us, &since));
    return false;
}

/* Park until notified, unless a last look finds work. */
static bool park(worker *me, tpi_item *item) {
    stealing *pool = me->pool;
    uint32_t key = tpi_prewait(&pool->idle);
#ifndef TPI_PLANT_LOST_WAKE_UP
    bool found = find_work(me, item);
    if (found || atomic_load_explicit(&pool->stopping, memory_order_relaxed)) {
        tpi_cancel_wait(&pool->idle);
        return found;
    }
#else
    (void)item;
#endif
    tpi_commit_wait(&pool->idle, key);
    return false;
}

static void *worker_body(void *arg) {
    worker *me = arg;
    stealing *pool = me->pool;
    uint32_t generation = pool->fork_generation;
    tpi_item item;
    while (atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed) == generation) {
        atomic_fetch_add_explicit(&pool->searching, 1, memory_order_relaxed);
        bool found = search(me, &item);
        atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
        if (!found) found = park(me, &item);
        if (found)
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
    for (int32_t i = 0; i < pool->count; ++i)
        while (tpi_queue_pop_back(&pool->workers[i].queue, &item)) item.run(item.arg);
}

static void reset(stealing *pool) {
    pthread_mutex_init(&pool->start_mutex, NULL);
    memset(&pool->idle, 0, sizeof pool->idle);
    atomic_store_explicit(&pool->started, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->stopping, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->searching, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->turn, 0, memory_order_relaxed);
    for (int32_t i = 0; i < pool->count; ++i) {
        worker *w = &pool->workers[i];
        w->pool = pool;
        w->index = i;
        w->random = 0x9E3779B9u * (uint32_t)(i + 1) | 1u;
        tpi_queue_init(&w->queue);
    }
}

static int32_t start_all(stealing *pool) {
    pool->fork_generation = atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
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

/* -- regions ------------------------------------------------------------------------------- */

static loop *new_loop(int32_t n, tpi_task task, void *ctx, int32_t helpers) {
    loop *l = aligned_alloc(alignof(loop), sizeof *l);
    if (!l) return NULL;
    l->task = task;
    l->ctx = ctx;
    l->n = n;
    atomic_init(&l->next, 0);
    atomic_init(&l->left, n);
    atomic_init(&l->references, helpers + 1);
    atomic_init(&l->over, 0);
    return l;
}

/* Queue helpers and wake parked workers for those that nobody awake is looking for. */
static void call_helpers(stealing *pool, loop *l, int32_t helpers) {
    int32_t queued = 0;
    uint32_t turn = atomic_fetch_add_explicit(&pool->turn, (uint32_t)helpers, memory_order_relaxed);
    for (int32_t i = 0; i < helpers; ++i) {
        worker *w = &pool->workers[(turn + (uint32_t)i) % (uint32_t)pool->count];
        queued += tpi_queue_push_back(&w->queue, (tpi_item){help, l});
    }
    if (queued < helpers) release_loop(l, helpers - queued); /* the caller's own keeps it alive */
    /* seq_cst, with the decrement before a worker parks: one that is counted as awake here looks
     * at the queues once more after it stops being counted. */
    atomic_thread_fence(memory_order_seq_cst);
    int32_t awake = atomic_load_explicit(&pool->searching, memory_order_seq_cst);
    if (queued > awake) tpi_notify(&pool->idle, queued - awake);
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
    loop *l = new_loop(n, task, ctx, helpers);
    if (!l) return TPI_E_NO_MEMORY;
    call_helpers(pool, l, helpers);
    if (!run_claimed(l) && atomic_load_explicit(&l->left, memory_order_acquire) != 0)
        tpi_await(&l->over, 0, pool->patience, pool->fork_generation);
    release_loop(l, 1);
    return TPI_OK;
}

/* -- the table ----------------------------------------------------------------------------- */

static int32_t num_threads(void *self) { return ((stealing *)self)->size; }

static void close_pool(void *self) {
    stealing *pool = self;
    if (!atomic_load_explicit(&pool->started, memory_order_acquire)) return;
    stop_workers(pool, pool->count);
    drain(pool);
    atomic_store_explicit(&pool->started, 0, memory_order_relaxed);
}

static void after_fork(void *self) { reset(self); }

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

static stealing *allocate(int32_t size, const int32_t *cpus, int32_t ncpus) {
    stealing *pool = aligned_alloc(alignof(stealing), sizeof *pool);
    if (!pool) return NULL;
    memset(pool, 0, sizeof *pool);
    pool->size = size;
    pool->count = size - 1;
    pool->ncpus = cpus ? ncpus : 0;
    int failed = 0;
    pool->cpus = tpi_copy_cpus(cpus, ncpus, &failed);
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
    return pool;
}

tpi_pool *tpi_work_stealing_new(int32_t size, int64_t blocktime_us, const int32_t *cpus,
                                int32_t ncpus) {
    static const tpi_pool_ops ops = {
        TPI_ABI_VERSION, sizeof ops, num_threads, tpi_ask_the_handle, parallel_for,
        tpi_synchronous, tpi_nothing_to_wait_for, close_pool, destroy,
    };
    if (size < 1 || size > TPI_MAX_THREADS) return NULL;
    stealing *pool = allocate(size, cpus, ncpus);
    if (!pool) return NULL;
    pool->patience = tpi_patience_of(size, blocktime_us);
    return tpi_native_pool_new(&ops, pool, after_fork);
}
