"""A launch, from a plan to an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import BinaryIO

from .environment import Settings, kept, variables
from .instance import REPORT
from .output import Lines
from .plan import Instance, Plan
from .process import start
from .reports import Report
from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be run."""

    command: Sequence[str]
    plan: Plan
    settings: Settings
    memory_policy: str | None = None
    log_dir: Path | None = None
    stop_on_error: bool = False
    #: Seconds between asking instances to stop and killing them.
    grace: float = 10.0

    def environment(self, instance: Instance) -> dict[str, str]:
        """What an instance has beside, or instead of, the launcher's own environment."""
        return variables(instance, len(self.plan.instances), self.settings, os.environ)

    def introduction(self) -> list[str]:
        """What the user should know before it starts."""
        lines = [f"[{instance.index}] {instance}" for instance in self.plan.instances]
        if found := kept(self.settings, os.environ):
            lines.append("kept from your environment: " + " ".join(found))
        return [*lines, *(f"note: {note}" for note in self.plan.notes)]


def say(line: str) -> None:
    """Tell the user a line of the launcher's own, on standard error."""
    print(f"launch: {line}", file=sys.stderr, flush=True)


def launch(job: Launch) -> int:
    """Run all instances, and report; the exit status: 0 if all ended with 0.

    Raises
    ------
    OSError, UnsupportedError
        An instance cannot be started; then none is left running.
    """
    for line in job.introduction():
        say(line)
    supervisor = Supervisor(stop_on_error=job.stop_on_error, grace=job.grace, say=say)
    with ExitStack() as stack:
        stack.enter_context(supervisor)
        reports = [stack.enter_context(closing(Report())) for _ in job.plan.instances]
        for instance, report in zip(job.plan.instances, reports, strict=True):
            log = stack.enter_context(_log(job.log_dir, instance))
            process = _started(job, instance, {REPORT: report.path})
            supervisor.add(process, _lines(process, instance, log))
        codes = supervisor.wait()
        _tell_results([report.throughput() for report in reports])
    return 128 + supervisor.signal if supervisor.signal else _status(codes)


def _started(job: Launch, instance: Instance, more: Mapping[str, str]) -> Popen[bytes]:
    environment = {**os.environ, **job.environment(instance), **more}
    return start(job.command, instance, job.memory_policy, environment)


@contextmanager
def _log(folder: Path | None, instance: Instance) -> Iterator[BinaryIO | None]:
    if folder is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"instance-{instance.index}.log", "wb") as file:
        yield file


def _lines(process: Popen[bytes], instance: Instance, log: BinaryIO | None) -> list[Lines]:
    assert process.stdout
    assert process.stderr
    prefix = b"[%d] " % instance.index
    return [Lines(process.stdout, prefix, sys.stdout.buffer, log),
            Lines(process.stderr, prefix, sys.stderr.buffer, log)]


def _tell_results(throughputs: Sequence[float | None]) -> None:
    reported = {i: each for i, each in enumerate(throughputs) if each is not None}
    for index, each in reported.items():
        say(f"[{index}] {each:.6g} items/s")
    if reported:
        of = "" if len(reported) == len(throughputs) else f" of {len(reported)} that reported"
        say(f"sum {sum(reported.values()):.6g} items/s{of}")


def _status(codes: Sequence[int]) -> int:
    """That of the first instance that failed, as a shell would see it."""
    failed = next(filter(None, codes), 0)
    return failed if failed >= 0 else 128 - failed
