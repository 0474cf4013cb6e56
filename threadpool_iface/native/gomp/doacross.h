/* Loops whose iterations wait for others: `ordered(n)`, `depend(source)` and `depend(sink: ...)`.
 *
 * One member runs a whole chunk of the outermost loop, in order. So a word for each chunk is enough:
 * how far its iterations are posted, as the position of the iteration in the whole nest plus one.
 * An iteration is posted once its chunk's word has reached it. */
#ifndef TPI_GOMP_DOACROSS_H
#define TPI_GOMP_DOACROSS_H

#include <stdint.h>

struct tpi_share;

typedef struct tpi_doacross tpi_doacross;

/* For a prepared loop over counts[0], with ncounts - 1 loops inside it. */
tpi_doacross *tpi_doacross_new(const struct tpi_share *s, unsigned ncounts, const uint64_t *counts,
                               int32_t threads);
void tpi_doacross_free(tpi_doacross *d);
unsigned tpi_doacross_depth(const tpi_doacross *d);

#endif
