/* omp_*: what programs ask and set about regions, teams and themselves. */
#define _GNU_SOURCE
#include <limits.h>
#include <stddef.h>

#include "abi.h"
#include "callers.h"
#include "team.h"

/* The caller's task's control variables, in a region or not. */
static tpi_icv *icv(void) { return tpi_me ? &tpi_me->task->icv : tpi_thread_icv(); }

/* For a setting, which in a region of the real library is that region's alone. */
static tpi_icv *icv_to_set(void) {
    static _Thread_local tpi_icv unused;
    return !tpi_me && tpi_is_inside_the_real() ? &unused : icv();
}

/* Outside a region a setting is also for those that the real library will run. */
#define PASS_ON(name, ...)                                               \
    do {                                                                 \
        __typeof__(&name) tpi_real = tpi_me ? NULL : TPI_REAL(name);     \
        if (tpi_real) tpi_real(__VA_ARGS__);                             \
    } while (0)

/* What the real library says, for a thread whose regions are there. */
#define ASK_THE_REAL(name, ...)                                          \
    do {                                                                 \
        __typeof__(&name) tpi_real = tpi_is_ours() ? NULL : TPI_REAL(name); \
        if (tpi_real) return tpi_real(__VA_ARGS__);                      \
    } while (0)

/* -- numbers of threads ------------------------------------------------------------------------ */

static void set_number(int n, bool exact) {
    tpi_icv *own = icv_to_set();
    own->nthreads = n > 0 ? n : 1;
    own->exact = exact;
}

ABI_OWN(void, omp_set_num_threads, (int n)) {
    set_number(n, !tpi_caller_of(__builtin_return_address(0))->caps_number);
    PASS_ON(omp_set_num_threads, n);
}

/* The number of the calling thread for regions that ask for none: positive as an upper limit,
 * negative for exactly so many, as omp_set_num_threads sets it, 0 for none. */
TPI_EXPORT int tpi_gomp_number(void);
TPI_EXPORT int tpi_gomp_number(void) { return icv()->exact ? -icv()->nthreads : icv()->nthreads; }

TPI_EXPORT void tpi_gomp_set_number(int n);
TPI_EXPORT void tpi_gomp_set_number(int n) {
    icv()->nthreads = n < 0 ? -n : n;
    icv()->exact = n < 0;
}

ABI_OWN(int, omp_get_max_threads, (void)) {
    ASK_THE_REAL(omp_get_max_threads);
    return tpi_is_inside_core() ? 1 : tpi_default_threads();
}

ABI(int, omp_get_num_threads, (void), ()) { return tpi_me->team->n; }
ABI(int, omp_get_thread_num, (void), ()) { return tpi_me->num; }

ABI_OWN(int, omp_get_num_procs, (void)) { return tpi_num_procs(); }

ABI_OWN(int, omp_get_thread_limit, (void)) {
    ASK_THE_REAL(omp_get_thread_limit);
    return icv()->thread_limit;
}

ABI_OWN(void, omp_set_dynamic, (int dynamic)) {
    icv_to_set()->dynamic = dynamic;
    PASS_ON(omp_set_dynamic, dynamic);
}
ABI_OWN(int, omp_get_dynamic, (void)) {
    ASK_THE_REAL(omp_get_dynamic);
    return icv()->dynamic;
}

/* -- levels ------------------------------------------------------------------------------------ */

ABI_OWN(int, omp_in_parallel, (void)) {
    if (tpi_me) return tpi_me->team->active_level > 0;
    ASK_THE_REAL(omp_in_parallel);
    return tpi_is_inside_core();
}

ABI_OWN(void, omp_set_max_active_levels, (int levels)) {
    if (levels >= 0)
        icv_to_set()->max_active_levels = levels > TPI_MAX_LEVELS ? TPI_MAX_LEVELS : levels;
    PASS_ON(omp_set_max_active_levels, levels);
}
ABI_OWN(int, omp_get_max_active_levels, (void)) {
    ASK_THE_REAL(omp_get_max_active_levels);
    return icv()->max_active_levels;
}
ABI_OWN(int, omp_get_supported_active_levels, (void)) { return TPI_MAX_LEVELS; }

ABI_OWN(void, omp_set_nested, (int nested)) {
    icv_to_set()->max_active_levels = nested ? TPI_MAX_LEVELS : 1;
    PASS_ON(omp_set_nested, nested);
}
ABI_OWN(int, omp_get_nested, (void)) {
    ASK_THE_REAL(omp_get_nested);
    return icv()->max_active_levels > 1;
}

ABI(int, omp_get_level, (void), ()) { return tpi_me->team->level; }
ABI(int, omp_get_active_level, (void), ()) { return tpi_me->team->active_level; }

/* What the calling thread was at a level; NULL: there is no such one, or nothing is known of it. */
static const tpi_member *member_at(int level) {
    const tpi_member *m = tpi_me;
    while (m && m->team->level > level) m = m->team->starter;
    return m && m->team->level == level ? m : NULL;
}

static bool is_level(int level) { return level >= 0 && level <= tpi_me->team->level; }

ABI(int, omp_get_ancestor_thread_num, (int level), (level)) {
    const tpi_member *m = is_level(level) ? member_at(level) : NULL;
    return m ? m->num : is_level(level) ? 0 : -1;
}

ABI(int, omp_get_team_size, (int level), (level)) {
    const tpi_member *m = is_level(level) ? member_at(level) : NULL;
    return m ? m->team->n : is_level(level) ? 1 : -1;
}

/* -- schedules, tasks, cancellation -------------------------------------------------------------- */

ABI_OWN(void, omp_set_schedule, (int kind, int chunk)) {
    uint32_t plain = (uint32_t)kind & ~TPI_MONOTONIC;
    if (plain >= TPI_STATIC && plain <= TPI_AUTO) {
        icv_to_set()->schedule = (uint32_t)kind;
        icv_to_set()->chunk = chunk > 0 ? chunk : plain == TPI_DYNAMIC || plain == TPI_GUIDED;
    }
    PASS_ON(omp_set_schedule, kind, chunk);
}

ABI_OWN(void, omp_get_schedule, (int *kind, int *chunk)) {
    __typeof__(&omp_get_schedule) real = tpi_is_ours() ? NULL : TPI_REAL(omp_get_schedule);
    if (real) {
        real(kind, chunk);
        return;
    }
    *kind = (int)icv()->schedule;
    *chunk = icv()->chunk;
}

ABI(int, omp_in_final, (void), ()) { return tpi_me->task->final; }
ABI(int, omp_in_explicit_task, (void), ()) { return tpi_me->task->is_explicit; }
ABI_OWN(int, omp_get_max_task_priority, (void)) { return tpi_environment.max_task_priority; }
ABI_OWN(int, omp_get_cancellation, (void)) { return tpi_environment.cancellation; }

/* -- places: the pool's threads are where the pool put them --------------------------------------- */

enum { PROC_BIND_FALSE = 0 };
ABI(int, omp_get_proc_bind, (void), ()) { return PROC_BIND_FALSE; }
ABI(int, omp_get_num_places, (void), ()) { return 0; }
ABI(int, omp_get_place_num_procs, (int place), (place)) { return (void)place, 0; }
ABI(void, omp_get_place_proc_ids, (int place, int *ids), (place, ids)) { (void)place, (void)ids; }
ABI(int, omp_get_place_num, (void), ()) { return -1; }
ABI(int, omp_get_partition_num_places, (void), ()) { return 0; }
ABI(void, omp_get_partition_place_nums, (int *places), (places)) { (void)places; }

/* -- leagues of teams, one after the other on the host -------------------------------------------- */

ABI_OWN(int, omp_get_num_teams, (void)) {
    ASK_THE_REAL(omp_get_num_teams);
    return icv()->num_teams;
}
ABI_OWN(int, omp_get_team_num, (void)) {
    ASK_THE_REAL(omp_get_team_num);
    return icv()->team_num;
}

ABI_OWN(void, omp_set_num_teams, (int n)) {
    if (n > 0) tpi_environment.num_teams = n;
    PASS_ON(omp_set_num_teams, n);
}
ABI_OWN(int, omp_get_max_teams, (void)) { return tpi_environment.num_teams; }
ABI_OWN(void, omp_set_teams_thread_limit, (int n)) {
    if (n > 0) tpi_environment.teams_thread_limit = n;
    PASS_ON(omp_set_teams_thread_limit, n);
}
ABI_OWN(int, omp_get_teams_thread_limit, (void)) { return tpi_environment.teams_thread_limit; }

/* libgomp's number of teams where nobody asks for one. */
enum { USUAL_TEAMS = 3 };

static int32_t league_size(unsigned asked) {
    if (asked) return (int32_t)asked;
    return tpi_environment.num_teams ? tpi_environment.num_teams : USUAL_TEAMS;
}

static void limit_threads(tpi_icv *own, unsigned limit) {
    if (!limit) limit = (unsigned)tpi_environment.teams_thread_limit;
    if (limit) own->thread_limit = limit > INT_MAX ? INT_MAX : (int32_t)limit;
}

ABI_OWN(void, GOMP_teams_reg,
        (tpi_body body, void *data, unsigned teams, unsigned thread_limit, unsigned flags)) {
    __typeof__(&GOMP_teams_reg) real = tpi_is_ours() ? NULL : TPI_REAL(GOMP_teams_reg);
    if (real) {
        real(body, data, teams, thread_limit, flags);
        return;
    }
    tpi_icv *own = icv(), before = *own;
    limit_threads(own, thread_limit);
    own->num_teams = league_size(teams);
    for (own->team_num = 0; own->team_num < own->num_teams; ++own->team_num) body(data);
    *own = before;
}

/* Inside a target region that runs on the host: all teams there are, one after the other. */
ABI_OWN(bool, GOMP_teams4,
        (unsigned low, unsigned high, unsigned thread_limit, bool first)) {
    ASK_THE_REAL(GOMP_teams4, low, high, thread_limit, first);
    tpi_icv *own = icv();
    limit_threads(own, thread_limit);
    if (first) {
        own->num_teams = league_size(high);
        own->team_num = 0;
        return true;
    }
    if (own->team_num + 1 >= own->num_teams) {
        own->num_teams = 1;
        own->team_num = 0;
        return false;
    }
    ++own->team_num;
    return true;
}

ABI_OWN(void, GOMP_teams, (unsigned teams, unsigned thread_limit)) {
    __typeof__(&GOMP_teams) real = tpi_is_ours() ? NULL : TPI_REAL(GOMP_teams);
    if (real) {
        real(teams, thread_limit);
        return;
    }
    limit_threads(icv(), thread_limit);
}
