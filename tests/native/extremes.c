/* The ends of the integers, for UndefinedBehaviorSanitizer: every size that enters the core. Exits with 0
 * and "ok", or with 1 and what went wrong; a loop that does not end ends in SIGALRM. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "pools.h"
#include "ranges.h"

static int failures;
static atomic_llong covered;

static void expect(int holds, const char *what, long long value) {
    if (holds) return;
    fprintf(stderr, "extremes: %s (%lld)\n", what, value);
    failures = 1;
}

static int32_t count(void *ctx, int64_t begin, int64_t end) {
    (void)ctx;
    atomic_fetch_add(&covered, end - begin);
    return 0;
}

static int32_t nothing(void *ctx, int32_t ithr, int32_t nthr) {
    (void)ctx, (void)ithr, (void)nthr;
    return 0;
}

static const int64_t SIZES[] = {0, 1, 2, 3, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_C(1) << 53,
                                INT64_C(1) << 62, INT64_MAX - 1, INT64_MAX};
static const double COSTS[] = {0.0, 1e-300, 1e-9, 1.0, 1e5, 1e300, INFINITY, NAN, -1.0};
enum { NSIZES = sizeof SIZES / sizeof *SIZES, NCOSTS = sizeof COSTS / sizeof *COSTS };

static void block_sizes(void) {
    static const int32_t threads[] = {INT32_MIN, -1, 0, 1, 2, TPI_MAX_THREADS, INT32_MAX};
    for (int i = 0; i < NSIZES; ++i)
        for (int c = 0; c < NCOSTS; ++c)
            for (size_t t = 0; t < sizeof threads / sizeof *threads; ++t) {
                int64_t size = tpi_block_size(SIZES[i], COSTS[c], threads[t]);
                expect(size >= 1 && (size <= SIZES[i] || SIZES[i] < 1), "block size", size);
            }
}

static void loops(void) {
    static const int64_t grains[] = {TPI_NOT_GIVEN, INT64_C(1) << 55, INT64_MAX - 1, INT64_MAX};
    static const int64_t most[] = {TPI_NOT_GIVEN, 0, 1, INT64_MAX};
    for (int i = 0; i < NSIZES; ++i)
        for (int g = 0; g < 4; ++g)
            for (int m = 0; m < 4; ++m)
                for (int c = 3; c < NCOSTS; ++c) {
                    /* A small grain or cost would only make very many ranges. */
                    int64_t n = SIZES[i];
                    double cost = grains[g] == TPI_NOT_GIVEN ? COSTS[c] : 0.0;
                    covered = 0;
                    int code = tpi_for(n, grains[g], TPI_DYNAMIC, most[m], cost, count, NULL);
                    expect(code == 0 && covered == n, "a loop covered", covered);
                }
    expect(tpi_for(-1, 1, 0, 1, 0, count, NULL) == TPI_E_INVALID, "negative n", -1);
    expect(tpi_for(INT64_MIN, 1, 0, 1, 0, count, NULL) == TPI_E_INVALID, "least n", -1);
    expect(tpi_for(1, 0, 0, 1, 0, count, NULL) == TPI_E_INVALID, "no grain", 0);
    expect(tpi_for(1, 1, 0, -1, 0, count, NULL) == TPI_E_INVALID, "negative bound", -1);
    expect(tpi_for(1, 1, 9, 1, 0, count, NULL) == TPI_E_INVALID, "schedule", 9);
}

static void regions(tpi_pool *pool) {
    static const int32_t wrong[] = {-1, INT32_MIN};
    for (int i = 0; i < 2; ++i) {
        expect(tpi_pool_parallel(pool, wrong[i], nothing, NULL) == TPI_E_INVALID, "nthr", wrong[i]);
        expect(tpi_pool_run_together(pool, wrong[i], nothing, NULL) == TPI_E_INVALID, "n", wrong[i]);
        expect(tpi_set_thread_limit(wrong[i]) == TPI_E_INVALID, "limit", wrong[i]);
    }
    tpi_latch *latch;
    expect(tpi_pool_submit(pool, 0, nothing, NULL, &latch) == TPI_E_INVALID, "submit", 0);
    expect(tpi_pool_run_together(pool, INT32_MAX, nothing, NULL) == TPI_E_INVALID, "gang", 0);
    tpi_set_thread_limit(INT32_MAX);
    expect(tpi_pool_parallel(pool, 100000, nothing, NULL) == 0, "limited", 0);
    tpi_set_thread_limit(1);
    expect(tpi_pool_parallel(pool, 1000, nothing, NULL) == 0, "narrow", 0);
    tpi_set_thread_limit(0);
}

static void pools(void) {
    static const int32_t wrong[] = {INT32_MIN, -1, 0, TPI_MAX_THREADS + 1, INT32_MAX};
    for (int i = 0; i < 5; ++i) {
        tpi_pool_options o = {.num_threads = wrong[i]};
        expect(!tpi_fork_join_new(&o, 0) && !tpi_work_stealing_new(&o, 0), "size", wrong[i]);
    }
    tpi_pool_options o = {.num_threads = 2, .blocktime_us = INT64_C(1) << 53};
    tpi_pool *made[] = {tpi_fork_join_new(&o, 0), tpi_fork_join_new(&o, 1),
                        tpi_work_stealing_new(&o, 0), tpi_sequential_new()};
    for (int i = 0; i < 4; ++i) {
        tpi_set_active(TPI_POOL, made[i]);
        loops();
        regions(made[i]);
        tpi_set_active(TPI_UNSET, NULL);
        tpi_pool_release(made[i]);
    }
    expect(tpi_pool_close(NULL) == TPI_E_INVALID, "close(NULL)", 0);
    expect(tpi_set_active(7, NULL) == TPI_E_INVALID, "state", 7);
}

int main(void) {
    alarm(100);
    tpi_set_machine_threads(INT32_MIN);
    tpi_set_machine_threads(2);
    block_sizes();
    pools();
    if (!failures) puts("ok");
    return failures;
}
