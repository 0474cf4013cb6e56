#define _GNU_SOURCE
#include "blas_limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "blas_layer.h"
#include "handle.h"
#include "thread_state.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static tpi_blas_threads *limited;      /* libraries */
static tpi_blas_threads *to_restore;   /* in a forked child: those that the parent had limited */
static _Atomic bool any;               /* whether `limited` is not empty */
static int32_t threads_with[TPI_MAX_THREADS + 1]; /* how many threads can do so much */
static int32_t held[TPI_MAX_THREADS + 1]; /* how often so much was asked for */
static int32_t default_size;           /* of the default pool; 0: there is none */
static _Thread_local int32_t mine;     /* what this thread was counted as; 0: not at all */
static _Thread_local uint32_t counted_in; /* in which round of limits that was */
static uint32_t round_of_limits = 1;

int32_t tpi_blas_gang_size(tpi_pool *pool) {
    return pool->native && pool->ops.run_together_soon ? tpi_pool_num_threads(pool) : 1;
}

int32_t tpi_blas_most(const tpi_blas_threads *l) {
    int32_t most = l->for_gangs - (*l->own - 1);
    return most < 1 ? 1 : most;
}

static int32_t size_of_choice(void) {
    if (tpi_thread.state == TPI_UNSET) return 0;
    return tpi_thread.state == TPI_SEQUENTIAL ? 1 : tpi_blas_gang_size(tpi_thread.pool);
}

static bool is_limit(int32_t size) {
    return threads_with[size] || held[size] || size == default_size;
}

/* Whoever limits BLAS for a while puts back what he found, which was ours and not the library's own. */
static void note_outside_change(tpi_blas_threads *l, int32_t now) {
    if (now == l->found) {
        l->theirs = l->theirs_then;
        l->found = 0;
        return;
    }
    if (l->applied < l->theirs) {
        l->found = l->applied;
        l->theirs_then = l->theirs;
    }
    l->theirs = now;
}

static void apply(tpi_blas_threads *l) {
    int32_t now = l->get(), wanted = 1;
    if (now != l->applied) note_outside_change(l, now);
    int32_t most = tpi_blas_most(l);
    if (l->theirs < most) most = l->theirs;
    while (wanted < most && !is_limit(wanted)) ++wanted;
    if (wanted != now) l->set(wanted);
    l->applied = wanted;
}

static void apply_to_all(void) {
    for (tpi_blas_threads *l = limited; l; l = l->next) apply(l);
}

void tpi_blas_limit_library(tpi_blas_threads *l) {
    pthread_mutex_lock(&mutex);
    l->theirs = l->applied = l->get();
    l->found = 0;
    l->next = limited;
    limited = l;
    atomic_store_explicit(&any, true, memory_order_relaxed);
    apply_to_all();
    pthread_mutex_unlock(&mutex);
}

static void forget_threads(void) {
    for (int32_t i = 0; i <= TPI_MAX_THREADS; ++i) threads_with[i] = 0;
    ++round_of_limits;
    atomic_store_explicit(&any, false, memory_order_relaxed);
}

static void restore(tpi_blas_threads *l) {
    for (; l; l = l->next)
        if (l->get() == l->applied && l->applied != l->theirs) l->set(l->theirs);
}

void tpi_blas_lift_limits(void) {
    pthread_mutex_lock(&mutex);
    restore(limited);
    limited = NULL;
    forget_threads();
    pthread_mutex_unlock(&mutex);
}

/* Not restored here: OpenBLAS would start its threads inside the fork. */
void tpi_blas_forget_limits(void) {
    pthread_mutex_init(&mutex, NULL);
    if (limited) to_restore = limited;
    limited = NULL;
    forget_threads();
}

void tpi_blas_restore_after_fork(void) {
    restore(to_restore);
    to_restore = NULL;
}

static void count_me(int32_t size) {
    if (mine && counted_in == round_of_limits) --threads_with[mine];
    if (size) ++threads_with[size];
    mine = size;
    counted_in = round_of_limits;
}

void tpi_blas_note_choice(void) {
    if (!atomic_load_explicit(&any, memory_order_relaxed)) return;
    pthread_mutex_lock(&mutex);
    count_me(size_of_choice());
    apply_to_all();
    pthread_mutex_unlock(&mutex);
}

void tpi_blas_hold(int32_t most, int32_t hold) {
    if (most < 1 || most > TPI_MAX_THREADS) return;
    pthread_mutex_lock(&mutex);
    held[most] += hold ? 1 : -1;
    apply_to_all();
    pthread_mutex_unlock(&mutex);
}

void tpi_blas_note_default(tpi_pool *pool) {
    pthread_mutex_lock(&mutex);
    default_size = pool ? tpi_blas_gang_size(pool) : 0;
    apply_to_all();
    pthread_mutex_unlock(&mutex);
}
