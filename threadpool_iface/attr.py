"""PrimitiveAttr: what a primitive is created with besides its shapes. A value; never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .arguments import MAX_THREADS, checked_int
from .decomposition import Decomposition

ALGORITHMS = ("auto", "direct", "winograd")
TUNINGS = ("model", "search")


@dataclass(frozen=True)
class PrimitiveAttr:
    """Attributes of a primitive.

    Parameters
    ----------
    max_num_threads : int or None
        The most tasks the primitive's work is split into. `None`: `get_max_threads()` when the
        primitive is created. `0`: one task, always on the calling thread, never through a pool.
        `n >= 1`: at most `n` tasks, run by whatever pool is active at execution. The result has
        the same bits for every value.
    decomposition : "creation", "execution" or Decomposition
        When the split is chosen: once, when the primitive is created; or at every execution, from
        the smaller of the bound and the size of the pool that runs it. A `Decomposition` is used
        as given, if its grid fits the problem and the bound.
    algorithm : "auto", "direct" or "winograd"
        How a convolution is computed. "auto" chooses from its shape alone. Winograd takes 2.25 to 4
        times fewer multiplications for 3x3 kernels of stride 1 and rounds differently; what it
        cannot do is refused when the primitive is created.
    tuning : "model" or "search"
        How the split is chosen at creation: by the cost model, or by timing the model's best
        candidates on the active pool, which takes some milliseconds the first time; winners are
        kept on disk. Neither changes a result.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, or outside its domain.
    """

    max_num_threads: int | None = None
    decomposition: Literal["creation", "execution"] | Decomposition = "creation"
    algorithm: Literal["auto", "direct", "winograd"] = "auto"
    tuning: Literal["model", "search"] = "model"

    def __post_init__(self) -> None:
        if self.max_num_threads is not None:
            bound = checked_int(self.max_num_threads, "max_num_threads", 0, MAX_THREADS)
            object.__setattr__(self, "max_num_threads", bound)
        choice = self.decomposition
        if not isinstance(choice, Decomposition) and choice not in ("creation", "execution"):
            kind = ValueError if isinstance(choice, str) else TypeError
            raise kind(
                'decomposition must be "creation", "execution" or a Decomposition, '
                f"not {choice!r}"
            )
        if self.algorithm not in ALGORITHMS:
            kind = ValueError if isinstance(self.algorithm, str) else TypeError
            raise kind(f'algorithm must be "auto", "direct" or "winograd", not {self.algorithm!r}')
        if self.tuning not in TUNINGS:
            kind = ValueError if isinstance(self.tuning, str) else TypeError
            raise kind(f'tuning must be "model" or "search", not {self.tuning!r}')
        if self.tuning == "search" and self.decomposition != "creation":
            raise ValueError('tuning="search" chooses the split at creation; it does not go with '
                             f"decomposition={self.decomposition!r}")
