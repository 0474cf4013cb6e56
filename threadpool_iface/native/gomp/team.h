/* Regions: how many members they get, and on whose threads these run. */
#ifndef TPI_GOMP_TEAM_H
#define TPI_GOMP_TEAM_H

#include "callers.h"
#include "loop.h"
#include "state.h"

/* A region that a program asks for. */
typedef struct tpi_request {
    tpi_body body;
    void *data;
    int32_t num_threads; /* of the clause; 0: none */
    tpi_caller *caller;
    const tpi_loop_space *space; /* of a combined loop; NULL: none */
    tpi_plan plan;
    int64_t sections;            /* of combined sections; 0: none */
    bool reductions;             /* data points to an array of task reductions */
} tpi_request;

/* Whether regions of the calling thread are this library's; else the real libgomp has them. */
bool tpi_is_ours(void);

/* Whether the calling thread is in a region of the real libgomp. */
bool tpi_is_inside_the_real(void);

/* Run it, and return how many members it had. */
int32_t tpi_run_region(const tpi_request *request);

/* The old ABI: start the others and return; the caller then runs the body, and ends the region. */
void tpi_begin_region(const tpi_request *request);
/* False: the calling thread began none of this library's. */
bool tpi_end_region(void);

/* Members that a region of the calling thread gets if it asks for no number. */
int32_t tpi_default_threads(void);

/* The calling thread is inside a region of the core, and in none of OpenMP's. */
bool tpi_is_inside_core(void);

#endif
