"""Running a configuration once: its instances side by side, each on its cores, and none left over.

Each instance leads a session of its own, whose process group is killed before the instance is
waited for: until then its number cannot be another's. It also dies with the thread that started it,
whatever becomes of that. What an instance's children start in sessions of their own is theirs.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from ...launcher.environment import Settings, kept, variables
from ...launcher.instance import REPORT
from ...launcher.plan import Instance
from ...launcher.process import dying_with_parent, on_cpus
from ...topology.cpu_pool import CPUPool
from ..reporting import Report, read_reports

#: Of what a failing program wrote, what is told.
_TOLD = 2000


class InstanceError(RuntimeError):
    """An instance failed; the message has the end of what it wrote."""


def run_instances(command: Sequence[str], shares: Sequence[CPUPool], pool: str,
                  deadline: float) -> list[list[Report]] | None:
    """What each instance reported, or one report of an item for its whole run if it did not.

    None if `deadline`, on CLOCK_MONOTONIC, came first; the instances are ended then.

    Raises
    ------
    InstanceError
        One failed, and the others were ended; or its reports make no sense.
    OSError
        One could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="threadpool-iface-map-") as folder:
        instances: list[_Instance] = []
        try:
            for number, share in enumerate(shares):
                # As `threadpool-iface launch` has it, since that is how the program will run.
                place = Instance(number, tuple(share.core_ids), ())
                settings = variables(place, len(shares), Settings(pool), os.environ)
                instances.append(_Instance(command, share, settings, Path(folder, str(number))))
            if not _wait(instances, deadline):
                return None
        finally:
            for instance in instances:
                instance.end()
        return [instance.reports() for instance in instances]


class _Instance:
    """A process on its cores; its files start with `prefix`."""

    def __init__(self, command: Sequence[str], share: CPUPool, settings: Mapping[str, str],
                 prefix: Path) -> None:
        self._reports = prefix.with_suffix(".reports")
        self._output = prefix.with_suffix(".output")
        self.ended_at = 0.0
        self._started_at = monotonic()
        with open(self._output, "wb") as output, on_cpus(share):
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={**os.environ, **settings, REPORT: str(self._reports)},
                start_new_session=True, preexec_fn=dying_with_parent())

    @property
    def number(self) -> int:
        return self._process.pid

    def end(self) -> None:
        """Kill what is left of it and its children."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def check(self) -> None:
        """That it has ended, and ended well."""
        self.ended_at = monotonic()
        self._require(os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOWAIT))

    def _require(self, ended: os.waitid_result | None) -> None:
        assert ended is not None
        if ended.si_code == os.CLD_EXITED and ended.si_status == 0:
            return
        how = "exit status" if ended.si_code == os.CLD_EXITED else "signal"
        said = self._output.read_bytes()[-_TOLD:].decode(errors="replace").strip()
        raise InstanceError(f"an instance ended with {how} {ended.si_status}: {said}")

    def reports(self) -> list[Report]:
        self._reports.touch()
        try:
            reports = read_reports(self._reports.read_text())
        except ValueError as error:
            raise InstanceError(str(error)) from None
        return reports or [Report(1.0, self.ended_at - self._started_at, self.ended_at)]


def _wait(instances: Sequence[_Instance], deadline: float) -> bool:
    """Until all have ended, one has failed, or it is too late: then False."""
    watched = {os.pidfd_open(instance.number): instance for instance in instances}
    waiting = dict(watched)
    poll = select.poll()
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    try:
        while waiting:
            left = deadline - monotonic()
            if left <= 0:
                return False
            for descriptor, _ in poll.poll(min(1e3 * left + 1, 1e8)):
                poll.unregister(descriptor)
                waiting.pop(descriptor).check()
        return True
    finally:
        for descriptor in watched:
            os.close(descriptor)


def kept_settings() -> list[str]:
    """Variables of the user's own that stay in the instances, with their values."""
    return kept(Settings("any"), os.environ)
