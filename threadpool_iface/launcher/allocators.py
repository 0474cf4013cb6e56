"""Where the libraries of other memory allocators are."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

#: Names of the libraries, the better one first, and the package that Debian has them in.
_LIBRARIES = {
    "jemalloc": (("libjemalloc.so",), "libjemalloc2"),
    "tcmalloc": (("libtcmalloc.so", "libtcmalloc_minimal.so"), "libgoogle-perftools4"),
}
NAMES = ("default", *_LIBRARIES)


def library(name: str) -> str:
    """The path to preload for an allocator; empty for "default".

    Raises
    ------
    ValueError
        It is not installed.
    """
    if name == "default":
        return ""
    files, package = _LIBRARIES[name]
    folders = list(_folders())
    for file in files:
        for folder in folders:
            found = sorted(folder.glob(f"{file}*"))
            if found:
                return str(found[0])
    raise ValueError(f"--allocator {name}: {files[0]} is not installed (Debian's package "
                     f"{package}); looked in {', '.join(map(str, folders))}")


def _folders() -> Iterator[Path]:
    listed = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    usual = [f"{sys.prefix}/lib", "/usr/local/lib", f"/usr/lib/{multiarch}", "/usr/lib64",
             "/usr/lib"]
    for folder in dict.fromkeys([*filter(None, listed), *usual]):
        if os.path.isdir(folder):
            yield Path(folder)
