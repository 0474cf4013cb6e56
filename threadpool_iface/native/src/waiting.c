#define _GNU_SOURCE
#include "waiting.h"

#include <pthread.h>

#include "thread_state.h"

_Atomic uint32_t tpi_fork_generation;

/* How long a caller that can be interrupted sleeps between two looks. */
#define POLL_MILLISECONDS 50

static int pauses_per_microsecond = 1;

static void measure_pause(void) {
    /* The fastest of a few rounds: an interrupt only ever makes one longer. */
    uint64_t fastest = UINT64_MAX;
    for (int round = 0; round < 8; ++round) {
        uint64_t start = tpi_now_ns();
        for (int i = 0; i < 64; ++i) tpi_pause();
        uint64_t taken = tpi_now_ns() - start;
        if (taken < fastest) fastest = taken;
    }
    uint64_t count = fastest ? 64u * 1000u / fastest : 1000u;
    pauses_per_microsecond = count < 4 ? 4 : count > 1000 ? 1000 : (int)count;
}

tpi_patience tpi_patience_of(int32_t num_threads, int64_t blocktime_us) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure_pause);
    bool oversubscribed = num_threads > tpi_machine_threads();
    return (tpi_patience){oversubscribed ? 0 : pauses_per_microsecond, blocktime_us};
}

static bool changed(_Atomic uint32_t *word, uint32_t seen, uint32_t *value) {
    *value = atomic_load_explicit(word, memory_order_acquire) & ~TPI_ASLEEP;
    return *value != seen;
}

/* Sleep until the word changes. The bit can only be set on a word that still carries `seen`. */
static uint32_t sleep_until_changed(_Atomic uint32_t *word, uint32_t seen) {
    uint32_t value;
    while (!changed(word, seen, &value)) {
        uint32_t awake = seen;
        atomic_compare_exchange_strong_explicit(word, &awake, seen | TPI_ASLEEP,
                                                memory_order_relaxed, memory_order_relaxed);
        if (tpi_thread.interrupted) {
            tpi_futex_wait_for(word, seen | TPI_ASLEEP, POLL_MILLISECONDS);
            tpi_poll_interrupt();
        } else {
            tpi_futex_wait(word, seen | TPI_ASLEEP);
        }
    }
    return value;
}

uint32_t tpi_await(_Atomic uint32_t *word, uint32_t seen, tpi_patience patience,
                   uint32_t fork_generation) {
    uint32_t value;
    uint64_t since = 0;
    for (int i = patience.pauses; i > 0; --i) {
        if (changed(word, seen, &value)) return value;
        tpi_pause();
    }
    do {
        if (changed(word, seen, &value)) return value;
        if (atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed) != fork_generation)
            return seen;
        tpi_poll_interrupt();
        sched_yield();
    } while (tpi_keep_yielding(patience.blocktime_us, &since));
    return sleep_until_changed(word, seen);
}
