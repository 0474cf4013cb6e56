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
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
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

/* -- loops of any costs ------------------------------------------------------------------------ */

/* Not inlined: a delay costs the same wherever it is. The empty instruction is a side effect, or
 * equal delays in a row would be computed once. Not from 1, which the steps do not change. */
__attribute__((noinline)) static double burn(int64_t steps) {
    double x = 2.0;
    __asm__ volatile("" ::: "memory");
    for (; steps > 0; --steps) x = x * 0.999999 + 1e-6;
    return x;
}

typedef struct {
    const int64_t *steps;
    double *results;
} costs;

static int32_t costly(void *ctx, int32_t i, int32_t n) {
    (void)n;
    costs *c = ctx;
    c->results[i] = burn(c->steps[i]);
    return 0;
}

/* Seconds of one loop whose chunk i costs steps[i] dependent multiply-adds. */
double loop(parallel_fn parallel, void *pool, int chunks, const int64_t *steps, double *results) {
    costs c = {steps, results};
    double start = now();
    parallel(pool, chunks, costly, &c);
    return now() - start;
}

/* -- regions on two pools in turn -------------------------------------------------------------- */

enum { EMPTY, RENDEZVOUS, DELAY };

static volatile double sink; /* keeps the delays from being optimised away */

int32_t empty(void *ctx, int32_t i, int32_t n) {
    (void)ctx, (void)i, (void)n;
    return 0;
}

static int32_t delay(void *ctx, int32_t i, int32_t n) {
    (void)i, (void)n;
    double x = burn(*(int64_t *)ctx);
    if (x < 0) sink = x;
    return 0;
}

/* Seconds of `count` regions of `n` tasks, one each, on pools[0] and pools[1] in turn. */
void regions(parallel_fn parallel, void *const *pools, int n, int kind, int64_t steps, int count,
             double *seconds) {
    _Alignas(64) atomic_int arrived;
    task_fn task = kind == EMPTY ? empty : kind == RENDEZVOUS ? rendezvous : delay;
    void *ctx = kind == DELAY ? (void *)&steps : (void *)&arrived;
    for (int i = 0; i < count; ++i) {
        atomic_store(&arrived, 0);
        double start = now();
        parallel(pools[i % 2], n, task, ctx);
        seconds[i] = now() - start;
    }
}

/* -- overheads by the method of the EPCC OpenMP microbenchmarks -------------------------------- */

/* Seconds of one delay, mean of `inner`; measured anew each time, because the clock drifts. */
static double reference(int64_t steps, int inner) {
    double start = now();
    for (int i = 0; i < inner; ++i) delay(&steps, 0, 1);
    return (now() - start) / inner;
}

/* Seconds that a region of `n` delays takes longer than one delay. */
double region_overhead(parallel_fn parallel, void *pool, int n, int64_t steps, int inner) {
    double alone = reference(steps, inner);
    double start = now();
    for (int i = 0; i < inner; ++i) parallel(pool, n, delay, &steps);
    return (now() - start) / inner - alone;
}

typedef int32_t (*barrier_fn)(void);

typedef struct {
    barrier_fn barrier;
    int64_t steps;
    int inner;
    double seconds;
} barriers;

static int32_t meet_often(void *ctx, int32_t i, int32_t n) {
    barriers *b = ctx;
    b->barrier(); /* the clock starts when everybody is there */
    double start = now();
    for (int k = 0; k < b->inner; ++k) {
        delay(&b->steps, i, n);
        b->barrier();
    }
    if (i == 0) b->seconds = now() - start;
    return 0;
}

/* Seconds that a delay and a barrier take longer than the delay, within one region of `n` tasks. */
double barrier_overhead(parallel_fn parallel, void *pool, barrier_fn barrier, int n, int64_t steps,
                        int inner) {
    barriers b = {barrier, steps, inner, 0};
    double alone = reference(steps, inner);
    parallel(pool, n, meet_often, &b);
    return b.seconds / inner - alone;
}

typedef struct {
    int64_t steps;
    int chunk;
} iterations;

static int32_t delays(void *ctx, int32_t i, int32_t n) {
    iterations *it = ctx;
    for (int k = 0; k < it->chunk; ++k) delay(&it->steps, i, n);
    return 0;
}

/* Seconds that a loop of `count` delays in tasks of `chunk` takes longer than each thread's share
 * of them. */
double loop_overhead(parallel_fn parallel, void *pool, int threads, int count, int chunk,
                     int64_t steps) {
    iterations it = {steps, chunk};
    double alone = reference(steps, count) * count / threads;
    double start = now();
    parallel(pool, count / chunk, delays, &it);
    return now() - start - alone;
}

/* -- an element-wise operation ----------------------------------------------------------------- */

typedef struct {
    const float *x;
    float *y;
    int64_t rows, columns, y_stride; /* x is contiguous */
    float sign;
} rectifier;

static int32_t rectify_rows(void *ctx, int32_t i, int32_t n) {
    const rectifier *r = ctx;
    for (int64_t row = r->rows * i / n; row < r->rows * (i + 1) / n; ++row)
        for (int64_t k = 0; k < r->columns; ++k) {
            float value = r->sign * r->x[row * r->columns + k];
            r->y[row * r->y_stride + k] = value > 0 ? value : 0;
        }
    return 0;
}

/* y = relu(sign * x), by `n` tasks. */
void rectify(parallel_fn parallel, void *pool, int n, const float *x, float *y, int64_t rows,
             int64_t columns, int64_t y_stride, float sign) {
    rectifier r = {x, y, rows, columns, y_stride, sign};
    parallel(pool, n, rectify_rows, &r);
}
