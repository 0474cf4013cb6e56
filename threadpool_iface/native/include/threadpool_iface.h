/* threadpool_iface: the C side of the contract.
 *
 * A region is `for (ithr = 0; ithr < nthr; ++ithr) task(ctx, ithr, nthr)` run by the threads of a
 * pool. Every task runs at most once, and exactly once if none fails. The first non-zero value a
 * task returns wins: no further task starts, and the region returns that value once every running
 * task has ended. The active pool is null inside a region, so a nested region runs inline, one
 * task after the other, with its own nthr.
 *
 * Everything here may be called from any thread, with or without Python's GIL; a caller that holds
 * the GIL must release it first if a task may need it.
 */
#ifndef THREADPOOL_IFACE_H
#define THREADPOOL_IFACE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TPI_ABI_VERSION 1
#define TPI_MAX_THREADS 4096

/* How long run_together_soon waits for threads. A guess: longer than most regions, shorter than the
 * 25 ms for which OpenBLAS's own threads, the alternative, would go on spinning. */
#define TPI_SOON_MS 20

/* Name of the PyCapsule in which one extension module hands a `tpi_pool *` to another. */
#define TPI_CAPSULE_NAME "threadpool_iface.tpi_pool"

/* Flags of a pool. */
#define TPI_ASYNCHRONOUS UINT64_C(1) /* parallel_for may return before its tasks have ended */

/* Negative results are the library's own; positive ones are a task's or an errno's (see each). */
enum {
    TPI_OK = 0,
    TPI_E_CLOSED = -1,     /* the pool was closed */
    TPI_E_NO_THREAD = -2,  /* the system refused to start a worker; the pool is unchanged */
    TPI_E_NO_MEMORY = -3,
    TPI_E_INVALID = -4,    /* an argument outside its domain */
    TPI_E_IN_REGION = -5,  /* not allowed inside a region */
    TPI_E_INCOMPLETE = -6, /* a foreign pool returned without running every task exactly once */
    TPI_E_PYTHON = -7,     /* a Python exception is pending in the calling thread's slot */
    TPI_E_FORKED = -8,     /* this process was forked inside the region: its other tasks are gone */
    TPI_E_UNSUPPORTED = -9,   /* this pool cannot do that */
    TPI_E_BROKEN = -10,       /* a task of the gang failed, or ended without coming to the barrier */
    TPI_E_NOT_AFTER_FORK = -11, /* the runtime under this pool does not survive a fork */
    TPI_E_BUSY = -12,         /* the pool's threads did not get free in time; nothing was started */
    TPI_E_OWN_TASK = -13      /* a task would wait for its own region, for ever */
};

/* One piece of a region. Returns 0, or a code that ends the region. */
typedef int32_t (*tpi_task)(void *ctx, int32_t ithr, int32_t nthr);

struct tpi_stats;

/* What a pool must provide. `struct_size` is sizeof(tpi_pool_ops) of the header the pool was built
 * with, so that later versions can grow the table. `self` is the pool's own data.
 *
 * parallel_for runs task(ctx, i, n) for every i in [0, n) and returns 0 or a TPI_E_ code. The
 * library passes a task that never fails, counts and skips; a pool need not look at its result.
 *
 * num_threads is asked once, by tpi_pool_new, and must be in [1, TPI_MAX_THREADS].
 */
typedef struct tpi_pool_ops {
    uint32_t abi_version;
    uint32_t struct_size;
    int32_t (*num_threads)(void *self);
    int32_t (*in_parallel)(void *self); /* non-zero if called from one of this pool's tasks */
    int32_t (*parallel_for)(void *self, int32_t n, tpi_task task, void *ctx);
    uint64_t (*flags)(void *self);
    void (*wait)(void *self); /* until every region started by this caller has ended */
    void (*close)(void *self);   /* stop the workers; running regions end first; idempotent */
    void (*destroy)(void *self); /* free self; called once, after close, with no user left */

    /* Optional from here on: NULL, or beyond `struct_size`. */

    /* The same as parallel_for for n <= num_threads, with all n tasks running at the same time, each
     * on a thread of its own; waits for its threads. TPI_E_UNSUPPORTED, having started none, if
     * it cannot. */
    int32_t (*run_together)(void *self, int32_t n, tpi_task task, void *ctx);
    /* Have the pool's workers call run(arg) `count` times, soon, and return at once. The answer is
     * how many calls were accepted; the library makes up for the others. */
    int32_t (*schedule)(void *self, int32_t count, void (*run)(void *arg), void *arg);
    void (*park)(void *self); /* idle workers sleep at once */
    void (*meters)(void *self, struct tpi_stats *stats); /* fill in what this pool counts itself */
    /* The same as run_together, but TPI_E_BUSY, having started none, if its threads do not get free
     * within TPI_SOON_MS. */
    int32_t (*run_together_soon)(void *self, int32_t n, tpi_task task, void *ctx);
} tpi_pool_ops;

/* Tables of this size and more are accepted. */
#define TPI_POOL_OPS_LEAST offsetof(tpi_pool_ops, run_together)

/* Since the pool was made. The first two are always counted, the others if `detailed` is set. */
typedef struct tpi_stats {
    uint64_t regions; /* submitted to the pool; nested ones run inline and are not */
    uint64_t tasks;   /* of those regions, skipped ones included */
    uint64_t steals;  /* items taken from another worker's queue */
    uint64_t parks;   /* times a thread went to sleep */
    uint64_t wakes;   /* times a thread was woken */
    uint64_t idle_ns; /* time all threads together waited for longer than about a microsecond */
    int32_t detailed;
} tpi_stats;

/* A counted handle of a pool. Closing ends its threads; the handle lives until the last release. */
typedef struct tpi_pool tpi_pool;

/* A handle with one reference. NULL: no memory; a table of another ABI version, one that is too small or
 * ends inside a pointer, or one without a required function; a number of threads outside its range. */
tpi_pool *tpi_pool_new(const tpi_pool_ops *ops, void *self);
void tpi_pool_retain(tpi_pool *pool);
void tpi_pool_release(tpi_pool *pool); /* NULL: nothing to do */
/* Refuse new regions, wait for running ones and end the threads; a second call waits for the first.
 * 0; TPI_E_INVALID for NULL; TPI_E_IN_REGION, with nothing closed, from one of the pool's own tasks and
 * from a region on it that runs inside another one. */
int32_t tpi_pool_close(tpi_pool *pool);
int32_t tpi_pool_is_closed(tpi_pool *pool);
int32_t tpi_pool_in_use(tpi_pool *pool); /* whether a region is running on it */
int32_t tpi_pool_num_threads(tpi_pool *pool);
int32_t tpi_pool_in_parallel(tpi_pool *pool);
uint64_t tpi_pool_flags(tpi_pool *pool);
int32_t tpi_pool_wait(tpi_pool *pool); /* 0 or TPI_E_CLOSED */

/* Run a region on a given pool; NULL runs it inline. */
int32_t tpi_pool_parallel(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx);

/* Run a region on the calling thread's effective pool; nthr = 0 means tpi_max_threads(). */
int32_t tpi_parallel(int32_t nthr, tpi_task task, void *ctx);

/* Run a gang: a region whose n tasks (at most num_threads; 0 means that many) run at the same time,
 * so that they may wait for each other. Waits for threads that other regions hold. Every task
 * starts, whatever becomes of the others. TPI_E_IN_REGION inside a region, TPI_E_UNSUPPORTED on a
 * pool that cannot promise it. */
int32_t tpi_pool_run_together(tpi_pool *pool, int32_t n, tpi_task task, void *ctx);

/* The same for a caller that holds what the pool's threads may be waiting for, a lock of its own say,
 * and so must not wait for them: TPI_E_BUSY, with no task started, if they do not get free within
 * TPI_SOON_MS. TPI_E_UNSUPPORTED on a pool that only knows how to wait. */
int32_t tpi_pool_run_together_soon(tpi_pool *pool, int32_t n, tpi_task task, void *ctx);

/* Called by every task of the innermost gang: returns when all of them have. TPI_E_BROKEN, now and
 * from then on, once one of them has failed or has ended while others wait here; TPI_E_INVALID
 * outside a gang. */
int32_t tpi_barrier(void);

/* An asynchronous region: it runs while its caller goes on. */
typedef struct tpi_latch tpi_latch;

/* Start a region of n >= 1 tasks and return; also from inside a task. On a pool without `schedule`
 * or without workers the region has ended by then. On success *latch is the caller's reference. ctx
 * must live until the region has ended, the pool until every latch has; closing it waits. */
int32_t tpi_pool_submit(tpi_pool *pool, int32_t n, tpi_task task, void *ctx, tpi_latch **latch);
/* Runs those of its tasks that have not started; the region's code. TPI_E_OWN_TASK inside one of them. */
int32_t tpi_latch_wait(tpi_latch *latch);
int32_t tpi_latch_ended(tpi_latch *latch);
void tpi_latch_release(tpi_latch *latch); /* does not wait; one of its tasks may call it, too */

/* Items of a block worth scheduling, for a loop of n whose items take `cycles` each. */
int64_t tpi_block_size(int64_t n, double cycles, int32_t num_threads);

void tpi_pool_park(tpi_pool *pool); /* idle workers sleep now rather than after the blocktime */
void tpi_pool_stats(tpi_pool *pool, tpi_stats *stats);

/* The calling thread's pool state: unset (the default pool, if any), sequential, or a pool. */
enum { TPI_UNSET = 0, TPI_SEQUENTIAL = 1, TPI_POOL = 2 };
int32_t tpi_set_active(int32_t state, tpi_pool *pool); /* 0 or TPI_E_IN_REGION; retains pool */
int32_t tpi_active_state(void);
tpi_pool *tpi_active_pool(void);  /* borrowed; NULL inside a region or when there is none */
void tpi_set_default(tpi_pool *pool); /* retains; NULL clears it */
tpi_pool *tpi_default_pool(void);     /* borrowed; NULL: there is none. For comparing: another thread may
                                         replace it */
int32_t tpi_in_parallel(void);

/* Have the calling thread ask `interrupted` about every 50 ms while it is in a region that it
 * started: between its own tasks, and while it waits for those of others. A non-zero answer ends the
 * region as a failing task does. NULL: do not ask. */
void tpi_set_interrupt_check(int32_t (*interrupted)(void));
int32_t tpi_max_threads(void);    /* size of the effective pool, else the machine's */
void tpi_set_machine_threads(int32_t n);

/* The most threads that a region started from now on may use, on whichever pool, for the whole process;
 * 0: as many as the pool has. It keeps its tasks. Gangs and asynchronous regions are not limited. Visible
 * outside this library, so that threadpoolctl knows it by them. TPI_E_INVALID for a negative number, which
 * changes nothing. */
int32_t tpi_set_thread_limit(int32_t most);
int32_t tpi_thread_limit(void);

/* The process is about to end: from now on closing neither waits for regions nor joins threads, whose
 * tasks may never end because they need an interpreter that is gone. */
void tpi_abandon_threads(void);

#ifdef __cplusplus
}
#endif
#endif
