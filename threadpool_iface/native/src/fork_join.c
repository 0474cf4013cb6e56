/* OmpLikePool: fork-join.
 *
 * The caller and the workers form a tree. Each worker has a mailbox, one cache line that carries
 * the signal and all it needs to know, so that one transfer starts it. A woken worker first
 * forwards the region to its children, runs its share, waits for its children and signals `done`:
 * fork and join grow with the logarithm of the number of threads, and a region of n tasks touches
 * min(n, size) - 1 workers.
 *
 * A member that is done and finds that a child has not begun takes the region back and does the
 * child's part itself: the child's CPU may be somebody else's for a time slice, which is longer than
 * most regions. On 8 threads and 2 CPUs an empty region takes 0.3 us so, and took 14 to 24 before.
 *
 * The team serves one region at a time. A caller that finds it busy does not wait: it runs its own
 * tasks one by one and, after each, tries again to get the team for those that are left. A gang needs
 * the team and waits for it. */
#define _GNU_SOURCE
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "lock.h"
#include "pools.h"
#include "thread_state.h"
#include "waiting.h"
#include "workers.h"

/* Children of a member: up to 5 threads are one level. A guess beyond 2 threads, from a signal
 * costing 50-100 ns and a level about 300 ns. */
#define FAN_OUT 4

/* Of a ticket: not begun and may be taken back, or was; and from one region to the next. */
enum { OPEN = 2, TAKEN_BACK = 4, STEP = 8 };

typedef struct {
    tpi_task task; /* NULL: end the thread */
    void *ctx;
    int32_t begin, end; /* tasks of the region that the team runs */
    int32_t nthr;       /* what tasks are told */
    int32_t members;    /* threads that take part, the caller included */
    bool together;      /* a gang: one task for each member */
    uint32_t generation; /* of the process that the region was started in */
} work;

struct fork_join;

typedef struct {
    alignas(64) _Atomic uint32_t ticket; /* signal word: a region's number, and what became of it */
    work work;                           /* plain: published by `ticket`, read by who begins */
    alignas(64) _Atomic uint32_t done;   /* signal word: the region whose subtree has ended */
    alignas(64) struct fork_join *pool;
    uint32_t posted, joined; /* the parent's: the last number, and what `done` was then */
    int32_t index;
    pthread_t thread;
} member;

typedef struct fork_join {
    int32_t size;
    enum { BLOCKS, CLAIMED_BLOCKS, CLAIMED_TASKS } schedule;
    tpi_patience patience;
    int32_t *cpus;
    int32_t ncpus;
    int32_t started;            /* guarded by `team` */
    uint32_t fork_generation;   /* of the process that started the workers */
    member *members;            /* size entries; entry 0, the caller, is never signalled */
    alignas(64) tpi_lock team;
    alignas(64) _Atomic int64_t next;  /* first block, or task, that nobody has claimed */
    alignas(64) tpi_meter meter;
} fork_join;

/* -- a member's share ---------------------------------------------------------------------- */

/* A task of the region forked, and this is its caller in the child: the team and what it claims belong
 * to somebody else by now. */
static bool forked_meanwhile(const work *w) {
#ifdef TPI_PLANT_FORK_UNSEEN
    return false && w;
#else
    return tpi_generation() != w->generation;
#endif
}

/* One of `members` even, contiguous blocks. */
static void run_block(const work *w, int64_t block) {
    int64_t n = (int64_t)w->end - w->begin, small = n / w->members, larger = n % w->members;
    int64_t start = w->begin + block * small + (block < larger ? block : larger);
    int64_t end = start + small + (block < larger);
    for (int64_t i = start; i < end; ++i) w->task(w->ctx, (int32_t)i, w->nthr);
}

/* relaxed: claiming needs only that no two members get the same number. */
static int64_t claim(fork_join *pool) {
#ifdef TPI_PLANT_DOUBLE_CLAIM
    int64_t i = atomic_load_explicit(&pool->next, memory_order_relaxed);
    atomic_store_explicit(&pool->next, i + 1, memory_order_relaxed);
    return i;
#else
    return atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
#endif
}

static void run_share(fork_join *pool, const work *w, int32_t index) {
    int64_t i;
    switch (w->together ? BLOCKS : pool->schedule) {
        case BLOCKS:
            run_block(w, index);
            return;
        case CLAIMED_BLOCKS:
            while (!forked_meanwhile(w) && (i = claim(pool)) < w->members) run_block(w, i);
            return;
        case CLAIMED_TASKS:
            while (!forked_meanwhile(w) && (i = w->begin + claim(pool)) < w->end)
                w->task(w->ctx, (int32_t)i, w->nthr);
            return;
    }
}

static bool nothing_left(fork_join *pool, const work *w) {
    if (w->together || pool->schedule == BLOCKS) return false;
    int32_t claims = pool->schedule == CLAIMED_BLOCKS ? w->members : w->end - w->begin;
    return atomic_load_explicit(&pool->next, memory_order_relaxed) >= claims;
}

/* Members of a gang wait for each other: nobody can stand in for one. */
static void signal_child(fork_join *pool, member *child, const work *w) {
    child->work = *w;
    child->posted += STEP;
    tpi_signal(&child->ticket, child->posted + (w->together ? 0 : OPEN), pool->patience.meter);
}

/* Before the child has begun. It sees that there was a region: it may be on the caller's CPU. */
static bool take_back(member *child) {
    uint32_t ticket = child->posted + OPEN, taken = child->posted + TAKEN_BACK;
#ifdef TPI_PLANT_LATE_TAKE_BACK
    if (atomic_load_explicit(&child->ticket, memory_order_relaxed) != ticket) return false;
    atomic_store_explicit(&child->ticket, taken, memory_order_relaxed);
    return true;
#else
    /* relaxed: the child reads nothing but the ticket. */
    return atomic_load_explicit(&child->ticket, memory_order_relaxed) == ticket &&
           atomic_compare_exchange_strong_explicit(&child->ticket, &ticket, taken,
                                                   memory_order_relaxed, memory_order_relaxed);
#endif
}

/* A child's side of that: false if the region is not its own any more. */
static bool begin(member *me, uint32_t ticket) {
    if (ticket & TAKEN_BACK) return false;
    /* relaxed: the ticket was read with acquire, and no two regions have the same. */
    return !(ticket & OPEN) ||
           atomic_compare_exchange_strong_explicit(&me->ticket, &ticket, ticket - OPEN,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static void take_part(fork_join *pool, const work *w, int32_t index);

/* The look at `ticket` comes late since it costs both a cache line. */
static void join_child(fork_join *pool, member *child, const work *w) {
    uint32_t seen = child->joined, now;
    if (!tpi_await_briefly(&child->done, seen, &pool->patience, &now)) {
        if (take_back(child)) {
            take_part(pool, w, child->index);
            return;
        }
        now = tpi_await(&child->done, seen, &pool->patience, w->generation);
        if (forked_meanwhile(w)) return; /* the mailbox is somebody else's */
    }
    child->joined = now;
}

/* A member's part, its children's included. */
static void take_part(fork_join *pool, const work *w, int32_t index) {
    if (nothing_left(pool, w)) return;
    int32_t first = FAN_OUT * index + 1, end = first + FAN_OUT;
    if (end > w->members) end = w->members;
    for (int32_t c = first; c < end; ++c) signal_child(pool, &pool->members[c], w);
    run_share(pool, w, index);
    for (int32_t c = first; c < end && !forked_meanwhile(w); ++c)
        join_child(pool, &pool->members[c], w);
}

/* -- workers ------------------------------------------------------------------------------- */

static void *worker_body(void *arg) {
    member *me = arg;
    fork_join *pool = me->pool;
    uint32_t generation = pool->fork_generation, seen = 0;
    tpi_thread.may_move = pool->ncpus == 0;
    for (;;) {
        uint32_t ticket = tpi_await(&me->ticket, seen, &pool->patience, generation);
        if (ticket == seen) return NULL; /* forked away */
        seen = ticket & ~(uint32_t)OPEN;
        if (!begin(me, ticket)) continue;
        work w = me->work;
        if (!w.task) return NULL; /* told to end */
        take_part(pool, &w, me->index);
        tpi_signal(&me->done, seen, pool->patience.meter);
    }
}

static void stop_workers(fork_join *pool, int32_t count) {
    for (int32_t i = 1; i <= count; ++i) {
        member *m = &pool->members[i];
        m->work.task = NULL;
        tpi_signal(&m->ticket, m->posted + STEP, NULL);
    }
    for (int32_t i = 1; i <= count; ++i) pthread_join(pool->members[i].thread, NULL);
}

static void reset_members(fork_join *pool) {
    for (int32_t i = 0; i < pool->size; ++i) {
        atomic_store_explicit(&pool->members[i].ticket, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->members[i].done, 0, memory_order_relaxed);
        pool->members[i].posted = pool->members[i].joined = 0;
        pool->members[i].pool = pool;
        pool->members[i].index = i;
    }
}

/* All of them or none. Only the owner of the team calls it. */
static int32_t start_workers(fork_join *pool) {
    reset_members(pool);
    pool->fork_generation = tpi_generation();
    for (int32_t i = 1; i < pool->size; ++i) {
        int32_t cpu = pool->ncpus ? pool->cpus[i % pool->ncpus] : -1;
        member *m = &pool->members[i];
        if (tpi_thread_start(&m->thread, worker_body, m, "tpi-fj", i, cpu)) {
            stop_workers(pool, i - 1);
            return TPI_E_NO_THREAD;
        }
    }
    pool->started = 1;
    return TPI_OK;
}

/* -- regions ------------------------------------------------------------------------------- */

/* Run the region on the team, which the caller owns, and give the team back. */
static int32_t run_on_team(fork_join *pool, work *w) {
    int32_t code = pool->started ? TPI_OK : start_workers(pool);
    if (!code) {
        int32_t tasks = w->end - w->begin;
        w->members = tasks < pool->size ? tasks : pool->size;
        atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
        tpi_note_caller(&pool->patience);
        take_part(pool, w, 0);
        if (forked_meanwhile(w)) return TPI_OK; /* the child's first region has freed the team */
    }
    tpi_unlock(&pool->team);
    return code;
}

static int32_t parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    fork_join *pool = self;
    work w = {.task = task, .ctx = ctx, .end = n, .nthr = n, .generation = tpi_generation()};
    while (w.begin < n && !forked_meanwhile(&w)) {
        if (pool->size > 1 && n - w.begin > 1 && tpi_lock_try(&pool->team))
            return run_on_team(pool, &w);
        task(ctx, w.begin++, n);
    }
    return TPI_OK;
}

static work new_gang(int32_t n, tpi_task task, void *ctx) {
    return (work){.task = task, .ctx = ctx, .end = n, .nthr = n, .together = true,
                  .generation = tpi_generation()};
}

static int32_t run_together(void *self, int32_t n, tpi_task task, void *ctx) {
    fork_join *pool = self;
    work w = new_gang(n, task, ctx);
    return tpi_lock_wait(&pool->team) ? run_on_team(pool, &w) : TPI_OK;
}

static int32_t run_together_soon(void *self, int32_t n, tpi_task task, void *ctx) {
    fork_join *pool = self;
    work w = new_gang(n, task, ctx);
    return tpi_lock_wait_for(&pool->team, TPI_SOON_MS) ? run_on_team(pool, &w) : TPI_E_BUSY;
}

/* -- the table ----------------------------------------------------------------------------- */

static int32_t num_threads(void *self) { return ((fork_join *)self)->size; }

static void close_pool(void *self) {
    fork_join *pool = self;
    if (pool->started) stop_workers(pool, pool->size - 1);
    pool->started = 0;
}

static void after_fork(void *self) {
    fork_join *pool = self;
    pool->started = 0;
#ifndef TPI_PLANT_TEAM_KEPT
    atomic_store_explicit(&pool->team, 0, memory_order_relaxed);
#endif
}

static void park(void *self) { tpi_park_now(&((fork_join *)self)->patience); }

static void meters(void *self, tpi_stats *stats) {
    tpi_meter_read(((fork_join *)self)->patience.meter, stats);
}

static void destroy(void *self) {
    fork_join *pool = self;
    free(pool->members);
    free(pool->cpus);
    free(pool);
}

static fork_join *allocate(const tpi_pool_options *options) {
    fork_join *pool = aligned_alloc(alignof(fork_join), sizeof *pool);
    if (!pool) return NULL;
    memset(pool, 0, sizeof *pool);
    int32_t size = pool->size = options->num_threads;
    pool->ncpus = options->cpus ? options->ncpus : 0;
    int failed = 0;
    pool->cpus = tpi_copy_cpus(options->cpus, options->ncpus, &failed);
    pool->members = aligned_alloc(alignof(member), (size_t)size * sizeof *pool->members);
    if (failed || !pool->members) {
        destroy(pool);
        return NULL;
    }
    reset_members(pool);
    tpi_patience_init(&pool->patience, size, options->blocktime_us,
                      options->metered ? &pool->meter : NULL);
    return pool;
}

tpi_pool *tpi_fork_join_new(const tpi_pool_options *options, int32_t dynamic) {
    static const tpi_pool_ops ops = {
        .abi_version = TPI_ABI_VERSION, .struct_size = sizeof ops, .num_threads = num_threads,
        .in_parallel = tpi_ask_the_handle, .parallel_for = parallel_for, .flags = tpi_synchronous,
        .wait = tpi_nothing_to_wait_for, .close = close_pool, .destroy = destroy,
        .run_together = run_together, .park = park, .meters = meters,
        .run_together_soon = run_together_soon,
    };
    int32_t size = options->num_threads;
    if (size < 1 || size > TPI_MAX_THREADS) return NULL;
    fork_join *pool = allocate(options);
    if (!pool) return NULL;
    /* With more threads than CPUs the kernel decides who runs; a fixed block would wait for its
     * thread's turn while another thread has nothing to do: 256^3 GEMM on 8 threads and 2 CPUs took
     * 1.4 times as long as on 2 threads, and takes as long with claimed blocks. */
    bool oversubscribed = size > tpi_machine_threads();
    pool->schedule = dynamic ? CLAIMED_TASKS : oversubscribed ? CLAIMED_BLOCKS : BLOCKS;
    return tpi_native_pool_new(&ops, pool, after_fork);
}
