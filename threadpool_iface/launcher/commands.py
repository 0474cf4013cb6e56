"""The program's command, and the same as a line for a shell, with the tools it would take there."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from ..topology.files import ranges
from .plan import Instance

_NUMACTL = {"bind": "--membind", "preferred": "--preferred", "interleave": "--interleave"}


def program(script: str, arguments: Sequence[str], *, module: bool, no_python: bool) -> list[str]:
    """The command that runs a script, a module or another program with these arguments.

    Raises
    ------
    ValueError
        The script does not exist.
    """
    if no_python:
        return [script, *arguments]
    if module:
        return [sys.executable, "-m", script, *arguments]
    if not os.path.exists(script):
        raise ValueError(f"script {script!r} does not exist")
    return [sys.executable, script, *arguments]


def as_line(command: Sequence[str], instance: Instance, memory_policy: str | None,
            environment: Mapping[str, str]) -> str:
    """What to type to run one instance by hand."""
    settings = [f"{name}={text}" for name, text in sorted(environment.items())]
    return shlex.join(["env", *settings, *_bound(instance, memory_policy), *command])


def _bound(instance: Instance, memory_policy: str | None) -> list[str]:
    cpus = ranges(instance.cpus)
    if memory_policy in (None, "default"):
        return ["taskset", "-c", cpus]
    if memory_policy == "local":
        return ["numactl", f"--physcpubind={cpus}", "--localalloc"]
    return ["numactl", f"--physcpubind={cpus}",
            f"{_NUMACTL[str(memory_policy)]}={ranges(instance.nodes)}"]
