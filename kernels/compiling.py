"""How kernels are compiled: nogil, once per process, cached on disk, and never from stale sources.

numba's disk cache looks at the file of the cached function alone, but a kernel also holds what
other files emitted into it. Here the digest of every source of the package is part of the key, so
an edited microkernel is compiled again instead of being called with yesterday's arguments.

A cold compile takes seconds, so it announces itself on stderr; a load from the cache is silent.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from time import perf_counter
from typing import Any

from llvmlite import binding
from numba import njit
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.ccallback import CFunc
from numba.core.runtime import rtsys
from numba.core.sigutils import normalize_signature

from threadpool_iface.user_files import only_ours

_lock = threading.RLock()
_alive: list[Any] = []  # compiled C functions: their addresses are in tables for ever


def _renew_lock() -> None:
    """In a forked child: a thread that does not exist there may hold it."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


@cache
def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Cache(FunctionCache):  # type: ignore[misc]  # numba is untyped
    """numba's disk cache, keyed by the digest of the package's sources as well.

    What is loaded is executed, so a folder that somebody else could have filled is not used.
    """

    #: Whether the code calls numba's runtime, as everything does that is handed arrays.
    counts_references = True

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        if not only_ours(self.cache_path):
            _warn_of_open_cache(self.cache_path)
            self.disable()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's, without its tables of what can be compiled: they take 0.1 s and 25 MiB.

        Compiling installs them, when there is something to compile. The symbols that our code is
        linked with are known as soon as `threadpool_iface.nopython` has been imported.
        """
        if self.counts_references:
            rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _sources_digest())


@cache
def _warn_of_open_cache(folder: str) -> None:
    warnings.warn(f"kernels are compiled anew in this process: the cache folder {folder} belongs "
                  "to another user or is writable by others", RuntimeWarning, stacklevel=2)


def kernel(function: Callable[..., Any]) -> Any:
    """`@njit(nogil=True)`, cached on disk under the package's sources."""
    dispatcher = njit(nogil=True)(function)
    dispatcher._cache = _Cache(function)
    return dispatcher


def fixed_kernel(what: str, function: Callable[..., Any], signature: Any) -> Any:
    """`kernel` for one signature only: arguments are converted to it, never specialised on."""
    dispatcher = kernel(function)
    with announced(what):
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def _symbols_only(bitcode: bytes) -> bytes:
    """A module that defines the same names and nothing else."""
    module = binding.parse_bitcode(bitcode)
    lines = [f'define void @"{f.name}"() {{\n unreachable\n}}'
             for f in module.functions if not f.is_declaration]
    lines += [f'@"{v.name}" = global i64 0'
              for v in module.global_variables if not v.is_declaration]
    return bytes(binding.parse_assembly("\n".join(lines)).as_bitcode())


class _CodeOnly(CompileResultCacheImpl):  # type: ignore[misc]
    """Leaves out the bitcode, which is for inlining into other code: none calls these functions.

    Parsing it takes half of the time that loading does.
    """

    def reduce(self, compiled: Any) -> tuple[Any, ...]:
        (name, kind, (code, bitcode)), *rest = super().reduce(compiled)
        return ((name, kind, (code, _symbols_only(bitcode))), *rest)


class _CFunctionCache(_Cache):
    _impl_class = _CodeOnly
    counts_references = False


class _CFunction(CFunc):  # type: ignore[misc]
    def enable_caching(self) -> None:
        self._cache = _CFunctionCache(self._pyfunc)


def c_function(what: str, signature: Any) -> Callable[[Callable[..., Any]], Callable[[], int]]:
    """Turn a nopython function into a getter of its address as a C function of `signature`.

    The first call compiles it (or loads it from the disk cache), announced as `what`; a failure is
    raised there and tried again at the next call.
    """

    def decorate(function: Callable[..., Any]) -> Callable[[], int]:
        @cache
        def address() -> int:
            compiled = _CFunction(function, normalize_signature(signature), {}, {"nopython": True})
            compiled.enable_caching()
            with announced(what):
                compiled.compile()
            _alive.append(compiled)
            return int(compiled.address)

        return wraps(function)(address)

    return decorate


class _Notice(event.Listener):  # type: ignore[misc]
    """Says on stderr that a compile began, at numba's first compiler pass, and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.started: float | None = None

    def on_start(self, event: event.Event) -> None:
        if self.started is None:
            self.started = perf_counter()
            line = f"kernels: compiling {self.what} (once; then cached on disk) ..."
            print(line, end="", file=sys.stderr, flush=True)

    def on_end(self, event: event.Event) -> None:
        pass

    def finish(self) -> None:
        if self.started is not None:
            print(f" {perf_counter() - self.started:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Print a line if, and only if, numba really compiles something inside the block."""
    notice = _Notice(what)
    with _lock, event.install_listener("numba:run_pass", notice):
        try:
            yield
        finally:
            notice.finish()
