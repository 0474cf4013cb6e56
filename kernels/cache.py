"""The primitive cache: one primitive for each descriptor and attributes, least recently used out.

Creating an equal primitive twice gives the same object; primitives never change, so sharing them
is safe. The resolved bound on tasks is part of the key.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

#: oneDNN's default capacity; a primitive without packed weights holds a few kilobytes.
DEFAULT_CAPACITY = 1024


class CacheInfo(NamedTuple):
    """What `cache_info()` returns, as `functools.lru_cache` does."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class PrimitiveCache:
    """A bounded least-recently-used map, safe to use from any number of threads."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._hits = self._misses = 0

    def renew_lock(self) -> None:
        """In a forked child: a thread that does not exist there may hold it."""
        self._lock = threading.Lock()

    def get_or_create(self, key: Hashable, create: Callable[[], Any]) -> Any:
        """The entry for `key`, made by `create()` if there is none.

        `create` runs outside the lock; when two threads make the same entry, the first one in is
        kept and both get it. An exception leaves the cache as it was.
        """
        with self._lock:
            if key in self._entries:
                self._hits += 1
                self._entries.move_to_end(key)
                return self._entries[key]
            self._misses += 1
        created = create()
        with self._lock:
            kept = self._entries.setdefault(key, created)
            self._entries.move_to_end(key)
            self._shrink()
            return kept

    def _shrink(self) -> None:
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def set_capacity(self, capacity: int) -> None:
        with self._lock:
            self._capacity = capacity
            self._shrink()

    def info(self) -> CacheInfo:
        with self._lock:
            return CacheInfo(self._hits, self._misses, self._capacity, len(self._entries))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._hits = self._misses = 0


primitives = PrimitiveCache()
os.register_at_fork(after_in_child=primitives.renew_lock)


def cache_info() -> CacheInfo:
    """Hits, misses, capacity and size of the primitive cache."""
    return primitives.info()


def cache_clear() -> None:
    """Forget every cached primitive and the counts; primitives in use keep working."""
    primitives.clear()


def set_cache_capacity(capacity: int) -> None:
    """Keep at most `capacity` primitives (0: none), dropping the least recently used.

    Raises
    ------
    TypeError, ValueError
        `capacity` is not an integer, or is negative.
    """
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise TypeError(f"capacity must be an integer, not {capacity!r}")
    if capacity < 0:
        raise ValueError(f"capacity must not be negative, not {capacity}")
    primitives.set_capacity(capacity)
