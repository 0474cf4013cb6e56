"""Reading the kernel's small text files."""

from __future__ import annotations


def read_text(path: str) -> str | None:
    """The file's text; None if it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return None


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
