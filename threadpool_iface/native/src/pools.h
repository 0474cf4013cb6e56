/* The native pools, as handles. num_threads counts the caller and is in [1, TPI_MAX_THREADS];
 * blocktime_us < 0 means for ever, 0 means park at once. cpus may be NULL: no affinity; otherwise
 * worker i is bound to cpus[i % ncpus] (the caller, thread 0, is never moved). No thread starts
 * before the first region. NULL: out of memory. */
#ifndef TPI_POOLS_H
#define TPI_POOLS_H

#include "threadpool_iface.h"

tpi_pool *tpi_sequential_new(void);
tpi_pool *tpi_fork_join_new(int32_t num_threads, int64_t blocktime_us, int32_t dynamic,
                            const int32_t *cpus, int32_t ncpus);
tpi_pool *tpi_work_stealing_new(int32_t num_threads, int64_t blocktime_us,
                                const int32_t *cpus, int32_t ncpus);

#endif
