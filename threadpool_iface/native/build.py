"""Builds the C core as the extension `threadpool_iface.native._core` (cffi, API mode)."""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

if __package__:
    from .digest import sources_digest
else:  # run by setuptools, as a file
    import sys

    sys.path.insert(0, str(Path(__file__).parent))
    from digest import sources_digest  # type: ignore[import-not-found,no-redef]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

POOLS = """
tpi_pool *tpi_sequential_new(void);
tpi_pool *tpi_fork_join_new(int32_t num_threads, int64_t blocktime_us, int32_t dynamic,
                            const int32_t *cpus, int32_t ncpus);
tpi_pool *tpi_work_stealing_new(int32_t num_threads, int64_t blocktime_us,
                                const int32_t *cpus, int32_t ncpus);
"""

CALLBACKS = """
extern "Python" int32_t tpi_python_task(void *, int32_t, int32_t);
extern "Python" int32_t tpi_python_num_threads(void *);
extern "Python" int32_t tpi_python_in_parallel(void *);
extern "Python" int32_t tpi_python_parallel_for(void *, int32_t, tpi_task, void *);
extern "Python" uint64_t tpi_python_flags(void *);
extern "Python" void tpi_python_wait(void *);
extern "Python" void tpi_python_close(void *);
extern "Python" void tpi_python_destroy(void *);
"""


def public_declarations() -> str:
    """The public header without what only a C preprocessor understands."""
    text = (HERE / "include" / "threadpool_iface.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r'#ifdef __cplusplus\n.*?#endif\n', "", text, flags=re.S)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    numbers = re.findall(r"^#define (TPI_\w+) (?:UINT64_C\()?(\d+)", text, flags=re.M)
    return "\n".join([*lines, *(f"#define {name} {value}" for name, value in numbers)])


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


ffi = FFI()
ffi.cdef(public_declarations() + POOLS + CALLBACKS)
ffi.set_source(
    "threadpool_iface.native._core",
    f'#include "pools.h"\nconst char *tpi_sources_digest(void) {{ return "{sources_digest()}"; }}',
    sources=[_relative(path) for path in sorted((HERE / "src").glob("*.c"))],
    include_dirs=[_relative(HERE / "include"), _relative(HERE / "src")],
    depends=[_relative(path) for path in sorted(HERE.rglob("*.h"))],
    extra_compile_args=["-std=gnu11", "-O3", "-pthread", "-fvisibility=hidden"],
    extra_link_args=["-pthread"],
)
ffi.cdef("const char *tpi_sources_digest(void);")

if __name__ == "__main__":
    ffi.compile(verbose=True)
