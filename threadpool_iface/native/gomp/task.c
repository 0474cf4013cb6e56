#define _GNU_SOURCE
#include "task.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "barrier.h"
#include "depend.h"
#include "task_queue.h"
#include "taskloop.h"

/* Tasks of a team for each member, beyond which new ones run at once: libgomp's number. */
#define MOST_FOR_EACH 64

_Atomic bool tpi_tasks_are_used;

static void lock(tpi_team *team) { tpi_mutex_lock(&team->tasks_lock); }
static void unlock(tpi_team *team) { tpi_mutex_unlock(&team->tasks_lock); }

/* -- ending ------------------------------------------------------------------------------------ */

/* Its memory goes with the last child that could name it as its parent. */
static void drop(tpi_explicit *t) {
    while (--t->references == 0) {
        tpi_omp_task *parent = t->task.parent;
        bool on_stack = t->on_stack;
        tpi_depend_free(&t->task);
        if (!on_stack) free(t);
        if (!parent || !parent->is_explicit) return;
        t = (tpi_explicit *)parent;
    }
}

/* The caller holds the lock. The team may be gone once it is given back, if the caller is no member. */
static void end_task(tpi_explicit *t) {
    tpi_team *team = t->team;
    tpi_omp_task *parent = t->task.parent;
    tpi_depend_release(t);
    /* release, here and below: who sees zero sees what the task wrote. */
    atomic_fetch_sub_explicit(&parent->children, 1, memory_order_release);
    if (t->task.group)
        atomic_fetch_sub_explicit(&t->task.group->unfinished, 1, memory_order_release);
    drop(t);
    atomic_fetch_sub_explicit(&team->unfinished, 1, memory_order_release);
    tpi_announce(&team->events);
}

/* A detached task ends with its event too. */
static void end_body(tpi_explicit *t) {
    tpi_team *team = t->team;
    lock(team);
    t->body_ended = true;
    if (!t->detached || t->fulfilled) end_task(t);
    unlock(team);
}

/* -- running ----------------------------------------------------------------------------------- */

static bool is_cancelled(const tpi_explicit *t) {
    if (atomic_load_explicit(&t->team->cancelled, memory_order_relaxed)) return true;
    for (const tpi_taskgroup *g = t->task.group; g; g = g->workshare ? g->outer : NULL)
        if (atomic_load_explicit(&g->cancelled, memory_order_relaxed)) return true;
    return false;
}

static void run_body(tpi_member *me, tpi_explicit *t) {
    tpi_omp_task *before = me->task;
    me->task = &t->task;
    t->body(t->argument);
    me->task = before;
}

/* The first of a list, taken out of all; NULL if there is none. */
static tpi_explicit *take(tpi_team *team, tpi_task_list *list) {
    if (atomic_load_explicit(&list->count, memory_order_acquire) == 0) return NULL;
    lock(team);
    tpi_explicit *t = list->first;
    if (t) tpi_queue_remove(t);
    unlock(team);
    return t;
}

static bool run_one(tpi_member *me, tpi_task_list *list) {
    tpi_explicit *t = take(me->team, list);
    if (!t) return false;
    if (is_cancelled(t)) t->detached = false; /* it will never be fulfilled */
    else run_body(me, t);
    end_body(t);
    return true;
}

bool tpi_run_a_task(tpi_member *me) { return run_one(me, &me->team->queued); }

typedef struct {
    tpi_task_list *list;
    tpi_condition ready;
    const void *arg;
} waiting;

static bool ready_or_task(const void *arg) {
    const waiting *w = arg;
    return w->ready(w->arg) || atomic_load_explicit(&w->list->count, memory_order_acquire) > 0;
}

static void run_until(tpi_member *me, tpi_task_list *list, tpi_condition ready, const void *arg) {
    waiting w = {list, ready, arg};
    while (!ready(arg)) {
        if (run_one(me, list)) continue;
        tpi_wait_until(&me->team->events, ready_or_task, &w, me->team->pauses);
    }
}

void tpi_run_children_until(tpi_member *me, tpi_condition ready, const void *arg) {
    run_until(me, &me->task->queued, ready, arg);
}

/* acquire, here and below: what the ended tasks wrote. */
static bool count_is_zero(const void *arg) {
    return atomic_load_explicit((const _Atomic int32_t *)arg, memory_order_acquire) == 0;
}

void tpi_finish_tasks(tpi_member *me) {
    tpi_team *team = me->team;
    if (tpi_forked_since(team) || !atomic_load_explicit(&team->made_tasks, memory_order_relaxed))
        return;
    run_until(me, &team->queued, count_is_zero, &team->unfinished);
    lock(team); /* who ended the last task, from outside the team perhaps, has let go of it */
    unlock(team);
}

/* -- making ------------------------------------------------------------------------------------ */

void tpi_task_enqueue(tpi_explicit *t) {
    tpi_queue_insert(t);
    tpi_announce(&t->team->events);
}

static void init(tpi_explicit *t, tpi_member *me, const tpi_task_call *call) {
    tpi_omp_task *parent = me->task;
    memset(t, 0, sizeof *t);
    t->task.parent = parent;
    t->task.group = parent->group;
    t->task.icv = parent->icv;
    t->task.final = parent->final || (call->flags & TPI_FINAL);
    t->task.is_explicit = true;
    t->team = me->team;
    t->body = call->body;
    t->priority = call->flags & TPI_PRIORITY ? call->priority : 0;
    if (t->priority > tpi_environment.max_task_priority)
        t->priority = tpi_environment.max_task_priority;
    t->references = 1;
}

static char *align(char *memory, long alignment) {
    uintptr_t mask = (uintptr_t)(alignment < 1 ? 1 : alignment) - 1;
    return (char *)(((uintptr_t)memory + mask) & ~mask);
}

static size_t room_for(const tpi_task_call *call) {
    return (size_t)call->size + (size_t)(call->alignment < 1 ? 1 : call->alignment);
}

static void copy_argument(const tpi_task_call *call, char *into) {
    if (call->copy) call->copy(into, call->data);
    else if (call->size) memcpy(into, call->data, (size_t)call->size);
    if (call->range) tpi_set_range(into, call->range);
}

/* An event is a task's address with a bit that no event of the real libgomp has. */
static void make_event(tpi_explicit *t, const tpi_task_call *call) {
    void *event = (void *)((uintptr_t)t | 1);
    if (!(call->flags & TPI_DETACH)) return;
    t->detached = true;
    *(void **)call->detach = event;
    if (call->data) *(void **)call->data = event;
}

static void count_in(tpi_explicit *t) {
    if (t->task.parent->is_explicit) ++((tpi_explicit *)t->task.parent)->references;
    atomic_fetch_add_explicit(&t->task.parent->children, 1, memory_order_relaxed);
    if (t->task.group)
        atomic_fetch_add_explicit(&t->task.group->unfinished, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->team->unfinished, 1, memory_order_relaxed);
}

static void note_tasks(tpi_team *team) {
    if (!atomic_load_explicit(&tpi_tasks_are_used, memory_order_relaxed))
        atomic_store_explicit(&tpi_tasks_are_used, true, memory_order_relaxed);
    if (!atomic_load_explicit(&team->made_tasks, memory_order_relaxed))
        atomic_store_explicit(&team->made_tasks, true, memory_order_relaxed);
}

static void defer(tpi_member *me, const tpi_task_call *call) {
    tpi_explicit *t = malloc(sizeof *t + room_for(call));
    if (!t) abort();
    init(t, me, call);
    make_event(t, call);
    t->argument = align((char *)(t + 1), call->alignment);
    copy_argument(call, t->argument);
    note_tasks(me->team);
    lock(me->team);
    count_in(t);
    if (call->flags & TPI_DEPEND) tpi_depend_on(me->task, t, call->depend, true);
    if (atomic_load_explicit(&t->waits_for, memory_order_relaxed) == 0) tpi_task_enqueue(t);
    unlock(me->team);
}

static bool is_fulfilled(const void *arg) {
    const tpi_explicit *t = arg;
    lock(t->team);
    bool fulfilled = t->fulfilled;
    unlock(t->team);
    return fulfilled;
}

/* A task that makes no deferred tasks may lie on the stack: nobody can name it as a parent later. */
static void run_now_as(tpi_member *me, tpi_explicit *t, const tpi_task_call *call) {
    char copied[call->copy || call->range ? room_for(call) : 1];
    init(t, me, call);
    make_event(t, call);
    t->argument = call->data;
    if (call->copy || call->range) {
        t->argument = align(copied, call->alignment);
        copy_argument(call, t->argument);
    }
    run_body(me, t);
    if (t->detached) tpi_wait_until(&me->team->events, is_fulfilled, t, me->team->pauses);
}

static void run_now(tpi_member *me, const tpi_task_call *call) {
    tpi_explicit on_stack;
    if (call->flags & TPI_DEPEND) tpi_wait_for_dependences(me, call->depend);
    bool final = me->task->final || (call->flags & TPI_FINAL) || me->team->n == 1;
    tpi_explicit *t = final ? &on_stack : malloc(sizeof *t);
    if (!t) abort();
    run_now_as(me, t, call);
    lock(me->team);
    t->on_stack = final;
    t->task.parent = NULL; /* it took no reference to it */
    drop(t);
    unlock(me->team);
}

static bool must_run_now(tpi_member *me, bool if_clause) {
    if (!if_clause || me->team->n == 1 || me->task->final) return true;
    return atomic_load_explicit(&me->team->unfinished, memory_order_relaxed) >
           MOST_FOR_EACH * me->team->n;
}

static bool nothing_is_made(tpi_member *me) {
    if (atomic_load_explicit(&me->team->cancelled, memory_order_relaxed)) return true;
    for (const tpi_taskgroup *g = me->task->group; g; g = g->workshare ? g->outer : NULL)
        if (atomic_load_explicit(&g->cancelled, memory_order_relaxed)) return true;
    return false;
}

void tpi_make_task(tpi_member *me, const tpi_task_call *call, bool if_clause) {
    if (nothing_is_made(me)) return;
    /* What comes after a detached task may be what fulfils its event. */
    bool may_wait = (call->flags & TPI_DETACH) && if_clause && !me->task->final;
    if (must_run_now(me, if_clause) && !may_wait) run_now(me, call);
    else defer(me, call);
}

bool tpi_makes_tasks(tpi_member *me, unsigned long count) {
    unsigned long most = (unsigned long)MOST_FOR_EACH * (unsigned long)me->team->n;
    unsigned long now =
        (unsigned long)atomic_load_explicit(&me->team->unfinished, memory_order_relaxed);
    return !must_run_now(me, true) && count <= most && now + count <= most;
}

/* -- waiting ----------------------------------------------------------------------------------- */

void tpi_wait_for_dependences(tpi_member *me, void **depend) {
    tpi_explicit placeholder;
    memset(&placeholder, 0, sizeof placeholder);
    placeholder.placeholder = true;
    placeholder.team = me->team;
    lock(me->team);
    tpi_depend_on(me->task, &placeholder, depend, false);
    unlock(me->team);
    tpi_run_children_until(me, count_is_zero, &placeholder.waits_for);
    /* The last task that it waited for may still touch it: not once the lock was free. */
    lock(me->team);
    unlock(me->team);
}

void tpi_group_begin(tpi_omp_task *task) {
    tpi_taskgroup *group = calloc(1, sizeof *group);
    if (!group) abort();
    group->outer = task->group;
    group->workshare = true;
    task->group = group;
}

void tpi_group_end(tpi_member *me) {
    tpi_taskgroup *group = me->task->group;
    if (!group) return;
    run_until(me, &group->queued, count_is_zero, &group->unfinished);
    if (atomic_load_explicit(&me->team->made_tasks, memory_order_relaxed)) {
        lock(me->team); /* the last task's member has let go of the group */
        unlock(me->team);
    }
    me->task->group = group->outer;
    free(group);
}

/* -- the ABI ----------------------------------------------------------------------------------- */

ABI(void, GOMP_task,
    (tpi_body body, void *data, void (*copy)(void *, void *), long size, long alignment,
     bool if_clause, unsigned flags, void **depend, int priority, void *detach),
    (body, data, copy, size, alignment, if_clause, flags, depend, priority, detach)) {
    tpi_task_call call = {.body = body, .data = data, .copy = copy, .size = size,
                          .alignment = alignment, .flags = flags, .depend = depend,
                          .priority = priority, .detach = detach};
    tpi_make_task(tpi_me, &call, if_clause);
}

ABI(void, GOMP_taskwait, (void), ()) {
    tpi_run_children_until(tpi_me, count_is_zero, &tpi_me->task->children);
}

ABI(void, GOMP_taskwait_depend, (void **depend), (depend)) {
    tpi_wait_for_dependences(tpi_me, depend);
}

static void nothing(void *unused) { (void)unused; }

ABI(void, GOMP_taskwait_depend_nowait, (void **depend), (depend)) {
    tpi_task_call call = {.body = nothing, .flags = TPI_DEPEND, .depend = depend};
    tpi_make_task(tpi_me, &call, true);
}

/* A tied task may only make way for one that it waits for, so there is nothing to gain here. */
ABI(void, GOMP_taskyield, (void), ()) {}

ABI(void, GOMP_taskgroup_start, (void), ()) {
    tpi_group_begin(tpi_me->task);
    tpi_me->task->group->workshare = false;
}

ABI(void, GOMP_taskgroup_end, (void), ()) { tpi_group_end(tpi_me); }

/* Called from any thread, also one that is in no region; so the event itself says whose it is. */
ABI_OWN(void, omp_fulfill_event, (uintptr_t event)) {
    if (!(event & 1)) {
        void (*real)(uintptr_t) = TPI_REAL(omp_fulfill_event);
        if (real) real(event);
        return;
    }
    tpi_explicit *t = (tpi_explicit *)(event & ~(uintptr_t)1);
    tpi_team *team = t->team;
    lock(team);
    t->fulfilled = true;
    if (t->body_ended) end_task(t);
    else tpi_announce(&team->events);
    unlock(team);
}
