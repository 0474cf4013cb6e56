/* Sections, single, scope, critical and atomic. */
#define _GNU_SOURCE
#include <pthread.h>

#include "abi.h"
#include "barrier.h"
#include "loop.h"
#include "reduction.h"
#include "task.h"

/* -- sections ---------------------------------------------------------------------------------- */

static unsigned next_section(tpi_member *me) {
    share *s = me->share;
    /* relaxed: sections only have to differ. */
    uint64_t taken = atomic_load_explicit(&s->claimed, memory_order_relaxed);
    if (taken >= s->space.count) return 0;
    taken = atomic_fetch_add_explicit(&s->claimed, 1, memory_order_relaxed);
    return taken < s->space.count ? (unsigned)taken + 1 : 0;
}

static void prepare_sections(tpi_member *me, share *s, const void *count) {
    (void)me;
    s->space = (tpi_loop_space){.count = *(const unsigned *)count};
}

static void enter_sections(tpi_member *me, unsigned count, tpi_wanted wanted) {
    tpi_enter_wanting(me, prepare_sections, &count, wanted);
}

ABI(unsigned, GOMP_sections_start, (unsigned count), (count)) {
    enter_sections(tpi_me, count, (tpi_wanted){NULL, NULL});
    return next_section(tpi_me);
}

ABI(unsigned, GOMP_sections2_start, (unsigned count, uintptr_t *reductions, void **memory),
    (count, reductions, memory)) {
    enter_sections(tpi_me, count, (tpi_wanted){reductions, memory});
    return next_section(tpi_me);
}

ABI(unsigned, GOMP_sections_next, (void), ()) { return next_section(tpi_me); }
ABI(void, GOMP_sections_end, (void), ()) { tpi_team_barrier(tpi_me); }
ABI(void, GOMP_sections_end_nowait, (void), ()) {}
ABI(bool, GOMP_sections_end_cancel, (void), ()) { return tpi_team_barrier_cancel(tpi_me); }

/* A construct without anything to share but its reductions. */
ABI(void, GOMP_scope_start, (uintptr_t *reductions), (reductions)) {
    enter_sections(tpi_me, 0, (tpi_wanted){reductions, NULL});
}

/* -- single ------------------------------------------------------------------------------------ */

/* The k-th single of the region is for the member that counts the team on from k. */
static bool take_single(tpi_member *me) {
    int32_t met = me->singles++;
    return atomic_load_explicit(&me->team->singles, memory_order_relaxed) == met &&
           atomic_compare_exchange_strong_explicit(&me->team->singles, &met, met + 1,
                                                   memory_order_relaxed, memory_order_relaxed);
}

ABI(bool, GOMP_single_start, (void), ()) { return take_single(tpi_me); }

/* NULL: run the block and hand over what it made; else what another member handed over. */
ABI(void *, GOMP_single_copy_start, (void), ()) {
    if (take_single(tpi_me)) return NULL;
    tpi_team_barrier(tpi_me);
    return tpi_me->team->copied;
}

ABI(void, GOMP_single_copy_end, (void *data), (data)) {
    tpi_me->team->copied = data;
    tpi_team_barrier(tpi_me);
}

/* -- critical and atomic ----------------------------------------------------------------------- */

/* Never forwarded: a thread in no region keeps others out as well. */
static tpi_mutex unnamed, atomics;

ABI_OWN(void, GOMP_critical_start, (void)) { tpi_mutex_lock(&unnamed); }
ABI_OWN(void, GOMP_critical_end, (void)) { tpi_mutex_unlock(&unnamed); }
ABI_OWN(void, GOMP_atomic_start, (void)) { tpi_mutex_lock(&atomics); }
ABI_OWN(void, GOMP_atomic_end, (void)) { tpi_mutex_unlock(&atomics); }

/* The compiler's word for a name is as large as a pointer, and zero at first. */
ABI_OWN(void, GOMP_critical_name_start, (void **name)) { tpi_mutex_lock((tpi_mutex *)name); }
ABI_OWN(void, GOMP_critical_name_end, (void **name)) { tpi_mutex_unlock((tpi_mutex *)name); }

static void unlock_in_child(void) {
    atomic_store_explicit(&unnamed, 0, memory_order_relaxed);
    atomic_store_explicit(&atomics, 0, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(NULL, NULL, unlock_in_child);
}
