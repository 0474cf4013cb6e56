/* How a thread waits: pause for about a microsecond, then yield the CPU over and over until the
 * blocktime has passed, then sleep in the kernel.
 *
 * Between two yields a thread pauses for up to TPI_BURST_NS more, as long as yields return at once: then
 * nobody else wants its CPU, and pausing notices a change sooner than a system call does. A yield
 * that takes longer has lent the CPU to somebody, and the pauses in between stop. Pausing for longer
 * without a yield starves whoever shares the core: with 8 threads on 2 CPUs a pool that pause-spins
 * takes 16 ms for an empty region and one that yields 4 us. Sleeping at once costs 45-55 us to be
 * woken, whatever the library.
 *
 * A worker that keeps lending its CPU to the very caller it works for moves to an idle one: it would
 * only ever run while the caller waits, and the kernel, which holds a thread that yields to be busy
 * where it is, was seen to take a quarter of a second to part them.
 *
 * A *signal word* carries a value whose lowest bit says "a waiter sleeps". The waiter sets the
 * bit with a compare-and-swap on the value it has seen, then sleeps on exactly that word; the
 * signaller exchanges the whole word for a new value and wakes the waiter if the bit was set. Both
 * touch one word, so there is no window between looking and sleeping, and no fence.
 */
#ifndef TPI_WAITING_H
#define TPI_WAITING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getcpu */
#endif
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "futex.h"
#include "threadpool_iface.h"

#define TPI_ASLEEP 1u

/* Pausing between two yields: long enough that a change mostly meets a pausing thread, short enough
 * that another pool's thread on the same CPU hardly notices. */
#define TPI_BURST_NS 2000

/* A yield that nobody takes up returns within 0.3 to 1.2 us; two switches take longer. */
#define TPI_LENT_NS 2500

#if defined(__x86_64__) || defined(__i386__)
#define tpi_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define tpi_pause() __asm__ volatile("isb" ::: "memory")
#else
#define tpi_pause() atomic_signal_fence(memory_order_seq_cst)
#endif

/* Bumped in every forked child: threads that a wait depends on may not exist there. */
extern _Atomic uint32_t tpi_fork_generation;

static inline uint32_t tpi_generation(void) {
    /* relaxed: it changes only while one thread exists. */
    return atomic_load_explicit(&tpi_fork_generation, memory_order_relaxed);
}

static inline uint64_t tpi_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What a pool counts when it was asked to. Everybody adds, relaxed: these order nothing. */
typedef struct {
    _Atomic uint64_t steals, parks, wakes, idle_ns;
} tpi_meter;

static inline void tpi_meter_add(_Atomic uint64_t *counter, uint64_t amount) {
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* The figures so far; nothing for a pool without a meter. */
static inline void tpi_meter_read(tpi_meter *meter, tpi_stats *stats) {
    if (!meter) return;
    stats->detailed = 1;
    stats->steals = atomic_load_explicit(&meter->steals, memory_order_relaxed);
    stats->parks = atomic_load_explicit(&meter->parks, memory_order_relaxed);
    stats->wakes = atomic_load_explicit(&meter->wakes, memory_order_relaxed);
    stats->idle_ns = atomic_load_explicit(&meter->idle_ns, memory_order_relaxed);
}

/* How one pool's threads wait. */
typedef struct {
    int pauses;                /* in about a microsecond; 0 where whoever is waited for may need
                                  this very CPU: in a pool of more threads than may run at once */
    int64_t blocktime_us;      /* < 0: for ever */
    _Atomic uint32_t park_now; /* changes when waiting threads should sleep at once */
    _Atomic int32_t caller_cpu; /* where the last region was started */
    tpi_meter *meter;          /* NULL: nothing is counted */
} tpi_patience;

/* Have whoever waits now sleep at once. */
static inline void tpi_park_now(tpi_patience *patience) {
    atomic_fetch_add_explicit(&patience->park_now, 1, memory_order_relaxed);
}

/* A region starts on the calling thread's CPU: not a place for workers. */
static inline void tpi_note_caller(tpi_patience *patience) {
    int32_t cpu = sched_getcpu();
    if (atomic_load_explicit(&patience->caller_cpu, memory_order_relaxed) != cpu)
        atomic_store_explicit(&patience->caller_cpu, cpu, memory_order_relaxed);
}

void tpi_patience_init(tpi_patience *patience, int32_t num_threads, int64_t blocktime_us,
                       tpi_meter *meter);

/* One thread's wait, from the first yield on. */
typedef struct {
    const tpi_patience *patience;
    uint64_t since; /* 0 before the first yield */
    uint32_t park_now;
    int burst; /* pauses between two yields */
} tpi_lull;

static inline tpi_lull tpi_lull_begin(const tpi_patience *patience) {
    return (tpi_lull){
        .patience = patience,
        .park_now = atomic_load_explicit(&patience->park_now, memory_order_relaxed),
    };
}

/* A worker that waited has got work: does it share the CPU of the caller that it works for? */
void tpi_note_company(const tpi_patience *patience);

/* Yield once; false when it is time to sleep. */
bool tpi_lull_go_on(tpi_lull *lull);

/* Wait until `word` carries another value than `seen` (without the bit); returns the new value,
 * or `seen` if the process was forked since `fork_generation`. */
uint32_t tpi_await(_Atomic uint32_t *word, uint32_t seen, const tpi_patience *patience,
                   uint32_t fork_generation);

/* Wait for about a quarter of a microsecond only; false, and `value` is `seen`, if it has not changed. */
bool tpi_await_briefly(_Atomic uint32_t *word, uint32_t seen, const tpi_patience *patience,
                       uint32_t *value);

/* Give `word` a new value, whose lowest bit is 0, and wake up to `most` threads that sleep. */
static inline void tpi_signal_many(_Atomic uint32_t *word, uint32_t value, int most,
                                   tpi_meter *meter) {
    /* release: what the signaller wrote before is seen by the waiter's acquire load. */
#ifdef TPI_PLANT_RELAXED_SIGNAL
    uint32_t old = atomic_exchange_explicit(word, value, memory_order_relaxed);
#else
    uint32_t old = atomic_exchange_explicit(word, value, memory_order_release);
#endif
    if (!(old & TPI_ASLEEP)) return;
    int woken = tpi_futex_wake(word, most);
    if (meter && woken > 0) tpi_meter_add(&meter->wakes, (uint64_t)woken);
}

/* The same, for a word that one thread waits for. */
static inline void tpi_signal(_Atomic uint32_t *word, uint32_t value, tpi_meter *meter) {
    tpi_signal_many(word, value, 1, meter);
}

#endif
