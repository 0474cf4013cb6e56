/* The C core that has the pools: the extension's once it is attached, else the library's own, for
 * programs without Python. */
#ifndef TPI_GOMP_CORE_H
#define TPI_GOMP_CORE_H

#include "core_api.h"

/* NULL: there are no pools, and all calls are forwarded. */
const tpi_core_api *tpi_core(void);

#endif
