"""The part of the build that pyproject.toml cannot say: the cffi extension and its errors."""

import os
import runpy
import shlex
import shutil
import sysconfig

from setuptools import setup
from setuptools.command.build_ext import build_ext

INSTALL = (
    "Debian, Ubuntu: apt install gcc libc6-dev python3-dev; "
    "Fedora: dnf install gcc python3-devel; Alpine: apk add build-base python3-dev"
)


def missing() -> "list[str]":
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    lacks = []
    if shutil.which(compiler) is None:
        lacks.append(f"a C compiler ({compiler} is not there)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        lacks.append("Python's headers")
    return lacks


class BuildCore(build_ext):
    """Says what to install before a compiler says something less helpful."""

    def run(self):
        lacks = missing()
        if lacks:
            raise SystemExit(
                f"threadpool-iface needs {' and '.join(lacks)} to build its C core. {INSTALL}."
            )
        super().run()


# cffi builds against the stable ABI, so one wheel serves every later Python with a GIL.
stable_abi = not sysconfig.get_config_var("Py_GIL_DISABLED")

BUILD = "threadpool_iface/native/build.py"

setup(
    cffi_modules=[f"{BUILD}:ffi"],
    ext_modules=[runpy.run_path(BUILD)["openmp_library"]()],
    cmdclass={"build_ext": BuildCore},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if stable_abi else {},
)
