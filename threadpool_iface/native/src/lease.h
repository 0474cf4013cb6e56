/* A region's task as a foreign scheduler may hold it: callable from any thread until the region ends, and
 * refused from then on.
 *
 * A pool that was written in Python may call a task late, and Ctrl-C may break off its code between any
 * two steps. The region lies on its caller's stack, so the count of calls is kept here: the lease is
 * counted, and ends only when none of its calls is running. */
#ifndef TPI_LEASE_H
#define TPI_LEASE_H

#include "threadpool_iface.h"

typedef struct tpi_lease tpi_lease;

tpi_lease *tpi_lease_new(tpi_task task, void *ctx); /* one reference; NULL: no memory */
void tpi_lease_release(tpi_lease *lease);

/* Have *box, which is NULL, hold a further reference, and give that back. */
void tpi_lease_keep(tpi_lease *lease, tpi_lease **box);
void tpi_lease_drop(tpi_lease **box);

/* task(ctx, ithr, nthr): 0 whatever it returns; TPI_E_CLOSED, without a call, after the end. */
int32_t tpi_lease_call(tpi_lease *lease, int32_t ithr, int32_t nthr);

/* Refuse further calls, and return when none is running; asks meanwhile whether the caller was
 * interrupted. In a forked child it does not wait: the calls
 * of other threads are the parent's. */
void tpi_lease_end(tpi_lease *lease);
int32_t tpi_lease_is_open(tpi_lease *lease); /* whether that was not called yet */

#endif
