/* Explicit tasks: made, queued, run and ended.
 *
 * One lock for each team guards the queues and all links between tasks. A task that has not begun is
 * in three lists: the team's, for members at a barrier; its parent's, for `taskwait`; and its
 * group's, for the end of a `taskgroup`. A member that waits for its children runs only these, so
 * that a tied task is never buried under one that it does not wait for. */
#ifndef TPI_GOMP_TASK_H
#define TPI_GOMP_TASK_H

#include "state.h"

typedef struct tpi_taskgroup {
    struct tpi_taskgroup *outer;
    uintptr_t *reductions; /* reduction.h */
    bool workshare;        /* of a construct with a task reduction, not of a `taskgroup` */
    _Atomic bool cancelled;
    _Atomic int32_t unfinished;
    tpi_task_list queued;
} tpi_taskgroup;

typedef struct tpi_explicit {
    tpi_omp_task task;
    tpi_team *team;
    tpi_body body;
    void *argument;
    int32_t priority;
    bool on_stack;
    struct {
        struct tpi_explicit *before, *after;
    } links[TPI_LISTS];
    /* Guarded by the team's tasks_lock: */
    int32_t references; /* its own, and one for each child that has not ended */
    struct tpi_dependence *dependences;
    int32_t ndependences;
    struct tpi_explicit **successors;
    int32_t nsuccessors, room;
    bool placeholder;   /* waits for dependences only; never queued */
    bool detached, body_ended, fulfilled;
    _Atomic int32_t waits_for; /* tasks that must end before */
} tpi_explicit;

static inline bool tpi_task_is_queued(const tpi_team *team) {
    return atomic_load_explicit(&team->queued.count, memory_order_acquire) > 0;
}

/* Whether a library of this process makes tasks, or a team ever queued one: members leave a region
 * without waiting for each other until then. */
extern _Atomic bool tpi_tasks_are_used;

/* Run one task of the team's queue, if there is one. */
bool tpi_run_a_task(tpi_member *me);
/* Run tasks, and wait, until the team has none that has not ended. */
void tpi_finish_tasks(tpi_member *me);

/* Make a task ready, or let it wait for others; and its end. The caller holds the lock. */
void tpi_task_enqueue(tpi_explicit *t);

/* Run queued children of the current task until ready(arg), for which tpi_announce is called. */
void tpi_run_children_until(tpi_member *me, tpi_condition ready, const void *arg);

void tpi_group_begin(tpi_omp_task *task);
void tpi_group_end(tpi_member *me);

#endif
