"""The part of the build that pyproject.toml cannot say: the cffi extension and its errors."""

import os
import shutil
import sysconfig

from setuptools import setup
from setuptools.command.build_ext import build_ext

INSTALL = {
    "a C compiler": "gcc (Debian, Ubuntu, Fedora: package gcc; Alpine: build-base)",
    "Python's headers": "Python's development files (Debian, Ubuntu: python3-dev; "
    "Fedora: python3-devel; Alpine: python3-dev)",
}


def missing() -> "list[str]":
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    lacks = []
    if shutil.which(compiler) is None and shutil.which("cc") is None:
        lacks.append("a C compiler")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        lacks.append("Python's headers")
    return lacks


class BuildCore(build_ext):
    """Says what to install before a compiler says something less helpful."""

    def run(self):
        lacks = missing()
        if lacks:
            raise SystemExit(
                "threadpool-iface needs " + " and ".join(lacks) + " to build its C core. Install "
                + "; and ".join(INSTALL[what] for what in lacks) + "."
            )
        super().run()


setup(
    cffi_modules=["threadpool_iface/native/build.py:ffi"],
    cmdclass={"build_ext": BuildCore},
)
