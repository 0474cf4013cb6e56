/* Tasks that run together, and their barrier.
 *
 * One word counts arrivals at the barrier (low half) and tasks that have ended (high half), so that
 * whoever changes it sees both: a task that ends while others wait, or comes to a barrier that
 * another can no longer come to, breaks it instead of waiting for ever. */
#ifndef TPI_GANG_H
#define TPI_GANG_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "waiting.h"

typedef struct tpi_gang {
    int32_t n;
    uint32_t fork_generation;
    tpi_patience patience;
    alignas(64) _Atomic uint64_t arrived_and_ended;
    alignas(64) _Atomic uint32_t phase; /* signal word: how often all have passed, and whether the
                                           gang is broken, which it then stays */
} tpi_gang;

void tpi_gang_init(tpi_gang *gang, int32_t n);
/* TPI_OK, TPI_E_BROKEN, or TPI_E_FORKED in a child whose other tasks do not exist. */
int32_t tpi_gang_barrier(tpi_gang *gang);
/* A task of the gang has ended. TPI_E_BROKEN if others were waiting for it at the barrier. */
int32_t tpi_gang_end_task(tpi_gang *gang);
void tpi_gang_break(tpi_gang *gang);

#endif
