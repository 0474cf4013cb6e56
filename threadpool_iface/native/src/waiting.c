#define _GNU_SOURCE
#include "waiting.h"

#include <pthread.h>

#include "move.h"
#include "thread_state.h"

_Atomic uint32_t tpi_fork_generation;

/* How long a caller that can be interrupted sleeps between two looks. */
#define POLL_MILLISECONDS 50

/* A worker thinks of moving after so many yields in a row that were taken up. */
#define LENDS_BEFORE_MOVING 3

/* Or after so many regions in a row for which it had the caller's CPU: one that only works now and then
 * takes that CPU up between the yields, and the kernel sees no reason to part the two. */
#define REGIONS_BEFORE_MOVING 2

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

void tpi_patience_init(tpi_patience *patience, int32_t num_threads, int64_t blocktime_us,
                       tpi_meter *meter) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure_pause);
    bool oversubscribed = num_threads > tpi_machine_threads();
    patience->pauses = oversubscribed ? 0 : pauses_per_microsecond;
    patience->blocktime_us = blocktime_us;
    patience->meter = meter;
    atomic_init(&patience->park_now, 0);
    atomic_init(&patience->caller_cpu, -1);
}

static bool blocktime_is_over(const tpi_lull *lull, uint64_t now) {
    int64_t blocktime = lull->patience->blocktime_us;
    return blocktime >= 0 && now - lull->since >= (uint64_t)blocktime * 1000u;
}

static bool beside_caller(const tpi_patience *patience) {
    return sched_getcpu() == atomic_load_explicit(&patience->caller_cpu, memory_order_relaxed);
}

/* A look takes 20 us: one after each of the first regions, then after 16, 32, 64, ... in a row. */
static bool look_who_runs(tpi_thread_state *me) {
    int32_t regions = me->beside_caller;
    bool due = regions >= REGIONS_BEFORE_MOVING && regions != me->looked_at &&
               (regions <= 8 || (regions & (regions - 1)) == 0);
    me->looked_at = regions;
    return due;
}

static void part_from_caller(const tpi_patience *patience, bool lent, uint64_t now) {
    tpi_thread_state *me = &tpi_thread;
    me->lent = lent ? me->lent + 1 : 0;
    if (me->lent < LENDS_BEFORE_MOVING && me->beside_caller < REGIONS_BEFORE_MOVING) return;
    if (!me->may_move || !patience->pauses || !beside_caller(patience)) return;
    if (look_who_runs(me) ? tpi_move_if_alone() : tpi_move_to_idle_cpu(now))
        me->lent = me->beside_caller = 0;
}

void tpi_note_company(const tpi_patience *patience) {
    tpi_thread_state *me = &tpi_thread;
    if (!me->may_move || !patience->pauses) return;
    if (!beside_caller(patience))
        me->beside_caller = 0;
    else if (me->beside_caller < INT32_MAX)
        ++me->beside_caller;
}

bool tpi_lull_go_on(tpi_lull *lull) {
    const tpi_patience *patience = lull->patience;
    if (patience->blocktime_us == 0) return false;
    if (atomic_load_explicit(&patience->park_now, memory_order_relaxed) != lull->park_now)
        return false;
    uint64_t before = tpi_now_ns();
    if (!lull->since) lull->since = before;
    sched_yield();
    uint64_t now = tpi_now_ns();
    bool lent = now - before >= TPI_LENT_NS;
    lull->burst = lent ? 0 : patience->pauses * TPI_BURST_NS / 1000;
    part_from_caller(patience, lent, now);
    return !blocktime_is_over(lull, now);
}

static bool changed(_Atomic uint32_t *word, uint32_t seen, uint32_t *value) {
    *value = atomic_load_explicit(word, memory_order_acquire) & ~TPI_ASLEEP;
    return *value != seen;
}

static bool changed_while_pausing(_Atomic uint32_t *word, uint32_t seen, uint32_t *value,
                                  int pauses) {
    for (; pauses > 0; --pauses) {
        if (changed(word, seen, value)) return true;
        tpi_pause();
    }
    return changed(word, seen, value);
}

/* Sleep until the word changes, or a signal handler forked. The bit can only be set on a word that still
 * carries `seen`. */
static uint32_t sleep_until_changed(_Atomic uint32_t *word, uint32_t seen, tpi_meter *meter,
                                    uint32_t fork_generation) {
    uint32_t value;
    if (meter) tpi_meter_add(&meter->parks, 1);
    while (!changed(word, seen, &value)) {
        if (tpi_generation() != fork_generation) return seen;
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

static uint32_t await_longer(_Atomic uint32_t *word, uint32_t seen, const tpi_patience *patience,
                             uint32_t fork_generation) {
    uint32_t value;
    tpi_lull lull = tpi_lull_begin(patience);
    do {
        if (changed_while_pausing(word, seen, &value, lull.burst)) {
            tpi_note_company(patience);
            return value;
        }
        if (tpi_generation() != fork_generation) return seen;
        tpi_poll_interrupt();
    } while (tpi_lull_go_on(&lull));
    return sleep_until_changed(word, seen, patience->meter, fork_generation);
}

bool tpi_await_briefly(_Atomic uint32_t *word, uint32_t seen, const tpi_patience *patience,
                       uint32_t *value) {
    return changed_while_pausing(word, seen, value, patience->pauses / 4);
}

uint32_t tpi_await(_Atomic uint32_t *word, uint32_t seen, const tpi_patience *patience,
                   uint32_t fork_generation) {
    uint32_t value;
    if (changed_while_pausing(word, seen, &value, patience->pauses)) return value;
    if (!patience->meter) return await_longer(word, seen, patience, fork_generation);
    uint64_t start = tpi_now_ns();
    value = await_longer(word, seen, patience, fork_generation);
    tpi_meter_add(&patience->meter->idle_ns, tpi_now_ns() - start);
    return value;
}
