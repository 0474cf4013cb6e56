"""Where the programs of this package print."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from .contenders import missing


def wide_console(width: int = 150) -> Console:
    """The terminal; a file or a pipe, which has no width, gets this one."""
    console = Console()
    return console if console.is_terminal else Console(width=width)


def note_missing(console: Console, names: Sequence[str]) -> None:
    """One line on what to install for the contenders that are left out."""
    absent = sorted({package for name in names for package in missing(name)})
    if absent:
        console.print(f"not installed, so left out: {', '.join(absent)} (pip install '.[peers]' "
                      "brings torch and onnxruntime; lib*-dev are the system's packages)",
                      style="yellow", markup=False)
