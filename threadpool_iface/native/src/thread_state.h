/* What the library keeps for each thread. initial-exec: reading it costs one instruction more than
 * a plain load, and the extension is loaded once, so its few words fit the static TLS reserve. */
#ifndef TPI_THREAD_STATE_H
#define TPI_THREAD_STATE_H

#include "threadpool_iface.h"

struct tpi_region;

/* What a thread is inside of, as a chain on its stack, innermost first: tasks, and pools whose gate it
 * holds. Waiting for one of them would be waiting for itself. */
typedef struct tpi_inside {
    tpi_pool *pool;             /* NULL: none */
    struct tpi_region *region;  /* of the task; NULL: it is in no task, it holds the pool's gate */
    struct tpi_inside *outer;
} tpi_inside;

typedef struct {
    int32_t depth;        /* regions this thread is inside of, inline ones included */
    int32_t state;        /* TPI_UNSET, TPI_SEQUENTIAL or TPI_POOL */
    tpi_pool *pool;       /* counted; the pool when state is TPI_POOL */
    tpi_inside *inside;   /* innermost; NULL: nothing */
    tpi_pool *closing;    /* borrowed; the pool whose threads this thread is ending */
    tpi_pool *fallback;   /* counted; the default pool as this thread last saw it */
    uint32_t fallback_generation;
    int32_t (*interrupted)(void); /* NULL, or whether this thread's regions should end */
    uint64_t asked;               /* tpi_ticks() when it was last called */
    struct tpi_region *region;    /* borrowed; the innermost one this thread started */
    struct tpi_gang *gang;        /* borrowed; of the task this thread is in */
    int32_t worker;               /* of a native pool */
    int32_t may_move;             /* a worker that is bound to no CPU */
    int32_t beside_caller;        /* regions in a row that it shared its caller's CPU for */
    int32_t looked_at;            /* of these, when it last looked who else runs */
    int32_t lent;                 /* yields in a row that somebody else took up */
    int32_t watched_cpu;          /* one that it may move to, and how idle that was at a time */
    uint64_t watched_idle, watched_ns;
} tpi_thread_state;

extern _Thread_local tpi_thread_state tpi_thread __attribute__((tls_model("initial-exec")));

/* The pool whose task this thread is in. */
static inline tpi_pool *tpi_running_pool(void) {
    return tpi_thread.inside ? tpi_thread.inside->pool : NULL;
}

/* Ask `interrupted` if it is time to. */
void tpi_poll_interrupt(void);

/* The pool of a region started now: NULL inside a region, and where the thread is sequential. */
tpi_pool *tpi_effective_pool(void);

/* n, or the limit on threads if that is less. */
int32_t tpi_within_limit(int32_t n);

/* What tpi_set_machine_threads set. */
int32_t tpi_machine_threads(void);

#endif
