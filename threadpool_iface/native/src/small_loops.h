/* Loops that are not worth a second thread, by what their code took before.
 *
 * Nobody says what an item costs, so it is measured, and remembered by the address of the loop's code:
 * a loop that should take less than half a microsecond in all begins on its caller alone. If its first
 * items are dearer than they were, the rest becomes a region after all. */
#ifndef TPI_SMALL_LOOPS_H
#define TPI_SMALL_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a loop of `n` items that runs `code` was last seen to be small. */
bool tpi_is_small(const void *code, double n);

/* `items` items took so many ticks. */
void tpi_learn_cost(const void *code, double items, uint64_t ticks);

/* The items that a small loop begins with, and whether the rest will be as cheap. */
static inline int64_t tpi_small_start(int64_t n) { return n / 16 + (n % 16 != 0); }
bool tpi_stays_small(int64_t n, int64_t done, uint64_t ticks);

#endif
