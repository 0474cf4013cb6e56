/* threadpool_iface_pthreadpool.h: every form of the family on every kind of pool, and what it promises
 * beyond pthreadpool. Compiled as C and as C++, after pthreadpool's own header where that is installed. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#ifdef COMPARED /* conflicting signatures do not compile */
#include <pthreadpool.h>
#endif
#ifdef __cplusplus
extern "C" {
#endif
#include "pools.h"
#ifdef __cplusplus
}
#endif
#define TPI_PTHREADPOOL_IMPLEMENTATION
#include "threadpool_iface_pthreadpool.h"

static int wrong;
#define CHECK(condition)                                                  \
    do {                                                                  \
        if (!(condition)) {                                               \
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);              \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);       \
        }                                                                 \
    } while (0)

#define NO_THREAD SIZE_MAX /* of a form that is not told */
enum { DEFAULT_UARCH = 7, MOST_THREADS = 8 };

static const size_t ranges[6] = {7, 6, 5, 4, 3, 5}, tiles[2] = {2, 3};

/* Every item of a grid, and how often it was processed. */
typedef struct {
    size_t threads;
    int busy[MOST_THREADS]; /* whether a thread is in a task */
    unsigned char ran[7 * 6 * 5 * 4 * 3 * 5];
} grid;

static void mark(grid *g, size_t dims, size_t tiled, int joins, const size_t *at, const size_t *size,
                 size_t thread, uint32_t uarch) {
    CHECK(uarch == DEFAULT_UARCH);
    if (thread != NO_THREAD) {
        CHECK(thread < g->threads);
        CHECK(!__atomic_exchange_n(&g->busy[thread], 1, __ATOMIC_ACQUIRE));
    }
    size_t count[6], items = 1;
    for (size_t d = 0; d < dims; ++d) {
        count[d] = d + tiled < dims ? 1 : size[d + tiled - dims];
        size_t tile = d + tiled < dims ? 1 : tiles[d + tiled - dims], left = ranges[d] - at[d];
        CHECK(at[d] < ranges[d] && at[d] % tile == 0);
        if (joins && d == dims - 1) CHECK(count[d] == left || (count[d] < left && count[d] % tile == 0));
        else CHECK(count[d] == (left < tile ? left : tile));
        items *= count[d];
    }
    for (size_t i = 0; i < items; ++i) {
        size_t rest = i, cell = 0, stride = 1;
        for (size_t d = dims; d-- > 0; rest /= count[d], stride *= ranges[d])
            cell += (at[d] + rest % count[d]) * stride;
        ++g->ran[cell]; /* plain: processing it twice may be a race, too */
    }
    if (thread != NO_THREAD) __atomic_store_n(&g->busy[thread], 0, __ATOMIC_RELEASE);
}

#define LEADS_plain
#define LEADS_thread size_t thread,
#define LEADS_id uint32_t thread,
#define LEADS_uarch uint32_t uarch,
#define LEADS_uarch_thread uint32_t uarch, size_t thread,
#define TOLD_plain NO_THREAD, DEFAULT_UARCH
#define TOLD_thread thread, DEFAULT_UARCH
#define TOLD_id thread, DEFAULT_UARCH
#define TOLD_uarch NO_THREAD, uarch
#define TOLD_uarch_thread thread, uarch
#define GIVEN_plain
#define GIVEN_thread
#define GIVEN_id
#define GIVEN_uarch DEFAULT_UARCH, 9,
#define GIVEN_uarch_thread DEFAULT_UARCH, 9,
#define RANGE_GIVEN(d) ranges[d]
#define TILE_GIVEN(d) tiles[d]

#define TEST_FORM(name, dims, tiled, leads, joins)                                                \
    static void task_##name(void *g, LEADS_##leads TPI_PTP_EACH_##dims(TPI_PTP_RANGE)             \
                                         TPI_PTP_TILED_##tiled(TPI_PTP_TILE)) {                   \
        const size_t at[] = {TPI_PTP_EACH_##dims(TPI_PTP_RANGE_NAME)};                            \
        const size_t size[] = {1 TPI_PTP_TILED_##tiled(TPI_PTP_TILE_NAME)};                       \
        mark((grid *)g, dims, tiled, joins, at, size + 1, TOLD_##leads);                          \
    }                                                                                             \
    static void every_item_once_##name(pthreadpool_t handle) {                                    \
        static grid g;                                                                            \
        size_t items = 1;                                                                         \
        memset(&g, 0, sizeof g);                                                                  \
        g.threads = pthreadpool_get_threads_count(handle);                                        \
        pthreadpool_parallelize_##name(handle, task_##name, &g,                                   \
                                       GIVEN_##leads TPI_PTP_EACH_##dims(RANGE_GIVEN)             \
                                           TPI_PTP_TILED_##tiled(TILE_GIVEN), 0);                 \
        for (size_t d = 0; d < dims; ++d) items *= ranges[d];                                     \
        for (size_t i = 0; i < sizeof g.ran; ++i) CHECK(g.ran[i] == (i < items));                 \
    }
TPI_PTP_FAMILY(TEST_FORM)

static void every_form(pthreadpool_t handle) {
#define RUN_FORM(name, dims, tiled, leads, joins) every_item_once_##name(handle);
    TPI_PTP_FAMILY(RUN_FORM)
}

static void never(void *context, size_t i) {
    (void)context, (void)i;
    CHECK(!"a task of an empty range");
}

static void count(void *counter, size_t i) {
    (void)i;
    __atomic_fetch_add((int *)counter, 1, __ATOMIC_RELAXED);
}

static void empty_ranges(pthreadpool_t handle) {
    pthreadpool_parallelize_1d(handle, never, NULL, 0, 0);
}

static void in_order(void *last, size_t i) { CHECK(i == (*(size_t *)last)++); }

static void null_is_serial(void) {
    size_t last = 0;
    pthreadpool_parallelize_1d(NULL, in_order, &last, 100, 0);
    CHECK(last == 100 && pthreadpool_get_threads_count(NULL) == 1);
    pthreadpool_destroy(NULL);
}

/* The first item waits for all others: those of its own share have to be taken over. */
static void wait_for_others(void *counter, size_t i) {
    if (i) count(counter, i);
    else while (__atomic_load_n((int *)counter, __ATOMIC_RELAXED) < 99) sched_yield();
}

static void shares_are_taken_over(pthreadpool_t handle) {
    int ran = 0;
    if (pthreadpool_get_threads_count(handle) > 1)
        pthreadpool_parallelize_1d(handle, wait_for_others, &ran, 100, 0);
}

typedef struct {
    pthreadpool_t handle, other;
    size_t thread;
    int ran;
} nest;

static void alone(void *context, size_t thread, size_t i) {
    (void)context, (void)i;
    CHECK(thread == 0);
}

static void inner(void *context, size_t thread, size_t i) {
    nest *n = (nest *)context;
    CHECK(thread == n->thread);
    pthreadpool_parallelize_1d_with_thread(NULL, alone, NULL, 2, 0);
    count(&n->ran, i);
}

static void outer(void *context, size_t thread, size_t i) {
    const nest *all = (const nest *)context; /* `ran` changes meanwhile */
    nest n = {all->handle, all->other, thread, 0};
    pthreadpool_parallelize_1d_with_thread(n.handle, inner, &n, 10, 0);
    pthreadpool_parallelize_1d(n.other, count, &n.ran, 10, 0);
    CHECK(n.ran == 20);
    count(&((nest *)context)->ran, i);
}

static void nested_calls(pthreadpool_t handle, pthreadpool_t other) {
    nest n = {handle, other, 0, 0};
    pthreadpool_parallelize_1d_with_thread(handle, outer, &n, 20, 0);
    CHECK(n.ran == 20);
}

static void halve(void *context, size_t i) {
    volatile float least = 1.17549435e-38f, half = least * 0.5f; /* a denormal number, unless flushed */
    ((float *)context)[i] = half;
}

static void denormals(pthreadpool_t handle) {
    float halves[20];
    for (uint32_t flush = 0; flush < 2; ++flush) {
        pthreadpool_parallelize_1d(handle, halve, halves, 20, flush);
        halve(&halves[0], 0); /* here they are as before */
        CHECK(halves[0] > 0);
#if defined(__SSE__) || defined(__aarch64__)
        for (int i = 1; i < 20; ++i) CHECK((halves[i] == 0) == flush);
#endif
    }
}

typedef struct {
    pthreadpool_t handle;
    int plain[MOST_THREADS]; /* one for each thread of the handle */
} scratch;

static void use_scratch(void *context, size_t thread, size_t i) {
    (void)i;
    ++((scratch *)context)->plain[thread];
}

static void *call_often(void *context) {
    for (int k = 0; k < 50; ++k)
        pthreadpool_parallelize_1d_with_thread(((scratch *)context)->handle, use_scratch, context, 20, 2);
    return NULL;
}

/* Calls take turns, so what belongs to a thread's index is safe between them. */
static void concurrent_callers(pthreadpool_t handle) {
    if (pthreadpool_get_threads_count(handle) == 1) return;
    scratch s;
    memset(&s, 0, sizeof s);
    s.handle = handle;
    pthread_t callers[4];
    for (int t = 0; t < 4; ++t) pthread_create(&callers[t], NULL, call_often, &s);
    int sum = 0;
    for (int t = 0; t < 4; ++t) pthread_join(callers[t], NULL);
    for (int t = 0; t < MOST_THREADS; ++t) sum += s.plain[t];
    CHECK(sum == 4 * 50 * 20);
}

static void fewer_threads(pthreadpool_t handle) {
    size_t most = pthreadpool_get_threads_count(handle);
    CHECK(pthreadpool_set_threads_count(handle, 1000) == most);
    for (size_t threads = 1; threads < most; ++threads) {
        CHECK(pthreadpool_set_threads_count(handle, threads) == threads);
        every_item_once_2d_tile_1d_with_uarch_with_thread(handle); /* checks `thread` */
    }
    CHECK(pthreadpool_set_threads_count(handle, 0) == most);
    CHECK(pthreadpool_get_threads_count(handle) == most);
}

static tpi_pool *made; /* what pthreadpool_create gets, one reference of ours in it */

static tpi_pool *pool_for(size_t threads) {
    (void)threads;
    if (made) tpi_pool_retain(made);
    return made;
}

static void created_handles(void) {
    pthreadpool_t handle = pthreadpool_create(2);
    CHECK(pthreadpool_get_threads_count(handle) == 2); /* whatever the pool has */
    every_item_once_1d_with_thread(handle);
    pthreadpool_destroy(handle);
    handle = pthreadpool_create(0);
    CHECK(pthreadpool_get_threads_count(handle) == (size_t)tpi_pool_num_threads(made));
    pthreadpool_destroy(handle);
    CHECK(!pthreadpool_create(1000000));
}

int main(void) {
    tpi_pool_options options;
    memset(&options, 0, sizeof options);
    options.num_threads = 3;
    options.blocktime_us = 100;
    CHECK(!pthreadpool_create(1)); /* nothing is installed */
    const tpi_pthreadpool_core core = TPI_PTHREADPOOL_LINKED_CORE(pool_for);
    tpi_pthreadpool_install(&core);
    CHECK(!pthreadpool_create(1)); /* it has no pool */
    null_is_serial();
    every_form(NULL);
    tpi_pool *pools[] = {tpi_fork_join_new(&options, 0), tpi_fork_join_new(&options, 1),
                         tpi_work_stealing_new(&options, 0), tpi_sequential_new()};
    for (int i = 0; i < 4; ++i) {
        made = pools[i];
        pthreadpool_t handle = tpi_pthreadpool_of(made), other = tpi_pthreadpool_of(made);
        CHECK(pthreadpool_get_threads_count(handle) == (size_t)tpi_pool_num_threads(made));
        every_form(handle);
        empty_ranges(handle);
        shares_are_taken_over(handle);
        nested_calls(handle, other);
        denormals(handle);
        concurrent_callers(handle);
        fewer_threads(handle);
        created_handles();
        tpi_pool_close(made);
        every_form(handle); /* on the calling thread */
        pthreadpool_destroy(other);
        tpi_pool_release(made);
        pthreadpool_destroy(handle); /* has the last reference */
    }
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
