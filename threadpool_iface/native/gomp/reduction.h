/* Task reductions: private copies of variables for each member, found by the original's address.
 *
 * The compiler passes arrays of words, which it reads back: [0] how many variables, [1] bytes of one
 * member's copies, [2] their alignment, which becomes the address of all copies, [4] the next array,
 * [5] our mark on the first of a chain, [6] the end of the copies, and from [7] on three words for
 * each variable: its address, its offset in a member's copies, and one that we leave alone. */
#ifndef TPI_GOMP_REDUCTION_H
#define TPI_GOMP_REDUCTION_H

#include "state.h"

/* Allocate copies for a chain, in front of those of enclosing groups (`outer`, or NULL). */
void tpi_reductions_allocate(uintptr_t *data, uintptr_t *outer, int32_t threads);
/* Use those that another member has allocated for the same construct. */
void tpi_reductions_join(uintptr_t *data, uintptr_t *outer, const uintptr_t *others);
void tpi_reductions_free(uintptr_t *data);

/* What a construct with `reduction(task, ...)` and memory of its own asks for; NULL: nothing. */
typedef struct tpi_extras_wanted {
    uintptr_t *reductions;
    void **memory; /* holds the size, and then the address */
} tpi_wanted;

/* Come to a construct that wants it. If no other member has, prepare(me, s, arg) fills in its share. */
typedef void (*tpi_prepare)(tpi_member *me, share *s, const void *arg);
void tpi_enter_wanting(tpi_member *me, tpi_prepare prepare, const void *arg, tpi_wanted wanted);

#endif
