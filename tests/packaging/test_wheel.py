"""What a wheel carries, and that it works without the checkout."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope="module")
def names(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def _run(folder, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
                          capture_output=True, text=True, check=False)


def test_it_carries_every_module_of_both_packages_and_no_other(names, checkout):
    expected = {
        str(path.relative_to(checkout))
        for package in ("threadpool_iface", "kernels")
        for path in (checkout / package).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == expected


def test_it_carries_types_header_licence_and_core(names):
    assert {"threadpool_iface/py.typed", "kernels/py.typed",
            "threadpool_iface/native/include/threadpool_iface.h"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.startswith("threadpool_iface/native/_core.") for name in names)


def test_it_carries_no_sources_of_the_core_tests_or_benchmarks(names):
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"threadpool_iface", "kernels"}
    assert not [name for name in names if name.endswith(".c")]


def test_one_wheel_serves_later_pythons(wheel):
    if sys.version_info[:2] >= (3, 13) and not sys._is_gil_enabled():
        assert "-abi3-" not in wheel.name
    else:
        assert "-cp311-abi3-" in wheel.name


def test_numba_finds_the_entry_point(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        points = configparser.ConfigParser()
        points.read_string(archive.read(name).decode())
    assert dict(points["numba_extensions"]) == {"init": "threadpool_iface.nopython:init"}


def test_it_works_without_the_checkout(installed):
    done = _run(installed, sys.executable, "-c", """
import os, threadpool_iface as t
assert os.getcwd() in t.__file__, t.__file__
assert os.path.exists(os.path.join(t.get_include(), "threadpool_iface.h"))
with t.EigenLikePool(2) as pool, t.threadpool(pool):
    seen = []
    t.parallel(4, lambda i, n: seen.append(i))
    print(sorted(seen))
""")
    assert done.stdout == "[0, 1, 2, 3]\n", done.stderr


@pytest.mark.parametrize(("annotation", "verdict"), [("int", "Success"),
                                                      ("str", "Incompatible types in assignment")])
def test_type_checkers_see_its_types(wheel, tmp_path, annotation, verdict):
    environment, program = tmp_path / "environment", tmp_path / "program.py"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    shutil.unpack_archive(wheel, next(environment.glob("lib/python*/site-packages")), format="zip")
    program.write_text("from threadpool_iface import OmpLikePool\n"
                       f"size: {annotation} = OmpLikePool(2).num_threads\n")
    done = _run(tmp_path, sys.executable, "-m", "mypy", "--strict", "--no-incremental",
                "--python-executable", str(environment / "bin" / "python"), str(program))
    assert verdict in done.stdout, done.stdout + done.stderr
