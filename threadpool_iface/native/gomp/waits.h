/* How a thread of a team waits: pause for about a microsecond, then yield until the blocktime has
 * passed, then sleep. The same rule as the pools' (../src/waiting.h says why), for conditions that
 * are more than one word: a barrier opens, a task is queued, a region is cancelled.
 *
 * A condition that becomes true is announced to the team's event count, which loses no wake-up
 * (../src/event_count.h). */
#ifndef TPI_GOMP_WAITS_H
#define TPI_GOMP_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#include "../src/event_count.h"
#include "../src/waiting.h"

/* Pauses in about a microsecond; 0 for a team of more threads than there are CPUs. */
int tpi_pauses_for(int32_t threads);

/* Nanoseconds of yielding before a thread sleeps: OMP_WAIT_POLICY and GOMP_SPINCOUNT. */
extern uint64_t tpi_blocktime_ns;

/* One thread's wait from the first yield on. */
typedef struct {
    uint64_t since; /* 0 before the first yield */
    int burst;      /* pauses between two yields */
} tpi_patience_left;

/* Yield once; false when it is time to sleep. */
bool tpi_yield_on(tpi_patience_left *left);

typedef bool (*tpi_condition)(const void *arg);

/* Wait until ready(arg). Whoever makes it true calls tpi_announce on the same event count. */
void tpi_wait_until(tpi_event_count *events, tpi_condition ready, const void *arg, int pauses);

static inline void tpi_announce(tpi_event_count *events) { tpi_notify(events, INT32_MAX); }

#endif
