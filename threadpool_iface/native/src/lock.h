/* A lock that is held for whole regions: most only ever try it; a gang waits for it, and stops
 * waiting when its region has failed, which Ctrl-C makes it do. */
#ifndef TPI_LOCK_H
#define TPI_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "futex.h"
#include "region.h"
#include "thread_state.h"
#include "waiting.h"

/* 0: free; 1: held; 2: held, and somebody may be asleep (Drepper, Futexes Are Tricky, mutex 2). */
typedef _Atomic uint32_t tpi_lock;

static inline bool tpi_lock_try(tpi_lock *lock) {
    uint32_t none = 0;
    return atomic_load_explicit(lock, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(lock, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* The wake-up that a sleeper got may have been meant for somebody who still waits. */
static inline bool tpi_lock_give_up(tpi_lock *lock) {
    tpi_futex_wake(lock, 1);
    return false;
}

/* False, without the lock, if the calling thread's region has failed meanwhile, or a signal handler has
 * forked: the lock is the child's own then. */
static inline bool tpi_lock_wait(tpi_lock *lock) {
    if (tpi_lock_try(lock)) return true;
    uint32_t generation = tpi_generation();
    while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0) {
        tpi_futex_wait_for(lock, 2, 50);
        tpi_poll_interrupt();
        if (tpi_generation() != generation) return false;
        if (tpi_thread.region && tpi_region_error(tpi_thread.region)) return tpi_lock_give_up(lock);
    }
    return true;
}

/* False, without the lock, if it does not get free within `milliseconds`. */
static inline bool tpi_lock_wait_for(tpi_lock *lock, int64_t milliseconds) {
    if (tpi_lock_try(lock)) return true;
    uint64_t end = tpi_now_ns() + (uint64_t)milliseconds * 1000000u;
    while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0) {
        uint64_t now = tpi_now_ns();
        if (now >= end) return tpi_lock_give_up(lock);
        tpi_futex_wait_for(lock, 2, (long)((end - now) / 1000000u) + 1);
    }
    return true;
}

static inline void tpi_unlock(tpi_lock *lock) {
    /* release: the next owner sees what it guards as this one left it. */
    if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2) tpi_futex_wake(lock, 1);
}

#endif
