/* A pool written in Python, as a table of C functions; part of the extension, not of the core.
 *
 * Only running and waiting call Python. The rest is answered here, from values taken when the pool
 * was made: nopython code may ask for sizes without the GIL, and a handle may be released where
 * Python can no longer be called (a thread's last destructors, the end of the interpreter). The
 * Python object is named by a number that is never used again, so a late call finds nothing rather
 * than freed memory. */
#ifndef TPI_PYTHON_POOL_H
#define TPI_PYTHON_POOL_H

#include <Python.h>
#include <stdlib.h>

#include "lease.h"
#include "threadpool_iface.h"

/* Under its name from CPython 3.13 on, and before; the stable ABI of 3.11 declares neither. */
extern int Py_IsFinalizing(void) __attribute__((weak));
extern int _Py_IsFinalizing(void) __attribute__((weak));

typedef struct {
    int64_t key;
    int32_t num_threads;
    uint64_t flags;
} python_pool;

/* Written in Python; the extension's generated code defines them. */
static int32_t tpi_python_parallel_for(int64_t key, int32_t n, tpi_lease *lease);
static void tpi_python_wait(int64_t key);

static int32_t python_pool_num_threads(void *self) { return ((python_pool *)self)->num_threads; }

static uint64_t python_pool_flags(void *self) { return ((python_pool *)self)->flags; }

/* The interpreter is being torn down: threads that wait for it stand still, and Python's pools with them. */
static int interpreter_ends(void) {
    return Py_IsFinalizing ? Py_IsFinalizing() : _Py_IsFinalizing();
}

static int32_t python_pool_parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    if (interpreter_ends()) {
        for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
        return TPI_OK;
    }
    tpi_lease *lease = tpi_lease_new(task, ctx);
    if (!lease) return TPI_E_NO_MEMORY;
    int32_t code = tpi_python_parallel_for(((python_pool *)self)->key, n, lease);
    tpi_lease_end(lease);
    tpi_lease_release(lease);
    return code;
}

static void python_pool_wait(void *self) { tpi_python_wait(((python_pool *)self)->key); }

/* The core knows by itself which pool's task a thread is in. */
static int32_t python_pool_in_parallel(void *self) {
    (void)self;
    return 0;
}

/* The core refuses regions from here on; the threads are the Python object's to end. */
static void python_pool_close(void *self) { (void)self; }

static tpi_pool *python_pool_new(int64_t key, int32_t num_threads, uint64_t flags) {
    static const tpi_pool_ops ops = {
        .abi_version = TPI_ABI_VERSION,
        .struct_size = sizeof ops,
        .num_threads = python_pool_num_threads,
        .in_parallel = python_pool_in_parallel,
        .parallel_for = python_pool_parallel_for,
        .flags = python_pool_flags,
        .wait = python_pool_wait,
        .close = python_pool_close,
        .destroy = free,
    };
    python_pool *self = malloc(sizeof *self);
    if (!self) return NULL;
    *self = (python_pool){.key = key, .num_threads = num_threads, .flags = flags};
    tpi_pool *pool = tpi_pool_new(&ops, self);
    if (!pool) free(self);
    return pool;
}

static void tpi_box_python(tpi_pool **box, int64_t key, int32_t num_threads, uint64_t flags) {
    *box = python_pool_new(key, num_threads, flags);
}

#endif
