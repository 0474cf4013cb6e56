#define _GNU_SOURCE
#include "gang.h"

#include "thread_state.h"

#define ONE_ENDED (UINT64_C(1) << 32)
#define BLOCKTIME_US 2000

/* In `phase`, beside TPI_ASLEEP. */
#define BROKEN 2u
#define ONE_PASSED 4u

void tpi_gang_init(tpi_gang *gang, int32_t n) {
    gang->n = n;
    gang->fork_generation = tpi_generation();
    tpi_patience_init(&gang->patience, n, BLOCKTIME_US, NULL);
    atomic_init(&gang->arrived_and_ended, 0);
    atomic_init(&gang->phase, 0);
}

/* Not an exchange as for other signal words: whoever opens the barrier and whoever breaks the gang
 * may do so at once, and neither change may get lost. */
static void change_phase(tpi_gang *gang, uint32_t step, uint32_t flag) {
    uint32_t old = atomic_load_explicit(&gang->phase, memory_order_relaxed), new;
    do {
        new = ((old & ~TPI_ASLEEP) + step) | flag;
        /* release: what every task did before the barrier is seen by every task after it. */
    } while (!atomic_compare_exchange_weak_explicit(&gang->phase, &old, new, memory_order_release,
                                                    memory_order_relaxed));
    if (old & TPI_ASLEEP) tpi_futex_wake(&gang->phase, INT32_MAX);
}

void tpi_gang_break(tpi_gang *gang) { change_phase(gang, 0, BROKEN); }

static int32_t await_others(tpi_gang *gang, uint32_t phase) {
    uint32_t now = tpi_await(&gang->phase, phase, &gang->patience, gang->fork_generation);
    /* Who was let through has passed, even if the gang has been broken since. */
    if (now / ONE_PASSED != phase / ONE_PASSED) return TPI_OK;
    return now & BROKEN ? TPI_E_BROKEN : TPI_E_FORKED;
}

int32_t tpi_gang_barrier(tpi_gang *gang) {
    uint32_t phase = atomic_load_explicit(&gang->phase, memory_order_acquire) & ~TPI_ASLEEP;
    if (phase & BROKEN) return TPI_E_BROKEN;
    /* acq_rel: the last to arrive has seen what all the others did, and passes it on. */
    uint64_t before =
        atomic_fetch_add_explicit(&gang->arrived_and_ended, 1, memory_order_acq_rel);
    if (before >= ONE_ENDED) {
        tpi_gang_break(gang);
        return TPI_E_BROKEN;
    }
    if ((int32_t)before + 1 < gang->n) return await_others(gang, phase);
    atomic_fetch_sub_explicit(&gang->arrived_and_ended, (uint64_t)gang->n, memory_order_relaxed);
    change_phase(gang, ONE_PASSED, 0);
    return TPI_OK;
}

int32_t tpi_gang_end_task(tpi_gang *gang) {
    uint64_t before =
        atomic_fetch_add_explicit(&gang->arrived_and_ended, ONE_ENDED, memory_order_relaxed);
    if ((uint32_t)before == 0) return TPI_OK;
    tpi_gang_break(gang);
    return TPI_E_BROKEN;
}
