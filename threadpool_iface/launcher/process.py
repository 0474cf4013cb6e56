"""Starting an instance, and ending it with everything that it started.

Cores and memory policy are set in the launcher's own thread around the start, since a child has
them from there: what the kernel refuses is an error here, before the program runs. Each instance
leads a process group of its own, so that a signal can reach it with its children.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from subprocess import DEVNULL, PIPE, Popen

from ..topology.memory import memory_policy as policy_block
from .plan import Instance

#: Signals that are for the program rather than for what started it.
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
#: Memory policies that are about some nodes.
NEED_NODES = ("bind", "preferred", "interleave")


def start(command: Sequence[str], instance: Instance, memory_policy: str | None,
          environment: Mapping[str, str]) -> Popen[bytes]:
    """The process of an instance, which dies with this one; it reads nothing, and writes to pipes.

    Raises
    ------
    OSError
        There is no such program, or the system refuses to start it, or refuses the cores.
    UnsupportedError
        The system cannot set a memory policy.
    """
    with _memory(memory_policy, instance), on_cpus(instance.cpus):
        return Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment,
                     start_new_session=True, preexec_fn=dying_with_parent())


def dying_with_parent() -> Callable[[], None]:
    """What has a child killed when the calling thread ends, also if that is killed itself.

    To be called in the child before it runs its program.
    """
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def set_up() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return set_up


def has_ended(process: Popen[bytes]) -> bool:
    """Whether it has, without forgetting its number, which names its group as well."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def send(process: Popen[bytes], number: int) -> None:
    """Pass a signal on to an instance that has not been waited for.

    Ctrl-C and the final kill go to its children too, as from a terminal; other signals are for the
    program to handle.
    """
    if process.returncode is not None:
        return
    to = os.killpg if number in (signal.SIGINT, signal.SIGKILL) else os.kill
    with suppress(ProcessLookupError):
        to(process.pid, number)


def finish(process: Popen[bytes]) -> int:
    """Kill what is left of an instance and its children; its exit code, negative for a signal."""
    send(process, signal.SIGKILL)
    return process.wait()


def _memory(mode: str | None, instance: Instance) -> policy_block | nullcontext[None]:
    if mode is None:
        return nullcontext()
    return policy_block(mode, instance.nodes if mode in NEED_NODES else None)


@contextmanager
def on_cpus(cpus: Iterable[int]) -> Iterator[None]:
    """What the calling thread starts inside has this mask from the start: it never runs elsewhere.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
