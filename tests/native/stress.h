/* What the parts of the stress program share; stress.c says what it is. */
#ifndef STRESS_H
#define STRESS_H

#include <stdint.h>

#include "threadpool_iface.h"

enum { CALLERS = 4, POOLS = 7, MOST = 40 };

extern tpi_pool *shared[POOLS]; /* all callers use them */
extern uint32_t seed;
extern int rounds;
extern unsigned seconds; /* before a process is called hung */

/* End the process: something was not as it must be. */
void fail(const char *what, int a, int b);

uint32_t next(uint32_t *state);

tpi_pool *new_pool(int kind);

/* A region, a gang, or three asynchronous regions, of random sizes, checked; `pool` NULL: the active one. */
void one_round(uint32_t *random, tpi_pool *pool, int may_be_closed);
void one_gang(uint32_t *random, tpi_pool *pool, int may_be_closed);
void asynchronous_rounds(uint32_t *random, tpi_pool *pool, int may_be_closed);

/* Bodies of threads, which do this over and over. */
void *close_pools(void *arg);  /* several threads close one pool while others use it */
void *end_leases(void *arg);   /* a task as a foreign scheduler holds it, to its end */
void *fork_children(void *arg); /* outside regions and in tasks; nothing under a sanitizer */

#endif
