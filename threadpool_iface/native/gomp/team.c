#define _GNU_SOURCE
#include "team.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "abi.h"
#include "barrier.h"
#include "core.h"
#include "depend.h"
#include "extras.h"
#include "reduction.h"
#include "task.h"

_Thread_local tpi_member *tpi_me __attribute__((tls_model("initial-exec")));

/* -- members --------------------------------------------------------------------------------- */

static void enter(tpi_member *me, tpi_team *team, int32_t num) {
    *me = (tpi_member){.team = team, .num = num, .share = &team->first, .outer = tpi_me};
    me->task = &me->implicit;
    me->implicit.icv = team->icv;
    me->implicit.group = team->group;
    tpi_me = me;
}

static void leave(tpi_member *me) {
    tpi_team_end(me);
    tpi_shares_keep(me);
    tpi_depend_free(&me->implicit);
    tpi_me = me->outer;
}

static void run_member(tpi_team *team, int32_t num) {
    tpi_member me;
    enter(&me, team, num);
    team->body(team->data);
    leave(&me);
}

/* On a thread of the pool; 0 is the thread that started the region. */
static int32_t run_on_pool(void *ctx, int32_t ithr, int32_t nthr) {
    tpi_team *team = ctx;
    (void)nthr;
    if (ithr == 0) team->started = true;
    run_member(team, ithr);
    return 0;
}

typedef struct {
    tpi_team *team;
    int32_t num;
} part;

static int32_t run_part(void *ctx, int32_t ithr, int32_t nthr) {
    const part *p = ctx;
    (void)ithr, (void)nthr;
    run_member(p->team, p->num);
    return 0;
}

/* Beside the pool, but inside a region for everything else that the body calls. */
static void run_inside(tpi_team *team, int32_t num) {
    const tpi_core_api *core = tpi_core();
    part p = {team, num};
    if (core) core->run_inside(run_part, &p);
    else run_member(team, num);
}

void tpi_run_extra(tpi_team *team, int32_t num) { run_inside(team, num); }

/* What outlives the call that makes it. */
typedef struct {
    tpi_member member; /* first: tpi_me names it */
    tpi_team team;
} lasting;

static lasting *new_lasting(void) {
    lasting *l = aligned_alloc(alignof(lasting), sizeof *l);
    if (!l) abort();
    return l;
}

/* Never freed: one for each thread of a program that has constructs outside of regions, and no libgomp. */
void tpi_alone(void) {
    lasting *l = new_lasting();
    l->team = (tpi_team){.n = 1, .icv = *tpi_thread_icv(), .generation = tpi_generation()};
    l->team.oldest = &l->team.first;
    tpi_share_init(&l->team.first);
    enter(&l->member, &l->team, 0);
}

/* -- whose region it is ---------------------------------------------------------------------- */

bool tpi_is_inside_the_real(void) {
    int omp_get_level(void);
    int (*level)(void) = TPI_REAL(omp_get_level);
    return level && level() > 0;
}

static tpi_place place(tpi_pool **pool) {
    *pool = NULL;
    return tpi_core_is_on() ? tpi_core()->place(pool) : TPI_WITHOUT_POOL;
}

bool tpi_is_inside_core(void) {
    tpi_pool *pool;
    return !tpi_me && place(&pool) == TPI_INSIDE;
}

bool tpi_is_ours(void) {
    tpi_pool *pool;
    if (tpi_me) return true;
    tpi_place here = place(&pool);
    return here != TPI_WITHOUT_POOL && !(here == TPI_ON_A_POOL && tpi_is_inside_the_real());
}

/* -- how many members ------------------------------------------------------------------------ */

static int32_t pool_size(void) {
    tpi_pool *pool;
    return place(&pool) == TPI_ON_A_POOL ? tpi_core()->max_threads() : 1;
}

static const tpi_icv *icv_here(void) { return tpi_me ? &tpi_me->task->icv : tpi_thread_icv(); }

static int32_t active_level(void) { return tpi_me ? tpi_me->team->active_level : 0; }

static int32_t number_of(const tpi_icv *icv) {
    if (active_level()) return icv->nthreads ? icv->nthreads : 1;
    int32_t size = pool_size();
    if (!icv->nthreads) return size;
    return icv->exact || icv->nthreads < size ? icv->nthreads : size;
}

int32_t tpi_default_threads(void) { return number_of(icv_here()); }

/* Others hold the pool now, and this caller is known to do with one thread. */
static bool is_to_be_alone(const tpi_request *request, tpi_pool *pool) {
    tpi_fewer least = request->num_threads ? TPI_ALWAYS : TPI_WITHOUT_CLAUSE;
    return pool && !tpi_me && request->caller->takes_fewer >= least &&
           tpi_core()->pool_in_use(pool);
}

static int32_t members_for(const tpi_request *request, tpi_place here, tpi_pool *pool) {
    const tpi_icv *icv = icv_here();
    if (here == TPI_INSIDE && !tpi_me) return 1;
    if (active_level() >= icv->max_active_levels || is_to_be_alone(request, pool)) return 1;
    int32_t n = request->num_threads > 0 ? request->num_threads : number_of(icv);
    if (icv->dynamic && !active_level() && n > pool_size()) n = pool_size();
    if (n > icv->thread_limit) n = icv->thread_limit;
    return n < 1 ? 1 : n > TPI_MAX_THREADS ? TPI_MAX_THREADS : n;
}

/* -- a team ---------------------------------------------------------------------------------- */

static int32_t nested_number(const tpi_icv *icv, int32_t level) {
    const int32_t *levels = tpi_environment.nthreads_of_level;
    bool given = level < TPI_NTHREADS_LEVELS && levels[level];
    return given ? levels[level] : icv->nthreads;
}

static tpi_icv inherited(int32_t level) {
    tpi_icv icv = *icv_here();
    icv.nthreads = nested_number(&icv, level);
    return icv;
}

static void prepare_first(tpi_team *team, const tpi_request *request) {
    team->oldest = &team->first;
    tpi_share_init(&team->first);
    if (request->space)
        tpi_loop_prepare(&team->first, request->space,
                         tpi_plan_resolve(&team->icv, request->plan), team->n);
    if (request->sections) team->first.space.count = (uint64_t)request->sections;
}

/* A region of the core around it counts as an active one. */
static void init_team(tpi_team *team, const tpi_request *request, tpi_place here, int32_t n) {
    bool in_core = here == TPI_INSIDE && !tpi_me;
    int32_t level = tpi_me ? tpi_me->team->level + 1 : 1 + in_core;
    *team = (tpi_team){
        .n = n, .level = level, .active_level = active_level() + in_core + (n > 1),
        .pauses = n > 1 ? tpi_pauses_for(n) : 0,
        .generation = tpi_generation(), .body = request->body, .data = request->data,
        .starter = tpi_me, .icv = inherited(level),
        .meets_at_end = atomic_load_explicit(&tpi_tasks_are_used, memory_order_relaxed),
        .extras_left = 1,
    };
    prepare_first(team, request);
}

static void warn_of_extras(int32_t n, int32_t size) {
    static _Atomic bool warned;
    if (atomic_exchange_explicit(&warned, true, memory_order_relaxed)) return;
    fprintf(stderr, "threadpool_iface: OpenMP code asked for a team of %d on a pool of %d threads; "
                    "it has %d more for the time of the region. Said once.\n", n, size, n - size);
}

/* The pool's threads were not to be had: all members but the caller on borrowed ones. */
static void run_on_extras(tpi_team *team, int32_t end) {
    tpi_extras_start(team, 1, end);
    run_inside(team, 0);
}

/* OMP_STACKSIZE asks for more stack than the pool's threads have, but not more than borrowed ones get. */
static bool needs_larger_stacks(void) {
    struct rlimit limit;
    return tpi_environment.stack_size && !getrlimit(RLIMIT_STACK, &limit) &&
           limit.rlim_cur != RLIM_INFINITY && tpi_environment.stack_size > limit.rlim_cur;
}

static void run_with_pool(tpi_team *team, tpi_pool *pool, tpi_caller *caller) {
    const tpi_core_api *core = tpi_core();
    int32_t size = core->pool_threads(pool), own = team->n < size ? team->n : size;
    if (own < team->n) warn_of_extras(team->n, size);
    tpi_extras_start(team, own, team->n);
    if (own > 1) core->run_team(pool, own, run_on_pool, team);
    bool on_pool = team->started;
    if (!on_pool) run_on_extras(team, own);
    tpi_count(own < team->n || !on_pool ? &caller->borrowed : &caller->on_pools);
}

static void run_team(tpi_team *team, tpi_pool *pool, tpi_caller *caller) {
    if (team->n == 1) {
        tpi_count(&caller->alone);
        run_member(team, 0);
    } else if (pool && !needs_larger_stacks()) {
        run_with_pool(team, pool, caller);
    } else {
        tpi_count(&caller->borrowed);
        run_on_extras(team, team->n);
    }
    tpi_extras_await(team);
    tpi_shares_free(team);
}

int32_t tpi_run_region(const tpi_request *request) {
    tpi_team team;
    tpi_taskgroup group;
    tpi_pool *pool;
    tpi_place here = place(&pool);
    int32_t n = members_for(request, here, pool);
    init_team(&team, request, here, n);
    if (request->reductions) {
        uintptr_t *data = *(uintptr_t **)request->data;
        tpi_reductions_allocate(data, NULL, n);
        group = (tpi_taskgroup){.reductions = data, .workshare = true};
        team.group = &group;
        team.meets_at_end = true;
    }
    run_team(&team, active_level() ? NULL : pool, request->caller);
    return n;
}

/* -- the old ABI ----------------------------------------------------------------------------- */

void tpi_begin_region(const tpi_request *request) {
    lasting *r = new_lasting();
    tpi_pool *pool;
    tpi_place here = place(&pool);
    init_team(&r->team, request, here, members_for(request, here, pool));
    r->team.began_by_call = true;
    tpi_count(r->team.n > 1 ? &request->caller->borrowed : &request->caller->alone);
    tpi_extras_start(&r->team, 1, r->team.n);
    enter(&r->member, &r->team, 0);
}

bool tpi_end_region(void) {
    if (!tpi_me || !tpi_me->team->began_by_call) return false;
    lasting *r = (lasting *)tpi_me;
    leave(&r->member);
    tpi_extras_await(&r->team);
    tpi_shares_free(&r->team);
    free(r);
    return true;
}
