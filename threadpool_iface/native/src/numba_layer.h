/* numba's parallel loops on our pools: what numba calls a threading layer. The names and types of
 * the functions are those that numba's generated code calls; `own` is the layer that numba brings,
 * for threads that have no pool. */
#ifndef TPI_NUMBA_LAYER_H
#define TPI_NUMBA_LAYER_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    void (*parallel_for)(void *fn, char **args, size_t *dims, size_t *steps, void *data,
                         size_t inner_ndim, size_t array_count, int num_threads);
    void (*launch_threads)(int count);
    void (*set_num_threads)(int count);
    int (*get_num_threads)(void);
    int (*get_thread_id)(void);
    size_t (*get_sched_size)(size_t num_threads, size_t ndim, intptr_t *starts, intptr_t *ends);
    size_t (*get_parallel_chunksize)(void);
    int32_t launched;      /* its launch_threads was called already */
    int32_t one_at_a_time; /* it ends the process if two threads call it at once */
    int32_t max_threads;   /* NUMBA_NUM_THREADS: what launch_threads is called with */
} tpi_numba_own;

/* What Python has to do with it. */
typedef struct {
    /* Called in the thread whose loop failed, after it was completed all the same. */
    void (*failed)(int32_t code);
    /* The exception that the body of a loop left on the calling thread, or NULL. */
    void *(*take_exception)(void);
    void (*raise)(void *exception);   /* in the calling thread, when it is back in Python */
    void (*discard)(void *exception);
} tpi_numba_python;

/* Before any of the functions below is called. */
void tpi_numba_set_own(const tpi_numba_own *own, const tpi_numba_python *python);

/* The body of a loop is about to leave an exception on the calling thread. 1: it will be taken, and
 * the first time since it was; 0: nobody will, or has been told so already. */
int32_t tpi_numba_raising(void);

/* Launch numba's own layer now, unless it is. */
void tpi_numba_launch_own(void);

/* Whether loops run on pools at all; 0: everything goes to numba's own layer. */
void tpi_numba_enable(int32_t enabled);

/* Whether threads share a loop evenly, so that sums have the same bits from run to run, rather than
 * take up pieces as they get free. */
void tpi_numba_set_static(int32_t is_static);

void tpi_numba_parallel_for(void *fn, char **args, size_t *dims, size_t *steps, void *data,
                            size_t inner_ndim, size_t array_count, intptr_t num_threads);
void tpi_numba_launch_threads(int count);
void tpi_numba_set_num_threads(intptr_t count);
intptr_t tpi_numba_get_num_threads(void);
intptr_t tpi_numba_get_thread_id(void);
size_t tpi_numba_get_sched_size(size_t num_threads, size_t ndim, intptr_t *starts, intptr_t *ends);

#endif
