#define _GNU_SOURCE
#include "doacross.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "loop.h"

struct tpi_doacross {
    unsigned ncounts;
    uint64_t chunk;            /* iterations of the outermost loop for each word; 0: blocks */
    uint64_t small, larger;    /* blocks: `larger` of them have small + 1 iterations */
    _Atomic uint64_t *posted;
    uint64_t counts[];
};

static uint64_t words_for(const tpi_doacross *d, uint64_t count, int32_t threads) {
    return d->chunk ? count / d->chunk + (count % d->chunk != 0) : (uint64_t)threads;
}

/* A guided chunk's size is known only when it is claimed: a word for each iteration then. */
static uint64_t chunk_of(const share *s) {
    return s->schedule == TPI_GUIDED ? 1 : s->chunk;
}

tpi_doacross *tpi_doacross_new(const share *s, unsigned ncounts, const uint64_t *counts,
                               int32_t threads) {
    tpi_doacross *d = malloc(sizeof *d + ncounts * sizeof *d->counts);
    if (!d) abort();
    d->ncounts = ncounts;
    d->chunk = chunk_of(s);
    d->small = counts[0] / (uint64_t)threads;
    d->larger = counts[0] % (uint64_t)threads;
    memcpy(d->counts, counts, ncounts * sizeof *counts);
    /* calloc: most of a long loop's words are never touched, and cost no memory. */
    d->posted = calloc(words_for(d, counts[0], threads) + 1, sizeof *d->posted);
    if (!d->posted) abort();
    return d;
}

void tpi_doacross_free(tpi_doacross *d) {
    free(d->posted);
    free(d);
}

unsigned tpi_doacross_depth(const tpi_doacross *d) { return d->ncounts; }

static uint64_t block_with(const tpi_doacross *d, uint64_t iteration) {
    uint64_t in_larger = d->larger * (d->small + 1);
    if (iteration < in_larger) return iteration / (d->small + 1);
    return d->larger + (iteration - in_larger) / d->small;
}

static _Atomic uint64_t *word_of(const tpi_doacross *d, uint64_t iteration) {
    return &d->posted[d->chunk ? iteration / d->chunk : block_with(d, iteration)];
}

/* Position in the nest, plus one: 0 is what no iteration has. */
static uint64_t position(const tpi_doacross *d, const uint64_t *iteration) {
    uint64_t place = iteration[0];
    for (unsigned i = 1; i < d->ncounts; ++i) place = place * d->counts[i] + iteration[i];
    return place + 1;
}

typedef struct {
    const _Atomic uint64_t *word;
    uint64_t wanted;
} posting;

static bool is_posted(const void *arg) {
    const posting *p = arg;
    return atomic_load_explicit(p->word, memory_order_acquire) >= p->wanted;
}

static void post(const uint64_t *iteration) {
    tpi_doacross *d = tpi_me->share->doacross;
    if (!d) return;
    /* release: who waits for this iteration sees what it wrote. */
    atomic_store_explicit(word_of(d, iteration[0]), position(d, iteration), memory_order_release);
    tpi_announce(&tpi_me->team->events);
}

static void await(const uint64_t *iteration) {
    tpi_doacross *d = tpi_me->share->doacross;
    if (!d || iteration[0] >= tpi_me->share->space.count) return;
    posting p = {word_of(d, iteration[0]), position(d, iteration)};
    if (!is_posted(&p)) tpi_wait_until(&tpi_me->team->events, is_posted, &p, tpi_me->team->pauses);
}

static void widen(uint64_t *into, const long *from, unsigned count) {
    for (unsigned i = 0; i < count; ++i) into[i] = (uint64_t)from[i];
}

static unsigned depth_here(void) {
    const tpi_doacross *d = tpi_me->share->doacross;
    return d ? tpi_doacross_depth(d) : 1;
}

/* -- the ABI ---------------------------------------------------------------------------------- */

ABI(void, GOMP_doacross_post, (long *iteration), (iteration)) {
    unsigned depth = depth_here();
    uint64_t wide[depth];
    widen(wide, iteration, depth);
    post(wide);
}

ABI(void, GOMP_doacross_ull_post, (ull *iteration), (iteration)) {
    unsigned depth = depth_here();
    uint64_t wide[depth];
    for (unsigned i = 0; i < depth; ++i) wide[i] = iteration[i];
    post(wide);
}

/* The depth of the real library's loop is not known here, so as many arguments are passed on as
 * registers and stack may hold of a nest of this depth; it reads those that are there. */
#define MOST 16
#define ARGUMENTS(a) a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], \
                     a[12], a[13], a[14], a[15]

#define READ_MOST(type, first, into)                                     \
    do {                                                                 \
        va_list more;                                                    \
        va_start(more, first);                                           \
        into[0] = first;                                                 \
        for (int i = 1; i < MOST; ++i) into[i] = va_arg(more, type);     \
        va_end(more);                                                    \
    } while (0)

#define READ(type, first, into, count)                                   \
    do {                                                                 \
        va_list more;                                                    \
        va_start(more, first);                                           \
        into[0] = (uint64_t)first;                                       \
        for (unsigned i = 1; i < count; ++i)                             \
            into[i] = (uint64_t)va_arg(more, type);                      \
        va_end(more);                                                    \
    } while (0)

ABI_OWN(void, GOMP_doacross_wait, (long first, ...)) {
    void (*real)(long, ...) = tpi_me ? NULL : TPI_REAL(GOMP_doacross_wait);
    if (real) {
        long all[MOST];
        READ_MOST(long, first, all);
        real(ARGUMENTS(all));
        return;
    }
    if (!tpi_me) return;
    unsigned depth = depth_here();
    uint64_t wide[depth];
    READ(long, first, wide, depth);
    await(wide);
}

ABI_OWN(void, GOMP_doacross_ull_wait, (ull first, ...)) {
    void (*real)(ull, ...) = tpi_me ? NULL : TPI_REAL(GOMP_doacross_ull_wait);
    if (real) {
        ull all[MOST];
        READ_MOST(ull, first, all);
        real(ARGUMENTS(all));
        return;
    }
    if (!tpi_me) return;
    unsigned depth = depth_here();
    uint64_t wide[depth];
    READ(ull, first, wide, depth);
    await(wide);
}
