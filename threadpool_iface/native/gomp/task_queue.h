/* The three lists that a queued task is in, each by priority and then by age. The caller holds the
 * team's tasks_lock. */
#ifndef TPI_GOMP_TASK_QUEUE_H
#define TPI_GOMP_TASK_QUEUE_H

#include "task.h"

void tpi_queue_insert(tpi_explicit *t);
void tpi_queue_remove(tpi_explicit *t);

#endif
