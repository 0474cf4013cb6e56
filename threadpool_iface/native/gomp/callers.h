/* The library that calls: how many regions it started, and what is known about it.
 *
 * Told by the return address, which a table keeps from call to call. */
#ifndef TPI_GOMP_CALLERS_H
#define TPI_GOMP_CALLERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TPI_CALLER_NAME 128

/* Whether a library's regions may have fewer members than they ask for. */
typedef enum { TPI_NEVER, TPI_WITHOUT_CLAUSE, TPI_ALWAYS } tpi_fewer;

typedef struct tpi_caller {
    const void *base;   /* of the library in memory */
    char name[TPI_CALLER_NAME];
    bool caps_number;   /* its omp_set_num_threads is an upper limit; see callers.c */
    tpi_fewer takes_fewer;
    _Atomic uint64_t on_pools, alone, borrowed, forwarded;
} tpi_caller;

tpi_caller *tpi_caller_of(const void *return_address);

static inline void tpi_count(_Atomic uint64_t *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#endif
