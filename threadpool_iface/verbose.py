"""Verbose lines: what ran, how it was split, and on how many threads.

`THREADPOOL_IFACE_VERBOSE=1` prints one CSV line for each execution of a primitive, `2` one for each
creation too; `set_verbose` does the same from code. Off, it costs one test of `level`.
`THREADPOOL_IFACE_VERBOSE_FILE` names a file to append them to, instead of standard output.

    threadpool_iface,exec,<primitive>,<kernel>,<shape>,<attributes>,<decomposition>,<threads>,<pool>,<ms>

Shapes are in benchdnn's notation. `<threads>` reads `created:4/ran:2`: tasks the primitive was
created for, and threads that really ran them.
"""

from __future__ import annotations

import os
import sys
from functools import cache

VARIABLE = "THREADPOOL_IFACE_VERBOSE"
FILE_VARIABLE = "THREADPOOL_IFACE_VERBOSE_FILE"
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
    """Print one line; commas inside a field become semicolons.

    Raises
    ------
    OSError
        The file that the environment names cannot be written.
    """
    text = ",".join(str(f).replace(",", ";") for f in ("threadpool_iface", *fields))
    path = os.environ.get(FILE_VARIABLE)
    if path:
        # In one piece, since other threads and processes may write there too.
        os.write(_opened(path), f"{text}\n".encode())
    else:
        print(text, file=sys.stdout, flush=True)


@cache
def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
