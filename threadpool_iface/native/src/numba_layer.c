/* numba's parallel loops on the calling thread's pool.
 *
 * A loop comes as `dims[0]` rows of work: pieces of the iteration space for prange, elements for the
 * ufunc targets. A region of at most `num_threads` tasks takes them up in blocks. Its tasks never
 * wait for each other, so they need not overlap, and a task's number is its thread id: unique in
 * the region and below `num_threads`, which is what reduction arrays are indexed by.
 *
 * numba's generated code has no way to stop: what follows the loop runs whatever happened. So a loop
 * whose region failed is completed by its caller, and only then reported; memory is never left
 * half written for code that takes indices from it. */
#define _GNU_SOURCE
#include "numba_layer.h"

#include <alloca.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "small_loops.h"
#include "thread_state.h"
#include "threadpool_iface.h"
#include "ticks.h"
#include "waiting.h"

typedef void (*kernel)(char **args, size_t *dims, size_t *steps, void *data);

typedef struct {
    kernel fn;
    char **args;
    size_t *dims, *steps;
    void *data;
    size_t inner_ndim, array_count;
    double iterations;      /* rows, or what prange cut into them */
    int32_t tasks;          /* of the region */
    bool small;             /* only one task takes part, as long as that is worth it */
    _Atomic size_t next;    /* rows before it are taken */
    _Atomic uint8_t *taken; /* even shares: which ones; NULL where rows are taken up one by one */
    _Atomic(void *) exception; /* the first that a body raised */
} loop;

/* What numba's functions answer depends on what the thread is in. */
static _Thread_local struct {
    int32_t mask;   /* set_num_threads; 0: never called. Counts until numba's own layer has one */
    int32_t team;   /* tasks of the loop this thread is in a task of; 0 outside */
    int32_t id;     /* of that task */
    bool in_own;    /* in a loop that runs on numba's own layer */
    bool raised;    /* a body has left an exception on this thread */
    size_t iterations; /* of the prange that is about to come as a loop; 0: none is */
} self __attribute__((tls_model("initial-exec")));

static tpi_numba_own own;
static tpi_numba_python python;
static _Atomic int32_t on_pools, shares_evenly;
static _Atomic bool own_launched;
static pthread_mutex_t own_mutex = PTHREAD_MUTEX_INITIALIZER;

static void in_forked_child(void) {
    pthread_mutex_init(&own_mutex, NULL);
    self.team = self.id = 0; /* whose task forked is in no loop of the child's */
    self.in_own = self.raised = false;
}

__attribute__((constructor)) static void prepare(void) {
    pthread_atfork(NULL, NULL, in_forked_child);
}

void tpi_numba_set_own(const tpi_numba_own *layer, const tpi_numba_python *calls) {
    own = *layer;
    python = *calls;
    atomic_store_explicit(&own_launched, layer->launched, memory_order_release);
}

void tpi_numba_enable(int32_t enabled) { atomic_store(&on_pools, enabled); }

void tpi_numba_set_static(int32_t is_static) { atomic_store(&shares_evenly, is_static); }

/* numba launches layers eagerly; its own is launched when the first loop needs it, if ever. */
void tpi_numba_launch_threads(int count) { (void)count; }

void tpi_numba_launch_own(void) {
    if (atomic_load_explicit(&own_launched, memory_order_acquire)) return;
    pthread_mutex_lock(&own_mutex);
    if (!atomic_load_explicit(&own_launched, memory_order_relaxed)) {
        own.launch_threads(own.max_threads);
        atomic_store_explicit(&own_launched, true, memory_order_release);
    }
    pthread_mutex_unlock(&own_mutex);
}

/* -- the number of threads -------------------------------------------------------------------- */

static int32_t mask(void) {
    if (atomic_load_explicit(&own_launched, memory_order_acquire)) return own.get_num_threads();
    return self.mask ? self.mask : own.max_threads;
}

/* Functions linked before we came ask numba's own layer, and so does its own code. */
static void set_mask(int32_t count) {
    self.mask = count;
    own.set_num_threads(count);
}

void tpi_numba_set_num_threads(intptr_t count) { set_mask((int32_t)count); }

static bool sequential(void) {
    return tpi_in_parallel() || tpi_active_state() == TPI_SEQUENTIAL;
}

/* Generated code asks several times in one function, first for the size of reduction arrays, and
 * counts on the same answer each time. So the default pool's size is left out of it: another thread
 * may replace that pool in between. */
intptr_t tpi_numba_get_num_threads(void) {
    int32_t allowed = mask();
    if (self.team || !atomic_load_explicit(&on_pools, memory_order_relaxed)) return allowed;
    if (sequential()) return 1;
    if (tpi_active_state() != TPI_POOL) return allowed;
    int32_t size = tpi_max_threads();
    return size < allowed ? size : allowed;
}

intptr_t tpi_numba_get_thread_id(void) {
    if (self.team) return self.id;
    return tpi_in_parallel() ? 0 : own.get_thread_id();
}

/* -- how a loop is cut ------------------------------------------------------------------------- */

/* Pieces of a prange for each thread. The last piece of a triangular loop then costs a quarter of a
 * thread's share; on 2 threads a loop of 5 ms took 3.78 ms with 4 and 3.54 ms with 8 (5.00 ms when
 * shared out evenly). A piece more costs about 20 ns, and there are no more than iterations. */
enum { PIECES_PER_THREAD = 8 };

static size_t iterations(size_t ndim, const intptr_t *starts, const intptr_t *ends) {
    size_t total = 1;
    for (size_t i = 0; i < ndim; ++i) {
        if (ends[i] < starts[i]) return 0;
        size_t extent = (size_t)(ends[i] - starts[i]) + 1;
        if (__builtin_mul_overflow(total, extent, &total)) return SIZE_MAX;
    }
    return total;
}

size_t tpi_numba_get_sched_size(size_t num_threads, size_t ndim, intptr_t *starts, intptr_t *ends) {
    self.iterations = 0;
    if (own.get_parallel_chunksize() || num_threads == 1 || atomic_load(&shares_evenly) ||
        !atomic_load(&on_pools) || !tpi_active_pool())
        return own.get_sched_size(num_threads, ndim, starts, ends);
    self.iterations = iterations(ndim, starts, ends);
    size_t pieces = num_threads * PIECES_PER_THREAD;
    if (self.iterations < pieces) pieces = self.iterations;
    return pieces > num_threads ? pieces : num_threads;
}

/* Half of what would be left for each thread (guided self-scheduling, Polychronopoulos and Kuck 1987,
 * with half its blocks' size): few blocks of many elements, and single rows at the end. */
static size_t block_of(size_t left, size_t threads) {
    if (threads == 1) return left;
    size_t block = left / (threads * 2);
    return block ? block : 1;
}

static size_t take_block(loop *l, size_t threads, size_t *begin) {
    size_t all = l->dims[0], next = atomic_load_explicit(&l->next, memory_order_relaxed);
    while (next < all) {
        size_t block = block_of(all - next, threads);
        if (atomic_compare_exchange_weak_explicit(&l->next, &next, next + block,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *begin = next;
            return block;
        }
    }
    return 0;
}

static size_t take_share(loop *l, int32_t ithr, size_t *begin) {
    if (atomic_exchange_explicit(&l->taken[ithr], 1, memory_order_relaxed)) return 0;
    size_t tasks = (size_t)l->tasks, i = (size_t)ithr;
    size_t each = l->dims[0] / tasks, rest = l->dims[0] % tasks;
    *begin = i * each + (i < rest ? i : rest);
    return each + (i < rest);
}

/* -- running it -------------------------------------------------------------------------------- */

static void run_rows(const loop *l, size_t begin, size_t count, char **args, size_t *dims) {
    for (size_t i = 0; i < l->array_count; ++i) args[i] = l->args[i] + l->steps[i] * begin;
    memcpy(dims, l->dims, (l->inner_ndim + 1) * sizeof *dims);
    dims[0] = count;
    l->fn(args, dims, l->steps, l->data);
}

int32_t tpi_numba_raising(void) {
    if (!self.team || self.raised) return 0;
    self.raised = true;
    return 1;
}

/* A worker's exception would be gone with its task; that of a loop in a loop is the outer one's. */
static void take_exception(loop *l) {
    self.raised = false;
    void *exception = python.take_exception(), *none = NULL;
    if (exception && !atomic_compare_exchange_strong(&l->exception, &none, exception))
        python.discard(exception);
}

static void learn_cost(const loop *l, size_t rows, uint64_t since) {
    double items = l->iterations * (double)rows / (double)l->dims[0];
    tpi_learn_cost((const void *)l->fn, items, tpi_ticks() - since);
}

static void run_small(loop *l, char **args, size_t *dims) {
    size_t all = l->dims[0], done = (size_t)tpi_small_start((int64_t)all);
    uint64_t start = tpi_ticks();
    run_rows(l, 0, done, args, dims);
    if (done < all && tpi_stays_small((int64_t)all, (int64_t)done, tpi_ticks() - start)) {
        run_rows(l, done, all - done, args, dims);
        done = all;
    }
    learn_cost(l, done, start);
    atomic_store_explicit(&l->next, done, memory_order_relaxed);
}

static void run_blocks(loop *l, char **args, size_t *dims) {
    size_t begin, count, threads = (size_t)l->tasks;
    uint32_t generation = tpi_generation();
    uint64_t start = tpi_ticks();
    for (bool first = true; (count = take_block(l, threads, &begin)); first = false) {
        run_rows(l, begin, count, args, dims);
        if (tpi_generation() != generation) return; /* forked: the loop is the parent's */
        if (first) learn_cost(l, count, start);
    }
}

static int32_t run_task(void *ctx, int32_t ithr, int32_t nthr) {
    (void)nthr;
    loop *l = ctx;
    char **args = alloca(l->array_count * sizeof *args);
    size_t *dims = alloca((l->inner_ndim + 1) * sizeof *dims);
    int32_t outer_team = self.team, outer_id = self.id, outer_mask = mask();
    self.team = l->tasks;
    self.id = ithr;
    set_mask(l->tasks);
    size_t begin, count;
    if (!l->taken)
        l->small ? run_small(l, args, dims) : run_blocks(l, args, dims);
    else if ((count = take_share(l, ithr, &begin)))
        run_rows(l, begin, count, args, dims);
    set_mask(outer_mask);
    self.id = outer_id;
    self.team = outer_team;
    if (self.raised && !outer_team) take_exception(l);
    return 0;
}

static int32_t run_regions(loop *l, tpi_pool *pool) {
    int32_t code = TPI_OK;
    l->small = l->tasks > 1 && !l->taken && tpi_is_small((const void *)l->fn, l->iterations);
    if (l->small) code = tpi_pool_parallel(pool, 1, run_task, l);
    l->small = false;
    if (!code && atomic_load_explicit(&l->next, memory_order_relaxed) < l->dims[0])
        code = tpi_pool_parallel(pool, l->tasks, run_task, l);
    if (code) tpi_pool_parallel(NULL, l->tasks, run_task, l);
    return code;
}

static void run_on_pool(loop *l, tpi_pool *pool, size_t num_threads) {
    size_t n = l->dims[0] < num_threads ? l->dims[0] : num_threads;
    size_t size = pool ? (size_t)tpi_pool_num_threads(pool) : 1;
    if (n > size) n = size;
    l->tasks = (int32_t)n;
    if (atomic_load_explicit(&shares_evenly, memory_order_relaxed)) {
        l->taken = alloca(n);
        memset((void *)l->taken, 0, n);
    }
    /* Ctrl-C would end the region early, and the loop must be completed anyway. */
    int32_t (*interrupted)(void) = tpi_thread.interrupted;
    tpi_thread.interrupted = NULL;
    int32_t code = run_regions(l, pool);
    tpi_thread.interrupted = interrupted;
    void *exception = atomic_load(&l->exception);
    if (exception)
        python.raise(exception);
    else if (code)
        python.failed(code);
}

/* -- numba's own layer ------------------------------------------------------------------------- */

static void run_rows_of_own(char **args, size_t *dims, size_t *steps, void *ctx) {
    const loop *l = ctx;
    bool outer = self.in_own;
    self.in_own = true;
    l->fn(args, dims, steps, l->data);
    self.in_own = outer;
}

static void run_on_own(loop *l, int32_t num_threads) {
    tpi_numba_launch_own();
    if (own.one_at_a_time && self.in_own) {
        l->fn(l->args, l->dims, l->steps, l->data);
        return;
    }
    if (own.one_at_a_time) pthread_mutex_lock(&own_mutex);
    own.parallel_for((void *)run_rows_of_own, l->args, l->dims, l->steps, l, l->inner_ndim,
                     l->array_count, num_threads);
    if (own.one_at_a_time) pthread_mutex_unlock(&own_mutex);
}

void tpi_numba_parallel_for(void *fn, char **args, size_t *dims, size_t *steps, void *data,
                            size_t inner_ndim, size_t array_count, intptr_t num_threads) {
    size_t iterations = self.iterations;
    self.iterations = 0;
    if (dims[0] == 0) return;
    loop l = {.fn = (kernel)fn, .args = args, .dims = dims, .steps = steps, .data = data,
              .inner_ndim = inner_ndim, .array_count = array_count,
              .iterations = (double)(iterations ? iterations : dims[0])};
    tpi_pool *pool = tpi_active_pool();
    if (!atomic_load_explicit(&on_pools, memory_order_relaxed) || (!pool && !sequential()))
        run_on_own(&l, (int32_t)num_threads);
    else
        run_on_pool(&l, pool, (size_t)num_threads);
}
