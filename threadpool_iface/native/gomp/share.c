#define _GNU_SOURCE
#include "share.h"

#include <pthread.h>
#include <stdlib.h>

#include "doacross.h"
#include "state.h"

/* One share that the thread keeps from region to region, so that a loop allocates nothing. */
static _Thread_local share *kept;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_kept(void *unused) {
    (void)unused;
    free(kept);
    kept = NULL;
}

static void make_key(void) { pthread_key_create(&at_exit, free_kept); }

void tpi_share_init(share *s) {
    atomic_init(&s->next, NULL);
    atomic_init(&s->left, 0);
    s->ordered = s->may_wrap = false;
    s->doacross = NULL;
    s->reductions = NULL;
    s->memory = NULL;
    atomic_init(&s->claimed, 0);
    atomic_init(&s->turn, 0);
}

static void keep_for_thread(share *s) {
    if (kept) {
        free(s);
        return;
    }
    pthread_once(&once, make_key);
    pthread_setspecific(at_exit, &kept);
    kept = s;
}

/* What was allocated for the construct, but not the share. */
static void clear(share *s) {
    if (s->doacross) tpi_doacross_free(s->doacross);
    free(s->memory);
    s->doacross = NULL;
    s->memory = NULL;
}

static void keep_spare(tpi_member *me, share *s) {
    if (s == &me->team->first) return;
    if (me->spare) free(s);
    else me->spare = s;
}

/* acq_rel: the last member to leave has seen every other's last access. */
static void leave(tpi_member *me, share *s, share *next) {
    if (atomic_fetch_add_explicit(&s->left, 1, memory_order_acq_rel) + 1 != me->team->n) return;
    me->team->oldest = next;
    clear(s);
    keep_spare(me, s);
}

static void enter(tpi_member *me, share *next) {
    share *before = me->share;
    me->share = next;
    me->trip = me->begin = me->end = 0;
    leave(me, before, next);
}

share *tpi_share_next(tpi_member *me) {
    share *next = atomic_load_explicit(&me->share->next, memory_order_acquire);
    if (next) enter(me, next);
    return next;
}

share *tpi_share_new(tpi_member *me) {
    share *s = me->spare ? me->spare : kept;
    if (me->spare) me->spare = NULL;
    else kept = NULL;
    if (!s && !(s = aligned_alloc(alignof(share), sizeof *s))) abort();
    tpi_share_init(s);
    return s;
}

bool tpi_share_publish(tpi_member *me, share *prepared) {
    share *none = NULL;
    /* release: who follows `next` sees the share whole; acquire: so does the one that was late. */
    if (atomic_compare_exchange_strong_explicit(&me->share->next, &none, prepared,
                                                memory_order_acq_rel, memory_order_acquire)) {
        enter(me, prepared);
        return true;
    }
    clear(prepared);
    keep_spare(me, prepared);
    enter(me, none);
    return false;
}

void tpi_shares_keep(tpi_member *me) {
    if (me->spare) keep_for_thread(me->spare);
    me->spare = NULL;
}

/* From the first that not all members have left: the last construct, and more after a cancellation. */
void tpi_shares_free(tpi_team *team) {
    for (share *s = team->oldest; s;) {
        share *next = atomic_load_explicit(&s->next, memory_order_acquire);
        clear(s);
        if (s != &team->first) keep_for_thread(s);
        s = next;
    }
}
