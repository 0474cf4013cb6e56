"""Reading the kernel's small text files."""

from __future__ import annotations

from collections.abc import Iterable


def read_text(path: str) -> str | None:
    """The file's text; None if it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def read_line(path: str) -> str:
    """The file's text without surrounding space; empty if it cannot be read."""
    return (read_text(path) or "").strip()


def read_int(path: str, otherwise: int) -> int:
    """The number in the file; `otherwise` if there is none, or a negative one.

    Virtual machines say -1 where they do not know.
    """
    text = read_line(path)
    return int(text) if text.isdecimal() else otherwise


def cpu_list(text: str) -> list[int]:
    """The numbers of a kernel CPU list, such as 0-3,8, ascending; empty if it is not one."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not dash:
            last = first
        if not (first.isdecimal() and last.isdecimal()):
            return []
        cpus.update(range(int(first), int(last) + 1))
    return sorted(cpus)


def ranges(numbers: Iterable[int]) -> str:
    """The other way round: ascending numbers as the kernel writes them, such as 0-3,8."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
