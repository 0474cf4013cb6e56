/* A team, its members, and their tasks: what the files of this folder share.
 *
 * Glossary. A *region* is one `#pragma omp parallel`; a *team* runs it; a *member* is one thread's
 * part in it, on that thread's stack. An *implicit task* is what a member runs; an *explicit task* is
 * made by `#pragma omp task`. A *share* is one work-sharing construct met by the team (share.h).
 */
#ifndef TPI_GOMP_STATE_H
#define TPI_GOMP_STATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "icv.h"
#include "lock.h"
#include "share.h"
#include "waits.h"

typedef void (*tpi_body)(void *data);

struct tpi_taskgroup;
struct tpi_dependences;

/* Lists that a queued task is in. */
enum { TPI_OF_TEAM, TPI_OF_PARENT, TPI_OF_GROUP, TPI_LISTS };

typedef struct tpi_task_list {
    struct tpi_explicit *first, *last;
    _Atomic int32_t count;
} tpi_task_list;

typedef struct tpi_omp_task {
    struct tpi_omp_task *parent; /* NULL: it is an implicit task */
    struct tpi_taskgroup *group;
    tpi_icv icv;
    bool final;
    bool is_explicit;
    _Atomic int32_t children;  /* that have not ended */
    tpi_task_list queued;      /* its children that have not begun */
    struct tpi_dependences *dependences; /* among its children; NULL: none yet */
} tpi_omp_task;

typedef struct tpi_barrier {
    alignas(64) _Atomic uint32_t arrived;
    alignas(64) _Atomic uint32_t phase; /* how often all have passed */
} tpi_barrier_state;

typedef struct tpi_team {
    int32_t n;
    int32_t level, active_level;
    int pauses;                  /* tpi_pauses_for(n) */
    uint32_t generation;         /* of the process that started it */
    tpi_body body;
    void *data;
    struct tpi_member *starter;  /* what the thread that started it was before; NULL: nothing */
    tpi_icv icv;                 /* of the implicit tasks, when they begin */
    struct tpi_taskgroup *group; /* of the implicit tasks; NULL unless there is a reduction */
    void *copied;                /* single copyprivate */
    bool began_by_call;          /* by the old ABI, which ends it by a call too */
    bool meets_at_end;           /* a member may have made tasks that another one runs */
    _Atomic bool started, cancelled, share_cancelled;
    share *oldest;               /* the first that not all members have left */
    alignas(64) _Atomic int32_t singles; /* `single` constructs that have been taken */
    tpi_barrier_state barrier, last; /* the second: at the end, which a cancellation leads to */
    tpi_event_count events;
    alignas(64) tpi_mutex tasks_lock;
    tpi_task_list queued;         /* explicit tasks that have not begun; guarded by tasks_lock */
    _Atomic int32_t unfinished;   /* explicit tasks that have not ended */
    _Atomic bool made_tasks;
    _Atomic int32_t extras_left;  /* borrowed threads that have not ended their part, and the starter */
    _Atomic uint32_t extras_over; /* 1: none is left, and the starter waits */
    share first;                  /* share.h */
} tpi_team;

typedef struct tpi_member {
    tpi_team *team;
    int32_t num;
    int32_t singles;      /* `single` constructs that it has met */
    share *share;         /* the one it met last; the team's first before */
    uint64_t trip;        /* of a static loop: how many chunks it has had */
    uint64_t begin, end;  /* of a loop: the chunk it is in */
    share *spare;         /* for the next construct; NULL: none */
    tpi_omp_task *task;       /* what it is in */
    struct tpi_member *outer; /* what the thread was before */
    tpi_omp_task implicit;
} tpi_member;

/* What the calling thread is in; NULL: no region of this library. */
extern _Thread_local tpi_member *tpi_me __attribute__((tls_model("initial-exec")));

/* The same where nothing can be forwarded: from now on the thread is a team of its own. */
void tpi_alone(void);

/* Bumped in every forked child. */
static inline bool tpi_forked_since(const tpi_team *team) {
    return tpi_generation() != team->generation;
}

#endif
