/* OpenBLAS's jobs on the calling thread's active pool.
 *
 * An OpenBLAS built on POSIX threads hands the jobs of a call to a callback, if one was set. They wait
 * for each other by spinning, so all of them run at the same time or none may start: they are a gang
 * on the thread's pool, or go to OpenBLAS's own threads. */
#ifndef TPI_BLAS_LAYER_H
#define TPI_BLAS_LAYER_H

#include <stdint.h>

/* One loaded OpenBLAS: addresses of its functions and of the word that counts its own threads. */
typedef struct {
    uintptr_t set_callback, exec_async, exec_wait, set_num_threads, get_num_threads;
    uintptr_t own_threads;
    int32_t max_threads; /* numbers that it has for threads, its own and others */
} tpi_blas_library;

/* Take over a library. Afterwards its calls use at most as many threads as the smallest pool of any
 * thread has (one for a thread without a gang). 0, TPI_E_UNSUPPORTED if no more can be taken. */
int32_t tpi_blas_install(const tpi_blas_library *library);
void tpi_blas_uninstall(void); /* all libraries, with the number of threads they had */
int32_t tpi_blas_installed(uintptr_t set_callback); /* in that library; 0: in any */
/* Let the libraries use at most so many threads, until the same is let go (hold = 0). */
void tpi_blas_hold(int32_t most, int32_t hold);
/* After a fork in Python, in the child: the number of threads that the libraries had. */
void tpi_blas_restore_after_fork(void);

/* Calls that ran on a pool and on OpenBLAS's own threads, all libraries together. */
typedef struct {
    uint64_t on_pools, on_own_threads;
} tpi_blas_counts;
void tpi_blas_count(tpi_blas_counts *counts);

#endif
