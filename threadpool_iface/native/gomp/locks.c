/* omp_*_lock: 4 bytes for a lock, 16 for a nested one. Never forwarded, since threads of a pool and
 * threads of the real library may want the same one. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdlib.h>

#include "abi.h"
#include "waits.h"

typedef struct {
    tpi_mutex mutex;
    int32_t count;
    const void *owner;
} nest_lock;

_Static_assert(sizeof(tpi_mutex) == 4 && sizeof(nest_lock) <= 16, "as omp.h has them");

ABI_OWN(void, omp_init_lock, (tpi_mutex *lock)) { atomic_init(lock, 0); }
ABI_OWN(void, omp_destroy_lock, (tpi_mutex *lock)) { (void)lock; }
ABI_OWN(void, omp_set_lock, (tpi_mutex *lock)) { tpi_mutex_lock(lock); }
ABI_OWN(void, omp_unset_lock, (tpi_mutex *lock)) { tpi_mutex_unlock(lock); }
ABI_OWN(int, omp_test_lock, (tpi_mutex *lock)) { return tpi_mutex_try(lock); }

/* A task owns a nested lock, and a thread where there is no task. */
static const void *owner_here(void) {
    static _Thread_local char thread;
    return tpi_me ? (const void *)tpi_me->task : &thread;
}

/* relaxed: only the owner ever finds itself there. */
static bool is_mine(nest_lock *lock) {
    return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == owner_here();
}

static int take(nest_lock *lock) {
    __atomic_store_n(&lock->owner, owner_here(), __ATOMIC_RELAXED);
    return lock->count = 1;
}

ABI_OWN(void, omp_init_nest_lock, (nest_lock *lock)) { *lock = (nest_lock){.count = 0}; }
ABI_OWN(void, omp_destroy_nest_lock, (nest_lock *lock)) { (void)lock; }

ABI_OWN(void, omp_set_nest_lock, (nest_lock *lock)) {
    if (is_mine(lock)) {
        ++lock->count;
        return;
    }
    tpi_mutex_lock(&lock->mutex);
    take(lock);
}

ABI_OWN(void, omp_unset_nest_lock, (nest_lock *lock)) {
    if (--lock->count) return;
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
    tpi_mutex_unlock(&lock->mutex);
}

ABI_OWN(int, omp_test_nest_lock, (nest_lock *lock)) {
    if (is_mine(lock)) return ++lock->count;
    return tpi_mutex_try(&lock->mutex) ? take(lock) : 0;
}

/* -- as Fortran calls them: a plain lock is a variable of 4 bytes or more, a nested one holds a
 * pointer --------------------------------------------------------------------------------------- */

ABI_OWN(void, omp_init_lock_, (tpi_mutex *lock)) { omp_init_lock(lock); }
ABI_OWN(void, omp_destroy_lock_, (tpi_mutex *lock)) { omp_destroy_lock(lock); }
ABI_OWN(void, omp_set_lock_, (tpi_mutex *lock)) { omp_set_lock(lock); }
ABI_OWN(void, omp_unset_lock_, (tpi_mutex *lock)) { omp_unset_lock(lock); }
ABI_OWN(int, omp_test_lock_, (tpi_mutex *lock)) { return omp_test_lock(lock); }

ABI_OWN(void, omp_init_nest_lock_, (nest_lock **lock)) {
    *lock = calloc(1, sizeof **lock);
    if (!*lock) abort();
}
ABI_OWN(void, omp_destroy_nest_lock_, (nest_lock **lock)) {
    free(*lock);
    *lock = NULL;
}
ABI_OWN(void, omp_set_nest_lock_, (nest_lock **lock)) { omp_set_nest_lock(*lock); }
ABI_OWN(void, omp_unset_nest_lock_, (nest_lock **lock)) { omp_unset_nest_lock(*lock); }
ABI_OWN(int, omp_test_nest_lock_, (nest_lock **lock)) { return omp_test_nest_lock(*lock); }
