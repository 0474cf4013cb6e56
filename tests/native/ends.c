/* The part of the stress that ends things while others use them: pools that are closed, leases, and
 * what a forked child has of its parent's regions. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lease.h"
#include "stress.h"

/* -- pools that several threads close at once ---------------------------------------------- */

enum { CLOSERS = 3, USERS = 2 };

/* One of ours, or a foreign one whose end takes a while. */
typedef struct {
    bool native;
    enum { OPEN, ENDING, ENDED } state; /* plain: the core must order it */
    atomic_int inside;                  /* regions; relaxed, so that it orders nothing */
    tpi_pool *handle;
} ending_pool;

static int32_t two(void *self) { return (void)self, 2; }
static int32_t no(void *self) { return (void)self, 0; }
static uint64_t synchronous(void *self) { return (void)self, 0; }
static void nothing(void *self) { (void)self; }

static int32_t run_while_open(void *self, int32_t n, tpi_task task, void *ctx) {
    ending_pool *pool = self;
    atomic_fetch_add_explicit(&pool->inside, 1, memory_order_relaxed);
    if (pool->state != OPEN) fail("a region begins while its pool ends", n, pool->state);
    for (int32_t i = 0; i < n; ++i) task(ctx, i, n);
    atomic_fetch_sub_explicit(&pool->inside, 1, memory_order_relaxed);
    return 0;
}

static void end_slowly(void *self) {
    ending_pool *pool = self;
    if (pool->state != OPEN) fail("a pool is ended twice", pool->state, 0);
    pool->state = ENDING;
    for (int i = 0; i < 20; ++i) {
        int inside = atomic_load_explicit(&pool->inside, memory_order_relaxed);
        if (inside) fail("a pool is ended while a region runs", inside, i);
        sched_yield();
    }
    pool->state = ENDED;
}

static const tpi_pool_ops ending_ops = {
    .abi_version = TPI_ABI_VERSION, .struct_size = sizeof ending_ops, .num_threads = two,
    .in_parallel = no, .parallel_for = run_while_open, .flags = synchronous, .wait = nothing,
    .close = end_slowly, .destroy = nothing,
};

static int32_t do_nothing(void *ctx, int32_t i, int32_t n) { return (void)ctx, (void)i, (void)n, 0; }

static void *use_until_closed(void *arg) {
    ending_pool *pool = arg;
    uint32_t random = seed + 7;
    for (int i = 0; i < 10; ++i) one_round(&random, pool->handle, 1);
    while (!tpi_pool_parallel(pool->handle, 1, do_nothing, NULL)) continue;
    return NULL;
}

static void *close_it(void *arg) {
    ending_pool *pool = arg;
    if (tpi_pool_close(pool->handle)) fail("a close failed", 0, 0);
    if (!pool->native && pool->state != ENDED) fail("a close returned early", pool->state, 0);
    int code = tpi_pool_parallel(pool->handle, 1, do_nothing, NULL);
    if (code != TPI_E_CLOSED) fail("a region after a close returned", code, 0);
    return NULL;
}

void *close_pools(void *arg) {
    (void)arg;
    for (int i = 0; i < rounds / 20; ++i) {
        ending_pool pool = {.native = i % 3 == 0};
        pool.handle = pool.native ? new_pool(i) : tpi_pool_new(&ending_ops, &pool);
        pthread_t threads[USERS + CLOSERS];
        for (int t = 0; t < USERS + CLOSERS; ++t)
            pthread_create(&threads[t], NULL, t < USERS ? use_until_closed : close_it, &pool);
        for (int t = 0; t < USERS + CLOSERS; ++t) pthread_join(threads[t], NULL);
        tpi_pool_release(pool.handle);
    }
    return NULL;
}

/* -- leases -------------------------------------------------------------------------------- */

enum { HOLDERS = 2 };

typedef struct {
    int over, ran[HOLDERS]; /* plain: the lease must order them */
} leased;

typedef struct {
    tpi_lease *lease;
    int index, called;
} holder;

static int32_t count_unless_over(void *ctx, int32_t i, int32_t n) {
    leased *l = ctx;
    if (l->over) fail("a lease's task runs after its end", i, n);
    l->ran[i] += 1;
    return 0;
}

static void *call_until_refused(void *arg) {
    holder *h = arg;
    while (!tpi_lease_call(h->lease, h->index, HOLDERS)) h->called += 1;
    if (tpi_lease_is_open(h->lease)) fail("an open lease refused a call", h->index, 0);
    tpi_lease_drop(&h->lease);
    return NULL;
}

static void one_lease(uint32_t *random) {
    leased l = {0};
    holder holders[HOLDERS];
    pthread_t threads[HOLDERS];
    tpi_lease *lease = tpi_lease_new(count_unless_over, &l);
    for (int i = 0; i < HOLDERS; ++i) {
        holders[i] = (holder){.index = i};
        tpi_lease_keep(lease, &holders[i].lease);
        pthread_create(&threads[i], NULL, call_until_refused, &holders[i]);
    }
    for (int i = (int)(next(random) >> 16) % 8; i > 0; --i) sched_yield();
    tpi_lease_end(lease);
    l.over = 1;
    tpi_lease_release(lease);
    for (int i = 0; i < HOLDERS; ++i) {
        pthread_join(threads[i], NULL);
        if (holders[i].called != l.ran[i]) fail("calls of a lease", holders[i].called, l.ran[i]);
    }
}

void *end_leases(void *arg) {
    (void)arg;
    uint32_t random = seed + 5;
    for (int i = 0; i < rounds / 20; ++i) one_lease(&random);
    return NULL;
}

/* -- forks --------------------------------------------------------------------------------- */

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
/* A sanitizer's own locks may be held by a thread that the child does not have. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || \
    HAS_FEATURE(thread_sanitizer) || HAS_FEATURE(address_sanitizer)
enum { FORKS_WORK = 0 };
#else
enum { FORKS_WORK = 1 };
#endif

static pid_t fork_child(void) {
    pid_t child = fork();
    if (child < 0) fail("fork", 0, 0);
    if (child == 0) alarm(seconds);
    return child;
}

static void join_child(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    if (status) fail("a forked child ended with", WEXITSTATUS(status), WTERMSIG(status));
}

static void use(uint32_t *random, tpi_pool *pool) {
    for (int i = 0; i < 5; ++i) one_round(random, pool, 0);
    one_gang(random, pool, 0);
    asynchronous_rounds(random, pool, 0);
}

static void use_and_close(uint32_t *random, tpi_pool *pool) {
    use(random, pool);
    if (tpi_pool_close(pool)) fail("a child's close", 0, 0);
}

enum { BESIDE = 16 };

typedef struct {
    uint32_t random;
    tpi_pool *pool;
    pthread_t caller;
    bool on_caller; /* where it forks */
    atomic_int asked;
    pid_t child;    /* as fork returned it */
    /* A region of another thread of the child's, beside the frames of the parent's region. */
    pthread_t other;
    atomic_int begun, left;
    int ran[BESIDE];
} forking;

static int32_t stay_until_left(void *ctx, int32_t i, int32_t n) {
    (void)n;
    forking *f = ctx;
    f->ran[i] += 1;
    f->begun = 1;
    while (!f->left) sched_yield();
    return 0;
}

static void *run_beside(void *arg) {
    forking *f = arg;
    uint32_t random = seed + 3;
    int code = tpi_pool_parallel(f->pool, BESIDE, stay_until_left, f);
    if (code) fail("a region in a child returned", code, 0);
    for (int i = 0; i < BESIDE; ++i)
        if (f->ran[i] != 1) fail("in a child, a task ran", i, f->ran[i]);
    use(&random, f->pool);
    return NULL;
}

/* A worker's child ends with the task; the caller's goes on with the parent's region. */
static int32_t fork_once(void *ctx, int32_t i, int32_t n) {
    (void)i, (void)n;
    forking *f = ctx;
    bool here = !pthread_equal(pthread_self(), f->caller) != f->on_caller;
    if (!here || atomic_exchange(&f->asked, 1)) return 0;
    f->child = fork_child();
    if (f->child) return 0;
    if (!f->on_caller) {
        use_and_close(&f->random, f->pool);
        return 0;
    }
    pthread_create(&f->other, NULL, run_beside, f);
    while (!f->begun) sched_yield();
    return 0;
}

/* In the child, the rest of the caller that forked in a task. */
static void end_callers_child(forking *f, int code) {
    if (code != TPI_E_FORKED) fail("in the child, the parent's region returned", code, 0);
    f->left = 1;
    use(&f->random, f->pool);
    pthread_join(f->other, NULL);
    use_and_close(&f->random, f->pool);
    _exit(0);
}

static void fork_in_a_task(uint32_t *random, tpi_pool *pool, bool on_caller) {
    forking f = {.random = *random, .pool = pool, .caller = pthread_self(), .on_caller = on_caller};
    for (int tries = 0; tries < 100 && !f.asked; ++tries) {
        int code = tpi_pool_parallel(pool, 2 + (int)(next(random) >> 16) % 8, fork_once, &f);
        if (f.asked && f.child == 0) end_callers_child(&f, code);
        if (code) fail("a region with a fork returned", code, 0);
    }
    if (f.asked) join_child(f.child);
}

static void fork_outside(uint32_t *random, tpi_pool *pool) {
    pid_t child = fork_child();
    if (child) {
        join_child(child);
        return;
    }
    use_and_close(random, pool);
    _exit(0);
}

typedef struct {
    tpi_lease *lease;
    atomic_int inside, leave;
} held_call;

static int32_t stay(void *ctx, int32_t i, int32_t n) {
    (void)i, (void)n;
    held_call *call = ctx;
    call->inside = 1;
    while (!call->leave) sched_yield();
    return 0;
}

static void *call_lease(void *arg) {
    tpi_lease_call(((held_call *)arg)->lease, 0, 1);
    return NULL;
}

/* The call that runs is the parent's. */
static void fork_beside_a_call(void) {
    held_call call = {0};
    pthread_t thread;
    call.lease = tpi_lease_new(stay, &call);
    pthread_create(&thread, NULL, call_lease, &call);
    while (!call.inside) sched_yield();
    pid_t child = fork_child();
    if (child == 0) {
        tpi_lease_end(call.lease);
        _exit(0);
    }
    call.leave = 1;
    tpi_lease_end(call.lease);
    pthread_join(thread, NULL);
    tpi_lease_release(call.lease);
    join_child(child);
}

void *fork_children(void *arg) {
    (void)arg;
    uint32_t random = seed + 1;
    for (int i = 0; FORKS_WORK && i < rounds / 40; ++i) {
        tpi_pool *pool = shared[(next(&random) >> 16) % (POOLS - 1)]; /* but the sequential one */
        switch (i % 4) {
            case 0: fork_outside(&random, pool); break;
            case 1: fork_in_a_task(&random, pool, true); break;
            case 2: fork_in_a_task(&random, pool, false); break;
            case 3: fork_beside_a_call(); break;
        }
    }
    return NULL;
}
