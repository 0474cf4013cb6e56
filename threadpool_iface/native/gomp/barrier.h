/* A team's barrier, at which members run queued tasks, and cancellation of a region. */
#ifndef TPI_GOMP_BARRIER_H
#define TPI_GOMP_BARRIER_H

#include "state.h"

/* Wait for all members, and for all tasks of the team. */
void tpi_team_barrier(tpi_member *me);
/* The end of a region for one of its members: until its team's tasks have ended. */
void tpi_team_end(tpi_member *me);
/* Wait for all members, and for all tasks; true, without having waited, once the region is cancelled. */
bool tpi_team_barrier_cancel(tpi_member *me);

#endif
