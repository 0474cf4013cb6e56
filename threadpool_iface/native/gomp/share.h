/* Work-sharing constructs: one share for each that a team meets.
 *
 * All members of a team meet the same constructs in the same order, but not at the same time: with
 * `nowait` one may be many constructs ahead. So shares form a chain. A member that comes to its next
 * construct follows `next`; if there is none yet it prepares a share and links it by a
 * compare-and-swap, and takes the other's if another member was first. Every share is therefore a
 * construct of its own, however far apart the members are, and nobody waits for its preparation.
 *
 * A member that goes on to the next share has left the one before. The last to leave it keeps it for
 * its own next construct. */
#ifndef TPI_GOMP_SHARE_H
#define TPI_GOMP_SHARE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tpi_member;
struct tpi_team;

/* A loop as iterations 0 to count - 1: value i is start + i * step, in unsigned arithmetic. */
typedef struct tpi_loop_space {
    uint64_t start, step, count, end;
} tpi_loop_space;

typedef struct tpi_share {
    alignas(64) _Atomic(struct tpi_share *) next;
    _Atomic int32_t left;     /* members that have gone on */
    uint32_t schedule;        /* TPI_STATIC, TPI_DYNAMIC or TPI_GUIDED */
    bool ordered;
    bool may_wrap;            /* adding chunks to `claimed` could overflow */
    tpi_loop_space space;
    uint64_t chunk;
    struct tpi_doacross *doacross;
    uintptr_t *reductions;    /* as the member that prepared it registered them */
    void *memory;             /* for the construct, zeroed */
    alignas(64) _Atomic uint64_t claimed; /* first iteration, or section, that is free */
    _Atomic uint64_t turn;    /* of an ordered loop: first iteration of the chunk that has the turn */
} tpi_share;
typedef tpi_share share;

/* A share for the calling member's next construct: prepared by it, or another member's, which is
 * then in use. `tpi_share_publish` tells which; the caller fills in the former before that. */
share *tpi_share_next(struct tpi_member *me);  /* NULL: none is there yet */
share *tpi_share_new(struct tpi_member *me);   /* blank, to be published */
bool tpi_share_publish(struct tpi_member *me, share *prepared); /* false: me->share is another's */

/* The team's first share, for combined constructs, which begin inside their first. */
void tpi_share_init(share *s);

/* Give back what a member, or a team that has ended, still keeps. */
void tpi_shares_keep(struct tpi_member *me);
void tpi_shares_free(struct tpi_team *team);

#endif
