#define _GNU_SOURCE
#include "taskloop.h"

#include "abi.h"
#include "loop.h"
#include "reduction.h"
#include "task.h"

/* How a loop is split: the first `larger` tasks have one iteration more than `small`. With
 * grainsize(strict: n) every task has n but the last, which has the rest. */
typedef struct {
    uint64_t tasks, small, larger;
    uint64_t last; /* strict: iterations of the last task; 0: as the others */
} split;

static split strict_split(uint64_t count, uint64_t grain) {
    uint64_t tasks = (count - 1) / grain + 1;
    return (split){.tasks = tasks, .small = grain, .last = count - (tasks - 1) * grain};
}

static split split_loop(uint64_t count, uint64_t asked, unsigned flags, int32_t threads) {
    uint64_t tasks = asked;
    if (flags & TPI_GRAINSIZE) {
        if (flags & TPI_STRICT) return strict_split(count, asked ? asked : 1);
        tasks = asked > 1 ? count / asked : count;
    } else if (!tasks) {
        tasks = (uint64_t)threads;
    }
    if (tasks < 1) tasks = 1;
    if (tasks > count) tasks = count;
    return (split){.tasks = tasks, .small = count / tasks, .larger = count % tasks};
}

static uint64_t size_of(const split *s, uint64_t task) {
    if (s->last && task + 1 == s->tasks) return s->last;
    return s->small + (task < s->larger);
}

static void make_tasks(tpi_member *me, tpi_task_call *call, const tpi_loop_space *space,
                       const split *s, bool wide) {
    uint64_t begin = 0;
    bool deferred = (call->flags & TPI_IF) && tpi_makes_tasks(me, s->tasks);
    for (uint64_t i = 0; i < s->tasks; ++i) {
        uint64_t end = begin + size_of(s, i);
        tpi_range range = {space->start + begin * space->step, space->start + end * space->step,
                           wide};
        if (end == space->count) range.end = space->end;
        call->range = &range;
        tpi_make_task(me, call, deferred);
        begin = end;
    }
}

void tpi_set_range(void *argument, const tpi_range *range) {
    if (range->wide) {
        ((ull *)argument)[0] = range->begin;
        ((ull *)argument)[1] = range->end;
    } else {
        ((long *)argument)[0] = (long)range->begin;
        ((long *)argument)[1] = (long)range->end;
    }
}

/* Behind the two words of the range. */
static uintptr_t *reductions_in(void *data, bool wide) {
    return *(uintptr_t **)((char *)data + 2 * (wide ? sizeof(ull) : sizeof(long)));
}

static void run_taskloop(tpi_task_call *call, const tpi_loop_space *space, unsigned long asked,
                         bool wide) {
    tpi_member *me = tpi_me;
    bool grouped = !(call->flags & TPI_NOGROUP);
    if (space->count == 0) {
        if ((call->flags & TPI_REDUCTION) && grouped) *reductions_in(call->data, wide) = 0;
        return;
    }
    if (grouped) {
        tpi_group_begin(me->task);
        me->task->group->workshare = false;
        if (call->flags & TPI_REDUCTION) {
            uintptr_t *data = reductions_in(call->data, wide);
            tpi_reductions_allocate(data, me->task->group->outer ?
                                    me->task->group->outer->reductions : NULL, me->team->n);
            me->task->group->reductions = data;
        }
    }
    split s = split_loop(space->count, asked, call->flags, me->team->n);
    make_tasks(me, call, space, &s, wide);
    if (grouped) tpi_group_end(me);
}

/* -- the ABI ----------------------------------------------------------------------------------- */

ABI(void, GOMP_taskloop,
    (tpi_body body, void *data, void (*copy)(void *, void *), long size, long alignment,
     unsigned flags, unsigned long num_tasks, int priority, long start, long end, long step),
    (body, data, copy, size, alignment, flags, num_tasks, priority, start, end, step)) {
    tpi_task_call call = {.body = body, .data = data, .copy = copy, .size = size,
                          .alignment = alignment, .flags = flags, .priority = priority};
    tpi_loop_space space = tpi_space(start, end, step);
    run_taskloop(&call, &space, num_tasks, false);
}

ABI(void, GOMP_taskloop_ull,
    (tpi_body body, void *data, void (*copy)(void *, void *), long size, long alignment,
     unsigned flags, unsigned long num_tasks, int priority, ull start, ull end, ull step),
    (body, data, copy, size, alignment, flags, num_tasks, priority, start, end, step)) {
    tpi_task_call call = {.body = body, .data = data, .copy = copy, .size = size,
                          .alignment = alignment, .flags = flags, .priority = priority};
    tpi_loop_space space = tpi_space_ull(flags & TPI_UP, start, end, step);
    run_taskloop(&call, &space, num_tasks, true);
}
