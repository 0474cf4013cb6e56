/* The C core that has the pools: the extension's once it is attached, else the library's own, for
 * programs without Python. */
#ifndef TPI_GOMP_CORE_H
#define TPI_GOMP_CORE_H

#include <stdbool.h>

#include "core_api.h"

/* The last that was attached; NULL: none ever was. It may be off by now, for regions that begin; those
 * that run go on with it. */
const tpi_core_api *tpi_core(void);

/* Whether regions that begin now are for its pools; else all calls are forwarded. */
bool tpi_core_is_on(void);

#endif
