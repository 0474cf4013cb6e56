/* See blas_layer.h; docs/blas.md says why each rule is there.
 *
 * The callback has no argument of its own, so each library gets one of a few functions.
 *
 * A job is run under a number of a thread, which stands for a buffer and a word in OpenBLAS. Its own
 * threads have the lowest numbers. A gang's are the same for every caller, so callers of a library take
 * turns; who waits for his turn may hold a lock of OpenBLAS that another thread's tasks are waiting
 * for, so whoever has the turn never waits for long (run_together_soon). The highest few numbers are for
 * callers that give all but the first job to OpenBLAS's own threads: each takes one for that time. */
#define _GNU_SOURCE
#include "blas_layer.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "blas_limits.h"
#include "handle.h"
#include "thread_state.h"

#define LIBRARIES 8
/* Callers that may use OpenBLAS's own threads at once before one has to wait: a guess. */
#define SPARE_NUMBERS 8

typedef void (*do_job)(int thread, void *job, int data);
typedef void (*threads_callback)(int sync, do_job run, int jobs, size_t job_size, void *job,
                                 int data);

typedef struct {
    void (*set_callback)(threads_callback);
    int (*exec_async)(ptrdiff_t position, void *queue);
    int (*exec_wait)(ptrdiff_t count, void *queue);
    tpi_blas_threads threads;
    int32_t spare; /* how many of the highest numbers are not for gangs */
    _Atomic bool used[SPARE_NUMBERS];
    bool taken;
    pthread_mutex_t turn;
} library;

typedef struct {
    do_job run;
    char *first;
    size_t size;
    int data;
    int32_t number; /* of the first job; the others count down from it */
} call;

static library libraries[LIBRARIES];
static int32_t known;
static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t on_pools, on_own_threads;

static int32_t run_job(void *ctx, int32_t ithr, int32_t nthr) {
    (void)nthr;
    call *c = ctx;
    c->run(c->number - ithr, c->first + (size_t)ithr * c->size, c->data);
    return 0;
}

/* acquire, and release when it is given back: the buffer goes from one caller to the next. */
static int32_t take_spare(library *l) {
    for (int32_t i = 0;; i = i + 1 < l->spare ? i + 1 : 0) {
        if (!atomic_exchange_explicit(&l->used[i], true, memory_order_acquire)) return i;
        if (i + 1 == l->spare) sched_yield();
    }
}

/* What OpenBLAS does without a callback: all but the first job go to its own threads. */
static void run_on_own_threads(library *l, call *c, int jobs) {
    int32_t spare = take_spare(l);
    c->number = l->threads.numbers - 1 - spare;
    if (jobs > 1) l->exec_async(1, c->first + c->size);
    run_job(c, 0, jobs);
    if (jobs > 1) l->exec_wait(jobs - 1, c->first + c->size);
    atomic_store_explicit(&l->used[spare], false, memory_order_release);
}

/* Ctrl-C must not be taken up in here: there is nobody to raise it. */
static int32_t run_gang(library *l, tpi_pool *pool, call *c, int jobs) {
    int32_t (*interrupted)(void) = tpi_thread.interrupted;
    pthread_mutex_lock(&l->turn);
    c->number = l->threads.numbers - 1 - l->spare;
    tpi_thread.interrupted = NULL;
    int32_t code = tpi_pool_run_together_soon(pool, jobs, run_job, c);
    tpi_thread.interrupted = interrupted;
    pthread_mutex_unlock(&l->turn);
    return code;
}

static bool run_on_pool(library *l, call *c, int jobs) {
    tpi_pool *pool = tpi_effective_pool();
    return pool && jobs <= tpi_blas_gang_size(pool) && jobs <= tpi_blas_most(&l->threads) &&
           run_gang(l, pool, c, jobs) == TPI_OK;
}

static void run_call(library *l, do_job run, int jobs, size_t size, void *job, int data) {
    call c = {.run = run, .first = job, .size = size, .data = data};
    if (jobs < 2) {
        run_on_own_threads(l, &c, jobs);
    } else if (run_on_pool(l, &c, jobs)) {
        atomic_fetch_add_explicit(&on_pools, 1, memory_order_relaxed);
    } else {
        if (!tpi_thread.depth) tpi_blas_note_choice();
        run_on_own_threads(l, &c, jobs);
        atomic_fetch_add_explicit(&on_own_threads, 1, memory_order_relaxed);
    }
}

#define CALLBACK(i)                                                                              \
    static void callback_##i(int sync, do_job run, int jobs, size_t size, void *job, int data) { \
        (void)sync;                                                                              \
        run_call(&libraries[i], run, jobs, size, job, data);                                     \
    }
CALLBACK(0) CALLBACK(1) CALLBACK(2) CALLBACK(3) CALLBACK(4) CALLBACK(5) CALLBACK(6) CALLBACK(7)

static const threads_callback callbacks[LIBRARIES] = {
    callback_0, callback_1, callback_2, callback_3, callback_4, callback_5, callback_6, callback_7,
};

/* -- fork ------------------------------------------------------------------------------------ */

/* OpenBLAS frees every thread's buffer before a fork, also those that a running call uses. Its handler
 * runs after ours if ours was registered later, hence once more for every library. */
static _Thread_local bool holds_turn[LIBRARIES];

static void before_fork(void) {
    for (int i = 0; i < known; ++i) {
        if (holds_turn[i]) continue;
        pthread_mutex_lock(&libraries[i].turn);
        holds_turn[i] = true;
    }
}

static void after_fork_in_parent(void) {
    for (int i = 0; i < known; ++i) {
        if (holds_turn[i]) pthread_mutex_unlock(&libraries[i].turn);
        holds_turn[i] = false;
    }
}

static void after_fork_in_child(void) {
    pthread_mutex_init(&installing, NULL);
    for (int i = 0; i < known; ++i) {
        pthread_mutex_init(&libraries[i].turn, NULL);
        holds_turn[i] = false;
        if (libraries[i].taken) libraries[i].set_callback(NULL);
        libraries[i].taken = false;
        for (int s = 0; s < SPARE_NUMBERS; ++s) atomic_init(&libraries[i].used[s], false);
    }
    tpi_blas_forget_limits();
}

/* -- installing ------------------------------------------------------------------------------ */

static library *find_or_add(const tpi_blas_library *given) {
    for (int i = 0; i < known; ++i)
        if ((uintptr_t)libraries[i].set_callback == given->set_callback) return &libraries[i];
    if (known == LIBRARIES ||
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child))
        return NULL;
    library *l = &libraries[known];
    l->set_callback = (void (*)(threads_callback))given->set_callback;
    l->exec_async = (int (*)(ptrdiff_t, void *))given->exec_async;
    l->exec_wait = (int (*)(ptrdiff_t, void *))given->exec_wait;
    l->threads.set = (void (*)(int))given->set_num_threads;
    l->threads.get = (int (*)(void))given->get_num_threads;
    l->threads.own = (int *)given->own_threads;
    l->threads.numbers = given->max_threads;
    int32_t left = given->max_threads - 2 * *l->threads.own + 1;
    l->spare = left < 1 ? 1 : left < SPARE_NUMBERS ? left : SPARE_NUMBERS;
    l->threads.for_gangs = given->max_threads - l->spare;
    pthread_mutex_init(&l->turn, NULL);
    ++known;
    return l;
}

int32_t tpi_blas_install(const tpi_blas_library *given) {
    pthread_mutex_lock(&installing);
    library *l = find_or_add(given);
    if (l && !l->taken) {
        l->taken = true;
        l->set_callback(callbacks[l - libraries]);
        tpi_blas_limit_library(&l->threads);
        tpi_blas_note_choice();
    }
    pthread_mutex_unlock(&installing);
    return l ? TPI_OK : TPI_E_UNSUPPORTED;
}

void tpi_blas_uninstall(void) {
    pthread_mutex_lock(&installing);
    for (int i = 0; i < known; ++i) {
        if (!libraries[i].taken) continue;
        libraries[i].taken = false;
        libraries[i].set_callback(NULL);
    }
    tpi_blas_lift_limits();
    pthread_mutex_unlock(&installing);
}

int32_t tpi_blas_installed(uintptr_t set_callback) {
    bool taken = false;
    pthread_mutex_lock(&installing);
    for (int i = 0; i < known; ++i)
        if (!set_callback || (uintptr_t)libraries[i].set_callback == set_callback)
            taken |= libraries[i].taken;
    pthread_mutex_unlock(&installing);
    return taken;
}

void tpi_blas_count(tpi_blas_counts *counts) {
    counts->on_pools = atomic_load_explicit(&on_pools, memory_order_relaxed);
    counts->on_own_threads = atomic_load_explicit(&on_own_threads, memory_order_relaxed);
}
