"""Plans and contexts: int64 tables that carry a primitive's numbers to its tasks.

A *plan* is made once, at creation, and never changes. Each execution copies it to the head of its
scratchpad, adds the call's addresses and strides, and hands that *context* to every task. Both are
laid out by each primitive's `layout`; this file holds what drivers share.
"""

from __future__ import annotations

import numpy as np
from numba import types

from threadpool_iface.nopython import tpi_parallel, tpi_pool_parallel

from .compiling import kernel
from .microkernels.memory import load_i64, store_i64

#: What a task is, for `c_function`.
TASK = types.int32(types.int64, types.int32, types.int32)

#: `pool` of an execution: the calling thread's effective pool, or nobody but the caller.
EFFECTIVE_POOL, CALLER = -1, 0

CACHE_LINE = 64

#: Types of what drivers are called with: a plan, a scratchpad, arrays of any strides.
PLAN = types.Array(types.int64, 1, "C", readonly=True)
SCRATCH = types.Array(types.int64, 1, "C")


def input_array(dims: int, dtype: str = "float32") -> types.Array:
    return types.Array(getattr(types, dtype), dims, "A", readonly=True)


def output_array(dims: int, dtype: str = "float32") -> types.Array:
    return types.Array(getattr(types, dtype), dims, "A")


def panels_array(dtype: str = "float32") -> types.Array:
    return types.Array(getattr(types, dtype), 1, "C")


_pthread_self = types.ExternalFunction("pthread_self", types.uint64())


def table(words: dict[int, int], length: int) -> np.ndarray:
    """A plan: int64, C-contiguous, read-only, zero where nothing is given."""
    plan = np.zeros(length, dtype=np.int64)
    for word, value in words.items():
        plan[word] = value
    plan.flags.writeable = False
    return plan


def round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def mr_table(rows: tuple[int, ...]) -> int:
    """Tile heights by panel width, eight bits each, as `sweep_panels` reads them."""
    return sum(mr << (8 * i) for i, mr in enumerate(rows))


@kernel
def begin(plan, scratch):
    """Copy the plan to the first cache line boundary of the scratchpad; returns its address."""
    context = (scratch.ctypes.data + 63) & ~63
    for i in range(plan.size):
        store_i64(context + 8 * i, plan[i])
    return context


@kernel
def region(pool, ntasks, task, context):
    """Run `task(context, i, ntasks)` for each i on `pool`; see EFFECTIVE_POOL and CALLER."""
    if pool == -1:
        return tpi_parallel(ntasks, task, context)
    return tpi_pool_parallel(pool, ntasks, task, context)


@kernel
def note_thread(slots, ithr):
    """Write which thread runs task `ithr`, when somebody asked (`slots` is not 0)."""
    if slots != 0:
        store_i64(slots + 8 * ithr, types.int64(_pthread_self()))


@kernel
def word(context, index):
    """Word `index` of a context."""
    return load_i64(context + 8 * index)
