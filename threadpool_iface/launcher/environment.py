"""The environment of an instance.

Thread counts and the like are set where the user has not: a variable that is there is the user's,
and stays. An option wins over a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..active import VARIABLE as POOL
from .instance import COUNT, INDEX
from .plan import Instance

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
#: As Intel's launcher has them: neighbours first, and 1 ms of looking for more work. The last one
#: has each line of output arrive when it is written.
_OTHERS = {"KMP_AFFINITY": "granularity=fine,compact,1,0", "KMP_BLOCKTIME": "1",
           "PYTHONUNBUFFERED": "1"}
_DEFAULT_POOL = "omp"


@dataclass(frozen=True, slots=True)
class Settings:
    """What options say about the environment."""

    #: "omp" or "eigen"; None: the user's variable, else "omp".
    pool: str | None = None
    #: A library to load before all others; empty: none.
    preload: str = ""
    #: The library of the OpenMP layer, to load before all others as well; empty: not.
    openmp: str = ""


def variables(instance: Instance, count: int, settings: Settings,
              given: Mapping[str, str]) -> dict[str, str]:
    """What an instance has beside, or instead of, the `given` environment."""
    threads = str(len(instance.cpus))
    usual = dict.fromkeys(_THREADS, threads) | _OTHERS
    if settings.pool is None and "ITEX_OMP_THREADPOOL" not in given:
        usual[POOL] = _DEFAULT_POOL
    found = {name: text for name, text in usual.items() if name not in given}
    if settings.pool is not None:
        found[POOL] = settings.pool
    preloaded = [*filter(None, (settings.preload, settings.openmp))]
    if preloaded:
        found["LD_PRELOAD"] = ":".join([*preloaded, *filter(None, [given.get("LD_PRELOAD")])])
    if settings.openmp:
        found["THREADPOOL_IFACE_OPENMP"] = "preload"
    return found | {INDEX: str(instance.index), COUNT: str(count)}


def kept(settings: Settings, given: Mapping[str, str]) -> list[str]:
    """The variables of the user that stay, each with its value, where one of ours would have been.
    """
    names = [*_THREADS, *_OTHERS]
    if settings.pool is None:
        names.append(POOL)
    return [f"{name}={given[name]}" for name in names if name in given]
