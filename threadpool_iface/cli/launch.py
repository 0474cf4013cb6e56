"""`threadpool-iface launch`: a program several times, each instance on cores of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..arguments import checked_int
from ..errors import UnsupportedError
from ..launcher import allocators
from ..launcher.commands import as_line, program
from ..launcher.cores import Selection
from ..launcher.environment import Settings
from ..launcher.launching import Launch, launch
from ..launcher.plan import Plan, made_plan
from ..launcher.process import NEED_NODES
from ..launcher.sharing import LATENCY_CORES, Shares
from ..openmp_layer.library import path as openmp_library
from ..topology.files import cpu_list
from ..topology.machine import read_machine

HELP = "run a program once or several times, each instance on cores of its own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    _add_shares(parser.add_argument_group("instances"))
    _add_cores(parser.add_argument_group("cores"))
    _add_environment(parser.add_argument_group("threads and memory"))
    _add_run(parser.add_argument_group("running"))
    parser.add_argument("script", help="the program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")


def _add_shares(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--ninstances", type=int, metavar="N", help="how many; by default one")
    group.add_argument("--ncores-per-instance", type=int, metavar="C",
                       help="cores of each; without --ninstances as many instances as fit")
    group.add_argument("--latency-mode", action="store_true",
                       help=f"as many instances of {LATENCY_CORES} cores as fit")
    group.add_argument("--throughput-mode", action="store_true",
                       help="one instance on each NUMA node")
    group.add_argument("--oversubscribe", action="store_true",
                       help="let instances share cores, of which they then have one each, or C")


def _add_cores(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--node-id", type=int, metavar="NODE", help="on the cores of a NUMA node")
    group.add_argument("--nodes", metavar="LIST", help="on the cores of some nodes, such as 0,2-3")
    group.add_argument("--core-list", metavar="LIST",
                       help="on these CPUs, such as 0-3,8, and no others")
    group.add_argument("--use-logical-cores", action="store_true",
                       help="on all hardware threads of a core, not one")
    group.add_argument("--use-e-cores", action="store_true",
                       help="also on the slow cores of a hybrid CPU")


def _add_environment(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pool", choices=("omp", "eigen"),
                       help="the default pool; omp unless THREADPOOL_IFACE_POOL says otherwise")
    group.add_argument("--openmp", action="store_true",
                       help="run the regions of OpenMP programs that use libgomp on the pool")
    group.add_argument("--allocator", choices=allocators.NAMES, default="default",
                       help="preload a memory allocator that is installed")
    group.add_argument("--memory-policy",
                       choices=("bind", "preferred", "interleave", "local", "default"),
                       help="where memory comes from, among the nodes of an instance's cores")


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--log-dir", type=Path, metavar="DIR",
                       help="write each instance's output to DIR/instance-N.log too")
    group.add_argument("--stop-on-error", action="store_true",
                       help="stop the other instances when one fails")
    group.add_argument("--grace", type=float, default=10.0, metavar="SECONDS",
                       help="between asking instances to stop and killing them (10)")
    group.add_argument("--dry-run", action="store_true",
                       help="print the commands that would do the same, and run nothing")
    group.add_argument("-m", "--module", action="store_true", help="the program is a module")
    group.add_argument("--no-python", action="store_true",
                       help="the program is a command, not a script")


def run(options: argparse.Namespace) -> int:
    """Launch; 2 if the options cannot be obeyed here, else the first failure's exit code."""
    try:
        job = _job(options)
        if not options.dry_run:
            return launch(job)
        for instance in job.plan.instances:
            print(as_line(job.command, instance, job.memory_policy, job.environment(instance)))
        return 0
    except (ValueError, UnsupportedError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"threadpool-iface launch: error: {error}", file=sys.stderr)
        return 2


def _job(options: argparse.Namespace) -> Launch:
    plan = made_plan(_selection(options), _shares(options), read_machine())
    _check_memory_policy(options.memory_policy, plan)
    if not options.grace >= 0:
        raise ValueError(f"--grace must be at least 0 seconds, not {options.grace}")
    return Launch(
        program(options.script, options.arguments, module=options.module,
                no_python=options.no_python),
        plan, Settings(options.pool, allocators.library(options.allocator),
                       openmp_library() if options.openmp else ""),
        memory_policy=options.memory_policy, log_dir=options.log_dir,
        stop_on_error=options.stop_on_error, grace=options.grace,
    )


def _check_memory_policy(policy: str | None, plan: Plan) -> None:
    counts = {len(instance.nodes) for instance in plan.instances}
    if policy in NEED_NODES and counts == {0}:
        raise ValueError(f"--memory-policy {policy}: this kernel has no NUMA nodes")
    if policy == "preferred" and max(counts) > 1:
        raise ValueError("--memory-policy preferred is for instances on one node each, and "
                         "these lie across nodes")


def _selection(options: argparse.Namespace) -> Selection:
    _at_most_one(options, "node_id", "nodes", "core_list")
    nodes = _list(options.nodes, "--nodes")
    if options.node_id is not None:
        nodes = (checked_int(options.node_id, "--node-id", 0),)
    return Selection(nodes, _list(options.core_list, "--core-list"),
                     logical=options.use_logical_cores, e_cores=options.use_e_cores)


def _shares(options: argparse.Namespace) -> Shares:
    _at_most_one(options, "latency_mode", "throughput_mode", "ncores_per_instance")
    _at_most_one(options, "throughput_mode", "ninstances")
    _at_most_one(options, "throughput_mode", "oversubscribe")
    _at_most_one(options, "module", "no_python")
    if options.oversubscribe and options.ninstances is None:
        raise ValueError("--oversubscribe needs --ninstances")
    for name in ("ninstances", "ncores_per_instance"):
        if getattr(options, name) is not None:
            checked_int(getattr(options, name), _option(name), 1)
    mode = "latency" if options.latency_mode else "throughput" if options.throughput_mode else ""
    return Shares(options.ninstances, options.ncores_per_instance, mode, options.oversubscribe)


def _at_most_one(options: argparse.Namespace, *names: str) -> None:
    # Not `in`: node 0 equals False.
    values = {name: getattr(options, name) for name in names}
    given = [_option(name) for name, value in values.items()
             if value is not None and value is not False]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} cannot be combined")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _list(text: str | None, name: str) -> tuple[int, ...]:
    if text is None:
        return ()
    numbers = cpu_list(text)
    if not numbers:
        raise ValueError(f"{name} must be numbers and ranges such as 0-3,8, not {text!r}")
    return tuple(numbers)
