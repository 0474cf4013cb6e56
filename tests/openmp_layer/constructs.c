/* One function for each OpenMP construct. Each checks itself and says what was wrong; what the number
 * of threads decides is printed, so that runs on different runtimes can be compared line by line.
 *
 *     constructs [NAME ...]     all of them unless named
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { T = 4, N = 1000 };

static const char *now;
static int wrong;

static void check(int holds, int line, const char *condition) {
    if (holds) return;
    __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "%s: line %d: %s\n", now, line, condition);
}
#define CHECK(condition) check(condition, __LINE__, #condition)

static int seen[2 * N];
static void clear(void) { memset(seen, 0, sizeof seen); }

static void mark(long i) {
#pragma omp atomic
    seen[i] += 1;
}

static void all_once(long begin, long end, long step) {
    for (long i = 0; i < 2 * N; ++i) {
        long inside = i >= begin && i < end && (i - begin) % step == 0;
        CHECK(seen[i] == inside);
    }
    clear();
}

/* -- regions ----------------------------------------------------------------------------------- */

static void region(void) {
    int members[T] = {0};
#pragma omp parallel num_threads(T)
    {
        CHECK(omp_get_num_threads() == T);
        CHECK(omp_in_parallel());
        CHECK(omp_get_level() == 1 && omp_get_active_level() == 1);
#pragma omp atomic
        members[omp_get_thread_num()]++;
    }
    for (int i = 0; i < T; ++i) CHECK(members[i] == 1);
    CHECK(!omp_in_parallel() && omp_get_level() == 0);
}

static void master_is_the_caller(void) {
    static __thread int me;
    me = 7;
#pragma omp parallel num_threads(T)
    {
        if (omp_get_thread_num() == 0) CHECK(me == 7);
        else CHECK(me == 0);
    }
}

static void set_num_threads(void) {
    int before = omp_get_max_threads();
    omp_set_num_threads(3);
    CHECK(omp_get_max_threads() == 3);
#pragma omp parallel
    CHECK(omp_get_num_threads() == 3);
    omp_set_num_threads(before);
    CHECK(omp_get_max_threads() == before);
}

static void if_clause(void) {
#pragma omp parallel num_threads(T) if (0)
    {
        CHECK(omp_get_num_threads() == 1);
        CHECK(!omp_in_parallel() && omp_get_level() == 1);
    }
}

static void nested_inactive(void) {
    int total = 0;
#pragma omp parallel num_threads(T)
#pragma omp parallel num_threads(2)
    {
        CHECK(omp_get_num_threads() == 1);
        CHECK(omp_get_level() == 2 && omp_get_active_level() == 1);
        CHECK(omp_get_team_size(1) == T && omp_get_team_size(2) == 1 && omp_get_team_size(0) == 1);
        CHECK(omp_get_ancestor_thread_num(2) == 0 && omp_get_ancestor_thread_num(3) == -1);
#pragma omp atomic
        total++;
    }
    CHECK(total == T);
}

static void nested_active(void) {
    int total = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(3)
    {
        int outer = omp_get_thread_num();
#pragma omp parallel num_threads(2)
        {
            CHECK(omp_get_num_threads() == 2 && omp_get_active_level() == 2);
            CHECK(omp_get_ancestor_thread_num(1) == outer);
            CHECK(omp_get_ancestor_thread_num(2) == omp_get_thread_num());
#pragma omp barrier
#pragma omp atomic
            total++;
        }
    }
    CHECK(total == 6);
    omp_set_max_active_levels(1);
}

static void dynamic_adjustment(void) {
    omp_set_dynamic(1);
    CHECK(omp_get_dynamic());
    omp_set_dynamic(0);
    CHECK(!omp_get_dynamic());
}

static int kept = -1;
#pragma omp threadprivate(kept)

static void thread_private(void) {
#pragma omp parallel num_threads(2)
    kept = omp_get_thread_num();
#pragma omp parallel num_threads(2)
    CHECK(kept == omp_get_thread_num());
    kept = 5;
#pragma omp parallel num_threads(T) copyin(kept)
    CHECK(kept == 5);
}

static void larger_than_any_pool(void) {
    int members = 0;
#pragma omp parallel num_threads(16)
    {
#pragma omp barrier
#pragma omp atomic
        members++;
#pragma omp barrier
        CHECK(members == 16 && omp_get_num_threads() == 16);
    }
}

/* -- loops ------------------------------------------------------------------------------------- */

static void loop_static(void) {
    int owner[N];
#pragma omp parallel for num_threads(T) schedule(static)
    for (int i = 0; i < N; ++i) {
        owner[i] = omp_get_thread_num();
        mark(i);
    }
    all_once(0, N, 1);
    for (int i = 0; i < N; ++i) CHECK(owner[i] == i / (N / T));
#pragma omp parallel for num_threads(3) schedule(static, 7)
    for (int i = 0; i < N; ++i) {
        owner[i] = omp_get_thread_num();
        mark(i);
    }
    all_once(0, N, 1);
    for (int i = 0; i < N; ++i) CHECK(owner[i] == i / 7 % 3);
}

static void loop_dynamic(void) {
#pragma omp parallel for num_threads(T) schedule(dynamic)
    for (int i = 0; i < N; ++i) mark(i);
    all_once(0, N, 1);
#pragma omp parallel for num_threads(T) schedule(monotonic : dynamic, 17)
    for (int i = 3; i < N; i += 5) mark(i);
    all_once(3, N, 5);
#pragma omp parallel for num_threads(T) schedule(dynamic, 3)
    for (int i = N - 1; i >= 0; i -= 1) mark(i);
    all_once(0, N, 1);
}

static void loop_guided(void) {
#pragma omp parallel for num_threads(T) schedule(guided)
    for (int i = 0; i < N; ++i) mark(i);
    all_once(0, N, 1);
#pragma omp parallel for num_threads(T) schedule(monotonic : guided, 9)
    for (int i = 10; i < N; i += 3) mark(i);
    all_once(10, N, 3);
}

static void loop_runtime(void) {
    static const omp_sched_t kinds[] = {omp_sched_static, omp_sched_dynamic, omp_sched_guided,
                                        omp_sched_auto};
    for (int k = 0; k < 4; ++k)
        for (int chunk = 0; chunk < 9; chunk += 4) {
            omp_sched_t kind;
            int got;
            omp_set_schedule(kinds[k], chunk);
            omp_get_schedule(&kind, &got);
            CHECK((kind & 7) == kinds[k]);
            CHECK(chunk == 0 || got == chunk || kinds[k] == omp_sched_auto);
#pragma omp parallel for num_threads(T) schedule(runtime)
            for (int i = 0; i < N; ++i) mark(i);
            all_once(0, N, 1);
#pragma omp parallel for num_threads(T) schedule(monotonic : runtime)
            for (int i = 0; i < N; ++i) mark(i);
            all_once(0, N, 1);
        }
    omp_set_schedule(omp_sched_dynamic, 1);
}

static void loop_unsigned_long_long(void) {
    unsigned long long top = ~0ull;
#pragma omp parallel num_threads(T)
    {
#pragma omp for schedule(dynamic, 3)
        for (unsigned long long i = top - N; i < top; ++i) mark((long)(i - (top - N)));
#pragma omp single
        all_once(0, N, 1);
#pragma omp for schedule(guided, 2)
        for (unsigned long long i = top - 1; i >= top - N; --i) mark((long)(i - (top - N)));
#pragma omp single
        all_once(0, N, 1);
#pragma omp for schedule(runtime)
        for (unsigned long long i = 0; i < N; i += 2) mark((long)i);
#pragma omp single
        all_once(0, N, 2);
#pragma omp for schedule(static, 5) ordered
        for (unsigned long long i = 0; i < N; ++i) {
#pragma omp ordered
            mark((long)i);
        }
#pragma omp single
        all_once(0, N, 1);
    }
}

static void loop_empty(void) {
    volatile int nothing = 0;
#pragma omp parallel num_threads(T)
    {
#pragma omp for schedule(dynamic)
        for (int i = 0; i < nothing; ++i) mark(i);
#pragma omp for schedule(guided)
        for (int i = 5; i < nothing; ++i) mark(i);
#pragma omp for schedule(static, 3)
        for (int i = 0; i > nothing; --i) mark(i);
    }
    all_once(0, 0, 1);
}

static void loops_without_wait(void) {
#pragma omp parallel num_threads(T)
    {
        for (int round = 0; round < 200; ++round) {
#pragma omp for schedule(dynamic, 1) nowait
            for (int i = 0; i < 2 * N / 200; ++i) mark(round * (2 * N / 200) + i);
        }
    }
    all_once(0, 2 * N, 1);
}

static void loop_ordered(void) {
    int last;
#define ORDERED(...)                                                            \
    last = -1;                                                                  \
    _Pragma(#__VA_ARGS__) for (int i = 0; i < N; ++i) {                         \
        mark(i);                                                                \
        _Pragma("omp ordered") {                                                \
            CHECK(last == i - 1);                                               \
            last = i;                                                           \
        }                                                                       \
    }                                                                           \
    CHECK(last == N - 1);                                                       \
    all_once(0, N, 1);
    ORDERED(omp parallel for num_threads(T) ordered schedule(static))
    ORDERED(omp parallel for num_threads(T) ordered schedule(static, 3))
    ORDERED(omp parallel for num_threads(T) ordered schedule(dynamic, 2))
    ORDERED(omp parallel for num_threads(T) ordered schedule(guided))
    ORDERED(omp parallel for num_threads(T) ordered schedule(runtime))
}

/* Half of the iterations have no ordered region. */
static void loop_ordered_sometimes(void) {
    int last = -1;
#pragma omp parallel for num_threads(T) ordered schedule(dynamic)
    for (int i = 0; i < N; ++i)
        if (i % 2) {
#pragma omp ordered
            {
                CHECK(last < i);
                last = i;
            }
        }
    CHECK(last == N - 1);
}

static void doacross(void) {
    static unsigned a[64][64];
    memset(a, 0, sizeof a);
#define DOACROSS(type, ...)                                                     \
    _Pragma(#__VA_ARGS__) for (type i = 1; i < 64; ++i) for (type j = 1; j < 64; ++j) { \
        _Pragma("omp ordered depend(sink: i - 1, j) depend(sink: i, j - 1)")    \
        a[i][j] = a[i - 1][j] + a[i][j - 1] + 1;                                \
        _Pragma("omp ordered depend(source)")                                   \
    }                                                                           \
    for (int i = 1; i < 64; ++i)                                                \
        for (int j = 1; j < 64; ++j) CHECK(a[i][j] == a[i - 1][j] + a[i][j - 1] + 1);          \
    memset(a, 0, sizeof a);
    DOACROSS(int, omp parallel for num_threads(T) ordered(2) schedule(static))
    DOACROSS(int, omp parallel for num_threads(T) ordered(2) schedule(static, 2))
    DOACROSS(int, omp parallel for num_threads(T) ordered(2) schedule(dynamic))
    DOACROSS(int, omp parallel for num_threads(T) ordered(2) schedule(guided))
    DOACROSS(int, omp parallel for num_threads(T) ordered(2) schedule(runtime))
    DOACROSS(unsigned long long, omp parallel for num_threads(T) ordered(2) schedule(dynamic, 3))
}

static void doacross_one_dimension(void) {
    static long a[N];
    a[0] = 1;
#pragma omp parallel for num_threads(T) ordered(1) schedule(dynamic, 5)
    for (int i = 1; i < N; ++i) {
#pragma omp ordered depend(sink : i - 1)
        a[i] = a[i - 1] + i;
#pragma omp ordered depend(source)
    }
    CHECK(a[N - 1] == 1 + (long)N * (N - 1) / 2);
}

static void collapse(void) {
#pragma omp parallel for num_threads(T) collapse(2) schedule(dynamic, 7)
    for (int i = 0; i < 20; ++i)
        for (int j = 0; j < 50; ++j) mark(i * 50 + j);
    all_once(0, 1000, 1);
}

static void last_private(void) {
    int last = -1, first = 3;
#pragma omp parallel for num_threads(T) lastprivate(last) firstprivate(first) schedule(dynamic)
    for (int i = 0; i < N; ++i) last = i + first;
    CHECK(last == N - 1 + 3);
    last = -1;
#pragma omp parallel num_threads(T)
#pragma omp for lastprivate(conditional : last) schedule(dynamic)
    for (int i = 0; i < N; ++i)
        if (i % 10 == 3) last = i;
    CHECK(last == N - 7);
}

static void reductions(void) {
    long sum = 0, most = -1;
    double product = 1;
#pragma omp parallel for num_threads(T) reduction(+ : sum) reduction(max : most) reduction(* : product)
    for (int i = 0; i < N; ++i) {
        sum += i;
        if (i > most) most = i;
        product *= i % 100 ? 1 : 2;
    }
    CHECK(sum == (long)N * (N - 1) / 2 && most == N - 1 && product == 1024);
}

static void scan(void) {
    static int in[N], out[N];
    int sum = 0;
    for (int i = 0; i < N; ++i) in[i] = i % 7;
#pragma omp parallel for num_threads(T) reduction(inscan, + : sum)
    for (int i = 0; i < N; ++i) {
        sum += in[i];
#pragma omp scan inclusive(sum)
        out[i] = sum;
    }
    for (int i = 0, total = 0; i < N; ++i) CHECK(out[i] == (total += in[i]));
}

/* -- other work-sharing ------------------------------------------------------------------------ */

static void sections(void) {
#pragma omp parallel sections num_threads(T)
    {
#pragma omp section
        mark(0);
#pragma omp section
        mark(1);
#pragma omp section
        mark(2);
    }
    all_once(0, 3, 1);
#pragma omp parallel num_threads(T)
    for (int round = 0; round < 50; ++round) {
#pragma omp sections nowait
        {
#pragma omp section
            mark(2 * round);
#pragma omp section
            mark(2 * round + 1);
        }
    }
    all_once(0, 100, 1);
}

static void single(void) {
#pragma omp parallel num_threads(T)
    for (int round = 0; round < N; ++round) {
#pragma omp single nowait
        mark(round);
    }
    all_once(0, N, 1);
}

static void copy_private(void) {
#pragma omp parallel num_threads(T)
    for (int round = 0; round < 50; ++round) {
        int x = -1;
#pragma omp single copyprivate(x)
        x = round * 3;
        CHECK(x == round * 3);
    }
}

static void masters(void) {
    int ran = 0;
#pragma omp parallel num_threads(T)
    {
#pragma omp master
        ran++;
#pragma omp barrier
        CHECK(ran == 1);
    }
}

static void scopes(void) {
#if __GNUC__ >= 12
    int total = 0;
#pragma omp parallel num_threads(T)
#pragma omp scope reduction(+ : total)
    total += 1;
    CHECK(total == T);
#endif
}

/* -- keeping apart ----------------------------------------------------------------------------- */

static void criticals(void) {
    int a = 0, b = 0;
#pragma omp parallel for num_threads(T)
    for (int i = 0; i < N; ++i) {
#pragma omp critical
        a++;
#pragma omp critical(name)
        b++;
    }
    CHECK(a == N && b == N);
}

static void atomics(void) {
    long double wide = 0;
#pragma omp parallel for num_threads(T)
    for (int i = 0; i < N; ++i) {
#pragma omp atomic
        wide += 1;
    }
    CHECK(wide == N);
}

static void locks(void) {
    omp_lock_t lock;
    omp_nest_lock_t nest;
    struct { omp_lock_t lock; int guard; } narrow = {.guard = 0x12345};
    int a = 0, b = 0;
    omp_init_lock(&lock);
    omp_init_lock(&narrow.lock);
    omp_init_nest_lock(&nest);
#pragma omp parallel for num_threads(T)
    for (int i = 0; i < N; ++i) {
        omp_set_lock(&lock);
        a++;
        omp_unset_lock(&lock);
        omp_set_lock(&narrow.lock);
        omp_unset_lock(&narrow.lock);
        omp_set_nest_lock(&nest);
        CHECK(omp_test_nest_lock(&nest) == 2);
        omp_set_nest_lock(&nest);
        b++;
        omp_unset_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
    }
    CHECK(a == N && b == N && narrow.guard == 0x12345);
    CHECK(omp_test_lock(&lock) && !omp_test_lock(&lock));
    omp_unset_lock(&lock);
    omp_destroy_lock(&lock);
    omp_destroy_nest_lock(&nest);
}

static void barriers(void) {
    int phase[T] = {0};
#pragma omp parallel num_threads(T)
    {
        int me = omp_get_thread_num();
        for (int i = 1; i <= 200; ++i) {
            phase[me] = i;
#pragma omp barrier
            for (int j = 0; j < T; ++j) CHECK(phase[j] == i);
#pragma omp barrier
        }
    }
}

/* -- cancellation (OMP_CANCELLATION=true) -------------------------------------------------------- */

static void cancel_region(void) {
    int after = 0;
    if (!omp_get_cancellation()) return;
#pragma omp parallel num_threads(T)
    {
        if (omp_get_thread_num() == 1) {
#pragma omp cancel parallel
        }
#pragma omp barrier
#pragma omp atomic
        after++;
    }
    CHECK(after == 0);
}

static void cancel_loop(void) {
    int ran = 0;
    if (!omp_get_cancellation()) return;
#pragma omp parallel num_threads(T)
    {
#pragma omp for schedule(dynamic)
        for (int i = 0; i < 1000000; ++i) {
#pragma omp cancellation point for
            int so_far;
#pragma omp atomic capture
            so_far = ++ran;
            if (so_far >= 10) {
#pragma omp cancel for
            }
        }
#pragma omp for schedule(dynamic)
        for (int i = 0; i < N; ++i) mark(i);
    }
    CHECK(ran < 1000000);
    all_once(0, N, 1);
}

static void cancel_sections(void) {
    if (!omp_get_cancellation()) return;
#pragma omp parallel num_threads(T)
    {
#pragma omp sections
        {
#pragma omp section
            {
#pragma omp cancel sections
            }
#pragma omp section
            {
#pragma omp cancellation point sections
            }
        }
    }
}

static void cancel_taskgroup(void) {
    int ran = 0;
    if (!omp_get_cancellation()) return;
#pragma omp parallel num_threads(T)
#pragma omp single
#pragma omp taskgroup
    {
        for (int i = 0; i < N; ++i) {
#pragma omp task
            {
#pragma omp atomic
                ran++;
#pragma omp cancel taskgroup
            }
        }
    }
    CHECK(ran >= 1 && ran < N);
}

/* -- tasks ------------------------------------------------------------------------------------- */

static int fib(int n) {
    int a, b;
    if (n < 2) return n;
#pragma omp task shared(a)
    a = fib(n - 1);
#pragma omp task shared(b) if (n > 10)
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static void tasks(void) {
    int result = 0;
#pragma omp parallel num_threads(T)
#pragma omp single
    result = fib(16);
    CHECK(result == 987);
}

static void tasks_at_the_end(void) {
#pragma omp parallel num_threads(T)
    for (int i = 0; i < 50; ++i) {
#pragma omp task firstprivate(i)
        mark(omp_get_thread_num() * 0 + i);
    }
    for (int i = 0; i < 50; ++i) CHECK(seen[i] == T);
    clear();
}

static void task_groups(void) {
    int done = 0;
#pragma omp parallel num_threads(T)
#pragma omp single
    {
#pragma omp taskgroup
        for (int i = 0; i < 20; ++i) {
#pragma omp task
            {
#pragma omp task
                {
#pragma omp atomic
                    done++;
                }
            }
        }
        CHECK(done == 20);
    }
}

static void task_dependences(void) {
    int x = 0, y = 0, reads = 0;
#pragma omp parallel num_threads(T)
#pragma omp single
    {
        for (int i = 0; i < 100; ++i) {
#pragma omp task depend(inout : x) shared(x)
            {
                CHECK(x == i);
                x = i + 1;
            }
#pragma omp task depend(in : x) depend(out : y) shared(x, y)
            y = x;
#pragma omp task depend(in : y) shared(reads)
            {
#pragma omp atomic
                reads += 1;
            }
        }
#pragma omp taskwait depend(in : x)
        CHECK(x == 100);
#pragma omp taskwait
        CHECK(y == 100 && reads == 100);
    }
}

static void task_dependence_sets(void) {
    int x = 0, inside = 0;
    omp_depend_t object;
#pragma omp parallel num_threads(T)
#pragma omp single
    {
        for (int i = 0; i < 50; ++i) {
#pragma omp task depend(mutexinoutset : x) shared(x, inside)
            {
                CHECK(++inside == 1);
                x++;
                --inside;
            }
        }
#pragma omp task depend(in : x) shared(x)
        CHECK(x == 50);
#pragma omp depobj(object) depend(inout : x)
#pragma omp task depend(depobj : object) shared(x)
        x = 7;
#pragma omp task depend(in : x) shared(x)
        CHECK(x == 7);
#pragma omp taskwait
#pragma omp depobj(object) destroy
    }
}

static void task_flags(void) {
#pragma omp parallel num_threads(T)
#pragma omp single
    {
        CHECK(!omp_in_final());
#pragma omp task final(1)
        {
            CHECK(omp_in_final());
#pragma omp task
            CHECK(omp_in_final());
        }
#pragma omp task priority(5)
        mark(0);
#pragma omp task untied mergeable
        mark(1);
#pragma omp taskyield
#pragma omp taskwait
    }
    all_once(0, 2, 1);
}

typedef struct { double values[40]; int count; } large;

static void task_arguments(void) {
    large given;
    for (int i = 0; i < 40; ++i) given.values[i] = i;
    given.count = 40;
#pragma omp parallel num_threads(T)
#pragma omp single
    for (int i = 0; i < 60; ++i) {
#pragma omp task firstprivate(given, i)
        {
            double sum = 0;
            for (int k = 0; k < given.count; ++k) sum += given.values[k];
            CHECK(sum == 780);
            mark(i);
        }
    }
    all_once(0, 60, 1);
}

static void task_loops(void) {
#pragma omp parallel num_threads(T)
#pragma omp single
    {
#pragma omp taskloop grainsize(7)
        for (int i = 0; i < N; ++i) mark(i);
        all_once(0, N, 1);
#pragma omp taskloop num_tasks(13)
        for (unsigned long long i = 5; i < N; i += 3) mark((long)i);
        all_once(5, N, 3);
#pragma omp taskloop nogroup
        for (int i = N - 1; i >= 0; --i) mark(i);
#pragma omp taskwait
        all_once(0, N, 1);
    }
}

static void task_reductions(void) {
    int sum = 0, group = 0, loop = 0;
#pragma omp parallel num_threads(T) reduction(task, + : sum)
    {
        sum += 1;
#pragma omp single
        for (int i = 0; i < 20; ++i) {
#pragma omp task in_reduction(+ : sum)
            sum += 10;
        }
    }
    CHECK(sum == T + 200);
#pragma omp parallel num_threads(T)
#pragma omp single
    {
#pragma omp taskgroup task_reduction(+ : group)
        for (int i = 0; i < 100; ++i) {
#pragma omp task in_reduction(+ : group)
            group += i;
        }
        CHECK(group == 4950);
#pragma omp taskloop reduction(+ : loop)
        for (int i = 0; i < N; ++i) loop += i;
        CHECK(loop == N * (N - 1) / 2);
    }
    int shared_loop = 0;
#pragma omp parallel num_threads(T)
#pragma omp for reduction(task, + : shared_loop)
    for (int i = 0; i < 40; ++i) {
#pragma omp task in_reduction(+ : shared_loop)
        shared_loop += i;
    }
    CHECK(shared_loop == 780);
}

static void task_detached(void) {
    int done = 0;
#pragma omp parallel num_threads(T)
#pragma omp single
    {
        omp_event_handle_t event;
#pragma omp task detach(event) shared(done)
        done = 1;
#pragma omp task shared(event)
        omp_fulfill_event(event);
#pragma omp taskwait
        CHECK(done == 1);
    }
}

/* Nobody else is there to fulfil the event. */
static void task_detached_alone(void) {
    int done = 0;
#pragma omp parallel num_threads(1)
    {
        omp_event_handle_t event;
#pragma omp task detach(event) shared(done)
        done = 1;
        omp_fulfill_event(event);
#pragma omp taskwait
        CHECK(done == 1);
    }
}

/* The last member makes tasks that wait for each other, when the others have nothing left to do. */
static void tasks_together(void) {
    int met = 0;
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) {
        usleep(1000);
        for (int i = 0; i < 2; ++i) {
#pragma omp task shared(met)
            {
                __atomic_fetch_add(&met, 1, __ATOMIC_SEQ_CST);
                while (__atomic_load_n(&met, __ATOMIC_SEQ_CST) < 2) usleep(10);
            }
        }
    }
    CHECK(met == 2);
}

static void thread_private_in_a_large_team(void) {
#pragma omp parallel num_threads(6)
    kept = omp_get_thread_num();
#pragma omp parallel num_threads(6)
    CHECK(kept == omp_get_thread_num());
}

static void leagues(void) {
    int members = 0;
#pragma omp teams num_teams(3) thread_limit(2)
    {
#pragma omp parallel num_threads(T)
        {
            CHECK(omp_get_num_teams() == 3);
            CHECK(omp_get_team_num() >= 0 && omp_get_team_num() < 3);
            CHECK(omp_get_num_threads() <= 2);
#pragma omp atomic
            members++;
        }
    }
    CHECK(members == 6);
}

static void targets(void) {
    int x = 0, team = 0;
#pragma omp target map(tofrom : x, team)
    {
        x = 42;
#pragma omp parallel num_threads(T)
#pragma omp atomic
        team++;
    }
    CHECK(x == 42 && team == T);
#pragma omp parallel num_threads(T)
#pragma omp single
    {
#pragma omp task depend(out : x) shared(x)
        x = 1;
#pragma omp target depend(inout : x) map(tofrom : x)
        x += 1;
        CHECK(x == 2);
    }
}

/* Constructs of a thread that is in no region. */
static void orphaned(void) {
    int sum = 0;
#pragma omp for schedule(dynamic)
    for (int i = 0; i < 10; ++i) mark(i);
    all_once(0, 10, 1);
#pragma omp single
    sum++;
#pragma omp sections
    {
#pragma omp section
        sum++;
#pragma omp section
        sum++;
    }
#pragma omp task shared(sum)
    sum++;
#pragma omp taskwait
#pragma omp barrier
    CHECK(sum == 4 && omp_get_thread_num() == 0 && omp_get_num_threads() == 1);
}

static void questions(void) {
    CHECK(omp_get_num_procs() >= 1);
    CHECK(omp_get_thread_limit() >= T);
    CHECK(omp_get_max_active_levels() >= 1);
    CHECK(omp_get_wtime() > 0 && omp_get_wtick() > 0);
    CHECK(omp_get_num_devices() == 0);
    void *memory = omp_alloc(64, omp_default_mem_alloc);
    CHECK(memory != NULL);
    omp_free(memory, omp_default_mem_alloc);
}

#define CONSTRUCT(name) {#name, name}
static const struct { const char *name; void (*run)(void); } constructs[] = {
    CONSTRUCT(region), CONSTRUCT(master_is_the_caller), CONSTRUCT(set_num_threads),
    CONSTRUCT(if_clause), CONSTRUCT(nested_inactive), CONSTRUCT(nested_active),
    CONSTRUCT(dynamic_adjustment), CONSTRUCT(thread_private), CONSTRUCT(larger_than_any_pool),
    CONSTRUCT(loop_static), CONSTRUCT(loop_dynamic), CONSTRUCT(loop_guided), CONSTRUCT(loop_runtime),
    CONSTRUCT(loop_unsigned_long_long), CONSTRUCT(loop_empty), CONSTRUCT(loops_without_wait),
    CONSTRUCT(loop_ordered), CONSTRUCT(loop_ordered_sometimes), CONSTRUCT(doacross),
    CONSTRUCT(doacross_one_dimension), CONSTRUCT(collapse), CONSTRUCT(last_private),
    CONSTRUCT(reductions), CONSTRUCT(scan), CONSTRUCT(sections), CONSTRUCT(single),
    CONSTRUCT(copy_private), CONSTRUCT(masters), CONSTRUCT(scopes), CONSTRUCT(criticals),
    CONSTRUCT(atomics), CONSTRUCT(locks), CONSTRUCT(barriers), CONSTRUCT(cancel_region),
    CONSTRUCT(cancel_loop), CONSTRUCT(cancel_sections), CONSTRUCT(cancel_taskgroup),
    CONSTRUCT(tasks), CONSTRUCT(tasks_at_the_end), CONSTRUCT(task_groups),
    CONSTRUCT(task_dependences), CONSTRUCT(task_dependence_sets), CONSTRUCT(task_flags),
    CONSTRUCT(task_arguments), CONSTRUCT(task_loops), CONSTRUCT(task_reductions),
    CONSTRUCT(task_detached), CONSTRUCT(task_detached_alone), CONSTRUCT(tasks_together),
    CONSTRUCT(thread_private_in_a_large_team), CONSTRUCT(leagues), CONSTRUCT(targets), CONSTRUCT(orphaned),
    CONSTRUCT(questions),
};

static int is_asked_for(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; ++i)
        if (!strcmp(argv[i], name)) return 1;
    return argc < 2;
}

int main(int argc, char **argv) {
    int ran = 0;
    alarm(60);
    for (size_t i = 0; i < sizeof constructs / sizeof *constructs; ++i) {
        if (!is_asked_for(constructs[i].name, argc, argv)) continue;
        now = constructs[i].name;
        for (int times = 0; times < 20; ++times) constructs[i].run();
        ++ran;
    }
    printf("%d constructs, %d wrong\n", ran, wrong);
    return wrong != 0;
}
