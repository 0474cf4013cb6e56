"""The barrier of tasks that run together."""

from __future__ import annotations

from .errors import check
from .native import lib


def barrier() -> None:
    """Called by every task of a gang (`pool.run_together`): returns when all of them have.

    What each task did before is seen by all of them after. Native tasks call `tpi_barrier`.

    Raises
    ------
    BrokenGangError
        A task of the gang failed, or ended without coming here; now and from then on.
    RuntimeError
        Called outside a gang, or in a region inside one of its tasks.
    """
    code = lib.tpi_barrier()
    if code == lib.TPI_E_INVALID:
        raise RuntimeError("barrier() is for the tasks of pool.run_together()")
    check(code)
