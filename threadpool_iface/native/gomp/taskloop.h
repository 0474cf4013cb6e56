/* What a task is made of, as compilers say it; and loops that are split into tasks. */
#ifndef TPI_GOMP_TASKLOOP_H
#define TPI_GOMP_TASKLOOP_H

#include "state.h"

/* GOMP_task's and GOMP_taskloop's flags. */
enum {
    TPI_FINAL = 1 << 1,
    TPI_DEPEND = 1 << 3,
    TPI_PRIORITY = 1 << 4,
    TPI_UP = 1 << 8,
    TPI_GRAINSIZE = 1 << 9,
    TPI_IF = 1 << 10,
    TPI_NOGROUP = 1 << 11,
    TPI_REDUCTION = 1 << 12,
    TPI_DETACH = 1 << 13,
    TPI_STRICT = 1 << 14,
};

/* A task's part of a loop, which is stored in the first two words of its argument. */
typedef struct tpi_range {
    uint64_t begin, end;
    bool wide; /* unsigned long long, not long */
} tpi_range;

typedef struct tpi_task_call {
    tpi_body body;
    void *data;
    void (*copy)(void *into, void *data); /* NULL: plain bytes */
    long size, alignment;
    unsigned flags;
    void **depend;
    int32_t priority;
    void *detach;
    const tpi_range *range; /* NULL: not of a loop */
} tpi_task_call;

void tpi_set_range(void *argument, const tpi_range *range);

void tpi_make_task(tpi_member *me, const tpi_task_call *call, bool if_clause);
/* Whether so many tasks would be queued, and not run at once. */
bool tpi_makes_tasks(tpi_member *me, unsigned long count);
void tpi_wait_for_dependences(tpi_member *me, void **depend);

#endif
