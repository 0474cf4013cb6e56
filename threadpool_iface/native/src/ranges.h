/* Loops over ranges of items, as regions: how a compiled body gets its work.
 *
 * tpi_for is `run(ctx, 0, n)` cut into half-open ranges that hold each item once. */
#ifndef TPI_RANGES_H
#define TPI_RANGES_H

#include "threadpool_iface.h"

typedef int32_t (*tpi_range_task)(void *ctx, int64_t begin, int64_t end);

/* Stands for "not given" where a number is optional. */
#define TPI_NOT_GIVEN INT64_MIN

enum { TPI_ANY_SCHEDULE = 0, TPI_STATIC = 1, TPI_DYNAMIC = 2 };

/* `grain` is the items of the smallest range, TPI_NOT_GIVEN or at least 1; ranges hold whole grains,
 * but for the last. `max_num_threads` bounds the tasks; 0 is one range on the caller, never through a
 * pool. `cost`, if more than 0, is an item's cycles and gives the grain.
 *
 * TPI_STATIC is one range for each thread, TPI_DYNAMIC many that threads take as they get free.
 * TPI_ANY_SCHEDULE is static for a given grain and dynamic otherwise. A dynamic loop without a grain
 * or a cost measures what its first items take.
 *
 * The answer is 0, a code of `run`'s, or one of the region's; no range starts after a failure. */
int32_t tpi_for(int64_t n, int64_t grain, int32_t schedule, int64_t max_num_threads, double cost,
                tpi_range_task run, void *ctx);

#endif
