"""`python -m tests.numba_layer.numbas_own_tests`: numba's own tests of its parallel code, with the
layer and without.

Each module of tests runs in processes of its own: one with stock numba, one for each pool. What
counts is a test that fails with the layer only. `--quick` runs the parts that end within a minute
or two; all of it takes hours, most of them in `numba.tests.test_parallel_backend`.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from threadpool_iface.numba_layer import VARIABLE

#: Of `numba.tests.test_parfors`, by the name of a class.
PARFORS = ("TestParforBasic", "TestParforNumericalMisc", "TestParforNumPy", "TestParfors",
           "TestParforsBitMask", "TestParforsDiagnostics", "TestParforsLeaks", "TestParforsMisc",
           "TestParforsOptions", "TestParforsSlice", "TestParforsVectorizer", "TestPrangeBasic",
           "TestPrangeSpecific", "TestParforChunksizing", "TestParforReductionSetNumThreads")
#: Of `numba.tests.test_parallel_backend`. The last takes longest: it runs `TestParallelBackend`,
#: threads and processes that compile and call parallel functions, on each of numba's layers.
BACKEND = ("TestMiscBackendIssues", "TestThreadingLayerSelection", "TestThreadingLayerPriority",
           "TestInitSafetyIssues", "TestForkSafetyIssues", "TestTBBSpecificIssues",
           "TestSpecificBackend")
#: Names that one process is given.
QUICK = (
    "npyufunc.test_parallel_low_work npyufunc.test_parallel_ufunc_issues "
    "npyufunc.test_parallel_env_variable npyufunc.test_gufunc.TestGUFuncParallel "
    "npyufunc.test_vectorize_decor.TestParallelVectorizeDecor",
    "test_parfors.TestParforsBitMask test_parfors.TestParforReductionSetNumThreads "
    "test_parfors.TestParforChunksizing",
)
FULL = (
    *(f"npyufunc.{module}" for module in (
        "test_parallel_low_work", "test_parallel_ufunc_issues", "test_parallel_env_variable",
        "test_vectorize_decor", "test_gufunc", "test_ufunc")),
    *(f"test_parfors.{name}" for name in PARFORS),
    *(f"test_parallel_backend.{name}" for name in BACKEND),
)
#: What fails with the layer because it expects threads of numba's own layer, and why that is right.
EXPECTED = {
    "numba.tests.test_parallel_backend.TestTBBSpecificIssues.test_fork_from_non_main_thread":
        "expects TBB to warn of a fork, which has started no threads here",
}
POOLS = ("omp", "eigen")
#: A line of unittest's, whatever the test printed between its name and its verdict.
_STARTED = re.compile(r"^(\w+) \(([\w.]+)\)", re.M)
_FAILED = re.compile(r"^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)", re.M)
_RAN = re.compile(r"^Ran (\d+) tests? in", re.M)
_SKIPPED = re.compile(r"skipped=(\d+)")


@dataclass
class Outcome:
    """What one process said about a module of tests."""

    ran: int = 0
    skipped: int = 0
    failed: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.ran}, {self.skipped}, {len(self.failed)}"


def outcome_of(text: str, status: int) -> Outcome:
    """Read unittest's report; a process that ended without one failed in its last test."""
    failed = {_name(*found) for found in _FAILED.findall(text)}
    ran, skipped = _RAN.search(text), _SKIPPED.search(text)
    if ran is None:
        started = _STARTED.findall(text)
        last = _name(*started[-1]) if started else "before the first test"
        return Outcome(len(started), 0, {*failed, f"{last}: ended with status {status}"})
    return Outcome(int(ran[1]), int(skipped[1]) if skipped else 0, failed)


def _name(test: str, where: str) -> str:
    return where if where.endswith(f".{test}") else f"{where}.{test}"


def run(names: str, pool: str | None, seconds: float) -> Outcome:
    """Run some of numba's tests in a process of their own, stopped after `seconds`."""
    environment = dict(os.environ)
    if "test_parfors" in names:
        environment["SUBPROC_TEST"] = "1"  # they are skipped where nobody says it is a subprocess
    if pool is not None:
        environment |= {VARIABLE: "1", "THREADPOOL_IFACE_POOL": pool}
    process = subprocess.Popen([sys.executable, "-m", "numba.runtests", "-v",
                                *(f"numba.tests.{name}" for name in names.split())],
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the tests' own processes too
        text, _ = process.communicate()
    return outcome_of(text, process.returncode)


def compare(modules: Sequence[str], pools: Sequence[str], seconds: float) -> int:
    """Print what each process said, then what fails with the layer only; how many that is."""
    ours: list[str] = []
    expected: set[str] = set()
    print("numba's own tests: run, skipped, failed")
    _print_row("", ["stock numba", *pools])
    for names in modules:
        stock, *others = (run(names, pool, seconds) for pool in (None, *pools))
        _print_row(names, map(str, (stock, *others)))
        for pool, outcome in zip(pools, others, strict=True):
            new = outcome.failed - stock.failed
            expected |= new & EXPECTED.keys()
            ours += [f"{pool}: {name}" for name in sorted(new - EXPECTED.keys())]
    print("only with the layer fail:", *(ours or ["none"]), sep="\n    ")
    for name in sorted(expected):
        print(f"and, as it must, {name}: {EXPECTED[name]}")
    return len(ours)


def _print_row(names: str, cells: Iterable[str]) -> None:
    *others, last = names.split(" ")
    print(*others, f"{last:50}" + "".join(f"{cell:>16}" for cell in cells), sep="\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.numba_layer.numbas_own_tests",
                                     description=__doc__)
    parser.add_argument("modules", nargs="*", help="of numba.tests, instead of what is listed")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pool", choices=POOLS, action="append", help="both, if not given")
    parser.add_argument("--seconds", type=float, default=7200, help="for one module, at most")
    given = parser.parse_args(arguments)
    modules = given.modules or (QUICK if given.quick else FULL)
    return min(1, compare(modules, given.pool or POOLS, given.seconds))


if __name__ == "__main__":
    sys.exit(main())
