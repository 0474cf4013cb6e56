/* Parking for threads that wait for any of several queues: two-phase, so no wake-up is lost.
 *
 *     waiter                              notifier
 *     key = prewait(ec)                   make work visible
 *     look for work once more             notify(ec, n)
 *     found: cancel(ec)
 *     not:   commit(ec, key)              README.md beside this file has the scenarios
 */
#ifndef TPI_EVENT_COUNT_H
#define TPI_EVENT_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "futex.h"

typedef struct {
    _Atomic uint32_t epoch;   /* changes with every notification that could concern a waiter */
    _Atomic uint32_t waiters; /* threads between prewait and the end of commit or cancel */
} tpi_event_count;

static inline uint32_t tpi_prewait(tpi_event_count *ec) {
    /* seq_cst, with the notifier's fence: either the notifier sees this waiter, or the waiter's
     * last look sees the work. */
    atomic_fetch_add_explicit(&ec->waiters, 1, memory_order_seq_cst);
    uint32_t key = atomic_load_explicit(&ec->epoch, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    return key;
}

static inline void tpi_cancel_wait(tpi_event_count *ec) {
    atomic_fetch_sub_explicit(&ec->waiters, 1, memory_order_relaxed);
}

static inline void tpi_commit_wait(tpi_event_count *ec, uint32_t key) {
    while (atomic_load_explicit(&ec->epoch, memory_order_acquire) == key)
        tpi_futex_wait(&ec->epoch, key);
    atomic_fetch_sub_explicit(&ec->waiters, 1, memory_order_relaxed);
}

/* After a seq_cst fence: a waiter that is not seen here will look for work once more. */
static inline bool tpi_has_waiters(tpi_event_count *ec) {
    return atomic_load_explicit(&ec->waiters, memory_order_relaxed) != 0;
}

/* Wake up to `count` waiters; how many were asleep and were woken. */
static inline int tpi_notify(tpi_event_count *ec, int count) {
    atomic_thread_fence(memory_order_seq_cst);
    if (!tpi_has_waiters(ec)) return 0;
    atomic_fetch_add_explicit(&ec->epoch, 1, memory_order_release);
    return tpi_futex_wake(&ec->epoch, count);
}

#endif
