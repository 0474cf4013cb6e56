/* The last member to arrive ends the tasks that are left and opens the barrier by a new phase; the
 * others wait for that, and run tasks meanwhile. Without tasks it is the gang's barrier: one count,
 * one word that all wait for. */
#define _GNU_SOURCE
#include "barrier.h"

#include "abi.h"
#include "task.h"

typedef struct {
    const tpi_team *team;
    tpi_barrier_state *barrier;
    uint32_t phase;
    bool cancellable;
} waiting;

static bool passed(const waiting *w) {
    /* acquire: what every member did before the barrier is seen by every member after it. */
    return atomic_load_explicit(&w->barrier->phase, memory_order_acquire) != w->phase ||
           (w->cancellable && atomic_load_explicit(&w->team->cancelled, memory_order_acquire));
}

static bool passed_or_task(const void *arg) {
    const waiting *w = arg;
    return passed(w) || tpi_task_is_queued(w->team);
}

static void wait_for_others(tpi_member *me, const waiting *w) {
    for (int i = me->team->pauses; i > 0; --i) {
        if (passed(w)) return;
        tpi_pause();
    }
    while (!passed(w)) {
        tpi_wait_until(&me->team->events, passed_or_task, w, me->team->pauses);
        if (!passed(w)) tpi_run_a_task(me);
    }
}

/* A construct that is cancelled ends at a barrier, and the next one is not. */
static void forget_cancelled_share(tpi_team *team) {
    if (atomic_load_explicit(&team->share_cancelled, memory_order_relaxed))
        atomic_store_explicit(&team->share_cancelled, false, memory_order_relaxed);
}

static void open_barrier(tpi_team *team, const waiting *w) {
    forget_cancelled_share(team);
    atomic_store_explicit(&w->barrier->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&w->barrier->phase, w->phase + 1, memory_order_release);
    tpi_announce(&team->events);
}

static void wait(tpi_member *me, tpi_barrier_state *barrier, bool cancellable) {
    tpi_team *team = me->team;
    if (team->n == 1 || tpi_forked_since(team)) {
        tpi_finish_tasks(me);
        forget_cancelled_share(team);
        return;
    }
    waiting w = {team, barrier, atomic_load_explicit(&barrier->phase, memory_order_relaxed),
                 cancellable};
    /* acq_rel: the last to arrive has seen what all the others did, and passes it on. */
    uint32_t before = atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel);
    if (before + 1 < (uint32_t)team->n) {
        wait_for_others(me, &w);
    } else {
        tpi_finish_tasks(me);
        open_barrier(team, &w);
    }
}

void tpi_team_barrier(tpi_member *me) { wait(me, &me->team->barrier, false); }

/* Members that left a cancelled barrier are counted as arrived there, so the end is another one. */
void tpi_team_end(tpi_member *me) {
    if (me->team->meets_at_end) wait(me, &me->team->last, false);
    else tpi_finish_tasks(me);
}

static bool is_cancelled(const tpi_team *team) {
    return atomic_load_explicit(&team->cancelled, memory_order_acquire);
}

bool tpi_team_barrier_cancel(tpi_member *me) {
    if (is_cancelled(me->team)) return true;
    wait(me, &me->team->barrier, true);
    return is_cancelled(me->team);
}

/* -- the ABI ----------------------------------------------------------------------------------- */

ABI(void, GOMP_barrier, (void), ()) { tpi_team_barrier(tpi_me); }
ABI(bool, GOMP_barrier_cancel, (void), ()) { return tpi_team_barrier_cancel(tpi_me); }

/* What `which` names. */
enum { PARALLEL = 1, LOOP = 2, SECTIONS = 4, TASKGROUP = 8 };

static bool group_is_cancelled(const tpi_omp_task *task) {
    for (const struct tpi_taskgroup *g = task->group; g; g = g->workshare ? g->outer : NULL)
        if (atomic_load_explicit(&g->cancelled, memory_order_acquire)) return true;
    return false;
}

ABI(bool, GOMP_cancellation_point, (int which), (which)) {
    if (!tpi_environment.cancellation) return false;
    if (which & (LOOP | SECTIONS))
        return atomic_load_explicit(&tpi_me->team->share_cancelled, memory_order_acquire);
    if ((which & TASKGROUP) && group_is_cancelled(tpi_me->task)) return true;
    return is_cancelled(tpi_me->team);
}

static bool cancel_group(tpi_omp_task *task) {
    struct tpi_taskgroup *group = task->group;
    while (group && group->workshare) group = group->outer;
    if (group) atomic_store_explicit(&group->cancelled, true, memory_order_release);
    return true;
}

static bool cancel_region(tpi_team *team) {
    atomic_store_explicit(&team->cancelled, true, memory_order_release);
    tpi_announce(&team->events);
    return true;
}

ABI(bool, GOMP_cancel, (int which, bool do_cancel), (which, do_cancel)) {
    if (!tpi_environment.cancellation) return false;
    if (!do_cancel) return own_GOMP_cancellation_point(which);
    if (which & TASKGROUP) return cancel_group(tpi_me->task);
    if (which & PARALLEL) return cancel_region(tpi_me->team);
    atomic_store_explicit(&tpi_me->team->share_cancelled, true, memory_order_release);
    return true;
}
