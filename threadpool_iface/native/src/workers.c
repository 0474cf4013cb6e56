#define _GNU_SOURCE
#include "workers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pools.h"
#include "thread_state.h"

/* The mask that the calling thread had before it was bound, where `kept`. */
static _Thread_local cpu_set_t unbound;
static _Thread_local int kept;

/* Of a worker that is bound to a CPU: what the thread that started it might use. */
static _Thread_local cpu_set_t starters;
static _Thread_local int bound;

void tpi_keep_affinity(int32_t keep) {
    kept = keep && !sched_getaffinity(0, sizeof unbound, &unbound);
}

int32_t *tpi_copy_cpus(const int32_t *cpus, int32_t ncpus, int *failed) {
    if (!cpus || ncpus <= 0) return NULL;
    int32_t *copy = malloc((size_t)ncpus * sizeof *copy);
    if (!copy) *failed = 1;
    else memcpy(copy, cpus, (size_t)ncpus * sizeof *copy);
    return copy;
}

/* Affinity degrades: a CPU that has left the allowed set since the pool was made is no error. */
static void bind_to(pthread_t thread, int32_t cpu) {
    cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
    if (!set) return;
    size_t size = CPU_ALLOC_SIZE((size_t)cpu + 1);
    CPU_ZERO_S(size, set);
    CPU_SET_S((size_t)cpu, size, set);
    pthread_setaffinity_np(thread, size, set);
    CPU_FREE(set);
}

void tpi_worker_in_child(void) {
    if (bound) sched_setaffinity(0, sizeof starters, &starters);
    bound = 0;
    pthread_setname_np(pthread_self(), program_invocation_short_name);
}

typedef struct {
    void *(*body)(void *);
    void *arg;
    bool bound;
    cpu_set_t starters;
} beginning;

static void *begin(void *arg) {
    beginning b = *(beginning *)arg;
    free(arg);
    tpi_thread.worker = 1;
    bound = b.bound;
    starters = b.starters;
    return b.body(b.arg);
}

/* Create a thread in which no signal that it brings upon itself is blocked. */
static int create(pthread_t *thread, beginning *b) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t before, inherited;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    inherited = before;
    for (size_t i = 0; i < sizeof own / sizeof *own; ++i) sigdelset(&inherited, own[i]);
    pthread_sigmask(SIG_SETMASK, &inherited, NULL);
    int error = pthread_create(thread, NULL, begin, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int tpi_thread_start(pthread_t *thread, void *(*body)(void *), void *arg, const char *prefix,
                     int32_t index, int32_t cpu) {
    beginning *b = malloc(sizeof *b);
    if (!b) return ENOMEM;
    *b = (beginning){.body = body, .arg = arg};
    b->bound = cpu >= 0 && !sched_getaffinity(0, sizeof b->starters, &b->starters);
    int error = create(thread, b);
    if (error) {
        free(b);
        return error;
    }
    char name[32];
    snprintf(name, sizeof name, "%.8s-%d", prefix, (int)index % 100000);
    name[15] = 0; /* the kernel's limit */
    pthread_setname_np(*thread, name);
    if (cpu >= 0) bind_to(*thread, cpu);
    else if (kept) pthread_setaffinity_np(*thread, sizeof unbound, &unbound);
    return 0;
}
