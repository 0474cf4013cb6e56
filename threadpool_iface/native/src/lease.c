#define _GNU_SOURCE
#include "lease.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "futex.h"
#include "thread_state.h"
#include "waiting.h"

#define ENDED 0x80000000u

struct tpi_lease {
    tpi_task task;
    void *ctx;
    uint32_t generation; /* of the process that it was made in */
    _Atomic uint32_t references;
    _Atomic uint32_t calls; /* that are running, and ENDED */
};

tpi_lease *tpi_lease_new(tpi_task task, void *ctx) {
    tpi_lease *lease = malloc(sizeof *lease);
    if (!lease) return NULL;
    lease->task = task;
    lease->ctx = ctx;
    lease->generation = tpi_generation();
    atomic_init(&lease->references, 1);
    atomic_init(&lease->calls, 0);
    return lease;
}

void tpi_lease_release(tpi_lease *lease) {
    /* acq_rel: the last user has seen every other user's last access. */
    if (atomic_fetch_sub_explicit(&lease->references, 1, memory_order_acq_rel) == 1) free(lease);
}

void tpi_lease_keep(tpi_lease *lease, tpi_lease **box) {
#ifndef TPI_PLANT_LEASE_NOT_KEPT
    atomic_fetch_add_explicit(&lease->references, 1, memory_order_relaxed);
#endif
    *box = lease;
}

void tpi_lease_drop(tpi_lease **box) {
    if (*box) tpi_lease_release(*box);
    *box = NULL;
}

static void leave(tpi_lease *lease) {
    /* release: tpi_lease_end, which waits for zero, sees all that the call did. */
#ifdef TPI_PLANT_RELAXED_CALL
    uint32_t before = atomic_fetch_sub_explicit(&lease->calls, 1, memory_order_relaxed);
#else
    uint32_t before = atomic_fetch_sub_explicit(&lease->calls, 1, memory_order_release);
#endif
    if (before == (ENDED | 1)) tpi_futex_wake(&lease->calls, INT32_MAX);
}

int32_t tpi_lease_call(tpi_lease *lease, int32_t ithr, int32_t nthr) {
    /* acquire: a call that is refused sees the region ended. */
    uint32_t before = atomic_fetch_add_explicit(&lease->calls, 1, memory_order_acquire);
    bool refused = before & ENDED;
    if (!refused) lease->task(lease->ctx, ithr, nthr);
    leave(lease);
    return refused ? TPI_E_CLOSED : TPI_OK;
}

void tpi_lease_end(tpi_lease *lease) {
    uint32_t now = atomic_fetch_or_explicit(&lease->calls, ENDED, memory_order_acq_rel) | ENDED;
#ifdef TPI_PLANT_HASTY_LEASE
    now = ENDED;
#elif defined TPI_PLANT_LEASE_IN_CHILD
    lease->generation = tpi_generation();
#endif
    while (now != ENDED && tpi_generation() == lease->generation) {
        tpi_futex_wait_for(&lease->calls, now, 50);
        tpi_poll_interrupt();
        now = atomic_load_explicit(&lease->calls, memory_order_acquire);
    }
}

int32_t tpi_lease_is_open(tpi_lease *lease) {
    return !(atomic_load_explicit(&lease->calls, memory_order_relaxed) & ENDED);
}
