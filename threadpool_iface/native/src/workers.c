#define _GNU_SOURCE
#include "workers.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pools.h"

/* The mask that the calling thread had before it was bound, where `kept`. */
static _Thread_local cpu_set_t unbound;
static _Thread_local int kept;

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

int tpi_thread_start(pthread_t *thread, void *(*body)(void *), void *arg, const char *prefix,
                     int32_t index, int32_t cpu) {
    sigset_t all, before;
    sigfillset(&all);
    /* Inherited by the new thread: signals are for the threads that the program started. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) return error;
    char name[32];
    snprintf(name, sizeof name, "%.8s-%d", prefix, (int)index % 100000);
    name[15] = 0; /* the kernel's limit */
    pthread_setname_np(*thread, name);
    if (cpu >= 0) bind_to(*thread, cpu);
    else if (kept) pthread_setaffinity_np(*thread, sizeof unbound, &unbound);
    return 0;
}
