/* The native pools, as handles. num_threads counts the caller and is in [1, TPI_MAX_THREADS];
 * blocktime_us < 0 means for ever, 0 means park at once. cpus may be NULL: no affinity; otherwise
 * worker i is bound to cpus[i % ncpus] (the caller, thread 0, is never moved). `metered` pools count
 * more than regions and tasks. No thread starts before the first region. NULL: out of memory. */
#ifndef TPI_POOLS_H
#define TPI_POOLS_H

#include "threadpool_iface.h"

typedef struct {
    int32_t num_threads;
    int64_t blocktime_us;
    const int32_t *cpus;
    int32_t ncpus;
    int32_t metered;
} tpi_pool_options;

/* Whether the calling thread is about to be bound by the program. While it is, workers that it starts
 * and that no pool binds get the CPUs it has now, not those it is bound to. */
void tpi_keep_affinity(int32_t keep);

tpi_pool *tpi_sequential_new(void);
tpi_pool *tpi_fork_join_new(const tpi_pool_options *options, int32_t dynamic);
tpi_pool *tpi_work_stealing_new(const tpi_pool_options *options, int32_t asynchronous);

/* On an OpenMP runtime's own team. The functions are its GOMP_parallel, which LLVM's and Intel's have
 * too, omp_get_thread_num and omp_get_num_threads; `survives_fork` says whether a forked child may
 * go on using the runtime. */
tpi_pool *tpi_openmp_new(int32_t num_threads, int32_t dynamic, uintptr_t gomp_parallel,
                         uintptr_t get_thread_num, uintptr_t get_num_threads,
                         int32_t survives_fork);

#endif
