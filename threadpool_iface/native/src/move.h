/* Finding an idle CPU, for a worker that shares its own with the caller it works for. */
#ifndef TPI_MOVE_H
#define TPI_MOVE_H

#include <stdbool.h>
#include <stdint.h>

/* Move the calling thread to a CPU that it may use and that has been idle since a call at least 30 ms
 * ago, if there is one; it is not bound to it. `now` is tpi_now_ns(). */
bool tpi_move_to_idle_cpu(uint64_t now);

/* The same, at once, if no other thread of the machine runs or waits for a CPU, as while a caller sleeps
 * between its regions: all other CPUs are idle then. */
bool tpi_move_if_alone(void);

#endif
