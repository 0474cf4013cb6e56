/* A parent keeps a table from address to what its children do with it: a record for each address of
 * each child that has not ended. A new child waits for every record that conflicts with its own.
 *
 * `mutexinoutset` is taken for `inout`, which also keeps the tasks apart. */
#define _GNU_SOURCE
#include "depend.h"

#include <stdlib.h>

#define BUCKETS 64

typedef enum { READS = 1, WRITES = 2, IN_SET = 3 } use;

typedef struct tpi_dependence {
    void *address; /* NULL: omp_all_memory */
    use kind;
    tpi_explicit *owner;
    struct tpi_dependence *newer, *older; /* in its bucket */
} record;

struct tpi_dependences {
    record *newest[BUCKETS];
};

/* -- the compiler's array ---------------------------------------------------------------------- */

/* Kinds as a depobj holds them. */
enum { DEPOBJ_IN = 1, DEPOBJ_INOUTSET = 5 };

typedef struct {
    void *address;
    use kind;
} item;

static size_t item_count(void **depend) { return (size_t)(depend[0] ? depend[0] : depend[1]); }

static item from_depobj(void **object) {
    uintptr_t kind = (uintptr_t)object[1];
    return (item){object[0], kind == DEPOBJ_IN         ? READS
                             : kind == DEPOBJ_INOUTSET ? IN_SET
                                                       : WRITES};
}

/* [0] items, [1] those that write, then the addresses; or, with 0 first, [1] items, [2] those that
 * write, [3] of `mutexinoutset`, [4] that read, then addresses, and pointers to depobjs at the end. */
static item item_at(void **depend, size_t i) {
    if (depend[0]) return (item){depend[2 + i], i < (size_t)depend[1] ? WRITES : READS};
    size_t writes = (size_t)depend[2] + (size_t)depend[3], plain = writes + (size_t)depend[4];
    if (i >= plain) return from_depobj(depend[5 + i]);
    return (item){depend[5 + i], i < writes ? WRITES : READS};
}

/* -- edges ------------------------------------------------------------------------------------- */

static unsigned bucket_of(const void *address) {
    uintptr_t bits = (uintptr_t)address >> 3;
    return (unsigned)((bits ^ bits >> 6 ^ bits >> 12) % BUCKETS);
}

static void add_successor(tpi_explicit *before, tpi_explicit *after) {
    if (before->nsuccessors == before->room) {
        before->room = before->room ? 2 * before->room : 4;
        before->successors =
            realloc(before->successors, (size_t)before->room * sizeof *before->successors);
        if (!before->successors) abort();
    }
    before->successors[before->nsuccessors++] = after;
    atomic_fetch_add_explicit(&after->waits_for, 1, memory_order_relaxed);
}

static bool conflicts(const record *earlier, const item *later) {
    if (earlier->kind == READS && later->kind == READS) return false;
    return earlier->kind != IN_SET || later->kind != IN_SET;
}

static void wait_for_bucket(const record *r, tpi_explicit *t, const item *later) {
    for (; r; r = r->older) {
        bool same = r->address == later->address || !r->address || !later->address;
        if (same && r->owner != t && conflicts(r, later)) add_successor(r->owner, t);
    }
}

static void wait_for_address(const struct tpi_dependences *table, tpi_explicit *t,
                             const item *later) {
    unsigned own = bucket_of(later->address), all = bucket_of(NULL);
    if (!later->address) {
        for (unsigned b = 0; b < BUCKETS; ++b) wait_for_bucket(table->newest[b], t, later);
        return;
    }
    wait_for_bucket(table->newest[own], t, later);
    if (own != all) wait_for_bucket(table->newest[all], t, later);
}

static void keep(struct tpi_dependences *table, record *r) {
    record **newest = &table->newest[bucket_of(r->address)];
    r->newer = NULL;
    r->older = *newest;
    if (*newest) (*newest)->newer = r;
    *newest = r;
}

static struct tpi_dependences *table_of(tpi_omp_task *parent) {
    if (!parent->dependences) parent->dependences = calloc(1, sizeof *parent->dependences);
    if (!parent->dependences) abort();
    return parent->dependences;
}

static void record_all(struct tpi_dependences *table, tpi_explicit *t, void **depend) {
    size_t count = item_count(depend);
    t->dependences = calloc(count ? count : 1, sizeof *t->dependences);
    if (!t->dependences) abort();
    t->ndependences = (int32_t)count;
    for (size_t i = 0; i < count; ++i) {
        item given = item_at(depend, i);
        t->dependences[i] =
            (record){.address = given.address, .kind = given.kind, .owner = t};
        keep(table, &t->dependences[i]);
    }
}

void tpi_depend_on(tpi_omp_task *parent, tpi_explicit *t, void **depend, bool recorded) {
    if (!recorded && !parent->dependences) return;
    struct tpi_dependences *table = table_of(parent);
    size_t count = item_count(depend);
    for (size_t i = 0; i < count; ++i) {
        item given = item_at(depend, i);
        wait_for_address(table, t, &given);
    }
    if (recorded) record_all(table, t, depend);
}

static void forget(struct tpi_dependences *table, record *r) {
    if (r->newer) r->newer->older = r->older;
    else table->newest[bucket_of(r->address)] = r->older;
    if (r->older) r->older->newer = r->newer;
}

void tpi_depend_release(tpi_explicit *t) {
    for (int32_t i = 0; i < t->ndependences; ++i)
        forget(t->task.parent->dependences, &t->dependences[i]);
    free(t->dependences);
    for (int32_t i = 0; i < t->nsuccessors; ++i) {
        tpi_explicit *next = t->successors[i];
        /* release: a placeholder is waited for without the lock. */
        bool last =
            atomic_fetch_sub_explicit(&next->waits_for, 1, memory_order_acq_rel) == 1;
        if (last && !next->placeholder) tpi_task_enqueue(next);
    }
    free(t->successors);
}

void tpi_depend_free(tpi_omp_task *parent) {
    free(parent->dependences);
    parent->dependences = NULL;
}
