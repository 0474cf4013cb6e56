/* The libgomp that a call goes to on a thread without a pool: one that the process has loaded, also
 * under another name (libgomp-a34b3233.so.1, as wheels bundle it), else the system's. */
#ifndef TPI_GOMP_REAL_H
#define TPI_GOMP_REAL_H

#include <stdatomic.h>
#include <stddef.h>

void *tpi_real_lookup(const char *name, _Atomic(void *) *found);

/* Its function of this name, or NULL; `found` keeps it from call to call. */
static inline void *tpi_real_function(const char *name, _Atomic(void *) *found) {
    /* acquire: pairs with the release of the thread that looked it up. */
    void *function = atomic_load_explicit(found, memory_order_acquire);
    return function ? function : tpi_real_lookup(name, found);
}

void tpi_real_after_fork(void);

#endif
