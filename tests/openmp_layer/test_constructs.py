"""Every OpenMP construct, on libgomp and on both pools: `constructs.c` checks itself."""

from __future__ import annotations

import re

import pytest

from .building import HERE, RUNTIMES, compile_program, compile_with_layer, run

SOURCE = HERE / "constructs.c"
CONSTRUCTS = re.findall(r"CONSTRUCT\((\w+)\),", SOURCE.read_text())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return compile_program(SOURCE, tmp_path_factory.mktemp("constructs"))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_a_construct(program, construct, runtime):
    done = run(program, construct, runtime=runtime)
    assert (done.returncode, done.stdout) == (0, "1 constructs, 0 wrong\n"), done.stderr[-2000:]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("variables", [
    {"OMP_NUM_THREADS": "1"}, {"OMP_SCHEDULE": "guided,5"},
    {"OMP_WAIT_POLICY": "passive"}, {"OMP_WAIT_POLICY": "active"}, {"OMP_DYNAMIC": "false"},
    {"OMP_STACKSIZE": "256K"}, {"OMP_MAX_TASK_PRIORITY": "10"},
], ids=lambda variables: "-".join(f"{k}={v}" for k, v in variables.items()))
def test_all_with_a_variable(program, runtime, variables):
    done = run(program, runtime=runtime, **variables)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module", params=["thread", "address,undefined"])
def sanitized(request, tmp_path_factory):
    flags = [f"-fsanitize={request.param}", "-fno-sanitize-recover=all"]
    return compile_with_layer(SOURCE, tmp_path_factory.mktemp("sanitized"), *flags)


@pytest.mark.parametrize("pool", ["omp", "eigen"])
def test_the_layer_is_clean(sanitized, pool):
    done = run(sanitized, runtime=pool, preload=False, TSAN_OPTIONS="halt_on_error=1")
    assert (done.returncode, done.stdout) == (0, f"{len(CONSTRUCTS)} constructs, 0 wrong\n"), (
        done.stderr[-4000:])
