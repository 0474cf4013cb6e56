"""Finding the number of streams by running a batch with each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

#: A batch that takes less is repeated, or the clock and the threads' waking would be what is timed.
_TURN = 0.005
#: Rounds and seconds after which nothing is learned that the machine's drift would not spoil. Both
#: are guesses; three rounds are what a median needs.
_LEAST, _MOST, _SECONDS = 3, 15, 0.5
#: A number of streams that is so much slower than the fastest is not measured again. A guess.
_HOPELESS = 1.3
#: Within this the fewest streams win: they need the least memory.
TIE = 1.03


def candidates(cores: int, items: int) -> list[int]:
    """Powers of two and divisors of the cores, up to a stream for each core or item."""
    most = max(1, min(cores, items))
    powers = {1 << power for power in range(most.bit_length())}
    return sorted(count for count in powers | {most} | set(range(1, most + 1))
                  if count in powers or count == most or cores % count == 0)


def fastest(counts: Sequence[int], run: Callable[[int], float]) -> int:
    """The count whose batches take the shortest; `run(count)` runs one and returns its seconds.

    They take turns, since clocks drift, and a first batch of each is not counted, since it may
    compile.
    """
    if len(counts) == 1:
        return counts[0]
    for count in counts:
        run(count)
    times: dict[int, list[float]] = {count: [] for count in counts}
    racing, start = list(counts), perf_counter()
    for number in range(_MOST):
        for count in racing:
            times[count].append(_turn(count, run))
        racing = _hopeful(racing, times)
        if (number + 1 >= _LEAST and perf_counter() - start > _SECONDS) or len(racing) == 1:
            break
    best = min(median(times[count]) for count in racing)
    return min(count for count in racing if median(times[count]) <= TIE * best)


def _turn(count: int, run: Callable[[int], float]) -> float:
    """Of a batch; the first one after another count's finds cold caches, so it counts only if long.
    """
    start, seconds = perf_counter(), [run(count)]
    while perf_counter() - start < _TURN:
        seconds.append(run(count))
    return median(seconds[1:] or seconds)


def _hopeful(racing: Sequence[int], times: dict[int, list[float]]) -> list[int]:
    best = min(median(times[count]) for count in racing)
    return [count for count in racing if median(times[count]) <= _HOPELESS * best]
