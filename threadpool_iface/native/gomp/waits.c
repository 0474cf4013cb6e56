#define _GNU_SOURCE
#include "waits.h"

#include <pthread.h>

#include "icv.h"

/* As in ../src/waiting.c, where they are measured. */
#define BURST_NS 2000
#define LENT_NS 2500

uint64_t tpi_blocktime_ns = 2000000;

static int pauses_per_microsecond = 1;
static int32_t cpus = 1; /* as they were at the first region */

static void measure_pause(void) {
    cpus = tpi_num_procs();
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

int tpi_pauses_for(int32_t threads) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure_pause);
    return threads > cpus ? 0 : pauses_per_microsecond;
}

bool tpi_yield_on(tpi_patience_left *left) {
    uint64_t before = tpi_now_ns();
    if (!left->since) left->since = before;
    if (before - left->since >= tpi_blocktime_ns) return false;
    sched_yield();
    uint64_t now = tpi_now_ns();
    left->burst = now - before >= LENT_NS ? 0 : pauses_per_microsecond * BURST_NS / 1000;
    return true;
}

static bool ready_while_pausing(tpi_condition ready, const void *arg, int pauses) {
    for (; pauses > 0; --pauses) {
        if (ready(arg)) return true;
        tpi_pause();
    }
    return ready(arg);
}

static void sleep_once(tpi_event_count *events, tpi_condition ready, const void *arg) {
    uint32_t key = tpi_prewait(events);
    if (ready(arg)) tpi_cancel_wait(events);
    else tpi_commit_wait(events, key);
}

void tpi_wait_until(tpi_event_count *events, tpi_condition ready, const void *arg, int pauses) {
    tpi_patience_left left = {.burst = 0};
    if (ready_while_pausing(ready, arg, pauses)) return;
    while (tpi_yield_on(&left))
        if (ready_while_pausing(ready, arg, pauses ? left.burst : 0)) return;
    while (!ready(arg)) sleep_once(events, ready, arg);
}
