"""Sees whether streams run at the same time, or only take turns because the function holds the GIL.

Streams that overlap take together as long as the longest; streams that take turns, as long as their
sum. What is summed is the time in which a stream runs or queues for a CPU, and not that in which it
waits for something else, the GIL or a disk: so neither a busy machine nor a function that sleeps
looks like turns. A batch that a stream began late, since its CPU was taken, tells nothing.
"""

from __future__ import annotations

from .team import Times

#: Batches in a row that must agree. One alone may have compiled something, which holds the GIL.
IN_A_ROW = 3
#: Batches looked at, whatever they showed: looking costs some 20 us for each stream. A guess.
_LOOKED_AT = 20
#: Shorter batches are more handing out than computing. A guess.
_SHORTEST = 1e-3


def took_turns(times: Times) -> bool | None:
    """Whether at most one stream ran at any time; None if these times cannot tell."""
    ready = [busy + queued for busy, queued in zip(times.busy, times.queued, strict=True)]
    if times.elapsed < _SHORTEST or max(ready) > 0.8 * sum(ready):
        return None
    if max(times.late) > 0.1 * times.elapsed:  # it may have begun when another had ended
        return None
    share = sum(ready) / times.elapsed
    return None if share < 0.8 else share < 1.2


class Watch:
    """Looks at batches until it knows, and tells once."""

    def __init__(self) -> None:
        self._left, self._turns, self._overlaps = _LOOKED_AT, 0, 0
        self._news: Times | None = None

    @property
    def watching(self) -> bool:
        """Whether it wants to see further batches."""
        return self._left > 0

    def see(self, times: Times) -> None:
        """A batch of more than one stream."""
        self._left -= 1
        turns = took_turns(times)
        if turns is None:
            return
        self._turns = self._turns + 1 if turns else 0
        self._overlaps = 0 if turns else self._overlaps + 1
        if max(self._turns, self._overlaps) == IN_A_ROW:
            self._left = 0
            self._news = times if turns else None

    def news(self) -> Times | None:
        """Of a batch whose streams took turns, once, when it is known that they do."""
        news, self._news = self._news, None
        return news
