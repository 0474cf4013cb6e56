"""What a loop can be told, in the form that the C core takes."""

from __future__ import annotations

from ..arguments import checked_int
from ..native import lib

#: Dimensions of parallel_nd's largest grid.
MAX_DIMS = 6

#: `TPI_NOT_GIVEN`: stands for None where the core takes a number.
NOT_GIVEN = -(2**63)

SCHEDULES = {None: lib.TPI_ANY_SCHEDULE, "static": lib.TPI_STATIC, "dynamic": lib.TPI_DYNAMIC}


def check_numbers(n: int, grain: int, max_num_threads: int) -> None:
    """Raise for the first of a loop's numbers that is outside its domain."""
    checked_int(n, "n", 0)
    if grain != NOT_GIVEN:
        checked_int(grain, "grain", 1)
    if max_num_threads != NOT_GIVEN:
        checked_int(max_num_threads, "max_num_threads", 0)
