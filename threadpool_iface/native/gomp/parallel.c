/* GOMP_parallel*: regions as compilers call them. */
#define _GNU_SOURCE
#include "abi.h"
#include "team.h"

#define CALLER tpi_caller_of(__builtin_return_address(0))

/* The region is the real library's: count it, and call the function of the same name there. */
#define FORWARD(name, arguments)                                         \
    do {                                                                 \
        __typeof__(&name) tpi_real = tpi_is_ours() ? NULL : TPI_REAL(name); \
        if (tpi_real) {                                                  \
            tpi_count(&CALLER->forwarded);                               \
            tpi_real arguments;                                          \
            return;                                                      \
        }                                                                \
    } while (0)

ABI_OWN(void, GOMP_parallel, (tpi_body body, void *data, unsigned num_threads, unsigned flags)) {
    FORWARD(GOMP_parallel, (body, data, num_threads, flags));
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = CALLER};
    tpi_run_region(&r);
}

ABI_OWN(unsigned, GOMP_parallel_reductions,
        (tpi_body body, void *data, unsigned num_threads, unsigned flags)) {
    __typeof__(&GOMP_parallel_reductions) real =
        tpi_is_ours() ? NULL : TPI_REAL(GOMP_parallel_reductions);
    tpi_caller *caller = CALLER;
    if (real) {
        tpi_count(&caller->forwarded);
        return real(body, data, num_threads, flags);
    }
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = caller, .reductions = true};
    return (unsigned)tpi_run_region(&r);
}

#define COMBINED(name, kind)                                                                       \
    ABI_OWN(void, GOMP_parallel_loop_##name,                                                       \
            (tpi_body body, void *data, unsigned num_threads, long start, long end, long step,     \
             long chunk, unsigned flags)) {                                                        \
        FORWARD(GOMP_parallel_loop_##name,                                                         \
                (body, data, num_threads, start, end, step, chunk, flags));                        \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,          \
                         .caller = CALLER, .space = &space, .plan = {kind, (uint64_t)chunk, false}}; \
        tpi_run_region(&r);                                                                        \
    }

#define COMBINED_RUNTIME(name)                                                                     \
    ABI_OWN(void, GOMP_parallel_loop_##name,                                                       \
            (tpi_body body, void *data, unsigned num_threads, long start, long end, long step,     \
             unsigned flags)) {                                                                    \
        FORWARD(GOMP_parallel_loop_##name, (body, data, num_threads, start, end, step, flags));    \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,          \
                         .caller = CALLER, .space = &space, .plan = {TPI_RUNTIME, 0, false}};      \
        tpi_run_region(&r);                                                                        \
    }

COMBINED(static, TPI_STATIC)
COMBINED(dynamic, TPI_DYNAMIC)
COMBINED(guided, TPI_GUIDED)
COMBINED(nonmonotonic_dynamic, TPI_DYNAMIC)
COMBINED(nonmonotonic_guided, TPI_GUIDED)
COMBINED_RUNTIME(runtime)
COMBINED_RUNTIME(nonmonotonic_runtime)
COMBINED_RUNTIME(maybe_nonmonotonic_runtime)

ABI_OWN(void, GOMP_parallel_sections,
        (tpi_body body, void *data, unsigned num_threads, unsigned count, unsigned flags)) {
    FORWARD(GOMP_parallel_sections, (body, data, num_threads, count, flags));
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = CALLER, .sections = count};
    tpi_run_region(&r);
}

/* -- of compilers before gcc 4.9 ---------------------------------------------------------------- */

ABI_OWN(void, GOMP_parallel_start, (tpi_body body, void *data, unsigned num_threads)) {
    FORWARD(GOMP_parallel_start, (body, data, num_threads));
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = CALLER};
    tpi_begin_region(&r);
}

#define COMBINED_START(name, kind)                                                                 \
    ABI_OWN(void, GOMP_parallel_loop_##name##_start,                                               \
            (tpi_body body, void *data, unsigned num_threads, long start, long end, long step,     \
             long chunk)) {                                                                        \
        FORWARD(GOMP_parallel_loop_##name##_start,                                                 \
                (body, data, num_threads, start, end, step, chunk));                               \
        tpi_loop_space space = tpi_space(start, end, step);                                        \
        tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,          \
                         .caller = CALLER, .space = &space, .plan = {kind, (uint64_t)chunk, false}}; \
        tpi_begin_region(&r);                                                                      \
    }

COMBINED_START(static, TPI_STATIC)
COMBINED_START(dynamic, TPI_DYNAMIC)
COMBINED_START(guided, TPI_GUIDED)

ABI_OWN(void, GOMP_parallel_loop_runtime_start,
        (tpi_body body, void *data, unsigned num_threads, long start, long end, long step)) {
    FORWARD(GOMP_parallel_loop_runtime_start, (body, data, num_threads, start, end, step));
    tpi_loop_space space = tpi_space(start, end, step);
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = CALLER, .space = &space, .plan = {TPI_RUNTIME, 0, false}};
    tpi_begin_region(&r);
}

ABI_OWN(void, GOMP_parallel_sections_start,
        (tpi_body body, void *data, unsigned num_threads, unsigned count)) {
    FORWARD(GOMP_parallel_sections_start, (body, data, num_threads, count));
    tpi_request r = {.body = body, .data = data, .num_threads = (int32_t)num_threads,
                     .caller = CALLER, .sections = count};
    tpi_begin_region(&r);
}

ABI_OWN(void, GOMP_parallel_end, (void)) {
    void (*real)(void) = tpi_end_region() ? NULL : TPI_REAL(GOMP_parallel_end);
    if (real) real();
}
