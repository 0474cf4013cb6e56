#define _GNU_SOURCE
#include "reduction.h"

#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "barrier.h"
#include "task.h"

enum { COUNT = 0, BYTES = 1, COPIES = 2, NEXT = 4, MARK = 5, END = 6, VARIABLES = 7 };

static uintptr_t *variable(uintptr_t *data, uintptr_t i) { return &data[VARIABLES + 3 * i]; }

static void *zeroed(size_t alignment, size_t size) {
    void *memory = NULL;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    if (posix_memalign(&memory, alignment, size ? size : 1)) abort();
    return memset(memory, 0, size);
}

/* Link the chain to the enclosing ones, and mark where it begins. */
static void link_chain(uintptr_t *data, uintptr_t *last, uintptr_t *outer) {
    last[NEXT] = (uintptr_t)outer;
    data[MARK] = 1;
}

void tpi_reductions_allocate(uintptr_t *data, uintptr_t *outer, int32_t threads) {
    for (uintptr_t *d = data;; d = (uintptr_t *)d[NEXT]) {
        size_t size = d[BYTES] * (size_t)threads;
        d[COPIES] = (uintptr_t)zeroed(d[COPIES], size);
        d[END] = d[COPIES] + size;
        d[MARK] = 0;
        if (!d[NEXT]) {
            link_chain(data, d, outer);
            return;
        }
    }
}

void tpi_reductions_join(uintptr_t *data, uintptr_t *outer, const uintptr_t *others) {
    for (uintptr_t *d = data;; d = (uintptr_t *)d[NEXT]) {
        d[COPIES] = others[COPIES];
        d[END] = others[END];
        d[MARK] = 0;
        others = (const uintptr_t *)others[NEXT];
        if (!d[NEXT]) {
            link_chain(data, d, outer);
            return;
        }
    }
}

void tpi_reductions_free(uintptr_t *data) {
    uintptr_t *d = data;
    do {
        free((void *)d[COPIES]);
        d = (uintptr_t *)d[NEXT];
    } while (d && !d[MARK]);
}

/* -- work-sharing constructs ----------------------------------------------------------------- */

static uintptr_t *outer_of(tpi_member *me) {
    return me->task->group ? me->task->group->reductions : NULL;
}

/* Before the share is published. */
static void prepare_wanted(tpi_member *me, share *s, tpi_wanted wanted) {
    if (wanted.memory) s->memory = zeroed(alignof(max_align_t), (size_t)(uintptr_t)*wanted.memory);
    if (!wanted.reductions) return;
    tpi_reductions_allocate(wanted.reductions, outer_of(me), me->team->n);
    s->reductions = wanted.reductions;
}

/* Another member's share was first. */
static void dismiss_wanted(tpi_wanted wanted) {
    if (!wanted.reductions) return;
    for (uintptr_t *d = wanted.reductions;; d = (uintptr_t *)d[NEXT]) {
        uintptr_t *next = (uintptr_t *)d[NEXT];
        free((void *)d[COPIES]);
        if (next && next[MARK]) d[NEXT] = 0; /* unlink the enclosing ones, to be linked again */
        if (!d[NEXT]) return;
    }
}

static void begin_group(tpi_member *me, uintptr_t *reductions) {
    tpi_group_begin(me->task);
    me->task->group->reductions = reductions;
}

/* The share is the member's own. */
static void take_wanted(tpi_member *me, tpi_wanted wanted) {
    if (wanted.reductions) begin_group(me, wanted.reductions);
    if (wanted.memory) *wanted.memory = me->share->memory;
}

/* Use what the share has. */
static void join_wanted(tpi_member *me, tpi_wanted wanted) {
    if (wanted.reductions) {
        tpi_reductions_join(wanted.reductions, outer_of(me), me->share->reductions);
        begin_group(me, wanted.reductions);
    }
    if (wanted.memory) *wanted.memory = me->share->memory;
}

void tpi_enter_wanting(tpi_member *me, tpi_prepare prepare, const void *arg, tpi_wanted wanted) {
    if (!tpi_share_next(me)) {
        share *s = tpi_share_new(me);
        prepare(me, s, arg);
        prepare_wanted(me, s, wanted);
        if (tpi_share_publish(me, s)) {
            take_wanted(me, wanted);
            return;
        }
        dismiss_wanted(wanted);
    }
    join_wanted(me, wanted);
}

/* -- the ABI --------------------------------------------------------------------------------- */

ABI(void, GOMP_taskgroup_reduction_register, (uintptr_t *data), (data)) {
    struct tpi_taskgroup *group = tpi_me->task->group;
    tpi_reductions_allocate(data, group->reductions, tpi_me->team->n);
    group->reductions = data;
}

/* Also called after a region, where the mark alone tells whose it was: the real library keeps an
 * address there. */
ABI_OWN(void, GOMP_taskgroup_reduction_unregister, (uintptr_t *data)) {
    void (*real)(uintptr_t *) =
        data[MARK] == 1 ? NULL : TPI_REAL(GOMP_taskgroup_reduction_unregister);
    if (real) real(data);
    else tpi_reductions_free(data);
}

ABI(void, GOMP_workshare_task_reduction_unregister, (bool cancelled), (cancelled)) {
    uintptr_t *data = tpi_me->task->group->reductions;
    tpi_group_end(tpi_me);
    /* Other members may still read the copies' addresses before they come to the barrier. */
    if (!cancelled) tpi_team_barrier(tpi_me);
    if (tpi_me->num == 0) tpi_reductions_free(data);
}

/* The variable whose original address this is; NULL if there is none. */
static uintptr_t *find_original(uintptr_t *data, uintptr_t address, uintptr_t **array) {
    for (uintptr_t *d = data; d; d = (uintptr_t *)d[NEXT])
        for (uintptr_t i = 0; i < d[COUNT]; ++i)
            if (variable(d, i)[0] == address) {
                *array = d;
                return variable(d, i);
            }
    return NULL;
}

/* The variable that has the same offset in a member's copies. */
static uintptr_t original_at(uintptr_t *array, uintptr_t offset) {
    for (uintptr_t i = 0; i < array[COUNT]; ++i)
        if (variable(array, i)[1] == offset) return variable(array, i)[0];
    return 0;
}

/* The array in whose copies, of any member, the address lies; NULL if there is none. */
static uintptr_t *find_copy(uintptr_t *data, uintptr_t address) {
    for (uintptr_t *d = data; d; d = (uintptr_t *)d[NEXT])
        if (address >= d[COPIES] && address < d[END]) return d;
    return NULL;
}

/* The calling member's copy of a variable, given by its address or by a member's copy. */
static void remap(uintptr_t *data, void **given, void **original) {
    uintptr_t address = (uintptr_t)*given, *array, offset;
    uintptr_t *found = find_original(data, address, &array);
    if (found) {
        offset = found[1];
    } else {
        array = find_copy(data, address);
        if (!array) abort(); /* not what the compiler promises */
        offset = (address - array[COPIES]) % array[BYTES];
    }
    *given = (void *)(array[COPIES] + (uintptr_t)tpi_me->num * array[BYTES] + offset);
    if (original) *original = (void *)(found ? address : original_at(array, offset));
}

ABI(void, GOMP_task_reduction_remap, (size_t count, size_t originals, void **pointers),
    (count, originals, pointers)) {
    uintptr_t *data = tpi_me->task->group->reductions;
    for (size_t i = 0; i < count; ++i)
        remap(data, &pointers[i], i < originals ? &pointers[count + i] : NULL);
}
