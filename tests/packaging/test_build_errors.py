"""A build or an import that cannot work says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

BUILD = ["setup.py", "build_ext", "--inplace"]


def _python(folder, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(folder), **env}, check=False)


def test_a_missing_compiler_names_what_to_install(checkout):
    done = _python(checkout, *BUILD, CC="no-such-compiler -pthread")
    assert done.returncode != 0
    assert "a C compiler (no-such-compiler is not there)" in done.stderr
    assert "apt install gcc" in done.stderr


def test_missing_headers_name_what_to_install(checkout):
    pretend = f"""
import runpy, sys, sysconfig
real = sysconfig.get_paths
sysconfig.get_paths = lambda *args, **kwargs: {{**real(*args, **kwargs), "include": "/none"}}
sys.argv = {BUILD}
runpy.run_path("setup.py", run_name="__main__")
"""
    done = _python(checkout, "-c", pretend)
    assert done.returncode != 0
    assert "Python's headers" in done.stderr
    assert "python3-dev" in done.stderr
    assert "dnf install gcc python3-devel" in done.stderr
    assert "compiler" not in done.stderr.split("to build")[0]


@pytest.fixture
def editable(checkout, installed, tmp_path):
    """Sources with a core built from them, as an editable install has them."""
    folder = tmp_path / "editable"
    shutil.copytree(checkout / "threadpool_iface", folder / "threadpool_iface")
    for built in (installed / "threadpool_iface" / "native").glob("_core.*"):
        shutil.copy(built, folder / "threadpool_iface" / "native")
    return folder


def test_sources_that_match_the_core_are_imported(editable):
    done = _python(editable, "-c", "import threadpool_iface; print(threadpool_iface.__file__)")
    assert done.stdout.startswith(str(editable)), done.stderr


@pytest.mark.parametrize("changed", ["src/region.c", "src/waiting.h", "include/threadpool_iface.h",
                                     "glue/python_pool.h"])
def test_a_changed_source_is_refused_with_the_command_to_rebuild(editable, changed):
    with open(editable / "threadpool_iface" / "native" / changed, "a") as file:
        file.write("/* changed */\n")
    done = _python(editable, "-c", "import threadpool_iface")
    assert "ImportError: the C sources of threadpool_iface have changed" in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.parametrize("changed", ["src/new.c", "src/run_queue.h"])
def test_an_added_or_removed_source_is_refused(editable, changed):
    file = editable / "threadpool_iface" / "native" / changed
    if file.exists():
        file.unlink()
    else:
        file.write_text("")
    done = _python(editable, "-c", "import threadpool_iface")
    assert "have changed since it was built" in done.stderr


def test_a_core_that_was_never_built_is_an_import_error(checkout):
    done = _python(checkout, "-c", "import threadpool_iface")
    assert "ImportError: the C core of threadpool_iface is not built" in done.stderr
    assert "pip install" in done.stderr
