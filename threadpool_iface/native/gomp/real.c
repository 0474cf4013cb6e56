#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "abi.h"

/* Newer functions first: of several libgomps the newest serves all callers. */
static const char *const landmarks[] = {
    "GOMP_target_map_indirect_ptr", "GOMP_taskwait_depend_nowait", "GOMP_scope_start",
    "GOMP_loop_start", "GOMP_taskloop", "GOMP_parallel", "GOMP_barrier",
};
#define LANDMARKS (int)(sizeof landmarks / sizeof *landmarks)

static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(void *) library;
static uint64_t looked_at; /* how many libraries had been loaded then; guarded by `looking` */

typedef struct {
    void *handle;
    int age; /* index of its first landmark; LANDMARKS: none */
} candidate;

static bool has_its_name(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return !strncmp(name, "libgomp", 7) && (name[7] == '.' || name[7] == '-');
}

static int age_of(void *handle) {
    int age = 0;
    while (age < LANDMARKS && !dlsym(handle, landmarks[age])) ++age;
    return age;
}

static void consider(candidate *best, const char *path, int mode) {
    void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL | mode);
    if (!handle) return;
    int age = age_of(handle);
    if (age < best->age) *best = (candidate){handle, age}; /* the others stay open, which pins them */
}

#define MOST_PATHS 16
typedef struct {
    const char *paths[MOST_PATHS];
    int count;
} found_paths;

static int note_path(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    found_paths *found = arg;
    if (info->dlpi_name && has_its_name(info->dlpi_name) && found->count < MOST_PATHS)
        found->paths[found->count++] = info->dlpi_name;
    return 0;
}

/* dlopen must not be called from inside dl_iterate_phdr, which holds the loader's lock. */
static void *look(void) {
    candidate best = {NULL, LANDMARKS};
    found_paths found = {.count = 0};
    dl_iterate_phdr(note_path, &found);
    for (int i = 0; i < found.count; ++i) consider(&best, found.paths[i], RTLD_NOLOAD);
    if (!best.handle) consider(&best, "libgomp.so.1", 0);
    return best.handle;
}

static int count_loads(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    *(uint64_t *)arg = info->dlpi_adds;
    return 1;
}

static void *find_library(void) {
    void *handle = atomic_load_explicit(&library, memory_order_acquire);
    if (handle) return handle;
    uint64_t loads = 0;
    dl_iterate_phdr(count_loads, &loads);
    pthread_mutex_lock(&looking);
    handle = atomic_load_explicit(&library, memory_order_relaxed);
    if (!handle && loads != looked_at) handle = look();
    looked_at = loads;
    atomic_store_explicit(&library, handle, memory_order_release);
    pthread_mutex_unlock(&looking);
    return handle;
}

void *tpi_real_lookup(const char *name, _Atomic(void *) *found) {
    void *handle = find_library();
    void *function = handle ? dlsym(handle, name) : NULL;
    if (function) atomic_store_explicit(found, function, memory_order_release);
    return function;
}

void tpi_real_after_fork(void) { pthread_mutex_init(&looking, NULL); }

/* Path of the libgomp that calls are forwarded to; empty if there is none. */
TPI_EXPORT const char *tpi_gomp_real_path(void);
TPI_EXPORT const char *tpi_gomp_real_path(void) {
    void *handle = find_library();
    struct link_map *map;
    return handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map) ? map->l_name : "";
}
