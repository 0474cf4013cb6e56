/* pthreadpool's interface over a `tpi_pool *`: XNNPACK and others run on the pool. Link the object of
 * one C or C++ file (gcc or clang) in place of libpthreadpool:
 *
 *     #define TPI_PTHREADPOOL_IMPLEMENTATION
 *     #include <threadpool_iface_pthreadpool.h>
 *
 * Every other file includes this header, or pthreadpool's own. The program first tells where pools come
 * from (`tpi_pthreadpool_install`), or makes handles of the pools that it has (`tpi_pthreadpool_of`).
 *
 * The contract is pthreadpool's: for the 2d_tile_1d form,
 *
 *     for (i = 0; i < range_0; ++i)
 *         for (j = 0; j < range_1; j += tile_0)
 *             function(context, i, j, min(range_1 - j, tile_0));
 *
 * in any order, on the handle's threads. The call returns when every item was processed, exactly once.
 * Calls with one handle take turns. `thread` is below the handle's number of threads, and no two threads
 * have the same one at the same time. With a NULL handle, one thread or one tile the calling thread
 * processes everything at once, as thread 0.
 *
 * What is decided here:
 * - A call from a task of the same handle runs on its thread and has its `thread`. (In pthreadpool it
 *   never returns.)
 * - If the pool refuses a region, because it is closed or cannot start a thread, the calling thread
 *   processes what is left: the interface has no errors.
 * - `uarch` is always the caller's default, as in a pthreadpool built without cpuinfo.
 * - The _dynamic forms join tiles along the last dimension only.
 * - DISABLE_DENORMALS is obeyed on x86 and AArch64, YIELD_WORKERS parks the workers after the call, other
 *   flags are ignored.
 * - Not here: pthreadpool_create_v2, pthreadpool_update_executor (their threads are not a pool's) and the
 *   deprecated pthreadpool_compute_*. */
#ifndef THREADPOOL_IFACE_PTHREADPOOL_H
#define THREADPOOL_IFACE_PTHREADPOOL_H

#include "threadpool_iface.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pthreadpool *pthreadpool_t;

#define PTHREADPOOL_FLAG_DISABLE_DENORMALS 0x00000001
#define PTHREADPOOL_FLAG_YIELD_WORKERS 0x00000002

/* What the adapter calls. `pool_for` is pthreadpool_create's: a reference that becomes the handle's, or
 * NULL; `threads` is 0 for as many as the machine has. The handle has `threads` threads even if the pool
 * is larger; it is to have at least those. */
typedef struct tpi_pthreadpool_core {
    void (*pool_retain)(tpi_pool *);
    void (*pool_release)(tpi_pool *);
    int32_t (*pool_num_threads)(tpi_pool *);
    int32_t (*pool_parallel)(tpi_pool *, int32_t, tpi_task, void *);
    void (*pool_park)(tpi_pool *);
    tpi_pool *(*pool_for)(size_t threads);
} tpi_pthreadpool_core;

/* Of a program that the C core is linked into; elsewhere the functions' addresses are handed over. */
#define TPI_PTHREADPOOL_LINKED_CORE(pool_for)                                                  \
    {tpi_pool_retain, tpi_pool_release, tpi_pool_num_threads, tpi_pool_parallel, tpi_pool_park, pool_for}

/* Before all else, and before other threads use a handle. Copies *core. */
void tpi_pthreadpool_install(const tpi_pthreadpool_core *core);
/* A handle of `pool`, which it retains until pthreadpool_destroy; NULL: no memory. */
pthreadpool_t tpi_pthreadpool_of(tpi_pool *pool);

pthreadpool_t pthreadpool_create(size_t threads_count);
void pthreadpool_destroy(pthreadpool_t threadpool);
size_t pthreadpool_get_threads_count(pthreadpool_t threadpool);
size_t pthreadpool_set_threads_count(pthreadpool_t threadpool, size_t num_threads);
void pthreadpool_release_executor_threads(pthreadpool_t threadpool);

/* The family: FORM(name, dimensions, tiled ones, leading arguments of the task, whether tiles are joined). */
#define TPI_PTP_PLAIN(FORM, n) FORM(n##d, n, 0, plain, 0) FORM(n##d_tile_1d, n, 1, plain, 0)
#define TPI_PTP_PLAIN_2(FORM, n) TPI_PTP_PLAIN(FORM, n) FORM(n##d_tile_2d, n, 2, plain, 0)
#define TPI_PTP_FAMILY(FORM) \
    TPI_PTP_PLAIN(FORM, 1) TPI_PTP_PLAIN_2(FORM, 2) TPI_PTP_PLAIN_2(FORM, 3) \
    TPI_PTP_PLAIN_2(FORM, 4) TPI_PTP_PLAIN_2(FORM, 5) TPI_PTP_PLAIN_2(FORM, 6) \
    FORM(1d_with_thread, 1, 0, thread, 0) FORM(1d_with_uarch, 1, 0, uarch, 0) \
    FORM(1d_tile_1d_dynamic, 1, 1, plain, 1) FORM(1d_tile_1d_dynamic_with_thread, 1, 1, id, 1) \
    FORM(1d_tile_1d_dynamic_with_uarch_with_thread, 1, 1, uarch_thread, 1) \
    FORM(2d_with_thread, 2, 0, thread, 0) FORM(2d_tile_1d_with_uarch, 2, 1, uarch, 0) \
    FORM(2d_tile_1d_with_uarch_with_thread, 2, 1, uarch_thread, 0) FORM(2d_tile_1d_dynamic, 2, 1, plain, 1) \
    FORM(2d_tile_1d_dynamic_with_thread, 2, 1, id, 1) \
    FORM(2d_tile_1d_dynamic_with_uarch_with_thread, 2, 1, uarch_thread, 1) \
    FORM(2d_tile_2d_with_uarch, 2, 2, uarch, 0) FORM(2d_tile_2d_dynamic, 2, 2, plain, 1) \
    FORM(2d_tile_2d_dynamic_with_uarch, 2, 2, uarch, 1) FORM(2d_tile_2d_dynamic_with_thread, 2, 2, id, 1) \
    FORM(3d_tile_1d_with_thread, 3, 1, thread, 0) FORM(3d_tile_1d_with_uarch, 3, 1, uarch, 0) \
    FORM(3d_tile_1d_with_uarch_with_thread, 3, 1, uarch_thread, 0) FORM(3d_tile_1d_dynamic, 3, 1, plain, 1) \
    FORM(3d_tile_1d_dynamic_with_thread, 3, 1, id, 1) \
    FORM(3d_tile_1d_dynamic_with_uarch_with_thread, 3, 1, uarch_thread, 1) \
    FORM(3d_tile_2d_with_uarch, 3, 2, uarch, 0) FORM(3d_tile_2d_dynamic, 3, 2, plain, 1) \
    FORM(3d_tile_2d_dynamic_with_uarch, 3, 2, uarch, 1) FORM(3d_tile_2d_dynamic_with_thread, 3, 2, id, 1) \
    FORM(4d_tile_2d_with_uarch, 4, 2, uarch, 0) FORM(4d_tile_2d_dynamic, 4, 2, plain, 1) \
    FORM(4d_tile_2d_dynamic_with_uarch, 4, 2, uarch, 1)

/* What leads a task's arguments: their types, what is passed, and the parameters for it. A thread is a
 * size_t, but a uint32_t ("id") in the _dynamic_with_thread forms. */
#define TPI_PTP_TYPES_plain
#define TPI_PTP_TYPES_thread size_t,
#define TPI_PTP_TYPES_id uint32_t,
#define TPI_PTP_TYPES_uarch uint32_t,
#define TPI_PTP_TYPES_uarch_thread uint32_t, size_t,
#define TPI_PTP_GIVES_plain
#define TPI_PTP_GIVES_thread w->thread,
#define TPI_PTP_GIVES_id (uint32_t)w->thread,
#define TPI_PTP_GIVES_uarch w->loop->uarch,
#define TPI_PTP_GIVES_uarch_thread w->loop->uarch, w->thread,
#define TPI_PTP_TAKES_plain
#define TPI_PTP_TAKES_thread
#define TPI_PTP_TAKES_id
#define TPI_PTP_TAKES_uarch uint32_t uarch, uint32_t max_uarch,
#define TPI_PTP_TAKES_uarch_thread uint32_t uarch, uint32_t max_uarch,

/* One thing for each dimension, and for each tiled one. */
#define TPI_PTP_EACH_1(one) one(0)
#define TPI_PTP_EACH_2(one) one(0), one(1)
#define TPI_PTP_EACH_3(one) TPI_PTP_EACH_2(one), one(2)
#define TPI_PTP_EACH_4(one) TPI_PTP_EACH_3(one), one(3)
#define TPI_PTP_EACH_5(one) TPI_PTP_EACH_4(one), one(4)
#define TPI_PTP_EACH_6(one) TPI_PTP_EACH_5(one), one(5)
#define TPI_PTP_TILED_0(one)
#define TPI_PTP_TILED_1(one) , one(0)
#define TPI_PTP_TILED_2(one) , one(0), one(1)
#define TPI_PTP_RANGE(d) size_t range_##d
#define TPI_PTP_TILE(d) size_t tile_##d

#define TPI_PTP_TASK(name, dims, tiled, leads)                                                 \
    void (*name)(void *, TPI_PTP_TYPES_##leads TPI_PTP_EACH_##dims(TPI_PTP_RANGE)              \
                     TPI_PTP_TILED_##tiled(TPI_PTP_TILE))
#define TPI_PTP_SIGNATURE(name, dims, tiled, leads)                                            \
    void pthreadpool_parallelize_##name(                                                       \
        pthreadpool_t threadpool, TPI_PTP_TASK(function, dims, tiled, leads), void *context,   \
        TPI_PTP_TAKES_##leads TPI_PTP_EACH_##dims(TPI_PTP_RANGE)                               \
            TPI_PTP_TILED_##tiled(TPI_PTP_TILE), uint32_t flags)
#define TPI_PTP_DECLARE(name, dims, tiled, leads, joins) TPI_PTP_SIGNATURE(name, dims, tiled, leads);
TPI_PTP_FAMILY(TPI_PTP_DECLARE)

#ifdef TPI_PTHREADPOOL_IMPLEMENTATION

#include <pthread.h>
#include <stdlib.h>

/* Denormals off; the answer is what turns them back on. */
static inline uint64_t tpi_ptp_flush(void) {
    uint64_t mode = 0;
#if defined(__SSE__)
    mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr((uint32_t)mode | 0x8040u); /* flush to zero, denormals are zero */
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" ::"r"(mode | UINT64_C(1) << 24)); /* FZ */
#endif
    return mode;
}

static inline void tpi_ptp_unflush(uint64_t mode) {
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((uint32_t)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(mode));
#else
    (void)mode;
#endif
}

/* The tiles that a thread has not begun, [next, end). It takes them from the front, and so does a thread
 * that has run out of its own. A cache line each. */
typedef struct {
    size_t next, end;
    char apart[64 - 2 * sizeof(size_t)];
} tpi_ptp_share;

struct pthreadpool {
    tpi_pool *pool; /* counted */
    size_t most, threads;
    pthread_mutex_t turn;
    tpi_ptp_share *shares; /* of the call whose turn it is */
};

struct tpi_ptp_walk;

typedef struct {
    pthreadpool_t on; /* NULL: on the calling thread alone */
    void (*call)(const struct tpi_ptp_walk *); /* `function`, with the arguments of its form */
    void (*function)(void);
    void *context;
    size_t dims, tiled, range[6], tile[6], tiles[6], total; /* `tiles` per dimension, and in all */
    int joins;
    uint32_t uarch, flags;
} tpi_ptp_loop;

/* Where a thread is in a loop. */
typedef struct tpi_ptp_walk {
    const tpi_ptp_loop *loop;
    size_t thread;
    size_t next, tile[6]; /* the tile to come, as a number and per dimension */
    size_t at[6], size[2]; /* of the call; sizes of the tiled dimensions only */
    struct tpi_ptp_walk *outer;
} tpi_ptp_walk;

static tpi_pthreadpool_core tpi_ptp_core;
static __thread tpi_ptp_walk *tpi_ptp_inside; /* innermost */

/* The first of up to `count` tiles that are left in a share; 0: none is. */
static size_t tpi_ptp_take(tpi_ptp_share *share, int joins, size_t *first) {
    size_t next = __atomic_load_n(&share->next, __ATOMIC_RELAXED), count;
    do {
        if (next >= share->end) return 0;
        /* Half of what is left, so that the last ones are small: a guess. */
        count = joins ? (share->end - next + 1) / 2 : 1;
    } while (!__atomic_compare_exchange_n(&share->next, &next, next + count, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    *first = next;
    return count;
}

static void tpi_ptp_go_to(tpi_ptp_walk *w, size_t tile) {
    w->next = tile;
    for (size_t d = w->loop->dims; d-- > 0; tile /= w->loop->tiles[d])
        w->tile[d] = tile % w->loop->tiles[d];
}

/* `count` tiles further along the last dimension; to the next row at its end. */
static void tpi_ptp_step(tpi_ptp_walk *w, size_t count) {
    w->next += count;
    size_t d = w->loop->dims - 1;
    w->tile[d] += count;
    while (d > 0 && w->tile[d] == w->loop->tiles[d]) {
        w->tile[d] = 0;
        ++w->tile[--d];
    }
}

static void tpi_ptp_process(tpi_ptp_walk *w, size_t first, size_t count) {
    const tpi_ptp_loop *loop = w->loop;
    const size_t last = loop->dims - 1, untiled = loop->dims - loop->tiled;
    if (first != w->next) tpi_ptp_go_to(w, first);
    while (count > 0) {
        size_t row = loop->tiles[last] - w->tile[last];
        size_t joined = !loop->joins ? 1 : count < row ? count : row;
        for (size_t d = 0; d <= last; ++d) {
            w->at[d] = w->tile[d] * loop->tile[d];
            if (d < untiled) continue;
            size_t left = loop->range[d] - w->at[d];
            size_t tile = d == last ? joined * loop->tile[d] : loop->tile[d];
            w->size[d - untiled] = left < tile ? left : tile;
        }
        loop->call(w);
        tpi_ptp_step(w, joined);
        count -= joined;
    }
}

/* One thread's part: its own share, then what is left of those of others. */
static void tpi_ptp_work(const tpi_ptp_loop *loop, size_t thread, size_t threads) {
    tpi_ptp_walk w;
    w.loop = loop;
    w.thread = thread;
    w.next = SIZE_MAX; /* nowhere */
    w.outer = tpi_ptp_inside;
    tpi_ptp_inside = &w;
    const int flush = (loop->flags & PTHREADPOOL_FLAG_DISABLE_DENORMALS) != 0;
    uint64_t mode = flush ? tpi_ptp_flush() : 0;
    if (!loop->on) tpi_ptp_process(&w, 0, loop->total);
    else
        for (size_t k = 0; k < threads; ++k) {
            size_t first, count;
            tpi_ptp_share *share = &loop->on->shares[(thread + k) % threads];
            while ((count = tpi_ptp_take(share, loop->joins, &first)) > 0)
                tpi_ptp_process(&w, first, count);
        }
    if (flush) tpi_ptp_unflush(mode);
    tpi_ptp_inside = w.outer;
}

static int32_t tpi_ptp_task(void *loop, int32_t ithr, int32_t nthr) {
    tpi_ptp_work((const tpi_ptp_loop *)loop, (size_t)ithr, (size_t)nthr);
    return 0;
}

static void tpi_ptp_on_pool(tpi_ptp_loop *loop, pthreadpool_t threadpool) {
    pthread_mutex_lock(&threadpool->turn);
    size_t threads = threadpool->threads < loop->total ? threadpool->threads : loop->total;
    size_t each = loop->total / threads, more = loop->total % threads, begin = 0;
    for (size_t t = 0; t < threads; ++t) {
        threadpool->shares[t].next = begin;
        begin += each + (t < more);
        threadpool->shares[t].end = begin;
    }
    loop->on = threadpool;
    /* Refused or ended early, it has no running task any more, and whole tiles are left. */
    if (tpi_ptp_core.pool_parallel(threadpool->pool, (int32_t)threads, tpi_ptp_task, loop))
        tpi_ptp_work(loop, 0, threads);
    if (loop->flags & PTHREADPOOL_FLAG_YIELD_WORKERS) tpi_ptp_core.pool_park(threadpool->pool);
    pthread_mutex_unlock(&threadpool->turn);
}

static void tpi_ptp_run(pthreadpool_t threadpool, tpi_ptp_loop *loop, const size_t *range,
                        const size_t *tile) {
    loop->on = NULL;
    loop->total = 1;
    for (size_t d = 0; d < loop->dims; ++d) {
        loop->range[d] = range[d];
        loop->tile[d] = d < loop->dims - loop->tiled ? 1 : *tile++;
        loop->tiles[d] = range[d] / loop->tile[d] + (range[d] % loop->tile[d] != 0);
        loop->total *= loop->tiles[d];
    }
    if (loop->total == 0) return;
    const tpi_ptp_walk *own = threadpool ? tpi_ptp_inside : NULL;
    while (own && own->loop->on != threadpool) own = own->outer;
    if (!threadpool || own || threadpool->threads == 1 || loop->total == 1)
        tpi_ptp_work(loop, own ? own->thread : 0, 1);
    else tpi_ptp_on_pool(loop, threadpool);
}

void tpi_pthreadpool_install(const tpi_pthreadpool_core *core) { tpi_ptp_core = *core; }

static pthreadpool_t tpi_ptp_new(tpi_pool *pool, size_t threads) {
    pthreadpool_t threadpool = (pthreadpool_t)malloc(sizeof *threadpool);
    void *shares = NULL;
    if (!threadpool || posix_memalign(&shares, 64, threads * sizeof(tpi_ptp_share))) {
        free(threadpool);
        return NULL;
    }
    threadpool->pool = pool;
    threadpool->most = threadpool->threads = threads;
    threadpool->shares = (tpi_ptp_share *)shares;
    pthread_mutex_init(&threadpool->turn, NULL);
    return threadpool;
}

pthreadpool_t tpi_pthreadpool_of(tpi_pool *pool) {
    pthreadpool_t threadpool = tpi_ptp_new(pool, (size_t)tpi_ptp_core.pool_num_threads(pool));
    if (threadpool) tpi_ptp_core.pool_retain(pool);
    return threadpool;
}

pthreadpool_t pthreadpool_create(size_t threads_count) {
    if (threads_count > TPI_MAX_THREADS) return NULL;
    tpi_pool *pool = tpi_ptp_core.pool_for ? tpi_ptp_core.pool_for(threads_count) : NULL;
    if (!pool) return NULL;
    if (threads_count == 0) threads_count = (size_t)tpi_ptp_core.pool_num_threads(pool);
    pthreadpool_t threadpool = tpi_ptp_new(pool, threads_count);
    if (!threadpool) tpi_ptp_core.pool_release(pool);
    return threadpool;
}

void pthreadpool_destroy(pthreadpool_t threadpool) {
    if (!threadpool) return;
    pthread_mutex_destroy(&threadpool->turn);
    tpi_ptp_core.pool_release(threadpool->pool);
    free(threadpool->shares);
    free(threadpool);
}

size_t pthreadpool_get_threads_count(pthreadpool_t threadpool) {
    return threadpool ? threadpool->threads : 1;
}

size_t pthreadpool_set_threads_count(pthreadpool_t threadpool, size_t num_threads) {
    if (!threadpool) return 1;
    const size_t most = threadpool->most;
    return threadpool->threads = num_threads == 0 || num_threads > most ? most : num_threads;
}

void pthreadpool_release_executor_threads(pthreadpool_t threadpool) { (void)threadpool; }

#define TPI_PTP_SET_plain
#define TPI_PTP_SET_thread
#define TPI_PTP_SET_id
#define TPI_PTP_SET_uarch loop.uarch = uarch, (void)max_uarch;
#define TPI_PTP_SET_uarch_thread TPI_PTP_SET_uarch
#define TPI_PTP_RANGE_NAME(d) range_##d
#define TPI_PTP_TILE_NAME(d) tile_##d
#define TPI_PTP_AT(d) w->at[d]
#define TPI_PTP_SIZE(d) w->size[d]

#define TPI_PTP_DEFINE(name, dims_, tiled_, leads, joins_)                                     \
    static void tpi_ptp_call_##name(const tpi_ptp_walk *w) {                                   \
        ((TPI_PTP_TASK(, dims_, tiled_, leads))w->loop->function)(                             \
            w->loop->context, TPI_PTP_GIVES_##leads TPI_PTP_EACH_##dims_(TPI_PTP_AT)           \
                                  TPI_PTP_TILED_##tiled_(TPI_PTP_SIZE));                       \
    }                                                                                          \
    TPI_PTP_SIGNATURE(name, dims_, tiled_, leads) {                                            \
        const size_t range[] = {TPI_PTP_EACH_##dims_(TPI_PTP_RANGE_NAME)};                     \
        const size_t tile[] = {1 TPI_PTP_TILED_##tiled_(TPI_PTP_TILE_NAME)};                   \
        tpi_ptp_loop loop;                                                                     \
        loop.call = tpi_ptp_call_##name, loop.function = (void (*)(void))function;             \
        loop.context = context, loop.flags = flags;                                            \
        loop.dims = dims_, loop.tiled = tiled_, loop.joins = joins_;                           \
        TPI_PTP_SET_##leads tpi_ptp_run(threadpool, &loop, range, tile + 1);                   \
    }
TPI_PTP_FAMILY(TPI_PTP_DEFINE)

#endif /* TPI_PTHREADPOOL_IMPLEMENTATION */

#ifdef __cplusplus
}
#endif
#endif
