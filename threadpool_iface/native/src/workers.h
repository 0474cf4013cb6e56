/* Starting and joining a pool's threads. */
#ifndef TPI_WORKERS_H
#define TPI_WORKERS_H

#include <pthread.h>
#include <stdint.h>

/* A copy of `ncpus` CPU numbers; NULL for none. *failed is set when out of memory. */
int32_t *tpi_copy_cpus(const int32_t *cpus, int32_t ncpus, int *failed);

/* Start `body(arg)`, named `prefix`-`index`, on `cpu` (-1: anywhere). 0, or an errno when the system refuses.
 *
 * The thread has the starter's signal mask, so that what a task starts has an ordinary one: blocking
 * everything made subprocesses that nothing but SIGKILL could end. A signal to the process goes to its
 * main thread as long as that one does not block it. Signals that a thread brings upon itself are never
 * blocked, or a crash would be silent. */
int tpi_thread_start(pthread_t *thread, void *(*body)(void *), void *arg, const char *prefix,
                     int32_t index, int32_t cpu);

/* In a forked child whose only thread was a worker: from now on it may run where the program may, and the
 * process has the program's name. */
void tpi_worker_in_child(void);

#endif
