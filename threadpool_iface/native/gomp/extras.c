#define _GNU_SOURCE
#include "extras.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

/* How long an idle thread is kept: longer than most programs pause, and short in a process's life. */
#define KEPT_MS 2000

typedef struct extra {
    _Atomic uint32_t called; /* 1: it has a part */
    tpi_team *team;
    int32_t num;
    struct extra *next;
} extra;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static extra *idle; /* guarded by `lock`, as is who is in it */
static _Atomic int32_t now;

/* Borrowed threads that exist. */
TPI_EXPORT int32_t tpi_gomp_extra_threads(void);
TPI_EXPORT int32_t tpi_gomp_extra_threads(void) {
    return atomic_load_explicit(&now, memory_order_relaxed);
}

/* The parent's threads are not here. */
static void forget_all(void) {
    pthread_mutex_init(&lock, NULL);
    idle = NULL;
    atomic_store_explicit(&now, 0, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, forget_all);
}

/* -- the threads ----------------------------------------------------------------------------- */

static bool take_out(extra *e) {
    pthread_mutex_lock(&lock);
    extra **link = &idle;
    while (*link && *link != e) link = &(*link)->next;
    bool was_there = *link == e;
    if (was_there) *link = e->next;
    pthread_mutex_unlock(&lock);
    return was_there;
}

static void put_back(extra *e) {
    atomic_store_explicit(&e->called, 0, memory_order_relaxed);
    pthread_mutex_lock(&lock);
    e->next = idle;
    idle = e;
    pthread_mutex_unlock(&lock);
}

/* False: nobody called for so long that the thread ends. */
static bool await_call(extra *e) {
    uint64_t until = tpi_now_ns() + KEPT_MS * UINT64_C(1000000);
    /* acquire: the caller's write of the part comes before. */
    while (!atomic_load_explicit(&e->called, memory_order_acquire)) {
        uint64_t at = tpi_now_ns();
        if (at < until) tpi_futex_wait_for(&e->called, 0, 500);
        else if (take_out(e)) return false;
        else until = at + KEPT_MS * UINT64_C(1000000); /* somebody is about to call */
    }
    return true;
}

static void end_part(tpi_team *team) {
    /* acq_rel: the starter sees what every borrowed thread did. */
    if (atomic_fetch_sub_explicit(&team->extras_left, 1, memory_order_acq_rel) != 1) return;
    atomic_store_explicit(&team->extras_over, 1, memory_order_release);
    tpi_futex_wake(&team->extras_over, 1); /* the team may be gone: waking nobody does no harm */
}

static void *body(void *arg) {
    extra *e = arg;
    while (await_call(e)) {
        tpi_team *team = e->team;
        tpi_run_extra(team, e->num);
        put_back(e); /* first: whoever sees the region ended finds the thread idle */
        end_part(team);
    }
    atomic_fetch_sub_explicit(&now, 1, memory_order_relaxed);
    free(e);
    return NULL;
}

/* Signals that a thread causes itself, which its handler must get. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static int start_thread(extra *e) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; ++i) sigdelset(&all, faults[i]);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (tpi_environment.stack_size)
        pthread_attr_setstacksize(&attributes, tpi_environment.stack_size);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    int code = pthread_create(&thread, &attributes, body, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

/* One that was this member before, if there is one: its threadprivate variables are. */
static extra *take_idle(int32_t num) {
    pthread_mutex_lock(&lock);
    extra **link = &idle;
    while (*link && (*link)->num != num) link = &(*link)->next;
    if (!*link) link = &idle;
    extra *e = *link;
    if (e) *link = e->next;
    pthread_mutex_unlock(&lock);
    return e;
}

static void fail(int code) {
    fprintf(stderr, "threadpool_iface: no thread for an OpenMP region: %s\n", strerror(code));
    exit(EXIT_FAILURE);
}

static void start_one(tpi_team *team, int32_t num) {
    extra *e = take_idle(num);
    bool is_new = !e;
    if (is_new && !(e = calloc(1, sizeof *e))) fail(ENOMEM);
    e->team = team;
    e->num = num;
    /* release: pairs with await_call. */
    atomic_store_explicit(&e->called, 1, memory_order_release);
    if (!is_new) {
        tpi_futex_wake(&e->called, 1);
        return;
    }
    atomic_fetch_add_explicit(&now, 1, memory_order_relaxed);
    int code = start_thread(e);
    if (code) fail(code);
}

/* -- for a team ------------------------------------------------------------------------------ */

void tpi_extras_start(tpi_team *team, int32_t first, int32_t end) {
    if (first < end)
        atomic_fetch_add_explicit(&team->extras_left, end - first, memory_order_relaxed);
    for (int32_t num = first; num < end; ++num) start_one(team, num);
}

void tpi_extras_await(tpi_team *team) {
    /* acquire: what they did. The count begins at one, the starter's, so it is zero only now. */
    if (atomic_fetch_sub_explicit(&team->extras_left, 1, memory_order_acq_rel) == 1) return;
    for (int i = team->pauses; i > 0; --i) {
        if (atomic_load_explicit(&team->extras_over, memory_order_acquire)) return;
        tpi_pause();
    }
    while (!atomic_load_explicit(&team->extras_over, memory_order_acquire)) {
        if (tpi_forked_since(team)) return;
        tpi_futex_wait_for(&team->extras_over, 0, 50);
    }
}
