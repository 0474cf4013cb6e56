"""A process that forks while its other threads keep two pools busy; `forks.py` runs many of these.

    python -m tests.threadpool_iface.forking SEED FORKS

The forks are made outside regions and in tasks: of the caller, of workers, of Python's threads. The
child uses the pool or does not, and ends in one of three ways. It must end as it should, in time
and silently. For each fork a line of JSON is printed: an `Outcome`. Children write to stderr, which
must be a file that can be read. A process that takes too long, parent or child, writes there what
its threads were doing, and is ended by SIGALRM.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle, islice, product

from threadpool_iface import (
    CPUPool,
    EigenLikePool,
    OmpLikePool,
    Task,
    ThreadpoolError,
    ThreadpoolIface,
    barrier,
    in_parallel,
    parallel,
    threadpool,
)

from .busy import BUSY, NATIVE, Pools, busy
from .pools_under_test import ThreadPerTask

#: Guesses: a child takes milliseconds. The parent waits for its child.
CHILD_SECONDS, PARENT_SECONDS = 30, 120
#: What a child ends with that says so itself.
DONE = 7
#: Busy threads beside the one that forks. More of them only wait for each other.
BUSY_AT_ONCE = 4


@dataclass(frozen=True)
class Fork:
    """On which pool, from where, whether the child uses the pool, and how it ends."""

    pool: str
    place: str
    use: bool
    end: str

    @property
    def status(self) -> int:
        """What the child must end with."""
        # A thread of Python's that leaves by `sys.exit` just ends.
        silent = self.end == "sys.exit" and self.place in IN_A_THREAD_OF_PYTHON
        return 0 if silent or self.end == "return" else DONE

    def __str__(self) -> str:
        return ", ".join([self.pool, self.place, "uses it" if self.use else "idle", self.end])


@dataclass(frozen=True)
class Outcome:
    """What became of a fork; `lost` says what was wrong, and is empty if nothing was."""

    fork: str
    beside: str
    lost: str


# -- the child -----------------------------------------------------------------------------------


def use(pool: ThreadpoolIface) -> None:
    """Regions, a gang and scheduled tasks on the parent's pool; then close it."""
    assert not in_parallel()
    seen: list[int] = []
    pool.parallel_for(5, lambda i, n: seen.append(i))
    pool.parallel_for(5, NATIVE)
    with threadpool(pool):
        parallel(2, lambda i, n: seen.append(5 + i))
    pool.run_together(2, lambda i, n: (barrier(), seen.append(7 + i)))
    if isinstance(pool, EigenLikePool):
        latches = [pool.schedule(seen.append, 9 + i) for i in range(3)]
        for latch in latches:
            latch.wait()
    pool.close()
    assert sorted(seen) == list(range(len(seen))), seen
    assert len(seen) >= 9, seen


class Forker:
    """Forks when it is first called. What the child does is done where it was called."""

    def __init__(self, fork: Fork, pool: ThreadpoolIface) -> None:
        self._fork, self._pool = fork, pool
        #: As `os.fork` returned it; None before that.
        self.child: int | None = None

    def __call__(self) -> None:
        if self.child is None:
            self.child = os.fork()
            if self.child == 0:
                self._be_the_child()

    def _be_the_child(self) -> None:
        if self._fork.use:
            use(self._pool)
        if self._fork.end == "os._exit":
            os._exit(DONE)
        if self._fork.end == "sys.exit":
            sys.exit(DONE)


# -- where it is forked --------------------------------------------------------------------------


class OneByOne(ThreadpoolIface):
    """A pool written in Python whose tasks all run on the caller."""

    num_threads = 1

    def parallel_for(self, n, fn):
        for i in range(n):
            fn(i, n)


@contextmanager
def fails_in_the_child(forker: Forker) -> Iterator[None]:
    """A region of the parent's: the child does not have its other tasks."""
    try:
        yield
    except ThreadpoolError:
        if forker.child != 0:
            raise
    else:
        assert forker.child != 0, "in the child, the parent's region did not fail"


Start = Callable[[Callable[[int, int], None]], None]


def in_a_task(start: Start, forker: Forker, on_caller: bool) -> None:
    """Regions until one of the tasks has run where it is to fork."""
    caller = threading.get_ident()

    def task(i: int, n: int) -> None:
        if (threading.get_ident() == caller) == on_caller:
            forker()
        elif forker.child is None:
            time.sleep(0.001)  # so that the other thread gets a task as well

    while forker.child is None:
        with fails_in_the_child(forker):
            start(task)


def of_caller(pool: ThreadpoolIface, forker: Forker) -> None:
    in_a_task(lambda task: pool.parallel_for(4, task), forker, on_caller=True)


def of_worker(pool: ThreadpoolIface, forker: Forker) -> None:
    in_a_task(lambda task: pool.parallel_for(4, task), forker, on_caller=False)


def of_gangs_caller(pool: ThreadpoolIface, forker: Forker) -> None:
    in_a_task(lambda task: pool.run_together(2, task), forker, on_caller=True)


def of_gangs_worker(pool: ThreadpoolIface, forker: Forker) -> None:
    in_a_task(lambda task: pool.run_together(2, task), forker, on_caller=False)


def of_scheduled_task(pool: ThreadpoolIface, forker: Forker) -> None:
    """On a worker; or here, if the workers have more to do than their queues hold."""
    assert isinstance(pool, EigenLikePool)
    latch = pool.schedule(forker)
    while forker.child is None:
        time.sleep(0.001)
    with fails_in_the_child(forker):
        latch.wait()


def of_python_pools_caller(pool: ThreadpoolIface, forker: Forker) -> None:
    with OneByOne() as mine:
        of_caller(mine, forker)


def of_python_pools_thread(pool: ThreadpoolIface, forker: Forker) -> None:
    with ThreadPerTask() as mine:
        mine.parallel_for(2, lambda i, n: forker() if i == 0 else None)


def of_task_on_cores(pool: ThreadpoolIface, forker: Forker) -> None:
    with Task(forker, CPUPool([min(os.sched_getaffinity(0))])) as task:
        task().result()


def in_a_block(pool: ThreadpoolIface, forker: Forker) -> None:
    with threadpool(pool):
        forker()


def in_a_thread(place: Callable[..., None], *args: object) -> None:
    thread = threading.Thread(target=place, args=args)
    thread.start()
    thread.join()


PLACES: dict[str, Callable[[ThreadpoolIface, Forker], None]] = {
    "outside": lambda pool, forker: forker(),
    "block": in_a_block,
    "thread": lambda pool, forker: in_a_thread(forker),
    "caller": of_caller,
    "thread's caller": lambda pool, forker: in_a_thread(of_caller, pool, forker),
    "worker": of_worker,
    "gang's caller": of_gangs_caller,
    "gang's worker": of_gangs_worker,
    "scheduled": of_scheduled_task,
    "Python pool's caller": of_python_pools_caller,
    "Python pool's thread": of_python_pools_thread,
    "task on cores": of_task_on_cores,
}
IN_A_THREAD_OF_PYTHON = {"thread", "thread's caller", "Python pool's thread", "task on cores"}


def every_fork() -> list[Fork]:
    pools, ends = ["OmpLikePool", "EigenLikePool"], ["return", "sys.exit", "os._exit"]
    combined = product(pools, PLACES, [False, True], ends)
    return [Fork(pool, place, use, end) for pool, place, use, end in combined
            if place != "scheduled" or pool == "EigenLikePool"]


# -- the parent ----------------------------------------------------------------------------------


def wait_for(child: int) -> int:
    """Its status. The parent keeps its time: a child may hang before its fork has returned."""
    signals = iter([signal.SIGALRM, signal.SIGKILL])
    end = time.monotonic() + CHILD_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, next(signals))
            end += CHILD_SECONDS
        time.sleep(0.001)


def what_was_wrong(status: int, wanted: int, wrote: str) -> str:
    if status == -signal.SIGALRM:
        return f"hung\n{wrote}"
    if status != wanted:
        return f"status {status}, not {wanted}\n{wrote}"
    return f"wrote something\n{wrote}" if wrote else ""


def one(fork: Fork, pools: Pools) -> str | None:
    """What was wrong with it; None in the child."""
    before = os.fstat(2).st_size
    signal.alarm(PARENT_SECONDS)
    forker = Forker(fork, pools[fork.pool])
    PLACES[fork.place](pools[fork.pool], forker)
    assert forker.child is not None, "it was not forked"
    if forker.child == 0:
        return None
    status = wait_for(forker.child)
    wrote = os.pread(2, 20_000, before).decode(errors="replace")
    return what_was_wrong(status, fork.status, wrote)


def main(seed: int, forks: int) -> None:
    faulthandler.enable()
    faulthandler.register(signal.SIGALRM, chain=True)
    sys.setswitchinterval(0.0002)  # not 5 ms: other threads get further between two forks
    signal.alarm(PARENT_SECONDS)
    chance = random.Random(seed)
    every = every_fork()
    chance.shuffle(every)
    beside = chance.sample(sorted(BUSY), BUSY_AT_ONCE)
    pools: Pools = {"OmpLikePool": OmpLikePool(2), "EigenLikePool": EigenLikePool(2)}
    with busy(beside, pools) as threads:
        for fork in islice(cycle(every), forks):
            lost = one(fork, pools)
            if lost is None:
                return
            line = json.dumps(asdict(Outcome(str(fork), ", ".join(beside), lost)))
            os.write(1, line.encode() + b"\n")
        assert all(thread.is_alive() for thread in threads), "a busy thread has failed"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
