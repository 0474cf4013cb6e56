/* How a thread waits: pause for about a microsecond, then yield the CPU over and over until the
 * blocktime has passed, then sleep in the kernel.
 *
 * Pausing longer starves whoever shares the core: with 8 threads on 2 CPUs a pool that pause-spins
 * takes 16 ms for an empty region and one that yields 4 us. Sleeping at once costs 45-55 us to be
 * woken, whatever the library.
 *
 * A *signal word* carries a value whose lowest bit says "the waiter sleeps". The waiter sets the
 * bit with a compare-and-swap on the value it has seen, then sleeps on exactly that word; the
 * signaller exchanges the whole word for a new value and wakes the waiter if the bit was set. Both
 * touch one word, so there is no window between looking and sleeping, and no fence.
 */
#ifndef TPI_WAITING_H
#define TPI_WAITING_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "futex.h"

#define TPI_ASLEEP 1u

#if defined(__x86_64__) || defined(__i386__)
#define tpi_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define tpi_pause() __asm__ volatile("isb" ::: "memory")
#else
#define tpi_pause() atomic_signal_fence(memory_order_seq_cst)
#endif

/* Bumped in every forked child: threads that a wait depends on may not exist there. */
extern _Atomic uint32_t tpi_fork_generation;

static inline uint64_t tpi_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* True while a wait that began at *since (0: sets it) is younger than the blocktime. */
static inline bool tpi_keep_yielding(int64_t blocktime_us, uint64_t *since) {
    if (blocktime_us < 0) return true;
    if (blocktime_us == 0) return false;
    uint64_t now = tpi_now_ns();
    if (*since == 0) *since = now;
    return now - *since < (uint64_t)blocktime_us * 1000u;
}

/* How one pool's threads wait. */
typedef struct {
    int pauses;           /* before the first yield */
    int64_t blocktime_us; /* < 0: for ever */
} tpi_patience;

/* A pool of more threads than the process may run at once yields at the first try: whoever it waits
 * for may need this very CPU. */
tpi_patience tpi_patience_of(int32_t num_threads, int64_t blocktime_us);

/* Wait until `word` carries another value than `seen` (without the bit); returns the new value,
 * or `seen` if the process was forked since `fork_generation`. */
uint32_t tpi_await(_Atomic uint32_t *word, uint32_t seen, tpi_patience patience,
                   uint32_t fork_generation);

/* Give `word` a new value, whose lowest bit is 0, and wake the waiter if it sleeps. */
static inline void tpi_signal(_Atomic uint32_t *word, uint32_t value) {
    /* release: what the signaller wrote before is seen by the waiter's acquire load. */
#ifdef TPI_PLANT_RELAXED_SIGNAL
    uint32_t old = atomic_exchange_explicit(word, value, memory_order_relaxed);
#else
    uint32_t old = atomic_exchange_explicit(word, value, memory_order_release);
#endif
    if (old & TPI_ASLEEP) tpi_futex_wake(word, 1);
}

#endif
