/* GOMP_loop_*: work-shared loops as compilers call them. */
#define _GNU_SOURCE
#include "abi.h"
#include "barrier.h"
#include "doacross.h"
#include "loop.h"
#include "reduction.h"

static bool next_long(tpi_member *me, long *first, long *end) {
    uint64_t from, to;
    if (!tpi_loop_next(me, &from, &to)) return false;
    *first = (long)from;
    *end = (long)to;
    return true;
}

static bool next_ull(tpi_member *me, ull *first, ull *end) {
    uint64_t from, to;
    if (!tpi_loop_next(me, &from, &to)) return false;
    *first = from;
    *end = to;
    return true;
}

/* -- one function for each schedule ------------------------------------------------------------ */

#define LOOP(name, kind, is_ordered)                                                               \
    ABI(bool, GOMP_loop_##name##_start,                                                            \
        (long start, long end, long step, long chunk, long *istart, long *iend),                   \
        (start, end, step, chunk, istart, iend)) {                                                 \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        tpi_loop_enter(tpi_me, &space, (tpi_plan){kind, (uint64_t)chunk, is_ordered});             \
        return next_long(tpi_me, istart, iend);                                                    \
    }                                                                                              \
    ABI(bool, GOMP_loop_ull_##name##_start,                                                        \
        (bool up, ull start, ull end, ull step, ull chunk, ull *istart, ull *iend),                \
        (up, start, end, step, chunk, istart, iend)) {                                             \
        tpi_loop_space space = tpi_space_ull(up, start, end, step);                                \
        tpi_loop_enter(tpi_me, &space, (tpi_plan){kind, chunk, is_ordered});                       \
        return next_ull(tpi_me, istart, iend);                                                     \
    }                                                                                              \
    NEXT(name)

#define RUNTIME_LOOP(name, is_ordered)                                                             \
    ABI(bool, GOMP_loop_##name##_start,                                                            \
        (long start, long end, long step, long *istart, long *iend),                               \
        (start, end, step, istart, iend)) {                                                        \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        tpi_loop_enter(tpi_me, &space, (tpi_plan){TPI_RUNTIME, 0, is_ordered});                    \
        return next_long(tpi_me, istart, iend);                                                    \
    }                                                                                              \
    ABI(bool, GOMP_loop_ull_##name##_start,                                                        \
        (bool up, ull start, ull end, ull step, ull *istart, ull *iend),                           \
        (up, start, end, step, istart, iend)) {                                                    \
        tpi_loop_space space = tpi_space_ull(up, start, end, step);                                \
        tpi_loop_enter(tpi_me, &space, (tpi_plan){TPI_RUNTIME, 0, is_ordered});                    \
        return next_ull(tpi_me, istart, iend);                                                     \
    }                                                                                              \
    NEXT(name)

#define NEXT(name)                                                                                 \
    ABI(bool, GOMP_loop_##name##_next, (long *istart, long *iend), (istart, iend)) {               \
        return next_long(tpi_me, istart, iend);                                                    \
    }                                                                                              \
    ABI(bool, GOMP_loop_ull_##name##_next, (ull *istart, ull *iend), (istart, iend)) {             \
        return next_ull(tpi_me, istart, iend);                                                     \
    }

LOOP(static, TPI_STATIC, false)
LOOP(dynamic, TPI_DYNAMIC, false)
LOOP(guided, TPI_GUIDED, false)
LOOP(nonmonotonic_dynamic, TPI_DYNAMIC, false)
LOOP(nonmonotonic_guided, TPI_GUIDED, false)
LOOP(ordered_static, TPI_STATIC, true)
LOOP(ordered_dynamic, TPI_DYNAMIC, true)
LOOP(ordered_guided, TPI_GUIDED, true)
RUNTIME_LOOP(runtime, false)
RUNTIME_LOOP(nonmonotonic_runtime, false)
RUNTIME_LOOP(maybe_nonmonotonic_runtime, false)
RUNTIME_LOOP(ordered_runtime, true)

/* -- with reductions and memory of the construct's own ------------------------------------------ */

typedef struct {
    tpi_loop_space space;
    tpi_plan plan;
} wanted_loop;

static void prepare_loop(tpi_member *me, share *s, const void *arg) {
    const wanted_loop *loop = arg;
    tpi_loop_prepare(s, &loop->space, tpi_plan_resolve(&me->task->icv, loop->plan), me->team->n);
}

static void enter_wanting(tpi_member *me, const tpi_loop_space *space, tpi_plan plan,
                          tpi_wanted wanted) {
    wanted_loop loop = {*space, plan};
    tpi_enter_wanting(me, prepare_loop, &loop, wanted);
}

#define START(name, is_ordered)                                                                    \
    ABI(bool, GOMP_loop_##name,                                                                    \
        (long start, long end, long step, long kind, long chunk, long *istart, long *iend,         \
         uintptr_t *reductions, void **memory),                                                    \
        (start, end, step, kind, chunk, istart, iend, reductions, memory)) {                       \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        enter_wanting(tpi_me, &space, (tpi_plan){(uint32_t)kind, (uint64_t)chunk, is_ordered},     \
                      (tpi_wanted){reductions, memory});                                           \
        return istart ? next_long(tpi_me, istart, iend) : true;                                    \
    }                                                                                              \
    ABI(bool, GOMP_loop_ull_##name,                                                                \
        (bool up, ull start, ull end, ull step, long kind, ull chunk, ull *istart, ull *iend,      \
         uintptr_t *reductions, void **memory),                                                    \
        (up, start, end, step, kind, chunk, istart, iend, reductions, memory)) {                   \
        tpi_loop_space space = tpi_space_ull(up, start, end, step);                                \
        enter_wanting(tpi_me, &space, (tpi_plan){(uint32_t)kind, chunk, is_ordered},               \
                      (tpi_wanted){reductions, memory});                                           \
        return istart ? next_ull(tpi_me, istart, iend) : true;                                     \
    }

START(start, false)
START(ordered_start, true)

/* -- doacross ----------------------------------------------------------------------------------- */

typedef struct {
    wanted_loop loop; /* first: it is prepared as one */
    unsigned ncounts;
    const uint64_t *counts;
} wanted_doacross;

static void prepare_doacross(tpi_member *me, share *s, const void *arg) {
    const wanted_doacross *d = arg;
    prepare_loop(me, s, &d->loop);
    s->doacross = tpi_doacross_new(s, d->ncounts, d->counts, me->team->n);
}

static void enter_doacross(tpi_member *me, unsigned ncounts, const uint64_t *counts, tpi_plan plan,
                           tpi_wanted wanted) {
    wanted_doacross d = {{tpi_space_ull(true, 0, counts[0], 1), plan}, ncounts, counts};
    tpi_enter_wanting(me, prepare_doacross, &d, wanted);
}

static bool start_doacross(unsigned ncounts, const long *counts, tpi_plan plan, long *istart,
                           long *iend, tpi_wanted wanted) {
    uint64_t wide[ncounts];
    for (unsigned i = 0; i < ncounts; ++i) wide[i] = counts[i] > 0 ? (uint64_t)counts[i] : 0;
    enter_doacross(tpi_me, ncounts, wide, plan, wanted);
    return istart ? next_long(tpi_me, istart, iend) : true;
}

static bool start_doacross_ull(unsigned ncounts, const ull *counts, tpi_plan plan, ull *istart,
                               ull *iend, tpi_wanted wanted) {
    uint64_t wide[ncounts];
    for (unsigned i = 0; i < ncounts; ++i) wide[i] = counts[i];
    enter_doacross(tpi_me, ncounts, wide, plan, wanted);
    return istart ? next_ull(tpi_me, istart, iend) : true;
}

#define DOACROSS(name, kind)                                                                       \
    ABI(bool, GOMP_loop_doacross_##name##_start,                                                   \
        (unsigned ncounts, long *counts, long chunk, long *istart, long *iend),                    \
        (ncounts, counts, chunk, istart, iend)) {                                                  \
        return start_doacross(ncounts, counts, (tpi_plan){kind, (uint64_t)chunk, false}, istart,   \
                              iend, (tpi_wanted){NULL, NULL});                                     \
    }                                                                                              \
    ABI(bool, GOMP_loop_ull_doacross_##name##_start,                                               \
        (unsigned ncounts, ull *counts, ull chunk, ull *istart, ull *iend),                        \
        (ncounts, counts, chunk, istart, iend)) {                                                  \
        return start_doacross_ull(ncounts, counts, (tpi_plan){kind, chunk, false}, istart, iend,   \
                                  (tpi_wanted){NULL, NULL});                                       \
    }

DOACROSS(static, TPI_STATIC)
DOACROSS(dynamic, TPI_DYNAMIC)
DOACROSS(guided, TPI_GUIDED)

ABI(bool, GOMP_loop_doacross_runtime_start,
    (unsigned ncounts, long *counts, long *istart, long *iend), (ncounts, counts, istart, iend)) {
    return start_doacross(ncounts, counts, (tpi_plan){TPI_RUNTIME, 0, false}, istart, iend,
                          (tpi_wanted){NULL, NULL});
}

ABI(bool, GOMP_loop_ull_doacross_runtime_start,
    (unsigned ncounts, ull *counts, ull *istart, ull *iend), (ncounts, counts, istart, iend)) {
    return start_doacross_ull(ncounts, counts, (tpi_plan){TPI_RUNTIME, 0, false}, istart, iend,
                              (tpi_wanted){NULL, NULL});
}

ABI(bool, GOMP_loop_doacross_start,
    (unsigned ncounts, long *counts, long kind, long chunk, long *istart, long *iend,
     uintptr_t *reductions, void **memory),
    (ncounts, counts, kind, chunk, istart, iend, reductions, memory)) {
    return start_doacross(ncounts, counts, (tpi_plan){(uint32_t)kind, (uint64_t)chunk, false},
                          istart, iend, (tpi_wanted){reductions, memory});
}

ABI(bool, GOMP_loop_ull_doacross_start,
    (unsigned ncounts, ull *counts, long kind, ull chunk, ull *istart, ull *iend,
     uintptr_t *reductions, void **memory),
    (ncounts, counts, kind, chunk, istart, iend, reductions, memory)) {
    return start_doacross_ull(ncounts, counts, (tpi_plan){(uint32_t)kind, chunk, false}, istart,
                              iend, (tpi_wanted){reductions, memory});
}

/* -- ends --------------------------------------------------------------------------------------- */

ABI(void, GOMP_loop_end, (void), ()) { tpi_team_barrier(tpi_me); }
ABI(void, GOMP_loop_end_nowait, (void), ()) {}
ABI(bool, GOMP_loop_end_cancel, (void), ()) { return tpi_team_barrier_cancel(tpi_me); }

/* An ordered region waits for those of all iterations before it. */
ABI(void, GOMP_ordered_start, (void), ()) {
    if (tpi_me->share->ordered && tpi_me->team->n > 1) tpi_ordered_wait(tpi_me);
}
ABI(void, GOMP_ordered_end, (void), ()) {}
