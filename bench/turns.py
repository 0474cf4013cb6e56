"""Turns: each contender in a process of its own, one awake at a time, in blocks of calls.

Pools that spin spoil each other, even between calls: two such libraries used in turn in one process
cost one of them a factor of 40. So a contender whose turn is over is stopped (SIGSTOP) with all its
threads. Turns, not one long run each, because the clock drifts; the figure is the median over the
blocks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from threadpool_iface.launcher.process import dying_with_parent

from .cases import Case

#: Names differ by library; each reads its own when it starts.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                    "NUMBA_NUM_THREADS")
CHECKOUT = Path(__file__).parent.parent


class ContenderError(RuntimeError):
    """A contender failed, died, or computed something else than the others."""


class DeadContenderError(ContenderError):
    """Its process ended."""


@dataclass
class Measurement:
    """Seconds per call of one contender on one case."""

    contender: str
    case: Case
    blocks: list[float] = field(default_factory=list)  # each block's median
    samples: list[float] = field(default_factory=list)  # each call, if the body times itself
    tails: list[float] = field(default_factory=list)  # and then each block's 99th percentile
    layers: list[np.ndarray] = field(default_factory=list)  # a chain: each block's medians

    def add(self, times: np.ndarray) -> None:
        """Take in one block; of a chain, a row of layers for each run."""
        if times.ndim == 2:
            self.layers.append(np.median(times, axis=0))
            times = times.sum(axis=1)
        self.blocks.append(float(np.median(times)))
        if len(times) > 1:
            self.samples.extend(map(float, times))
            self.tails.append(float(np.percentile(times, 99)))

    @property
    def median(self) -> float:
        return float(np.median(self.samples or self.blocks))

    @property
    def p99(self) -> float:
        """Median over the blocks: one that something else disturbed would make up all the tail."""
        return float(np.median(self.tails) if self.tails else max(self.blocks))


class Player:
    """A contender's process, stopped unless it is its turn."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._connection, theirs = Pipe()
        env = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
        env["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", name, str(threads), str(theirs.fileno())],
            env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=CHECKOUT,
            preexec_fn=dying_with_parent())  # stopped, it would not notice that nobody reads
        theirs.close()
        self._receive()
        self._sleep()

    def ask(self, *message: Any) -> Any:
        """Wake the process, have it do one thing, and stop it again."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)
        try:
            self._connection.send(message)
            return self._receive()
        except OSError:  # broken pipe, connection reset
            self._died()
        finally:
            self._sleep()

    def _sleep(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGSTOP)

    def _receive(self) -> Any:
        try:
            status, value = self._connection.recv()
        except EOFError:
            self._died()
        if status == "failed":
            raise ContenderError(f"{self.name}: {value}")
        return value

    def _died(self) -> NoReturn:
        raise DeadContenderError(f"{self.name} died with status {self._process.wait()}") from None

    def end(self) -> None:
        with suppress(ProcessLookupError, BrokenPipeError):
            os.kill(self._process.pid, signal.SIGCONT)
            self._connection.send(("stop",))
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Table:
    """All contenders of a run. A context manager: leaving ends their processes."""

    def __init__(self, names: Iterable[str], threads: int) -> None:
        self.players: dict[str, Player] = {}
        self.threads = threads
        try:
            for name in names:
                self.players[name] = Player(name, threads)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        for player in self.players.values():
            player.end()

    def measure(
        self, jobs: list[tuple[str, Case]], blocks: int, seconds: float
    ) -> list[Measurement]:
        """Time (contender, case) pairs in turns: `blocks` blocks of about `seconds` each.

        Contenders that cannot do a case are left out. The jobs are of one problem: arrays that
        contenders compute must agree.

        Raises
        ------
        ContenderError
            A contender failed, or its result differs.
        """
        running: dict[str, dict[str, Measurement]] = {}
        answers: dict[str, np.ndarray] = {}
        for number, (name, case) in enumerate(jobs):
            can, answer = self.players[name].ask("prepare", str(number), case, seconds)
            if can:
                running.setdefault(name, {})[str(number)] = Measurement(name, case)
            if answer is not None:
                answers[f"{name} ({case.bound})" if case.bound else name] = answer
        _must_agree(answers, jobs[0][1])
        for block in range(blocks):
            for name, mine in running.items():
                keys = list(mine)
                first = block % len(keys)  # a different one starts each turn
                keys = keys[first:] + keys[:first]
                turn = self.players[name].ask("turn", keys)
                for key, times in zip(keys, turn, strict=True):
                    mine[key].add(times)
        for name in running:
            self.players[name].ask("forget")
        return [measurement for mine in running.values() for measurement in mine.values()]


def _must_agree(answers: dict[str, np.ndarray], case: Case) -> None:
    if not answers:
        return
    first, *others = answers
    scale = float(np.abs(answers[first]).max()) or 1.0
    for other in others:
        worst = float(np.abs(answers[other] - answers[first]).max()) / scale
        if not worst < 1e-3:  # also catches NaN
            raise ContenderError(f"{case}: {other} and {first} differ by {worst:.1e} of the "
                                 "largest value")
