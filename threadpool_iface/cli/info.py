"""`threadpool-iface info`: what the machine has, what this process may use, what to change."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from typing import Any

from ..topology.advice import Advice, advice
from ..topology.caches import Cache
from ..topology.files import ranges
from ..topology.machine import Machine, read_machine
from ._listing import Section, show

HELP = "what this machine has, what this process may use of it, and what to change for speed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of this command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plain", action="store_true", help="print text without colours")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    machine = read_machine()
    found = advice(machine)
    if options.json:
        print(json.dumps(as_dict(machine, found), indent=2))
    else:
        show(sections(machine, found), plain=options.plain)
    return 0


def as_dict(machine: Machine, found: list[Advice]) -> dict[str, Any]:
    """What `--json` prints: the fields of `Machine`, what follows from them, and the advice."""
    read = {field.name: _plain(getattr(machine, field.name)) for field in fields(machine)}
    return read | {
        "sockets": list(machine.sockets),
        "cores": _plain(machine.cores),
        "default_num_threads": machine.default_num_threads,
        "advice": _plain(found),
    }


def _plain(value: Any) -> Any:
    """Named tuples as objects, which JSON would write as lists."""
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def sections(machine: Machine, found: list[Advice]) -> list[Section]:
    """What is printed otherwise."""
    return [
        Section("CPU", _named([
            ("model", machine.model or machine.architecture),
            ("instructions", " ".join(machine.isa)),
            ("sockets", str(len(machine.sockets))),
            ("cores", f"{len(machine.cores)}, {_threads_a_core(machine)}"),
            *((f"{kind.name} cores", ranges(kind.cpus))
              for kind in machine.kinds if len(machine.kinds) > 1)])),
        Section("Memory", _named([
            *((f"node {node.number}", f"CPUs {ranges(node.cpus) or 'none'}, "
               f"{_size(node.memory)}, distances {' '.join(map(str, node.distances))}")
              for node in machine.nodes),
            *_caches(machine.caches),
            ("huge pages", machine.pages.huge),
            ("page moving", _switch(machine.pages.balancing))])),
        Section("This process", _named([
            ("affinity mask",
             f"{ranges(machine.allowed)} ({_counted(len(machine.allowed), 'CPU')})"),
            ("cpuset", ranges(machine.cpuset.cpus)),
            ("memory nodes", ranges(machine.cpuset.nodes)),
            ("CPU quota", "none" if machine.quota is None else f"{machine.quota:g} CPUs"),
            ("pools' size", f"{_counted(machine.default_num_threads, 'thread')} by default")])),
        Section("Power", _named([
            ("governor", ", ".join(machine.power.governors)),
            ("turbo", _switch(machine.power.turbo)),
            ("idle states", ", ".join(f"{state.name} ({state.latency} us)"
                                      for state in machine.power.idle_states if state.enabled))])),
        Section("What to change for speed", _numbered(found)),
    ]


def _named(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, text) for name, text in lines if text]


def _numbered(found: list[Advice]) -> list[tuple[str, str]]:
    if not found:
        return [("", "nothing that these files tell")]
    return [line for item in found
            for line in (("now", item.now), ("change", item.change), ("why", item.why))]


def _threads_a_core(machine: Machine) -> str:
    counts = sorted({len(core) for core in machine.cores})
    return f"{' or '.join(map(str, counts))} hardware thread{'s' * (counts != [1])} each"


def _caches(caches: tuple[Cache, ...]) -> list[tuple[str, str]]:
    """One line for each sort of cache, since most machines have many of a few sorts."""
    sorts: dict[tuple[int, str, int, int], int] = {}
    for cache in caches:
        key = (cache.level, cache.kind, cache.size, len(cache.cpus))
        sorts[key] = sorts.get(key, 0) + 1
    return [(f"L{level} {kind}", f"{number} x {_size(size)}, each of {_counted(sharing, 'CPU')}")
            for (level, kind, size, sharing), number in sorts.items()]


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _size(size: int) -> str:
    if not size:
        return "size unknown"
    power = min(3, (size.bit_length() - 1) // 10)
    return f"{size / (1 << 10 * power):.3g} {('B', 'KiB', 'MiB', 'GiB')[power]}"


def _switch(on: bool | None) -> str:
    return {None: "", True: "on", False: "off"}[on]
