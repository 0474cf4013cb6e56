/* The core's side of the OpenMP layer, whose own library is in ../gomp. */
#ifndef TPI_OPENMP_LAYER_H
#define TPI_OPENMP_LAYER_H

#include <stdint.h>

/* Address of the table that `tpi_gomp_attach` of that library takes. */
uintptr_t tpi_openmp_core(void);

#endif
