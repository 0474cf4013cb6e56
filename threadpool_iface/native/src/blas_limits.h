/* How many threads OpenBLAS may use: as many as the smallest pool that any thread has.
 *
 * OpenBLAS splits a call before its callback is asked, by one number for the whole process, and jobs
 * that are too many for a pool cannot be run on it one after the other. So the number is kept at what
 * every thread can do: 1 while one is sequential or has a pool without gangs, else the smallest pool's
 * size. Threads without a pool do not count. */
#ifndef TPI_BLAS_LIMITS_H
#define TPI_BLAS_LIMITS_H

#include "threadpool_iface.h"

typedef struct tpi_blas_threads {
    void (*set)(int);
    int (*get)(void);
    int *own;          /* how many threads of its own it has started, and the caller */
    int32_t numbers;   /* that it has for threads; its own have the lowest */
    int32_t for_gangs; /* numbers below this one are theirs, if not its own's */
    int32_t theirs;  /* what it would use without us */
    int32_t applied; /* what we set last */
    int32_t found, theirs_then; /* applied and theirs when somebody else found our limit; else 0 */
    struct tpi_blas_threads *next;
} tpi_blas_threads;

/* Jobs that a pool can run at the same time; 1 for a pool that does not promise any. */
int32_t tpi_blas_gang_size(tpi_pool *pool);

/* Jobs that it has numbers for, whatever the pool; at least 1. */
int32_t tpi_blas_most(const tpi_blas_threads *threads);

void tpi_blas_limit_library(tpi_blas_threads *threads);
void tpi_blas_lift_limits(void); /* of all libraries, which are then not limited any more */
void tpi_blas_forget_limits(void); /* in a forked child */

/* The calling thread's pool, or the default one, has changed; nothing to do while no library is limited.
 */
void tpi_blas_note_choice(void);
void tpi_blas_note_default(tpi_pool *pool);

#endif
