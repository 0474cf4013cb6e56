/* A pool as another native library would write it: it knows the public header and nothing else.
 * Every region starts a thread for each task; thread limits are not its subject. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <threadpool_iface.h>

typedef struct {
    int32_t size, closed;
} pool;

typedef struct {
    tpi_task task;
    void *ctx;
    int32_t i, n;
} job;

static _Atomic int32_t alive;

static int32_t num_threads(void *self) { return ((pool *)self)->size; }

static int32_t in_parallel(void *self) {
    (void)self;
    return 0;
}

static uint64_t flags(void *self) {
    (void)self;
    return 0;
}

static void nothing(void *self) { (void)self; }

static void close_pool(void *self) { ((pool *)self)->closed = 1; }

static void *run(void *data) {
    job *j = data;
    j->task(j->ctx, j->i, j->n);
    return NULL;
}

static int32_t parallel_for(void *self, int32_t n, tpi_task task, void *ctx) {
    (void)self;
    job *jobs = malloc((size_t)n * sizeof *jobs);
    pthread_t *threads = malloc((size_t)n * sizeof *threads);
    int32_t started = 0;
    if (jobs && threads)
        for (; started < n; ++started) {
            jobs[started] = (job){task, ctx, started, n};
            if (pthread_create(&threads[started], NULL, run, &jobs[started])) break;
        }
    for (int32_t i = 0; i < started; ++i) pthread_join(threads[i], NULL);
    free(jobs);
    free(threads);
    return started == n ? TPI_OK : TPI_E_NO_THREAD;
}

static int32_t skip_all(void *self, int32_t n, tpi_task task, void *ctx) {
    (void)self, (void)n, (void)task, (void)ctx;
    return TPI_OK;
}

static void destroy(void *self) {
    atomic_fetch_sub(&alive, ((pool *)self)->closed);
    free(self);
}

typedef tpi_pool *(*maker)(const tpi_pool_ops *, void *);

static tpi_pool *make(maker new_pool, int32_t size, tpi_pool_ops *ops,
                      int32_t (*loop)(void *, int32_t, tpi_task, void *)) {
    *ops = (tpi_pool_ops){
        .abi_version = TPI_ABI_VERSION,
        .struct_size = ops->struct_size ? ops->struct_size : sizeof *ops, .num_threads = num_threads,
        .in_parallel = in_parallel, .parallel_for = loop, .flags = flags, .wait = nothing,
        .close = close_pool, .destroy = destroy,
        .run_together = loop, /* a thread for each task: they do run together */
    };
    pool *self = malloc(sizeof *self);
    *self = (pool){size, 0};
    atomic_fetch_add(&alive, 1);
    return new_pool(ops, self);
}

tpi_pool *foreign_pool_new(maker new_pool, int32_t size) {
    static tpi_pool_ops ops;
    return make(new_pool, size, &ops, parallel_for);
}

tpi_pool *skipping_pool_new(maker new_pool, int32_t size) {
    static tpi_pool_ops ops;
    return make(new_pool, size, &ops, skip_all);
}

/* Built with a header whose table ended before `run_together`. */
tpi_pool *older_pool_new(maker new_pool, int32_t size) {
    static tpi_pool_ops ops;
    ops.struct_size = TPI_POOL_OPS_LEAST;
    return make(new_pool, size, &ops, parallel_for);
}

tpi_pool *future_pool_new(maker new_pool, int32_t size) {
    (void)size;
    static tpi_pool_ops ops = {.abi_version = TPI_ABI_VERSION + 1, .struct_size = sizeof ops};
    return new_pool(&ops, NULL);
}

/* Pools made and not yet closed and destroyed, in that order. */
int32_t foreign_pools_alive(void) { return atomic_load(&alive); }
