/* The compiler's own OpenMP behind the signature of our pools. */
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

typedef int32_t (*task_fn)(void *, int32_t, int32_t);

typedef struct {
    int32_t nthr, dynamic;
} team;

void *gomp_make(int32_t nthr, int32_t dynamic) {
    team *self = malloc(sizeof *self);
    if (self) *self = (team){nthr, dynamic};
    return self;
}

int32_t gomp_parallel(void *pool, int32_t n, task_fn task, void *ctx) {
    team *self = pool;
    if (n <= self->nthr) { /* one task for each thread, outside any loop: a barrier is allowed */
#pragma omp parallel num_threads(n)
        for (int32_t i = omp_get_thread_num(); i < n; i += omp_get_num_threads()) task(ctx, i, n);
    } else if (self->dynamic) {
#pragma omp parallel for num_threads(self->nthr) schedule(dynamic, 1)
        for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
    } else {
#pragma omp parallel for num_threads(self->nthr) schedule(static)
        for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
    }
    return 0;
}

int32_t gomp_barrier(void) {
#pragma omp barrier
    return 0;
}

void gomp_destroy(void *pool) { free(pool); }
