/* EPCC's OpenMP microbenchmarks (Bull, "Measuring Synchronisation and Scheduling Overheads in OpenMP",
 * 1999): how much longer a construct takes than the same work without it. Written anew.
 *
 *     openmp_overheads     then a line on stdin for each round; answers with a line of
 *                          NAME MICROSECONDS ... for each
 */
#define _GNU_SOURCE
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { INNER = 200, ITERATIONS = 128, DELAY = 20 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* Work that the compiler cannot leave out: tens of nanoseconds. */
static void delay(void) {
    volatile float sum = 0;
    for (int i = 0; i < DELAY; ++i) sum += (float)i;
}

static int threads;

static void reference(void) {
    for (int k = 0; k < INNER; ++k) delay();
}

static void parallel(void) {
    for (int k = 0; k < INNER; ++k) {
#pragma omp parallel
        delay();
    }
}

static void barrier(void) {
#pragma omp parallel
    for (int k = 0; k < INNER; ++k) {
        delay();
#pragma omp barrier
    }
}

static void single(void) {
#pragma omp parallel
    for (int k = 0; k < INNER; ++k) {
#pragma omp single
        delay();
    }
}

static void critical(void) {
#pragma omp parallel
    for (int k = 0; k < INNER / threads; ++k) {
#pragma omp critical
        delay();
    }
}

static void lock(void) {
    static omp_lock_t guard;
    omp_init_lock(&guard);
#pragma omp parallel
    for (int k = 0; k < INNER / threads; ++k) {
        omp_set_lock(&guard);
        delay();
        omp_unset_lock(&guard);
    }
}

static void reduction(void) {
    int sum = 0;
    for (int k = 0; k < INNER; ++k) {
#pragma omp parallel reduction(+ : sum)
        {
            delay();
            sum += 1;
        }
    }
    if (sum != INNER * threads) abort();
}

#define LOOP(name, schedule_kind)                                        \
    static void name(void) {                                             \
        _Pragma("omp parallel") for (int k = 0; k < INNER / 10; ++k) {   \
            _Pragma(schedule_kind) for (int i = 0; i < ITERATIONS * threads; ++i) delay(); \
        }                                                                \
    }
LOOP(loop_static, "omp for schedule(static)")
LOOP(loop_static_1, "omp for schedule(static, 1)")
LOOP(loop_dynamic, "omp for schedule(dynamic)")
LOOP(loop_dynamic_16, "omp for schedule(dynamic, 16)")
LOOP(loop_guided, "omp for schedule(guided)")

static void ordered(void) {
#pragma omp parallel for ordered schedule(static, 1)
    for (int k = 0; k < INNER; ++k) {
#pragma omp ordered
        delay();
    }
}

static void tasks(void) {
#pragma omp parallel
    for (int k = 0; k < INNER; ++k) {
#pragma omp task
        delay();
    }
}

static const struct {
    const char *name;
    void (*run)(void);
    double delays; /* of one thread, without the construct */
    int constructs;
} constructs[] = {
    {"parallel", parallel, INNER, INNER},
    {"barrier", barrier, INNER, INNER},
    {"single", single, INNER, INNER},
    {"critical", critical, INNER, INNER},
    {"lock", lock, INNER, INNER},
    {"reduction", reduction, INNER, INNER},
    {"static", loop_static, INNER / 10 * ITERATIONS, INNER / 10},
    {"static,1", loop_static_1, INNER / 10 * ITERATIONS, INNER / 10},
    {"dynamic", loop_dynamic, INNER / 10 * ITERATIONS, INNER / 10},
    {"dynamic,16", loop_dynamic_16, INNER / 10 * ITERATIONS, INNER / 10},
    {"guided", loop_guided, INNER / 10 * ITERATIONS, INNER / 10},
    {"ordered", ordered, INNER, INNER},
    {"task", tasks, INNER, INNER},
};

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { REPEATS = 31 };

static double median_of(void (*run)(void)) {
    double taken[REPEATS];
    for (int i = 0; i < REPEATS; ++i) {
        double start = now();
        run();
        taken[i] = now() - start;
    }
    qsort(taken, REPEATS, sizeof *taken, ascending);
    return taken[REPEATS / 2];
}

int main(void) {
    char line[16];
    threads = omp_get_max_threads();
    while (fgets(line, sizeof line, stdin)) {
        double one = median_of(reference) / INNER;
        for (size_t i = 0; i < sizeof constructs / sizeof *constructs; ++i) {
            double taken = median_of(constructs[i].run);
            printf("%s %.4f ", constructs[i].name,
                   (taken - constructs[i].delays * one) / constructs[i].constructs);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
