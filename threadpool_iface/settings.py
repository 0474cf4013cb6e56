"""The environment variables of Intel's OpenMP runtime and TensorFlow extension, understood here.

`OMP_NUM_THREADS`, `KMP_BLOCKTIME` and `KMP_AFFINITY` are the defaults of an `OmpLikePool` that is
not told otherwise; `KMP_SETTINGS=1` has the first such pool print them; `ITEX_OMP_THREADPOOL`
chooses the kind of the default pool. A value that is not understood is a `ValueError` that names
it, when a pool is made: a setting is obeyed or refused, never dropped.
"""

from __future__ import annotations

import math
import os
import re
import sys
from typing import NamedTuple

from .arguments import MAX_THREADS
from .topology.placement import POLICIES

_settings_printed = False


class KmpAffinity(NamedTuple):
    """What a value of KMP_AFFINITY asks for."""

    #: "compact", "scatter" or "explicit"
    policy: str
    permute: int = 0
    offset: int = 0
    #: The CPUs of "explicit", in order.
    proclist: tuple[int, ...] = ()
    #: Print where each thread goes.
    verbose: bool = False


def variable(name: str) -> str:
    """The variable's text, without surrounding space; empty if it is not set."""
    return os.environ.get(name, "").strip()


def omp_num_threads() -> int | None:
    """The first value of OMP_NUM_THREADS; None if it is not set."""
    text = variable("OMP_NUM_THREADS")
    if not text:
        return None
    first = text.split(",")[0].strip()
    if not first.isdecimal() or not 1 <= int(first) <= MAX_THREADS:
        raise ValueError(f"OMP_NUM_THREADS must start with a number in 1..{MAX_THREADS}, "
                         f"not {text!r}")
    return int(first)


def kmp_blocktime() -> float | None:
    """KMP_BLOCKTIME, which is in milliseconds, in microseconds; None if it is not set."""
    text = variable("KMP_BLOCKTIME")
    if not text:
        return None
    if text.lower() == "infinite":
        return math.inf
    if not text.isdecimal():
        raise ValueError("KMP_BLOCKTIME must be a number of milliseconds or infinite, "
                         f"not {text!r}")
    return 1000.0 * int(text)


def kmp_affinity() -> KmpAffinity | None:
    """KMP_AFFINITY; None if it is not set.

    The forms understood are `granularity=fine|thread` with `compact` or `scatter`, a permute and an
    offset, or with `proclist=[0-11,48]` and `explicit`; each with or without `verbose`. An explicit
    list wins over a policy that stands beside it, as it does in Intel's runtime.
    """
    text = variable("KMP_AFFINITY")
    return _parsed_affinity(text) if text else None


def _parsed_affinity(text: str) -> KmpAffinity:
    words = re.findall(r"proclist=\[[^]]*\]|[^,]+", text.lower())
    numbers: list[int] = []
    policies: list[str] = []
    proclist: tuple[int, ...] = ()
    fine = verbose = False
    for word in (word.strip() for word in words):
        if word in ("granularity=fine", "granularity=thread"):
            fine = True
        elif word == "verbose":
            verbose = True
        elif word in (*POLICIES, "explicit"):
            policies.append(word)
        elif word.isdecimal() and policies and len(numbers) < 2:
            numbers.append(int(word))
        elif word.startswith("proclist=["):
            proclist = _parsed_proclist(word, text)
        else:
            raise _refused(text, f"{word!r} is not understood")
    if not fine:
        raise _refused(text, "granularity=fine or granularity=thread is needed: workers are bound "
                             "to single CPUs")
    if ("explicit" in policies) != bool(proclist):
        raise _refused(text, "explicit and proclist=[...] go together")
    if not policies:
        raise _refused(text, "a policy is needed")
    permute, offset = (*numbers, 0, 0)[:2]
    policy = "explicit" if proclist else policies[-1]
    return KmpAffinity(policy, permute, offset, proclist, verbose)


def _parsed_proclist(word: str, text: str) -> tuple[int, ...]:
    cpus: list[int] = []
    for part in word.removeprefix("proclist=[").removesuffix("]").split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        if not match:
            raise _refused(text, f"{part!r} in proclist is neither a CPU nor a range of CPUs")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise _refused(text, f"the range {part!r} in proclist is empty")
        cpus.extend(range(first, last + 1))
    return tuple(cpus)


def _refused(text: str, why: str) -> ValueError:
    return ValueError(
        f"KMP_AFFINITY={text!r}: {why}; forms such as granularity=fine,compact,1,0 and "
        "granularity=fine,proclist=[0-3,8],explicit, each with or without verbose, are"
    )


def kmp_settings() -> bool:
    """Whether KMP_SETTINGS asks for the settings to be printed."""
    text = variable("KMP_SETTINGS")
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise ValueError(f"KMP_SETTINGS must be 0, 1, true or false, not {text!r}")
    return text.lower() in ("1", "true")


def itex_pool() -> str:
    """The kind of default pool that ITEX_OMP_THREADPOOL chooses; empty if it is not set."""
    text = variable("ITEX_OMP_THREADPOOL")
    kinds = {"": "", "1": "omp", "0": "eigen"}
    if text not in kinds:
        raise ValueError(f"ITEX_OMP_THREADPOOL must be 1 (OmpLikePool) or 0 (EigenLikePool), "
                         f"not {text!r}")
    return kinds[text]


def print_settings_once(num_threads: int, blocktime: float, cpus: list[int]) -> None:
    """What KMP_SETTINGS=1 asks for, on stderr: the variables, then what the pool made of them."""
    global _settings_printed
    if _settings_printed:
        return
    _settings_printed = True
    names = ("OMP_NUM_THREADS", "KMP_BLOCKTIME", "KMP_AFFINITY", "KMP_SETTINGS",
             "ITEX_OMP_THREADPOOL")
    given = [f"   {name}={variable(name)}" for name in names if variable(name)]
    milliseconds = "infinite" if math.isinf(blocktime) else f"{blocktime / 1000:g}"
    effective = [
        f"   OMP_NUM_THREADS={num_threads}",
        f"   KMP_BLOCKTIME={milliseconds}",
        f"   KMP_AFFINITY={'proclist=' + str(cpus) + ',explicit' if cpus else 'none'}",
    ]
    print("\n".join(["User settings:", "", *given, "", "Effective settings:", "", *effective]),
          file=sys.stderr, flush=True)
