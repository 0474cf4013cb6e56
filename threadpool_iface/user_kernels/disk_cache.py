"""Launchers on disk: in the cache of the body's own file, beside the body.

The index is stamped with that file, so editing it forgets the launchers too. What else a launcher
holds is in the key: this package's sources, and the files of other functions that it was made of.
What could never be found again is not written: closures, and types that are new in each process.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import sigutils, types
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

from .identity import fingerprint


@cache
def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _file_stamp(body: Any) -> tuple[float, int]:
    status = Path(body.py_func.__code__.co_filename).stat()
    return status.st_mtime, status.st_size


def _is_of_this_process(kind: Any) -> bool:
    """Whether the type is another one in each process, so that no key with it is met again."""
    if isinstance(kind, types.BaseTuple):
        return any(map(_is_of_this_process, kind))
    if isinstance(kind, (types.Dispatcher, types.ClassInstanceType, types.ClassType)):
        return True
    inner = getattr(kind, "dtype", None)
    return isinstance(inner, types.Type) and inner is not kind and _is_of_this_process(inner)


class _BesideBody(FunctionCache):  # type: ignore[misc]  # numba is untyped
    """numba's cache of the first body, under another file name."""

    def __init__(self, role: str, bodies: tuple[Any, ...]) -> None:
        super().__init__(bodies[0].py_func)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=f"{self._impl.filename_base}.{role}.{fingerprint(bodies)}",
            source_stamp=self._impl.locator.get_source_stamp(),
        )
        self._others = tuple(_file_stamp(body) for body in bodies[1:])

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), self._others, _sources_digest())

    def _save_overload(self, sig: Any, data: Any) -> None:
        arguments, _ = sigutils.normalize_signature(sig)
        if not any(map(_is_of_this_process, arguments)):
            super()._save_overload(sig, data)


def _can_be_found_again(body: Any) -> bool:
    return not isinstance(body._cache, NullCache) and body.py_func.__closure__ is None


def cache_beside(launcher: Any, role: str, bodies: tuple[Any, ...]) -> None:
    """Cache a launcher on disk, if all that it calls is cached there."""
    if all(map(_can_be_found_again, bodies)):
        launcher._cache = _BesideBody(role, bodies)
