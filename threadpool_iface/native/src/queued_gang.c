#define _GNU_SOURCE
#include "queued_gang.h"

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct {
    tpi_task task;
    void *ctx;
    int32_t n;
    uint32_t fork_generation;
    _Atomic int32_t next; /* first task without a thread; 0 is the caller's */
    _Atomic int32_t left; /* of the workers' tasks, those that have not ended */
    _Atomic uint32_t over;
} gang;

static gang new_gang(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx) {
    return (gang){.task = task, .ctx = ctx, .n = n, .fork_generation = crew->fork_generation,
                  .next = 1, .left = n - 1};
}

static void join_gang(void *arg) {
    gang *g = arg;
    int32_t ithr = atomic_fetch_add_explicit(&g->next, 1, memory_order_relaxed);
    g->task(g->ctx, ithr, g->n);
    /* acq_rel: the last one releases what all of them wrote. */
    if (atomic_fetch_sub_explicit(&g->left, 1, memory_order_acq_rel) == 1)
        tpi_signal(&g->over, 2, NULL);
}

/* The caller's part: its own task, and then the end of all the others. */
static void lead_gang(gang *g, const tpi_patience *patience) {
    g->task(g->ctx, 0, g->n);
    tpi_await(&g->over, 0, patience, g->fork_generation);
}

/* Every item must get into a queue, or the others would wait for it. */
static void enqueue_all(const tpi_crew *crew, int32_t count, tpi_item item) {
    while (count > 0) {
        count -= crew->enqueue(crew->pool, count, item);
        if (count > 0) sched_yield();
    }
}

/* In a child that a task of the gang forked, the turn is the child's own to take. */
static void give_up_turn(const tpi_crew *crew) {
    if (tpi_generation() == crew->fork_generation) tpi_unlock(crew->turn);
}

int32_t tpi_run_gang(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx) {
    if (!tpi_lock_wait(crew->turn)) return TPI_OK;
    gang g = new_gang(crew, n, task, ctx);
    enqueue_all(crew, n - 1, (tpi_item){join_gang, &g});
    lead_gang(&g, crew->patience);
    give_up_turn(crew);
    return TPI_OK;
}

/* A gang that may be called off: its workers gather first, and start together or not at all. Counted,
 * not on the caller's stack, since a worker may come when nobody waits for it any more. */
typedef struct {
    gang g;
    const tpi_patience *patience;
    _Atomic int32_t arrived;
    _Atomic int32_t references; /* the caller's and one for each item */
    _Atomic uint32_t verdict;   /* signal word: 0 until it is one of these */
} muster;

enum { START = 2, CALLED_OFF = 4 };

static void release_muster(muster *m, int32_t count) {
    /* acq_rel: the one that frees has seen everybody's last access. */
    if (atomic_fetch_sub_explicit(&m->references, count, memory_order_acq_rel) == count) free(m);
}

/* The first verdict holds. */
static bool decide(muster *m, uint32_t verdict) {
    uint32_t old = atomic_load_explicit(&m->verdict, memory_order_relaxed);
    do {
        if (old & ~TPI_ASLEEP) return false;
    } while (!atomic_compare_exchange_weak_explicit(&m->verdict, &old, verdict,
                                                    memory_order_release, memory_order_relaxed));
    if (old & TPI_ASLEEP) tpi_futex_wake(&m->verdict, INT32_MAX);
    return true;
}

/* The last to arrive starts the gang, rather than tell the caller to. */
static void answer_muster(void *arg) {
    muster *m = arg;
    int32_t before = atomic_fetch_add_explicit(&m->arrived, 1, memory_order_relaxed);
    if (before + 1 == m->g.n - 1) decide(m, START);
    if (tpi_await(&m->verdict, 0, m->patience, m->g.fork_generation) == START) join_gang(&m->g);
    release_muster(m, 1);
}

static bool has_started(const muster *m) {
    return (atomic_load_explicit(&m->verdict, memory_order_relaxed) & ~TPI_ASLEEP) == START;
}

static bool starts_in_time(muster *m) {
    for (int i = 4 * m->patience->pauses; i > 0; --i) {
        if (has_started(m)) return true;
        tpi_pause();
    }
    uint64_t end = tpi_now_ns() + TPI_SOON_MS * UINT64_C(1000000);
    while (!has_started(m) && tpi_now_ns() < end) sched_yield();
    return has_started(m);
}

static muster *call_muster(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx) {
    muster *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->g = new_gang(crew, n, task, ctx);
    m->patience = crew->patience;
    atomic_init(&m->references, n);
    return m;
}

static int32_t run_muster(const tpi_crew *crew, muster *m) {
    int32_t count = m->g.n - 1;
    int32_t queued = crew->enqueue(crew->pool, count, (tpi_item){answer_muster, m});
    bool start = (queued == count && starts_in_time(m)) || !decide(m, CALLED_OFF);
    if (start) lead_gang(&m->g, crew->patience);
    release_muster(m, 1 + count - queued);
    return start ? TPI_OK : TPI_E_BUSY;
}

int32_t tpi_run_gang_soon(const tpi_crew *crew, int32_t n, tpi_task task, void *ctx) {
    if (!tpi_lock_wait_for(crew->turn, TPI_SOON_MS)) return TPI_E_BUSY;
    muster *m = call_muster(crew, n, task, ctx);
    int32_t code = m ? run_muster(crew, m) : TPI_E_NO_MEMORY;
    give_up_turn(crew);
    return code;
}
