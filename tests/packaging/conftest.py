"""One wheel, built from a copy of the checkout, for every test here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
NOT_SOURCES = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "*.so", "__pycache__", "bench-results"
)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A copy of the sources, without anything built."""
    copy = tmp_path_factory.mktemp("checkout") / "sources"
    shutil.copytree(CHECKOUT, copy, ignore=NOT_SOURCES)
    return copy


@pytest.fixture(scope="session")
def wheel(checkout, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "-w", str(folder), str(checkout)],
        capture_output=True, text=True, check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder to import from, that holds what an installed wheel does and nothing of the checkout.
    """
    folder = tmp_path_factory.mktemp("installed")
    shutil.unpack_archive(wheel, folder, format="zip")
    return folder
