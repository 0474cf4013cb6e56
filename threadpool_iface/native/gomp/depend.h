/* Dependences among the children of one task. The caller holds the team's tasks_lock. */
#ifndef TPI_GOMP_DEPEND_H
#define TPI_GOMP_DEPEND_H

#include "task.h"

/* Have t wait for its siblings that the compiler's array names. `record`: and have later ones wait
 * for t; else t only waits. */
void tpi_depend_on(tpi_omp_task *parent, tpi_explicit *t, void **depend, bool record);

/* t has ended: forget it, and make those ready that waited for it only. */
void tpi_depend_release(tpi_explicit *t);

void tpi_depend_free(tpi_omp_task *parent);

#endif
