/* The bodies that are timed from C, the same for every runtime: a region of rendezvous tasks, and a
 * loop of uneven chunks. Our pools come as the address of tpi_pool_parallel and a handle; OpenMP is
 * the compiler's own.
 *
 * Tasks of the latency test wait for each other: with an empty body a caller that helps would run
 * all of them itself, and the clock would show nothing of the other threads. */
#define _GNU_SOURCE
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

typedef int32_t (*task_fn)(void *, int32_t, int32_t);
typedef int32_t (*parallel_fn)(void *pool, int32_t n, task_fn task, void *ctx);

enum { HOT, SLEPT, BUSY };
static const double IDLE_SECONDS = 1e-3;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void idle(int kind) {
    if (kind == SLEPT) nanosleep(&(struct timespec){0, (long)(IDLE_SECONDS * 1e9)}, NULL);
    if (kind == BUSY)
        for (double end = now() + IDLE_SECONDS; now() < end;) {
        }
}

static int32_t rendezvous(void *ctx, int32_t ithr, int32_t nthr) {
    atomic_int *arrived = ctx;
    (void)ithr;
    atomic_fetch_add(arrived, 1);
    /* Yield now and then, or more threads than cores would wait out whole time slices. */
    for (int spins = 0; atomic_load(arrived) < nthr; ++spins)
        if (spins > 1000) sched_yield();
    return 0;
}

/* Seconds of `count` round trips, one each, into `seconds`. A null `parallel` is OpenMP. */
void latency(parallel_fn parallel, void *pool, int nthr, int kind, int count, double *seconds) {
    _Alignas(64) atomic_int arrived;
    for (int i = 0; i < count; ++i) {
        idle(kind);
        atomic_store(&arrived, 0);
        double start = now();
        if (parallel) {
            parallel(pool, nthr, rendezvous, &arrived);
        } else {
#pragma omp parallel num_threads(nthr)
            rendezvous(&arrived, omp_get_thread_num(), nthr);
        }
        seconds[i] = now() - start;
    }
}

typedef struct {
    int64_t unit;
    double *results;
} skew;

/* Chunk i costs i + 1 units of dependent multiply-adds. */
static int32_t chunk(void *ctx, int32_t i, int32_t n) {
    (void)n;
    skew *s = ctx;
    double x = 1.0 + i;
    for (int64_t k = s->unit * (i + 1); k > 0; --k) x = x * 0.999999 + 1e-6;
    s->results[i] = x;
    return 0;
}

enum { OMP_STATIC, OMP_DYNAMIC };

/* Seconds of one loop over `chunks` chunks. A null `parallel` is OpenMP on `nthr` threads. */
double skewed(parallel_fn parallel, void *pool, int nthr, int schedule, int chunks, int64_t unit,
              double *results) {
    skew s = {unit, results};
    double start = now();
    if (parallel) {
        parallel(pool, chunks, chunk, &s);
    } else if (schedule == OMP_STATIC) {
#pragma omp parallel for num_threads(nthr) schedule(static)
        for (int i = 0; i < chunks; ++i) chunk(&s, i, chunks);
    } else {
#pragma omp parallel for num_threads(nthr) schedule(dynamic, 1)
        for (int i = 0; i < chunks; ++i) chunk(&s, i, chunks);
    }
    return now() - start;
}

/* -- the ceiling: multiply-adds on registers only ------------------------------------------- */

typedef float vector __attribute__((vector_size(64)));

/* 24 independent chains hide the latency of two FMA units. Widths the CPU lacks are cut up by the
 * compiler, once for each target. */
#if defined(__x86_64__)
__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#endif
void multiply_adds(int64_t count, float *result) {
    vector acc[24], x, y;
    for (int j = 0; j < 16; ++j) x[j] = 0.999f, y[j] = 1e-3f;
    for (int i = 0; i < 24; ++i) acc[i] = x + (float)i;
    for (int64_t k = 0; k < count; ++k) {
#pragma GCC unroll 24
        for (int i = 0; i < 24; ++i) acc[i] = acc[i] * x + y;
    }
    float sum = 0;
    for (int i = 0; i < 24; ++i)
        for (int j = 0; j < 16; ++j) sum += acc[i][j];
    *result = sum;
}

typedef struct {
    int64_t count;
    float result[64];
} peak;

static int32_t peak_task(void *ctx, int32_t i, int32_t n) {
    (void)n;
    peak *p = ctx;
    multiply_adds(p->count, &p->result[i]);
    return 0;
}

/* Seconds in which `nthr` (at most 64) tasks each do `count` x 24 x 16 multiply-adds. */
double multiply_add_peak(parallel_fn parallel, void *pool, int nthr, int64_t count) {
    peak p = {count, {0}};
    double start = now();
    parallel(pool, nthr, peak_task, &p);
    return now() - start;
}
