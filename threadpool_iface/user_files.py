"""JSON that outlives a process: calibration and tuning, in a folder of the user's own.

`THREADPOOL_IFACE_CACHE_DIR`, else `XDG_CACHE_HOME`/threadpool-iface, else
~/.cache/threadpool-iface. Wrong data could only make things slower, but a folder that somebody else
could have written is not read: it is ignored with a warning.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import warnings
from pathlib import Path
from typing import Any


def folder() -> Path:
    """Where the files are; it need not exist.

    Raises
    ------
    FileNotFoundError
        This user has no home and no variable says where else.
    """
    given = os.environ.get("THREADPOOL_IFACE_CACHE_DIR")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base, "threadpool-iface")
    try:
        return Path.home() / ".cache" / "threadpool-iface"
    except RuntimeError:
        raise FileNotFoundError("this user has no home folder; set THREADPOOL_IFACE_CACHE_DIR to "
                                "a folder of your own") from None


def only_ours(path: str | os.PathLike[str]) -> bool:
    """Whether only this user, or root, can have written the folder; one not yet made is fine."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return True
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & stat.S_IWOTH


def read_json(name: str) -> dict[str, Any]:
    """The object in this file; empty if there is none, or none to be trusted."""
    try:
        path = folder() / name
    except FileNotFoundError:
        return {}
    try:
        if not only_ours(path.parent):
            _ignored(path, "its folder belongs to another user or is writable by others")
            return {}
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _ignored(path, str(error))
        return {}
    if not isinstance(data, dict):
        _ignored(path, "it does not hold an object")
        return {}
    return data


def write_json(name: str, data: dict[str, Any]) -> Path:
    """Write the file whole or not at all; returns its path.

    Raises
    ------
    PermissionError
        The folder belongs to another user or is writable by others.
    OSError
        It cannot be written, or there is no folder for it.
    """
    path = folder() / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not only_ours(path.parent):
        raise PermissionError(f"{path.parent} belongs to another user or is writable by others; "
                              "set THREADPOOL_IFACE_CACHE_DIR to a folder of your own")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _ignored(path: Path, why: str) -> None:
    warnings.warn(f"{path} is ignored: {why}", RuntimeWarning, stacklevel=4)
