/* Loops of a team: spaces, schedules, and chunks. */
#ifndef TPI_GOMP_LOOP_H
#define TPI_GOMP_LOOP_H

#include "state.h"

typedef unsigned long long ull;

/* A loop's schedule; of TPI_RUNTIME, what the task's control variable says. */
typedef struct tpi_plan {
    uint32_t schedule;
    uint64_t chunk;
    bool ordered;
} tpi_plan;

/* for (i = start; step > 0 ? i < end : i > end; i += step) */
tpi_loop_space tpi_space(long start, long end, long step);
tpi_loop_space tpi_space_ull(bool up, ull start, ull end, ull step);

/* Resolve TPI_RUNTIME and TPI_AUTO, and fill in a share that is not published yet. */
tpi_plan tpi_plan_resolve(const tpi_icv *icv, tpi_plan plan);
void tpi_loop_prepare(share *s, const tpi_loop_space *space, tpi_plan plan, int32_t threads);

/* Come to the next loop. */
void tpi_loop_enter(tpi_member *me, const tpi_loop_space *space, tpi_plan plan);

/* The member's next chunk as [*first, *end) of the loop's values; false: none is left. */
bool tpi_loop_next(tpi_member *me, uint64_t *first, uint64_t *end);

/* Wait until the member's chunk of an ordered loop has the turn. */
void tpi_ordered_wait(tpi_member *me);

#endif
