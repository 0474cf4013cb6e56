"""A table, by rich where it is installed, else as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], file: TextIO, *,
                plain: bool = False) -> None:
    """Write it; columns whose cells are all numbers are aligned at the right."""
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    try:
        if plain or not file.isatty():
            raise ImportError
        import rich  # noqa: F401
    except ImportError:
        file.write(_as_text([header, *rows], right))
    else:
        _write_richly(header, rows, right, file)


def _is_number(cell: str) -> bool:
    return cell.rstrip(" %").replace(".", "", 1).isdecimal()


def _as_text(lines: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.rjust(width) if to_right else cell.ljust(width)
                  for cell, width, to_right in zip(line, widths, right, strict=True)).rstrip()
        + "\n" for line in lines)


def _write_richly(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool],
                  file: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold cyan", box=None, pad_edge=False)
    for name, to_right in zip(header, right, strict=True):
        table.add_column(name, justify="right" if to_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=file, highlight=False).print(table)
