"""Builds the C core as the extension `threadpool_iface.native._core` (cffi, API mode)."""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI
from setuptools import Extension

if __package__:
    from .digest import sources_digest
else:  # run by setuptools, as a file
    import sys

    sys.path.insert(0, str(Path(__file__).parent))
    from digest import sources_digest  # type: ignore[import-not-found,no-redef]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

GLUE = """
void tpi_box_drop(tpi_pool **box);
void tpi_box_retained(tpi_pool **box, tpi_pool *pool);
void tpi_box_taken_over(tpi_pool **box, tpi_pool *pool);
void tpi_box_sequential(tpi_pool **box);
void tpi_box_fork_join(tpi_pool **box, const tpi_pool_options *options, int32_t dynamic);
void tpi_box_work_stealing(tpi_pool **box, const tpi_pool_options *options, int32_t asynchronous);
void tpi_box_openmp(tpi_pool **box, int32_t num_threads, int32_t dynamic, uintptr_t gomp_parallel,
                    uintptr_t get_thread_num, uintptr_t get_num_threads, int32_t survives_fork);
void tpi_box_python(tpi_pool **box, int64_t key, int32_t num_threads, uint64_t flags);
void tpi_latch_drop(tpi_latch **box);
int32_t tpi_add_guarded(void);
const char *tpi_sources_digest(void);
uint64_t tpi_libraries_loaded(void);
const char *tpi_capsule_name(void);
uintptr_t tpi_capsule_maker(void);
void tpi_numba_failed(int32_t code);
void *tpi_numba_take_exception(void);
void tpi_numba_raise(void *exception);
void tpi_numba_discard(void *exception);
void tpi_numba_set_do_raise(uintptr_t stock);
uintptr_t tpi_numba_do_raise(void);
int32_t tpi_nopython_parallel(int64_t nthr, tpi_task task, void *ctx);
int32_t tpi_nopython_for(int64_t n, int64_t grain, int32_t schedule, int64_t max_num_threads,
                         double cost, tpi_range_task run, void *ctx);
void *tpi_nopython_keep_error(void);
void tpi_nopython_raise_kept(void *kept);
void tpi_nopython_raise_code(int32_t code, int32_t is_loop, int64_t n, int64_t grain,
                             int64_t max_num_threads);
extern "Python" int32_t tpi_python_task(void *, int32_t, int32_t);
extern "Python" int32_t tpi_python_parallel_for(int64_t, int32_t, tpi_lease *);
extern "Python" void tpi_python_wait(int64_t);
extern "Python" int32_t tpi_python_interrupted(void);
"""


def declarations(header: Path) -> str:
    """A header without what only a C preprocessor understands, so that it is written once."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif\n", "", text, flags=re.S)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    numbers = re.findall(r"^#define (TPI_\w+) (?:UINT64_C\()?(\d+)", text, flags=re.M)
    return "\n".join([*lines, *(f"#define {name} {value}" for name, value in numbers)])


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


ffi = FFI()
ffi.cdef(declarations(HERE / "include" / "threadpool_iface.h"))
ffi.cdef(declarations(HERE / "src" / "pools.h"))
ffi.cdef(declarations(HERE / "src" / "lease.h"))
ffi.cdef(declarations(HERE / "src" / "blas_layer.h"))
ffi.cdef(declarations(HERE / "src" / "numba_layer.h"))
ffi.cdef(declarations(HERE / "src" / "ranges.h"))
ffi.cdef(declarations(HERE / "src" / "openmp_layer.h"))
ffi.cdef(GLUE)
ffi.set_source(
    "threadpool_iface.native._core",
    '#include "blas_layer.h"\n#include "boxes.h"\n#include "capsule.h"\n#include "guarded.h"\n'
    '#include "libraries.h"\n#include "nopython.h"\n#include "numba_failure.h"\n'
    '#include "numba_layer.h"\n#include "openmp_layer.h"\n#include "pools.h"\n'
    '#include "python_pool.h"\n'
    f'static const char *tpi_sources_digest(void) {{ return "{sources_digest()}"; }}',
    sources=[_relative(path) for path in sorted((HERE / "src").glob("*.c"))],
    include_dirs=[_relative(HERE / folder) for folder in ("include", "src", "glue")],
    depends=[_relative(path) for path in sorted(HERE.rglob("*.h"))],
    extra_compile_args=["-std=gnu11", "-O3", "-pthread", "-fvisibility=hidden"],
    extra_link_args=["-pthread"],
)


def openmp_library() -> Extension:
    """The library of the OpenMP layer: no extension module, but built and installed as one."""
    return Extension(
        "threadpool_iface.native._gomp",
        sources=[_relative(path) for folder in ("gomp", "src")
                 for path in sorted((HERE / folder).glob("*.c"))],
        include_dirs=[_relative(HERE / "include"), _relative(HERE / "src")],
        depends=[_relative(path) for path in sorted(HERE.rglob("*.h"))],
        extra_compile_args=["-std=gnu11", "-O3", "-pthread", "-fvisibility=hidden"],
        extra_link_args=["-pthread", "-ldl",
                         f"-Wl,--version-script={_relative(HERE / 'gomp' / 'exports.map')}"],
        py_limited_api=True,
    )


if __name__ == "__main__":
    ffi.compile(verbose=True)
