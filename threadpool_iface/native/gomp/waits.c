#define _GNU_SOURCE
#include "waits.h"

#include <stddef.h>

uint64_t tpi_blocktime_ns = 2000000;

int tpi_pauses_for(int32_t threads) {
    tpi_patience patience;
    tpi_patience_init(&patience, threads, 0, NULL);
    return patience.pauses;
}

bool tpi_yield_on(tpi_patience_left *left) {
    uint64_t before = tpi_now_ns();
    if (!left->since) left->since = before;
    if (before - left->since >= tpi_blocktime_ns) return false;
    sched_yield();
    uint64_t now = tpi_now_ns();
    left->burst = now - before >= TPI_LENT_NS ? 0 : tpi_pauses_for(1) * TPI_BURST_NS / 1000;
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
