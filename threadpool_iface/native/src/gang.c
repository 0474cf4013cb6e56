#define _GNU_SOURCE
#include "gang.h"

#include "thread_state.h"

#define ONE_ENDED (UINT64_C(1) << 32)
#define BLOCKTIME_US 2000

void tpi_gang_init(tpi_gang *gang, int32_t n) {
    gang->n = n;
    gang->fork_generation = atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
    tpi_patience_init(&gang->patience, n, BLOCKTIME_US, NULL);
    atomic_init(&gang->arrived_and_ended, 0);
    atomic_init(&gang->phase, 0);
    atomic_init(&gang->broken, false);
}

/* Not an exchange as for other signal words: whoever opens the next phase and whoever breaks the
 * gang may do so at once, and neither change may get lost. */
static void advance(tpi_gang *gang) {
    uint32_t old = atomic_load_explicit(&gang->phase, memory_order_relaxed);
    /* release: what every task did before the barrier is seen by every task after it. */
    while (!atomic_compare_exchange_weak_explicit(&gang->phase, &old, (old & ~TPI_ASLEEP) + 2,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    if (old & TPI_ASLEEP) tpi_futex_wake(&gang->phase, INT32_MAX);
}

void tpi_gang_break(tpi_gang *gang) {
    atomic_store_explicit(&gang->broken, true, memory_order_relaxed);
    advance(gang);
}

static int32_t broken(tpi_gang *gang) {
    return atomic_load_explicit(&gang->broken, memory_order_relaxed) ? TPI_E_BROKEN : TPI_OK;
}

int32_t tpi_gang_barrier(tpi_gang *gang) {
    uint32_t phase = atomic_load_explicit(&gang->phase, memory_order_acquire) & ~TPI_ASLEEP;
    if (broken(gang)) return TPI_E_BROKEN;
    /* acq_rel: the last to arrive has seen what all the others did, and passes it on. */
    uint64_t before =
        atomic_fetch_add_explicit(&gang->arrived_and_ended, 1, memory_order_acq_rel);
    if (before >= ONE_ENDED) {
        tpi_gang_break(gang);
    } else if ((int32_t)before + 1 == gang->n) {
        atomic_fetch_sub_explicit(&gang->arrived_and_ended, (uint64_t)gang->n,
                                  memory_order_relaxed);
        advance(gang);
    } else {
        tpi_await(&gang->phase, phase, &gang->patience, gang->fork_generation);
    }
    return broken(gang);
}

int32_t tpi_gang_end_task(tpi_gang *gang) {
    uint64_t before =
        atomic_fetch_add_explicit(&gang->arrived_and_ended, ONE_ENDED, memory_order_relaxed);
    if ((uint32_t)before == 0) return TPI_OK;
    tpi_gang_break(gang);
    return TPI_E_BROKEN;
}
