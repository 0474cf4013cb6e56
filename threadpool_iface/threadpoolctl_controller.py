"""This library for threadpoolctl: `threadpool_info` lists pools, `threadpool_limits` bounds them.

Importing this module registers it. `import threadpool_iface` does so by itself where threadpoolctl
has been imported before, as scikit-learn does; it does not import it.
"""

from __future__ import annotations

from typing import Any

import threadpoolctl

from . import __version__
from .arguments import MAX_THREADS
from .iface import living_pools
from .native import lib

USER_API = "threadpool_iface"


class ThreadpoolIfaceController(threadpoolctl.LibController):  # type: ignore[misc]
    """A process-wide upper limit on the threads of every region, on whichever pool.

    Regions keep their tasks, and so results their bits; gangs and asynchronous regions are not
    limited. threadpoolctl undoes a limit, also one of other libraries only, by setting the number
    that it was told before. So an unlimited process tells one that no pool can reach and that means
    no limit, whatever pools were made in between.
    """

    user_api = USER_API
    internal_api = USER_API
    filename_prefixes = ("_core",)
    check_symbols = ("tpi_set_thread_limit",)

    def get_num_threads(self) -> int:
        """The limit; without one, the most threads that a pool can have."""
        return int(lib.tpi_thread_limit()) or MAX_THREADS

    def set_num_threads(self, num_threads: int) -> None:
        """Limit regions that start from now on."""
        lib.tpi_set_thread_limit(0 if num_threads >= MAX_THREADS else max(1, num_threads))

    def get_version(self) -> str:
        """threadpool_iface's."""
        return __version__

    def info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As of every library, and the open pools: each one's repr and size."""
        pools = [{"pool": repr(pool), "num_threads": size} for pool, size in living_pools()]
        return {**super().info(*args, **kwargs), "pools": pools}



class OpenMPLayerController(threadpoolctl.LibController):  # type: ignore[misc]
    """The library of `openmp_layer`: an upper limit on the teams of the calling thread."""

    user_api = "openmp"
    internal_api = USER_API
    filename_prefixes = ("_gomp",)
    check_symbols = ("tpi_gomp_set_number",)

    def get_num_threads(self) -> int:
        """The members of a region of the calling thread that asks for no number."""
        return int(self.dynlib.omp_get_max_threads())

    def set_num_threads(self, num_threads: int) -> None:
        """Limit regions of the calling thread that ask for no number; all it would have is none."""
        self.dynlib.tpi_gomp_set_number(0)
        if num_threads < self.get_num_threads():
            self.dynlib.tpi_gomp_set_number(max(1, num_threads))

    def get_version(self) -> str:
        """threadpool_iface's."""
        return __version__


threadpoolctl.register(ThreadpoolIfaceController)
threadpoolctl.register(OpenMPLayerController)
