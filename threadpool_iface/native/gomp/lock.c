#define _GNU_SOURCE
#include "lock.h"

#include "waits.h"

/* Yields before a thread sleeps: a guess, about 20 us where nobody takes them up. */
#define YIELDS 50

static bool taken_while_pausing(tpi_mutex *mutex) {
    for (int i = 0; i < 30; ++i) {
        if (atomic_load_explicit(mutex, memory_order_relaxed) == 0 && tpi_mutex_try(mutex))
            return true;
        tpi_pause();
    }
    return false;
}

void tpi_mutex_wait(tpi_mutex *mutex) {
    for (int i = 0; i < YIELDS; ++i) {
        if (taken_while_pausing(mutex)) return;
        sched_yield();
    }
    while (atomic_exchange_explicit(mutex, 2, memory_order_acquire) != 0)
        tpi_futex_wait(mutex, 2);
}

void tpi_mutex_wake(tpi_mutex *mutex) { tpi_futex_wake(mutex, 1); }
