"""The cost model's machine. Only ratios matter: they weigh balance against traffic and the cost of
going parallel, choose a grid, and can change no result.

Without a calibration it is one core of a server CPU with AVX-512, in round numbers. With one
(`threadpool-iface calibrate`) it is the machine that was measured, if that is still this one.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from threadpool_iface.user_files import read_json

from .microkernels import isa

FILE = "calibration.json"


class Costs(NamedTuple):
    """What one core does, and what a region costs.

    Attributes
    ----------
    flops_per_second : float
        float32 operations of a product whose operands are in cache.
    bytes_per_second : float
        Of memory traffic from outside the core's own caches.
    region_seconds : float
        A region, whatever it does, that starts some microseconds after the one before.
    """

    flops_per_second: float = 150e9
    bytes_per_second: float = 20e9
    region_seconds: float = 1.5e-6


#: Guesses that suit AVX-512 machines: 60-80 % of what one core's FMA units give; between L3's and
#: memory's 13-26 GB/s; a round trip is about 0.5 us hot and 1-3 us after a pause.
DEFAULT = Costs()
_chosen: list[Costs] = []


def machine() -> Costs:
    """The costs that new primitives are split by."""
    return _chosen[-1] if _chosen else stored()


@contextmanager
def using(costs: Costs) -> Iterator[None]:
    """Split the primitives that are made inside, by any thread, by these costs.

    They stay cached afterwards.
    """
    _chosen.append(costs)
    try:
        yield
    finally:
        _chosen.remove(costs)


def identity() -> dict[str, str]:
    """What a measurement is valid for."""
    return {"cpu": _cpu_model(), "isa": isa.current().name}


@cache
def stored() -> Costs:
    """The calibration of this machine, or `DEFAULT`; read once."""
    data = read_json(FILE)
    if not data or data.get("machine") != identity():
        return DEFAULT
    try:
        return checked(data["costs"])
    except (KeyError, TypeError, ValueError) as error:
        warnings.warn(f"the stored calibration is ignored: {error!r}", RuntimeWarning, stacklevel=3)
        return DEFAULT


def checked(data: dict[str, Any]) -> Costs:
    """Costs from their JSON; ValueError for what cannot be."""
    costs = Costs(**{name: float(data[name]) for name in Costs._fields})
    for name, value in costs._asdict().items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, not {value}")
    return costs


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
