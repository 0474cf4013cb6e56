/* One floating-point mode in every thread: round to nearest, no flush to zero, exceptions masked.
 *
 * A caller may have set its own (flush-to-zero is a per-thread switch that numerical libraries
 * throw); workers never see it, so without this the bits of a result would depend on who ran it. */
#ifndef TPI_FLOAT_MODE_H
#define TPI_FLOAT_MODE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#define TPI_STANDARD_MODE 0x1F80u
#define TPI_MODE_BITS 0xFFC0u /* the rest are sticky exception flags */
static inline uint64_t tpi_float_mode_enter(void) {
    uint32_t mode = _mm_getcsr();
    if (__builtin_expect((mode & TPI_MODE_BITS) != TPI_STANDARD_MODE, 0))
        _mm_setcsr(TPI_STANDARD_MODE);
    return mode;
}
static inline void tpi_float_mode_leave(uint64_t mode) {
    if (__builtin_expect((mode & TPI_MODE_BITS) != TPI_STANDARD_MODE, 0))
        _mm_setcsr((uint32_t)mode);
}
#elif defined(__aarch64__)
static inline uint64_t tpi_float_mode_enter(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    if (__builtin_expect(mode != 0, 0)) __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)0));
    return mode;
}
static inline void tpi_float_mode_leave(uint64_t mode) {
    if (__builtin_expect(mode != 0, 0)) __asm__ volatile("msr fpcr, %0" ::"r"(mode));
}
#else
static inline uint64_t tpi_float_mode_enter(void) { return 0; }
static inline void tpi_float_mode_leave(uint64_t mode) { (void)mode; }
#endif

#endif
