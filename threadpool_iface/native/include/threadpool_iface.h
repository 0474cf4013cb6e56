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

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TPI_ABI_VERSION 1
#define TPI_MAX_THREADS 4096

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
    TPI_E_FORKED = -8      /* this process was forked inside the region: its other tasks are gone */
};

/* One piece of a region. Returns 0, or a code that ends the region. */
typedef int32_t (*tpi_task)(void *ctx, int32_t ithr, int32_t nthr);

/* What a pool must provide. `struct_size` is sizeof(tpi_pool_ops) of the header the pool was built
 * with, so that later versions can grow the table. `self` is the pool's own data.
 *
 * parallel_for runs task(ctx, i, n) for every i in [0, n) and returns 0 or a TPI_E_ code. The
 * library passes a task that never fails, counts and skips; a pool need not look at its result.
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
} tpi_pool_ops;

/* A counted handle of a pool. Closing ends its threads; the handle lives until the last release. */
typedef struct tpi_pool tpi_pool;

tpi_pool *tpi_pool_new(const tpi_pool_ops *ops, void *self); /* one reference; NULL: no memory/ABI */
void tpi_pool_retain(tpi_pool *pool);
void tpi_pool_release(tpi_pool *pool);
/* 0, or TPI_E_IN_REGION when called from one of the pool's own tasks: nothing is closed then. */
int32_t tpi_pool_close(tpi_pool *pool);
int32_t tpi_pool_is_closed(tpi_pool *pool);
int32_t tpi_pool_num_threads(tpi_pool *pool);
int32_t tpi_pool_in_parallel(tpi_pool *pool);
uint64_t tpi_pool_flags(tpi_pool *pool);
int32_t tpi_pool_wait(tpi_pool *pool); /* 0 or TPI_E_CLOSED */

/* Run a region on a given pool; NULL runs it inline. */
int32_t tpi_pool_parallel(tpi_pool *pool, int32_t nthr, tpi_task task, void *ctx);

/* Run a region on the calling thread's effective pool; nthr = 0 means tpi_max_threads(). */
int32_t tpi_parallel(int32_t nthr, tpi_task task, void *ctx);

/* The calling thread's pool state: unset (the default pool, if any), sequential, or a pool. */
enum { TPI_UNSET = 0, TPI_SEQUENTIAL = 1, TPI_POOL = 2 };
int32_t tpi_set_active(int32_t state, tpi_pool *pool); /* 0 or TPI_E_IN_REGION; retains pool */
int32_t tpi_active_state(void);
tpi_pool *tpi_active_pool(void);  /* borrowed; NULL inside a region or when there is none */
void tpi_set_default(tpi_pool *pool); /* retains; NULL clears it */
int32_t tpi_in_parallel(void);

/* Have the calling thread ask `interrupted` about every 50 ms while it is in a region that it
 * started: between its own tasks, and while it waits for those of others. A non-zero answer ends the
 * region as a failing task does. NULL: do not ask. */
void tpi_set_interrupt_check(int32_t (*interrupted)(void));
int32_t tpi_max_threads(void);    /* size of the effective pool, else the machine's */
void tpi_set_machine_threads(int32_t n);

#ifdef __cplusplus
}
#endif
#endif
