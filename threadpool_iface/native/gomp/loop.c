#define _GNU_SOURCE
#include "loop.h"

/* -- spaces -------------------------------------------------------------------------------- */

static tpi_loop_space space_of(uint64_t start, uint64_t end, uint64_t step, uint64_t distance,
                               uint64_t stride) {
    uint64_t count = distance ? (distance - 1) / stride + 1 : 0;
    return (tpi_loop_space){.start = start, .step = step, .count = count, .end = end};
}

tpi_loop_space tpi_space(long start, long end, long step) {
    uint64_t first = (uint64_t)start, last = (uint64_t)end, by = (uint64_t)step;
    if (step > 0) return space_of(first, last, by, start < end ? last - first : 0, by);
    return space_of(first, last, by, start > end ? first - last : 0, -by);
}

tpi_loop_space tpi_space_ull(bool up, ull start, ull end, ull step) {
    if (up) return space_of(start, end, step, start < end ? end - start : 0, step);
    return space_of(start, end, step, start > end ? start - end : 0, -(uint64_t)step);
}

/* -- preparing ----------------------------------------------------------------------------- */

tpi_plan tpi_plan_resolve(const tpi_icv *icv, tpi_plan plan) {
    if ((plan.schedule & ~TPI_MONOTONIC) == TPI_RUNTIME) {
        plan.schedule = icv->schedule;
        plan.chunk = icv->chunk > 0 ? (uint64_t)icv->chunk : 0;
    }
    plan.schedule &= ~TPI_MONOTONIC;
    if (plan.schedule == TPI_AUTO) {
        plan.schedule = TPI_STATIC;
        plan.chunk = 0;
    }
    if (plan.schedule != TPI_STATIC && plan.chunk == 0) plan.chunk = 1;
    return plan;
}

/* Every member may add one chunk more than there are iterations. */
static bool may_wrap(uint64_t count, uint64_t chunk, int32_t threads) {
    uint64_t beyond;
    return __builtin_mul_overflow(chunk, (uint64_t)threads + 1, &beyond) ||
           __builtin_add_overflow(beyond, count, &beyond);
}

void tpi_loop_prepare(share *s, const tpi_loop_space *space, tpi_plan plan, int32_t threads) {
    s->space = *space;
    s->schedule = plan.schedule;
    s->chunk = plan.chunk > space->count && space->count ? space->count : plan.chunk;
    s->ordered = plan.ordered;
    s->may_wrap = may_wrap(space->count, s->chunk, threads);
}

void tpi_loop_enter(tpi_member *me, const tpi_loop_space *space, tpi_plan plan) {
    if (tpi_share_next(me)) return;
    share *s = tpi_share_new(me);
    tpi_loop_prepare(s, space, tpi_plan_resolve(&me->task->icv, plan), me->team->n);
    tpi_share_publish(me, s);
}

/* -- chunks, as ranges of iterations -------------------------------------------------------- */

/* libgomp's blocks: the first `larger` members have one iteration more. */
static bool next_block(tpi_member *me, const share *s, uint64_t *begin, uint64_t *end) {
    uint64_t n = (uint64_t)me->team->n, num = (uint64_t)me->num;
    uint64_t small = s->space.count / n, larger = s->space.count % n;
    if (me->trip++) return false;
    *begin = num * small + (num < larger ? num : larger);
    *end = *begin + small + (num < larger);
    return *begin < *end;
}

/* Every n-th chunk. */
static bool next_static(tpi_member *me, const share *s, uint64_t *begin, uint64_t *end) {
    uint64_t index, n = (uint64_t)me->team->n;
    if (s->chunk == 0) return next_block(me, s, begin, end);
    if (__builtin_mul_overflow(me->trip, n, &index) ||
        __builtin_add_overflow(index, (uint64_t)me->num, &index) ||
        __builtin_mul_overflow(index, s->chunk, begin) || *begin >= s->space.count)
        return false;
    ++me->trip;
    *end = s->space.count - *begin < s->chunk ? s->space.count : *begin + s->chunk;
    return true;
}

/* relaxed, here and below: claimed ranges only have to differ. */
static bool claim(share *s, uint64_t size, uint64_t *begin, uint64_t *end) {
    uint64_t count = s->space.count;
    *end = count - *begin < size ? count : *begin + size;
    return atomic_compare_exchange_weak_explicit(&s->claimed, begin, *end, memory_order_relaxed,
                                                 memory_order_relaxed);
}

static bool next_dynamic(share *s, uint64_t *begin, uint64_t *end) {
    uint64_t count = s->space.count;
    if (__builtin_expect(s->may_wrap, 0)) {
        *begin = atomic_load_explicit(&s->claimed, memory_order_relaxed);
        while (*begin < count)
            if (claim(s, s->chunk, begin, end)) return true;
        return false;
    }
    *begin = atomic_fetch_add_explicit(&s->claimed, s->chunk, memory_order_relaxed);
    if (*begin >= count) return false;
    *end = count - *begin < s->chunk ? count : *begin + s->chunk;
    return true;
}

/* An n-th of what is left, and never less than a chunk. */
static bool next_guided(tpi_member *me, share *s, uint64_t *begin, uint64_t *end) {
    uint64_t n = (uint64_t)me->team->n, count = s->space.count;
    *begin = atomic_load_explicit(&s->claimed, memory_order_relaxed);
    while (*begin < count) {
        uint64_t left = count - *begin, part = left / n + (left % n != 0);
        if (claim(s, part < s->chunk ? s->chunk : part, begin, end)) return true;
    }
    return false;
}

static bool next_range(tpi_member *me, share *s, uint64_t *begin, uint64_t *end) {
    switch (s->schedule) {
        case TPI_STATIC: return next_static(me, s, begin, end);
        case TPI_DYNAMIC: return next_dynamic(s, begin, end);
        default: return next_guided(me, s, begin, end);
    }
}

/* -- turns of an ordered loop ---------------------------------------------------------------- */

/* A chunk is named by its first iteration, and hands the turn to the one that begins where it ends. */
static bool has_turn(const void *arg) {
    const tpi_member *me = arg;
    return atomic_load_explicit(&me->share->turn, memory_order_acquire) == me->begin;
}

void tpi_ordered_wait(tpi_member *me) {
    if (!has_turn(me)) tpi_wait_until(&me->team->events, has_turn, me, me->team->pauses);
}

static void pass_turn(tpi_member *me) {
    if (me->begin == me->end) return;
    tpi_ordered_wait(me);
    /* release: an ordered region sees what those before it wrote. */
    atomic_store_explicit(&me->share->turn, me->end, memory_order_release);
    me->begin = me->end = 0;
    tpi_announce(&me->team->events);
}

bool tpi_loop_next(tpi_member *me, uint64_t *first, uint64_t *end) {
    share *s = me->share;
    uint64_t from, to;
    if (s->ordered) pass_turn(me);
    if (!next_range(me, s, &from, &to)) return false;
    if (s->ordered || s->doacross) {
        me->begin = from;
        me->end = to;
    }
    *first = s->space.start + from * s->space.step;
    *end = to == s->space.count ? s->space.end : s->space.start + to * s->space.step;
    return true;
}
