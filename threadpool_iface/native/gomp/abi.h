/* How a function of libgomp's ABI is defined here.
 *
 *     ABI(bool, GOMP_loop_static_next, (long *first, long *end), (first, end)) {
 *         return ...;
 *     }
 *
 * defines the exported function. On a thread that is in no region of this library it calls the same
 * function of the real libgomp, so that a program without a pool has what it always had. The body
 * runs otherwise, and where no libgomp has that function; `tpi_me` is not NULL in it. */
#ifndef TPI_GOMP_ABI_H
#define TPI_GOMP_ABI_H

#include "real.h"
#include "state.h"

#define TPI_EXPORT __attribute__((visibility("default")))

/* The real function, or NULL. */
#define TPI_REAL(name)                                                   \
    ({                                                                   \
        static _Atomic(void *) tpi_found;                                \
        (__typeof__(&name))tpi_real_function(#name, &tpi_found);         \
    })

#define ABI(result, name, parameters, arguments)                         \
    TPI_EXPORT result name parameters;                                   \
    static inline result own_##name parameters;                          \
    TPI_EXPORT result name parameters {                                  \
        if (__builtin_expect(!tpi_me, 0)) {                              \
            __typeof__(&name) tpi_real = TPI_REAL(name);                 \
            if (tpi_real) return tpi_real arguments;                     \
            tpi_alone();                                                 \
        }                                                                \
        return own_##name arguments;                                     \
    }                                                                    \
    static inline result own_##name parameters

/* The same, for functions that are never forwarded. */
#define ABI_OWN(result, name, parameters)                                \
    TPI_EXPORT result name parameters;                                   \
    TPI_EXPORT result name parameters

#endif
