"""Verbose lines: what ran, how it was split, and on how many threads.

`THREADPOOL_IFACE_VERBOSE=1` prints one CSV line for each execution of a primitive, `2` one for each
creation too; `set_verbose` does the same from code. Off, it costs one test of `level`.

    threadpool_iface,exec,<primitive>,<kernel>,<shape>,<attributes>,<decomposition>,<threads>,<pool>,<ms>

Shapes are in benchdnn's notation. `<threads>` reads `created:4/ran:2`: tasks the primitive was
created for, and threads that really ran them.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "THREADPOOL_IFACE_VERBOSE"
_LEVELS = (0, 1, 2)


def _from_environment() -> int:
    text = os.environ.get(VARIABLE, "0").strip() or "0"
    if text not in map(str, _LEVELS):
        raise ValueError(f"{VARIABLE} must be 0, 1 or 2, not {text!r}")
    return int(text)


level = _from_environment()


def set_verbose(value: int) -> int:
    """Set the level (0, 1 or 2) for the whole process; returns the one before.

    Raises
    ------
    ValueError
        `value` is not 0, 1 or 2.
    """
    global level
    if isinstance(value, bool) or value not in _LEVELS:
        raise ValueError(f"the verbose level must be 0, 1 or 2, not {value!r}")
    before, level = level, int(value)
    return before


def emit(*fields: object) -> None:
    """Print one line to stdout; commas inside a field become semicolons."""
    text = ",".join(str(f).replace(",", ";") for f in ("threadpool_iface", *fields))
    print(text, file=sys.stdout, flush=True)
