/* Threads that a team borrows: those beyond its pool, and all of them where other callers hold the
 * pool for too long. A region therefore gets every member it asked for in bounded time.
 *
 * A thread is kept for a while after its part, for the next region that needs one. */
#ifndef TPI_GOMP_EXTRAS_H
#define TPI_GOMP_EXTRAS_H

#include "state.h"

/* Start members first to end - 1 of the team, each on a thread of its own. The process ends with a
 * message if the system has no more threads, as on libgomp: the team cannot be smaller. */
void tpi_extras_start(tpi_team *team, int32_t first, int32_t end);

/* Wait until all that were started have ended their part. */
void tpi_extras_await(tpi_team *team);

/* What such a thread runs: one member's part. */
void tpi_run_extra(tpi_team *team, int32_t num);

#endif
