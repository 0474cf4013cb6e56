/* LLVM's and Intel's OpenMP runtimes behind the signature of our pools, through the entry points
 * that their compilers emit, found in a library given by its path: no such compiler is needed. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

typedef int32_t (*task_fn)(void *, int32_t, int32_t);

/* The runtime's description of a source line; flag 2 says that a compiler wrote it. */
typedef struct {
    int32_t reserved_1, flags, reserved_2, reserved_3;
    const char *source;
} location;

enum { DYNAMIC_CHUNKED = 35 };

static location here = {0, 2, 0, 0, ";unknown;unknown;0;0;;"};
static int32_t (*global_thread_num)(location *);
static void (*push_num_threads)(location *, int32_t gtid, int32_t count);
static void (*fork_call)(location *, int32_t argc, void (*body)(int32_t *, int32_t *, ...), ...);
static void (*barrier)(location *, int32_t gtid);
static void (*dispatch_init)(location *, int32_t gtid, int32_t schedule, int32_t first,
                             int32_t last, int32_t step, int32_t chunk);
static int32_t (*dispatch_next)(location *, int32_t gtid, int32_t *is_last, int32_t *first,
                                int32_t *last, int32_t *step);
static int (*num_threads)(void);

typedef struct {
    int32_t nthr, dynamic;
} team;

typedef struct {
    int32_t n, dynamic;
    task_fn task;
    void *ctx;
} region;

/* 0, or 1 if the library or one of its functions is missing. One library for each process. */
static int find(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return 1;
    struct {
        const char *name;
        void **where;
    } wanted[] = {
        {"__kmpc_global_thread_num", (void **)&global_thread_num},
        {"__kmpc_push_num_threads", (void **)&push_num_threads},
        {"__kmpc_fork_call", (void **)&fork_call},
        {"__kmpc_barrier", (void **)&barrier},
        {"__kmpc_dispatch_init_4", (void **)&dispatch_init},
        {"__kmpc_dispatch_next_4", (void **)&dispatch_next},
        {"omp_get_num_threads", (void **)&num_threads},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i)
        if (!(*wanted[i].where = dlsym(library, wanted[i].name))) return 1;
    return 0;
}

void *kmp_make(const char *path, int32_t nthr, int32_t dynamic) {
    if (!fork_call && find(path)) return NULL;
    team *self = malloc(sizeof *self);
    if (self) *self = (team){nthr, dynamic};
    return self;
}

static void static_blocks(const region *r, int32_t thread, int32_t threads) {
    int32_t first = (int32_t)((int64_t)r->n * thread / threads);
    int32_t last = (int32_t)((int64_t)r->n * (thread + 1) / threads);
    for (int32_t i = first; i < last; ++i) r->task(r->ctx, i, r->n);
}

static void dynamic_ones(const region *r, int32_t gtid) {
    int32_t is_last, first, last, step;
    dispatch_init(&here, gtid, DYNAMIC_CHUNKED, 0, r->n - 1, 1, 1);
    while (dispatch_next(&here, gtid, &is_last, &first, &last, &step))
        for (int32_t i = first; i <= last; ++i) r->task(r->ctx, i, r->n);
}

/* The runtime passes what was given to fork_call one by one after the two numbers. */
static void outlined(int32_t *gtid, int32_t *thread, region *r) {
    if (r->dynamic) dynamic_ones(r, *gtid);
    else static_blocks(r, *thread, num_threads());
}

int32_t kmp_parallel(void *pool, int32_t n, task_fn task, void *ctx) {
    team *self = pool;
    region r = {n, self->dynamic, task, ctx};
    push_num_threads(&here, global_thread_num(&here), n < self->nthr ? n : self->nthr);
    fork_call(&here, 1, (void (*)(int32_t *, int32_t *, ...))outlined, &r);
    return 0;
}

/* For a task of a region of at most nthr tasks. */
int32_t kmp_barrier(void) {
    barrier(&here, global_thread_num(&here));
    return 0;
}

void kmp_destroy(void *pool) { free(pool); }
