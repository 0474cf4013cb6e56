"""Where threads are put: the kernel's files, the order of a policy, what a pool does with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from threadpool_iface import EigenLikePool, OmpLikePool
from threadpool_iface.topology import allowed_cpus
from threadpool_iface.topology.cpus import Cpu, read_cpus
from threadpool_iface.topology.placement import placed


def captured(tmp_path, cpus):
    """A fake /sys/devices/system/cpu: {number: (package, core id, sharing CPUs)}."""
    for number, (package, core, sharing) in cpus.items():
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{package}\n")
        (folder / "core_id").write_text(f"{core}\n")
        (folder / "thread_siblings_list").write_text(f"{sharing}\n")
    return str(tmp_path)


#: Two packages of two cores of two threads, numbered as Linux does on a Xeon: siblings 4 apart.
#: The core ids have a gap, as those of Xeons with cores fused off.
XEON = {0: (0, 0, "0,4"), 1: (0, 9, "1,5"), 2: (1, 0, "2,6"), 3: (1, 9, "3,7"),
        4: (0, 0, "0,4"), 5: (0, 9, "1,5"), 6: (1, 0, "2,6"), 7: (1, 9, "3,7")}
XEON_CPUS = [Cpu(0, 0, 0, 0), Cpu(1, 0, 1, 0), Cpu(2, 1, 0, 0), Cpu(3, 1, 1, 0),
             Cpu(4, 0, 0, 1), Cpu(5, 0, 1, 1), Cpu(6, 1, 0, 1), Cpu(7, 1, 1, 1)]


def test_places_are_ranks_not_the_kernels_ids(tmp_path):
    assert read_cpus(range(8), captured(tmp_path, XEON)) == XEON_CPUS


def test_a_mask_that_leaves_cpus_out_keeps_ranks_dense(tmp_path):
    assert read_cpus([7, 3, 6], captured(tmp_path, XEON)) == [
        Cpu(3, 0, 1, 0), Cpu(6, 0, 0, 0), Cpu(7, 0, 1, 1)]


def test_core_ids_that_repeat_in_clusters_are_different_cores(tmp_path):
    arm = {0: (0, 0, "0"), 1: (0, 1, "1"), 2: (0, 0, "2"), 3: (0, 1, "3")}
    assert sorted(cpu.core for cpu in read_cpus(range(4), captured(tmp_path, arm))) == [0, 1, 2, 3]


def test_a_virtual_machine_that_knows_no_package(tmp_path):
    assert read_cpus([0, 1], captured(tmp_path, {0: (-1, 0, "0"), 1: (-1, 1, "1")})) == [
        Cpu(0, 0, 0, 0), Cpu(1, 0, 1, 0)]


def test_without_files_every_cpu_is_a_core(tmp_path):
    assert read_cpus([3, 1], str(tmp_path)) == [Cpu(1, 0, 0, 0), Cpu(3, 0, 1, 0)]


@pytest.mark.parametrize(("policy", "permute", "offset", "order"), [
    # Threads of a core, cores of a package, packages.
    ("compact", 0, 0, [0, 4, 1, 5, 2, 6, 3, 7]),
    # One thread of every core before any second one: what most recipes for inference ask for.
    ("compact", 1, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
    ("compact", 2, 0, [0, 2, 1, 3, 4, 6, 5, 7]),
    ("compact", 7, 0, [0, 2, 1, 3, 4, 6, 5, 7]),
    ("compact", 0, 3, [5, 2, 6, 3, 7, 0, 4, 1]),
    ("compact", 0, 11, [5, 2, 6, 3, 7, 0, 4, 1]),
    ("scatter", 0, 0, [0, 2, 1, 3, 4, 6, 5, 7]),
    ("scatter", 1, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
    ("scatter", 2, 0, [0, 4, 1, 5, 2, 6, 3, 7]),
])
def test_orders_are_those_of_intels_runtime(policy, permute, offset, order):
    assert placed(XEON_CPUS, policy, permute, offset) == order


def where_workers_run(pool):
    """CPU masks of the threads of a region, the caller's left out."""
    masks = {}

    def task(ithr, nthr):
        masks[ithr] = os.sched_getaffinity(0)

    pool.run_together(pool.num_threads, task)
    return [masks[i] for i in range(1, pool.num_threads)]


@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
@pytest.mark.parametrize("policy", ["compact", "scatter"])
def test_a_policy_binds_each_worker_to_one_cpu(kind, policy):
    order = placed(read_cpus(allowed_cpus()), policy)
    with kind(min(2, len(order)), affinity=policy) as pool:
        assert pool.affinity == tuple(order)
        assert f"on CPUs {order}" in repr(pool)
        assert where_workers_run(pool) == [{cpu} for cpu in order[1:pool.num_threads]]


@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_another_policy_is_refused(kind):
    with pytest.raises(ValueError, match=r'"compact", "scatter" or a sequence.*balanced'):
        kind(2, affinity="balanced")


@pytest.mark.skipif(len(allowed_cpus()) < 2, reason="needs two CPUs")
@pytest.mark.parametrize("kind", [OmpLikePool, EigenLikePool])
def test_a_worker_that_shares_the_callers_cpu_may_leave_it_and_stays_unbound(kind):
    mask = os.sched_getaffinity(0)
    with kind(2) as pool:
        worker = []
        pool.run_together(2, lambda i, n: i and worker.append(threading.get_native_id()))
        here = min(mask)
        os.sched_setaffinity(0, {here})
        os.sched_setaffinity(worker[0], {here})  # on the caller's CPU, where both are kept ...
        os.sched_setaffinity(worker[0], mask)  # ... until the worker leaves
        try:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                pool.run_together(2, lambda i, n: None)
            assert os.sched_getaffinity(worker[0]) == mask
        finally:
            os.sched_setaffinity(0, mask)


def run(code, **variables):
    """The outcome of `code` in a fresh process with only these of the variables we read."""
    ours = ("OMP_NUM_THREADS", "KMP_AFFINITY", "KMP_BLOCKTIME", "KMP_SETTINGS",
            "ITEX_OMP_THREADPOOL", "THREADPOOL_IFACE_POOL")
    env = {k: v for k, v in os.environ.items() if k not in ours} | variables
    prelude = "from threadpool_iface import *\nimport warnings\nwarnings.simplefilter('ignore')\n"
    return subprocess.run([sys.executable, "-c", prelude + code], env=env, text=True,
                          capture_output=True, timeout=120)


FIRST, LAST = allowed_cpus()[0], allowed_cpus()[-1]
COMPACT = placed(read_cpus(allowed_cpus()), "compact", 1)


@pytest.mark.parametrize(("text", "cpus"), [
    ("granularity=fine,compact,1,0", COMPACT),
    ("granularity=fine,verbose,compact,1,0", COMPACT),
    ("Granularity=Thread, compact, 1", COMPACT),
    ("granularity=fine,scatter", placed(read_cpus(allowed_cpus()), "scatter")),
    ("granularity=fine,compact,0,1", placed(read_cpus(allowed_cpus()), "compact", 0, 1)),
    (f"granularity=thread,proclist=[{LAST},{FIRST}-{FIRST}],explicit,verbose,compact,1,0",
     [LAST, FIRST]),
])
def test_kmp_affinity_is_understood(text, cpus):
    done = run("print(list(OmpLikePool(2).affinity), EigenLikePool(2).affinity)", KMP_AFFINITY=text)
    assert done.stdout == f"{cpus} ()\n", done.stderr
    bound = f"thread 1 is bound to CPU {cpus[1 % len(cpus)]}\n"
    assert done.stderr.endswith(bound) if "verbose" in text else not done.stderr


@pytest.mark.parametrize(("text", "why"), [
    ("balanced", "'balanced' is not understood"),
    ("granularity=core,compact", "'granularity=core' is not understood"),
    ("granularity=fine,none", "'none' is not understood"),
    ("compact,1,0", "granularity=fine or granularity=thread is needed"),
    ("granularity=fine", "a policy is needed"),
    ("granularity=fine,explicit", "explicit and proclist=[...] go together"),
    ("granularity=fine,compact,proclist=[0]", "explicit and proclist=[...] go together"),
    ("granularity=fine,compact,1,0,5", "'5' is not understood"),
    ("granularity=fine,1,compact", "'1' is not understood"),
    ("granularity=fine,proclist=[3-1],explicit", "the range '3-1' in proclist is empty"),
    ("granularity=fine,proclist=[{0,1}],explicit", "'{0' in proclist is neither"),
    ("granularity=fine,proclist=[],explicit", "'' in proclist is neither"),
    ("granularity=fine,proclist=[0-3:2],explicit", "'0-3:2' in proclist is neither"),
    ("granularity=fine,proclist=[99999],explicit", "KMP_AFFINITY has CPU 99999; this machine has"),
])
def test_other_forms_of_kmp_affinity_are_refused_by_name(text, why):
    done = run("EigenLikePool(2)\nOmpLikePool(2, affinity='compact')\nOmpLikePool(2)",
               KMP_AFFINITY=text)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ValueError: ")
    assert "KMP_AFFINITY" in last
    assert why in last


def test_an_argument_wins_over_kmp_affinity():
    done = run(f"print(OmpLikePool(2, affinity=[{LAST}]).affinity)",
               KMP_AFFINITY="granularity=fine,compact,1,0")
    assert done.stdout == f"({LAST},)\n", done.stderr


def test_kmp_settings_prints_once_what_was_given_and_what_it_became():
    done = run("OmpLikePool(); OmpLikePool(1)", KMP_SETTINGS="1", OMP_NUM_THREADS="2,4",
               KMP_BLOCKTIME="30", KMP_AFFINITY="granularity=fine,compact,1,0")
    assert done.stdout == ""
    given, effective = done.stderr.split("Effective settings:")
    assert given.split() == ["User", "settings:", "OMP_NUM_THREADS=2,4", "KMP_BLOCKTIME=30",
                             "KMP_AFFINITY=granularity=fine,compact,1,0", "KMP_SETTINGS=1"]
    assert [line.strip() for line in effective.strip().splitlines()] == [
        "OMP_NUM_THREADS=2", "KMP_BLOCKTIME=30", f"KMP_AFFINITY=proclist={COMPACT},explicit"]


@pytest.mark.parametrize(("variables", "printed"), [
    ({"ITEX_OMP_THREADPOOL": "1"}, "OmpLikePool"), ({"ITEX_OMP_THREADPOOL": "0"}, "EigenLikePool"),
    ({"ITEX_OMP_THREADPOOL": "0", "THREADPOOL_IFACE_POOL": "omp"}, "OmpLikePool"), ({}, "NoneType"),
])
def test_the_default_pool_follows_the_tensorflow_extensions_variable(variables, printed):
    done = run("print(type(get_threadpool()).__name__)", **variables)
    assert done.stdout.strip() == printed, done.stderr


@pytest.mark.parametrize("variables", [{"ITEX_OMP_THREADPOOL": "yes"}, {"KMP_SETTINGS": "maybe"}])
def test_other_values_are_refused_by_name(variables):
    (name, value), = variables.items()
    done = run("OmpLikePool(2)", **variables)
    assert done.stderr.splitlines()[-1].startswith(f"ValueError: {name} must be ")
    assert repr(value) in done.stderr
