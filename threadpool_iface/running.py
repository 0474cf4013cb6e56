"""A program run as `python -m a_layer script.py` runs it, in this process."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable


def run_program(usage: str, install: Callable[[], object]) -> None:
    """Install a layer, then run the script or module that the command line names.

    Raises
    ------
    SystemExit
        It names none; with the usage.
    """
    arguments = sys.argv[1:]
    as_module = arguments[:1] == ["-m"]
    program = arguments[as_module:]
    if not program or (program[0].startswith("-") and not as_module):
        raise SystemExit(usage)
    install()
    sys.argv[:] = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(program[0]))
        runpy.run_path(program[0], run_name="__main__")
