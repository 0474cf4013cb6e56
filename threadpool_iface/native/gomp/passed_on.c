/* What has nothing to do with teams goes to the real libgomp: clocks, devices, memory. Without one, or
 * with one that is too old to know a function, the host answers as a machine without devices does. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi.h"
#include "taskloop.h"

#define PASS(result, name, parameters, arguments)                        \
    TPI_EXPORT result name parameters;                                   \
    static inline result own_##name parameters;                          \
    TPI_EXPORT result name parameters {                                  \
        __typeof__(&name) tpi_real = TPI_REAL(name);                     \
        if (tpi_real) return tpi_real arguments;                         \
        return own_##name arguments;                                     \
    }                                                                    \
    static inline result own_##name parameters

static const int host = 0;    /* the only device, then */
static const int invalid = 22; /* EINVAL, as these functions report it */

/* -- clocks ------------------------------------------------------------------------------------- */

static double seconds(struct timespec t) { return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec; }

PASS(double, omp_get_wtime, (void), ()) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return seconds(now);
}
PASS(double, omp_get_wtick, (void), ()) {
    struct timespec tick;
    clock_getres(CLOCK_MONOTONIC, &tick);
    return seconds(tick);
}
ABI_OWN(double, omp_get_wtime_, (void)) { return omp_get_wtime(); }
ABI_OWN(double, omp_get_wtick_, (void)) { return omp_get_wtick(); }

/* -- devices ------------------------------------------------------------------------------------ */

PASS(void, omp_set_default_device, (int device), (device)) { (void)device; }
PASS(int, omp_get_default_device, (void), ()) { return host; }
PASS(int, omp_get_num_devices, (void), ()) { return 0; }
PASS(int, omp_get_device_num, (void), ()) { return host; }
PASS(int, omp_get_initial_device, (void), ()) { return host; }
PASS(int, omp_is_initial_device, (void), ()) { return 1; }
PASS(void *, omp_target_alloc, (size_t size, int device), (size, device)) {
    return (void)device, malloc(size);
}
PASS(void, omp_target_free, (void *memory, int device), (memory, device)) {
    (void)device;
    free(memory);
}
PASS(int, omp_target_is_present, (const void *at, int device), (at, device)) {
    return (void)device, at != NULL;
}
PASS(int, omp_target_is_accessible, (const void *at, size_t size, int device), (at, size, device)) {
    return (void)size, (void)device, at != NULL;
}
PASS(int, omp_target_memcpy,
     (void *to, const void *from, size_t size, size_t at, size_t from_at, int device, int other),
     (to, from, size, at, from_at, device, other)) {
    (void)device, (void)other;
    memcpy((char *)to + at, (const char *)from + from_at, size);
    return 0;
}
PASS(int, omp_target_memcpy_rect,
     (void *to, const void *from, size_t element, int dimensions, const size_t *volume,
      const size_t *at, const size_t *from_at, const size_t *shape, const size_t *from_shape,
      int device, int other),
     (to, from, element, dimensions, volume, at, from_at, shape, from_shape, device, other)) {
    (void)to, (void)from, (void)element, (void)dimensions, (void)volume, (void)at, (void)from_at;
    (void)shape, (void)from_shape, (void)device, (void)other;
    return invalid;
}
PASS(int, omp_target_memcpy_async,
     (void *to, const void *from, size_t size, size_t at, size_t from_at, int device, int other,
      int count, void **depobjs),
     (to, from, size, at, from_at, device, other, count, depobjs)) {
    (void)count, (void)depobjs;
    return omp_target_memcpy(to, from, size, at, from_at, device, other);
}
PASS(int, omp_target_memcpy_rect_async,
     (void *to, const void *from, size_t element, int dimensions, const size_t *volume,
      const size_t *at, const size_t *from_at, const size_t *shape, const size_t *from_shape,
      int device, int other, int count, void **depobjs),
     (to, from, element, dimensions, volume, at, from_at, shape, from_shape, device, other, count,
      depobjs)) {
    (void)count, (void)depobjs;
    return omp_target_memcpy_rect(to, from, element, dimensions, volume, at, from_at, shape,
                                  from_shape, device, other);
}
PASS(void *, omp_target_memset, (void *memory, int byte, size_t size, int device),
     (memory, byte, size, device)) {
    return (void)device, memset(memory, byte, size);
}
PASS(int, omp_target_associate_ptr,
     (const void *at, const void *on_device, size_t size, size_t offset, int device),
     (at, on_device, size, offset, device)) {
    (void)at, (void)on_device, (void)size, (void)offset, (void)device;
    return invalid;
}
PASS(int, omp_target_disassociate_ptr, (const void *at, int device), (at, device)) {
    return (void)at, (void)device, invalid;
}
PASS(void *, omp_get_mapped_ptr, (const void *at, int device), (at, device)) {
    return (void)device, (void *)at;
}

/* -- memory ------------------------------------------------------------------------------------- */

static uintptr_t no_allocator = 1; /* omp_default_mem_alloc */

PASS(void, omp_set_default_allocator, (uintptr_t allocator), (allocator)) { no_allocator = allocator; }
PASS(uintptr_t, omp_get_default_allocator, (void), ()) { return no_allocator; }
PASS(uintptr_t, omp_init_allocator, (uintptr_t space, int count, const void *traits),
     (space, count, traits)) {
    return (void)space, (void)count, (void)traits, 0;
}
PASS(void, omp_destroy_allocator, (uintptr_t allocator), (allocator)) { (void)allocator; }
PASS(void *, omp_alloc, (size_t size, uintptr_t allocator), (size, allocator)) {
    return (void)allocator, malloc(size);
}
PASS(void, omp_free, (void *memory, uintptr_t allocator), (memory, allocator)) {
    (void)allocator;
    free(memory);
}
PASS(void *, omp_aligned_alloc, (size_t alignment, size_t size, uintptr_t allocator),
     (alignment, size, allocator)) {
    void *memory = NULL;
    (void)allocator;
    return posix_memalign(&memory, alignment < 8 ? 8 : alignment, size) ? NULL : memory;
}
PASS(void *, omp_calloc, (size_t count, size_t size, uintptr_t allocator),
     (count, size, allocator)) {
    return (void)allocator, calloc(count, size);
}
PASS(void *, omp_aligned_calloc,
     (size_t alignment, size_t count, size_t size, uintptr_t allocator),
     (alignment, count, size, allocator)) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    void *memory = omp_aligned_alloc(alignment, bytes, allocator);
    return memory ? memset(memory, 0, bytes) : NULL;
}
PASS(void *, omp_realloc, (void *memory, size_t size, uintptr_t allocator, uintptr_t freeing),
     (memory, size, allocator, freeing)) {
    return (void)allocator, (void)freeing, realloc(memory, size);
}
PASS(void *, GOMP_alloc, (size_t alignment, size_t size, uintptr_t allocator),
     (alignment, size, allocator)) {
    return omp_aligned_alloc(alignment, size, allocator);
}
PASS(void, GOMP_free, (void *memory, uintptr_t allocator), (memory, allocator)) {
    omp_free(memory, allocator);
}

ABI_OWN(void, omp_set_default_allocator_, (const uintptr_t *a)) { omp_set_default_allocator(*a); }
ABI_OWN(uintptr_t, omp_get_default_allocator_, (void)) { return omp_get_default_allocator(); }
ABI_OWN(uintptr_t, omp_init_allocator_,
        (const uintptr_t *space, const int32_t *count, const void *traits)) {
    return omp_init_allocator(*space, *count, traits);
}
ABI_OWN(uintptr_t, omp_init_allocator_8_,
        (const uintptr_t *space, const int64_t *count, const void *traits)) {
    return omp_init_allocator(*space, (int)*count, traits);
}
ABI_OWN(void, omp_destroy_allocator_, (const uintptr_t *a)) { omp_destroy_allocator(*a); }
void omp_fulfill_event(uintptr_t event);
ABI_OWN(void, omp_fulfill_event_, (const uintptr_t *event)) { omp_fulfill_event(*event); }

/* -- what a program prints ------------------------------------------------------------------------ */

PASS(void, omp_display_env, (int verbose), (verbose)) { (void)verbose; }
ABI_OWN(void, omp_display_env_, (const int32_t *verbose)) { omp_display_env(*verbose); }
ABI_OWN(void, omp_display_env_8_, (const int64_t *verbose)) { omp_display_env(*verbose != 0); }
PASS(void, omp_set_affinity_format, (const char *format), (format)) { (void)format; }
PASS(size_t, omp_get_affinity_format, (char *into, size_t size), (into, size)) {
    if (size) *into = 0;
    return 0;
}
PASS(void, omp_display_affinity, (const char *format), (format)) { (void)format; }
PASS(size_t, omp_capture_affinity, (char *into, size_t size, const char *format),
     (into, size, format)) {
    (void)format;
    if (size) *into = 0;
    return 0;
}
PASS(void, omp_set_affinity_format_, (const char *format, size_t length), (format, length)) {
    (void)format, (void)length;
}
PASS(int32_t, omp_get_affinity_format_, (char *into, size_t length), (into, length)) {
    memset(into, ' ', length);
    return 0;
}
PASS(void, omp_display_affinity_, (const char *format, size_t length), (format, length)) {
    (void)format, (void)length;
}
PASS(int32_t, omp_capture_affinity_,
     (char *into, const char *format, size_t size, size_t length), (into, format, size, length)) {
    (void)format, (void)length;
    memset(into, ' ', size);
    return 0;
}

PASS(int, omp_pause_resource, (int kind, int device), (kind, device)) {
    return (void)kind, (void)device, -1;
}
PASS(int, omp_pause_resource_all, (int kind), (kind)) { return (void)kind, -1; }
ABI_OWN(int32_t, omp_pause_resource_, (const int32_t *kind, const int32_t *device)) {
    return omp_pause_resource(*kind, *device);
}
ABI_OWN(int32_t, omp_pause_resource_all_, (const int32_t *kind)) {
    return omp_pause_resource_all(*kind);
}

PASS(void, GOMP_warning, (const char *message, size_t length), (message, length)) {
    fprintf(stderr, "libgomp: error directive encountered: %.*s\n", (int)length, message);
}
PASS(void, GOMP_error, (const char *message, size_t length), (message, length)) {
    fprintf(stderr, "libgomp: fatal error: error directive encountered: %.*s\n", (int)length,
            message);
    exit(EXIT_FAILURE);
}

/* -- target regions ------------------------------------------------------------------------------- */

/* Dependences are among the calling task's siblings, which are this library's tasks here. */
static void **met(void **depend) {
    if (!tpi_me || !depend) return depend;
    tpi_wait_for_dependences(tpi_me, depend);
    return NULL;
}

PASS(void, GOMP_target,
     (int device, tpi_body body, const void *unused, size_t count, void **host_addresses,
      size_t *sizes, unsigned char *kinds),
     (device, body, unused, count, host_addresses, sizes, kinds)) {
    (void)device, (void)unused, (void)count, (void)sizes, (void)kinds;
    body(host_addresses);
}

ABI_OWN(void, GOMP_target_ext,
        (int device, tpi_body body, size_t count, void **host_addresses, size_t *sizes,
         unsigned short *kinds, unsigned flags, void **depend, void **arguments)) {
    __typeof__(&GOMP_target_ext) real = TPI_REAL(GOMP_target_ext);
    depend = met(depend);
    if (real)
        real(device, body, count, host_addresses, sizes, kinds, flags, depend, arguments);
    else
        body(host_addresses);
}

PASS(void, GOMP_target_data,
     (int device, const void *unused, size_t count, void **host_addresses, size_t *sizes,
      unsigned char *kinds),
     (device, unused, count, host_addresses, sizes, kinds)) {
    (void)device, (void)unused, (void)count, (void)host_addresses, (void)sizes, (void)kinds;
}
PASS(void, GOMP_target_data_ext,
     (int device, size_t count, void **host_addresses, size_t *sizes, unsigned short *kinds),
     (device, count, host_addresses, sizes, kinds)) {
    (void)device, (void)count, (void)host_addresses, (void)sizes, (void)kinds;
}
PASS(void, GOMP_target_end_data, (void), ()) {}
PASS(void, GOMP_target_update,
     (int device, const void *unused, size_t count, void **host_addresses, size_t *sizes,
      unsigned char *kinds),
     (device, unused, count, host_addresses, sizes, kinds)) {
    (void)device, (void)unused, (void)count, (void)host_addresses, (void)sizes, (void)kinds;
}
ABI_OWN(void, GOMP_target_update_ext,
        (int device, size_t count, void **host_addresses, size_t *sizes, unsigned short *kinds,
         unsigned flags, void **depend)) {
    __typeof__(&GOMP_target_update_ext) real = TPI_REAL(GOMP_target_update_ext);
    depend = met(depend);
    if (real) real(device, count, host_addresses, sizes, kinds, flags, depend);
}
ABI_OWN(void, GOMP_target_enter_exit_data,
        (int device, size_t count, void **host_addresses, size_t *sizes, unsigned short *kinds,
         unsigned flags, void **depend)) {
    __typeof__(&GOMP_target_enter_exit_data) real = TPI_REAL(GOMP_target_enter_exit_data);
    depend = met(depend);
    if (real) real(device, count, host_addresses, sizes, kinds, flags, depend);
}
PASS(void, GOMP_offload_register, (const void *host_table, int kind, const void *data),
     (host_table, kind, data)) {
    (void)host_table, (void)kind, (void)data;
}
PASS(void, GOMP_offload_unregister, (const void *host_table, int kind, const void *data),
     (host_table, kind, data)) {
    (void)host_table, (void)kind, (void)data;
}
PASS(void, GOMP_offload_register_ver,
     (unsigned version, const void *host_table, int kind, const void *data),
     (version, host_table, kind, data)) {
    (void)version, (void)host_table, (void)kind, (void)data;
}
PASS(void, GOMP_offload_unregister_ver,
     (unsigned version, const void *host_table, int kind, const void *data),
     (version, host_table, kind, data)) {
    (void)version, (void)host_table, (void)kind, (void)data;
}
PASS(void *, GOMP_target_map_indirect_ptr, (void *pointer), (pointer)) { return pointer; }
