#define _GNU_SOURCE
#include "callers.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "task_users.h"

/* What is known, by a part of a library's path. docs/openmp.md has the evidence.
 *
 * PyTorch calls omp_set_num_threads in each thread before its first operation, with the machine's
 * size. It is no request for a team that large: each operation asks omp_get_max_threads again. */
static const struct {
    const char *part;
    bool caps_number;
    tpi_fewer takes_fewer;
} known[] = {
    {"/libtorch", true, TPI_WITHOUT_CLAUSE}, /* MKL and oneDNN inside have one in each region */
    {"/lib_lightgbm", false, TPI_ALWAYS},
};

#define MOST_LIBRARIES 256
static tpi_caller libraries[MOST_LIBRARIES];
static _Atomic int32_t count; /* of those that are complete */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

/* Where regions are started in the program, each with its library: asking the loader takes a third of
 * a millisecond for one of PyTorch's size. Open addressing; what is in the table stays. */
#define SITES 1024
typedef struct {
    const void *address;
    tpi_caller *caller;
} site;
static _Atomic(site *) sites[SITES];

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static tpi_caller *find(const void *base, int32_t end) {
    for (int32_t i = 0; i < end; ++i)
        if (libraries[i].base == base) return &libraries[i];
    return NULL;
}

static void fill_in(tpi_caller *c, const void *base, const char *path) {
    c->base = base;
    strncpy(c->name, path ? file_name(path) : "", sizeof c->name - 1);
    for (size_t i = 0; path && i < sizeof known / sizeof *known; ++i)
        if (strstr(path, known[i].part)) {
            c->caps_number = known[i].caps_number;
            c->takes_fewer = known[i].takes_fewer;
        }
}

/* The last record is for all libraries beyond. */
static tpi_caller *add(const void *base, const char *path) {
    pthread_mutex_lock(&adding);
    int32_t end = atomic_load_explicit(&count, memory_order_relaxed);
    tpi_caller *c = find(base, end);
    if (!c && end == MOST_LIBRARIES) c = &libraries[end - 1];
    if (!c) {
        c = &libraries[end];
        fill_in(c, base, path);
        /* release: who sees the count sees the record whole. */
        atomic_store_explicit(&count, end + 1, memory_order_release);
    }
    pthread_mutex_unlock(&adding);
    return c;
}

static tpi_caller *look_up(const void *address) {
    Dl_info info = {.dli_fname = NULL};
    if (!dladdr(address, &info)) info.dli_fbase = NULL;
    tpi_caller *c = find(info.dli_fbase, atomic_load_explicit(&count, memory_order_acquire));
    return c ? c : add(info.dli_fbase, info.dli_fname);
}

static unsigned first_slot(const void *address) {
    return (unsigned)((uint64_t)(uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15) >> 54);
}

/* The site's caller; NULL, and in *slot the place for it, if it is not in the table. */
static tpi_caller *known_site(const void *address, unsigned *slot) {
    for (unsigned i = 0; i < SITES; ++i) {
        *slot = (first_slot(address) + i) % SITES;
        site *s = atomic_load_explicit(&sites[*slot], memory_order_acquire);
        if (!s) return NULL;
        if (s->address == address) return s->caller;
    }
    *slot = SITES;
    return NULL;
}

static void remember(const void *address, tpi_caller *caller, unsigned slot) {
    site *none = NULL, *s = slot < SITES ? malloc(sizeof *s) : NULL;
    if (!s) return;
    *s = (site){address, caller};
    /* release: who finds it sees it whole. A place that was taken meanwhile is left: next time. */
    if (!atomic_compare_exchange_strong_explicit(&sites[slot], &none, s, memory_order_release,
                                                 memory_order_relaxed))
        free(s);
}

tpi_caller *tpi_caller_of(const void *address) {
    unsigned slot;
    tpi_caller *caller = known_site(address, &slot);
    if (__builtin_expect(!caller, 0)) {
        tpi_look_for_task_users();
        caller = look_up(address);
        remember(address, caller, slot);
    }
    return caller;
}

static void unlock_in_child(void) { pthread_mutex_init(&adding, NULL); }

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, unlock_in_child);
}

/* The index-th library that has called; its regions on pools, of one thread, with borrowed threads,
 * and on the real libgomp. NULL: there is none. */
TPI_EXPORT const char *tpi_gomp_caller(int32_t index, uint64_t regions[4]);
TPI_EXPORT const char *tpi_gomp_caller(int32_t index, uint64_t regions[4]) {
    if (index < 0 || index >= atomic_load_explicit(&count, memory_order_acquire)) return NULL;
    tpi_caller *c = &libraries[index];
    regions[0] = atomic_load_explicit(&c->on_pools, memory_order_relaxed);
    regions[1] = atomic_load_explicit(&c->alone, memory_order_relaxed);
    regions[2] = atomic_load_explicit(&c->borrowed, memory_order_relaxed);
    regions[3] = atomic_load_explicit(&c->forwarded, memory_order_relaxed);
    return c->name;
}
