/* OpenMP's internal control variables: those of a task, and those of the process, as the environment
 * sets them. */
#ifndef TPI_GOMP_ICV_H
#define TPI_GOMP_ICV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of schedule, as compilers pass them and omp_set_schedule takes them. */
enum { TPI_RUNTIME = 0, TPI_STATIC = 1, TPI_DYNAMIC = 2, TPI_GUIDED = 3, TPI_AUTO = 4 };
#define TPI_MONOTONIC 0x80000000u

/* What every task has a copy of, from the task that created it. */
typedef struct tpi_icv {
    int32_t nthreads; /* 0: as many as the pool has */
    bool exact;       /* a team has nthreads members even where the pool has fewer */
    int32_t max_active_levels;
    int32_t thread_limit;
    uint32_t schedule;
    int32_t chunk;
    bool dynamic;
    int32_t num_teams, team_num; /* of the league it is in */
} tpi_icv;

#define TPI_NTHREADS_LEVELS 16
/* Active levels that libgomp supports. */
#define TPI_MAX_LEVELS 255

/* What the environment says. */
typedef struct tpi_settings {
    tpi_icv icv;
    int32_t nthreads_of_level[TPI_NTHREADS_LEVELS]; /* OMP_NUM_THREADS=a,b,c; 0: not given */
    bool cancellation;
    int32_t max_task_priority;
    int32_t num_teams;
    int32_t teams_thread_limit;
    size_t stack_size; /* 0: the system's */
    const char *refused; /* a variable that asks for what the layer does not do; NULL: none */
} tpi_settings;

extern tpi_settings tpi_environment;

/* CPUs that the process may use. */
int32_t tpi_num_procs(void);

/* The control variables of the calling thread outside of any region. */
tpi_icv *tpi_thread_icv(void);

#endif
