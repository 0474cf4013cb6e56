/* Starting and joining a pool's threads. */
#ifndef TPI_WORKERS_H
#define TPI_WORKERS_H

#include <pthread.h>
#include <stdint.h>

/* A copy of `ncpus` CPU numbers; NULL for none. *failed is set when out of memory. */
int32_t *tpi_copy_cpus(const int32_t *cpus, int32_t ncpus, int *failed);

/* Start `body(arg)` with all signals blocked, named `prefix`-`index`, on `cpu` (-1: anywhere).
 * 0, or an errno when the system refuses. */
int tpi_thread_start(pthread_t *thread, void *(*body)(void *), void *arg, const char *prefix,
                     int32_t index, int32_t cpu);

#endif
