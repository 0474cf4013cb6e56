"""`threadpool-iface who script.py`: runs a program and tells which pools it had."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import threading

from ..census import Census, PoolUse, who

HELP = "run a program and tell which pools it had, who used them, and with how many threads"
#: Seconds between two looks: short beside what is worth knowing, long beside a look's 50 us.
_PERIOD = 0.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument("script", help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")


def run(options: argparse.Namespace) -> int:
    """Run it; its exit status."""
    if not os.path.isfile(options.script):
        print(f"threadpool-iface who: {options.script} is not a file", file=sys.stderr)
        return 2
    watch = _Watch()
    watch.start()
    try:
        return _exit_status(options.script, options.arguments)
    finally:
        print(watch.report(), file=sys.stderr)


def _exit_status(script: str, arguments: list[str]) -> int:
    sys.argv[:] = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return ending.code or 0
        print(ending.code, file=sys.stderr)
        return 1
    return 0


class _Watch(threading.Thread):
    """Looks around again and again, and keeps what it saw last of every pool."""

    def __init__(self) -> None:
        super().__init__(name="threadpool-iface who", daemon=True)
        self._ended = threading.Event()
        self._looks = 0
        #: By the number of the pool: what it was last, and in how many looks a region was running.
        self._seen: dict[int, tuple[PoolUse, int]] = {}
        self._last: Census | None = None

    def run(self) -> None:
        while not self._ended.wait(_PERIOD):
            self._look()

    def _look(self) -> None:
        self._looks += 1
        self._last = who()
        for use in self._last.pools:
            _, busy = self._seen.get(use.number, (use, 0))
            self._seen[use.number] = (use, busy + use.running)

    def report(self) -> str:
        """What was there, and how often a region was running."""
        self._ended.set()
        self.join()
        self._look()
        shown = []
        for use, busy in self._seen.values():
            shown.append(f"{use}\n  a region was running in {busy} of {self._looks} looks")
        last = self._last
        assert last is not None
        rest = [*last.layers, *last.others, f"this process may run {last.machine} threads at once"]
        return "\n".join(["threadpool-iface who:", *(shown or ["no pools"]), *rest])
