/* A mutex in one 32-bit word (Drepper, Futexes Are Tricky, mutex 2), which fits omp_lock_t.
 *
 * It pauses and yields for a while before it sleeps: what OpenMP programs guard is short, and with
 * more threads than CPUs its holder may need this very CPU. */
#ifndef TPI_GOMP_LOCK_H
#define TPI_GOMP_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 0: free; 1: held; 2: held, and a thread may be asleep. */
typedef _Atomic uint32_t tpi_mutex;

void tpi_mutex_wait(tpi_mutex *mutex);
void tpi_mutex_wake(tpi_mutex *mutex);

static inline bool tpi_mutex_try(tpi_mutex *mutex) {
    uint32_t none = 0;
    return atomic_compare_exchange_strong_explicit(mutex, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void tpi_mutex_lock(tpi_mutex *mutex) {
    if (!tpi_mutex_try(mutex)) tpi_mutex_wait(mutex);
}

static inline void tpi_mutex_unlock(tpi_mutex *mutex) {
    /* release: the next holder sees what it guards as this one left it. */
    if (atomic_exchange_explicit(mutex, 0, memory_order_release) == 2) tpi_mutex_wake(mutex);
}

#endif
