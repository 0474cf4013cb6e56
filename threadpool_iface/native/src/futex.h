/* The one file to port: sleep until a 32-bit word changes, and wake who sleeps on it. Linux. */
#ifndef TPI_FUTEX_H
#define TPI_FUTEX_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Returns when woken, at once if *word is not `expected`, or for no reason at all. */
static inline void tpi_futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

/* The same, for `milliseconds` (below 1000) at the most. */
static inline void tpi_futex_wait_for(_Atomic uint32_t *word, uint32_t expected, long milliseconds) {
    struct timespec limit = {0, milliseconds * 1000000L};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &limit, NULL, 0);
}

/* How many threads were woken. */
static inline int tpi_futex_wake(_Atomic uint32_t *word, int count) {
    return (int)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

#endif
