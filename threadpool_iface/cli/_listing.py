"""Titled lists of names and values, by rich where it is installed, else as plain text."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_NAME_WIDTH = 16


class Section(NamedTuple):
    """A title, and lines of a name and a value."""

    title: str
    lines: Sequence[tuple[str, str]]


def show(sections: Iterable[Section], *, plain: bool = False) -> None:
    """Print them on standard output; sections without lines are left out."""
    filled = [section for section in sections if section.lines]
    try:
        if plain:
            raise ImportError
        import rich  # noqa: F401
    except ImportError:
        print("\n\n".join(map(_as_text, filled)))
    else:
        _show_richly(filled)


def _as_text(section: Section) -> str:
    width = max(60, shutil.get_terminal_size().columns)
    lines = [textwrap.fill(value, width, initial_indent=f"  {name:<{_NAME_WIDTH}}",
                           subsequent_indent=" " * (_NAME_WIDTH + 2), break_on_hyphens=False)
             for name, value in section.lines]
    return "\n".join([section.title, *lines])


def _show_richly(sections: Iterable[Section]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for section in sections:
        table = Table(title=section.title, title_justify="left", title_style="bold cyan",
                      show_header=False, box=None, padding=(0, 2, 0, 2), pad_edge=False)
        table.add_column(style="dim", no_wrap=True, min_width=_NAME_WIDTH)
        table.add_column(overflow="fold")
        for name, value in section.lines:
            table.add_row(f"  {name}", Text(value))
        console.print(table)
        console.print()
