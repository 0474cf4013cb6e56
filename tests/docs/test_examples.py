"""Every example runs, in its quick form, and prints what it is there to show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

#: The last thing an example prints.
PRINTS = {
    "heat_equation": r"us for a step$",
    "kmeans": r"^results: equal$",
    "mandelbrot": r"^results: equal on all layers$",
    "monte_carlo": r"^different prices: 1 by parallel_reduce",
    "pairs": r"^results: equal on all layers$",
    "softmax": r"^results: equal to NumPy's within rounding$",
    "stencil_from_threads": r"^results: equal on all layers$",
    "torch_streams": r"^results: equal to plain PyTorch's within rounding$",
}
#: What an example needs beyond the tests' own packages.
NEEDS = {"torch_streams": "torch"}
#: What the others import, and what has tests of its own, in tests/dask.
NOT_HERE = ("layers", "dask_batches")


@pytest.fixture(scope="module", autouse=True)
def _shared_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(tmp_path_factory.mktemp("numba-cache")))
        yield


def ended(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "ignore", *arguments], cwd=EXAMPLES, text=True,
                          env={**os.environ, **environment}, capture_output=True, timeout=300,
                          check=False)


def run(*arguments: str, **environment: str) -> str:
    done = ended(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def prepared(statement: str, name: str) -> str:
    """A program that runs the example after this statement."""
    return (f"import os, runpy, sys; {statement}; "
            f"runpy.run_path('{name}.py', run_name='__main__')")


def need(name: str) -> None:
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")


def test_every_example_is_listed():
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == {*PRINTS, *NOT_HERE}
    assert set(re.findall(r"\((\w+)\.py\)", (EXAMPLES / "README.md").read_text())) == scripts


@pytest.mark.parametrize("name", PRINTS)
def test_it_prints_what_it_shows(name):
    need(name)
    assert re.search(PRINTS[name], run(f"{name}.py", "--quick").strip(), re.M)


def test_an_example_of_several_cores_runs_on_one():
    need("torch_streams")
    on_one_core = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    printed = run("-c", prepared(on_one_core, "torch_streams"), "--quick")
    assert re.search(PRINTS["torch_streams"], printed, re.M)


def test_a_package_that_an_example_needs_is_named():
    done = ended("-c", prepared("sys.modules['torch'] = None", "torch_streams"), "--quick")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "torch_streams.py needs PyTorch: pip install torch\n"


def present_layers() -> list[str]:
    """numba's own: TBB's needs its library."""
    tbb = ["tbb"] if find_library("tbb") else []
    return ["omp", "workqueue", *tbb]


def test_a_program_gives_the_same_on_every_layer_unchanged():
    stock = [run("heat_equation.py", "--quick", NUMBA_THREADING_LAYER=layer)
             for layer in present_layers()]
    ours = [run("-m", "threadpool_iface.numba_layer", "heat_equation.py", "--quick",
                THREADPOOL_IFACE_POOL=pool) for pool in ("omp", "eigen")]
    assert len({printed.splitlines()[0] for printed in (*stock, *ours)}) == 1


def compared(prepare: str, folder: Path) -> str:
    """What `layers.compare` prints of some layers, given a function of whether to be quick.
    """
    script = folder / "example.py"
    script.write_text(f"import os, numba, layers\n"
                      f"layers.STOCK, layers.OURS = ('omp', 'workqueue'), ('OmpLikePool',)\n"
                      f"{prepare}\n"
                      f"layers.compare(prepare)\n")
    return run(str(script), "--quick", PYTHONPATH=str(EXAMPLES))


def test_a_layer_that_dies_is_reported_and_not_compared(tmp_path):
    printed = compared("def prepare(quick):\n"
                       "    if numba.config.THREADING_LAYER == 'workqueue':\n"
                       "        os.abort()\n"
                       "    return lambda: 1.0", tmp_path)
    assert re.search(r"^workqueue +-  the process was ended by SIGABRT$", printed, re.M)
    assert "results: equal on all layers" in printed


def test_layers_that_disagree_are_seen(tmp_path):
    printed = compared("def prepare(quick):\n"
                       "    return lambda: len(numba.config.THREADING_LAYER)", tmp_path)
    assert "results differ" in printed
