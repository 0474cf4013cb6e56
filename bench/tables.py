"""The tables a run prints, and the sentences that say which pool wins where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import exp, log

from rich.console import Console
from rich.table import Table

from .contenders import CONTENDERS
from .sections import BOUNDS, POOLS, Group

#: Differences below this are a tie: what the same code differs by from run to run.
TIE = 1.08
TITLES = {
    "latency": "Region latency: as many rendezvous tasks as threads, timed from C "
    "(hot; or 1 ms after the last, which the caller slept or worked)",
    "skewed": "Skewed loop: 64 chunks of triangular cost",
    "gemm": "GEMM, M x N x K, float32",
    "conv": "Convolution layers, batch 1, float32",
    "decomposition": "Layers created for N tasks, run on a pool of {threads}",
}


def label(name: str) -> str:
    return CONTENDERS[name].label or name


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def totals(groups: Iterable[Group]) -> dict[str, dict[str, float]]:
    """Seconds of each network on each contender, or contender and bound: sum(count * median).

    A contender that left out a layer has no total.
    """
    rows = list(groups)
    layers: dict[str, int] = defaultdict(int)
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for group in rows:
        layers[group.network] += 1
        for m in group.measurements:
            key = m.contender if m.case.bound is None else f"{m.contender}/{m.case.bound}"
            sums[group.network][key] += group.count * m.median
            seen[group.network, key] += 1
    return {net: {key: value for key, value in row.items() if seen[net, key] == layers[net]}
            for net, row in sums.items()}


def _cell(seconds: float, best: float, extra: str = "") -> str:
    ratio = seconds / best
    mark = "[bold green]best[/]" if ratio == 1 else "[green]tie[/]" if ratio < TIE else (
        f"{ratio:.2f}x")
    return f"{duration(seconds)}{extra}\n[dim]{mark}[/]"


def _names(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(m.contender for group in groups for m in group.measurements))


def _row(group: Group, names: list[str], flops: int) -> list[str]:
    by_name = {m.contender: m for m in group.measurements}
    best = min(m.median for m in group.measurements)
    cells = []
    for name in names:
        m = by_name.get(name)
        if m is None:
            cells.append("-")
            continue
        extra = f" {flops / m.median / 1e9:.0f}" if flops else ""
        if group.section == "latency":
            extra = f", p99 {duration(m.p99)}"
        cells.append(_cell(m.median, best, extra))
    return cells


def _plain(section: str, groups: Sequence[Group]) -> Table:
    names = _names(groups)
    title = TITLES[section] + ("; time and GFLOP/s" if groups[0].flops else "")
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(label(name), justify="right")
    for group in groups:
        name = group.label + (f" x{group.count}" if group.count > 1 else "")
        table.add_row(name, *_row(group, names, group.flops))
    return table


def _totals_table(groups: Sequence[Group]) -> Table:
    names = _names(groups)
    table = Table(title="Convolution layers of whole networks, batch 1: sum over layers",
                  title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(label(name), justify="right")
    for net, row in totals(groups).items():
        best = min(row.values())
        flops = sum(g.flops * g.count for g in groups if g.network == net)
        table.add_row(net, *(_cell(row[n], best, f" {flops / row[n] / 1e9:.0f}") if n in row
                             else "-" for n in names))
    return table


def _decomposition_table(groups: Sequence[Group], threads: int) -> Table:
    table = Table(title=TITLES["decomposition"].format(threads=threads), title_justify="left")
    for heading in ("", *(f"for {b}" if b != "execution" else "at execution" for b in BOUNDS)):
        table.add_column(heading, justify="right" if heading else "left")
    for net, row in totals(groups).items():
        for name in _names(groups):
            mine = {b: row[f"{name}/{b}"] for b in BOUNDS}
            best = min(mine.values())
            table.add_row(f"{net}\n[dim]{label(name)}[/]",
                          *(_cell(mine[b], best) for b in BOUNDS))
    return table


def show(console: Console, section: str, groups: Sequence[Group], threads: int) -> None:
    """Print a section's tables."""
    if section == "decomposition":
        console.print(_decomposition_table(groups, threads))
        return
    console.print(_plain(section, groups))
    if section == "conv":
        console.print(_totals_table(groups))


# -- sentences -----------------------------------------------------------------------------------


def _geomean(values: Iterable[float]) -> float:
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))


def _pool_scores(groups: Sequence[Group], pools: Sequence[str]) -> dict[str, float]:
    """Geometric mean over the groups of each pool's time relative to the best pool's."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for group in groups:
        mine = {m.contender: m.median for m in group.measurements if m.contender in pools}
        for name, seconds in mine.items():
            ratios[name].append(seconds / min(mine.values()))
    return {name: _geomean(values) for name, values in ratios.items()}


def winner(section: str, groups: Sequence[Group], threads: int) -> str:
    """One sentence on which of our pools wins a section, or what matching the split bought."""
    if section == "decomposition":
        return _matching(groups, threads)
    pools = (*POOLS, "omp-dynamic")
    scores = sorted(_pool_scores(groups, pools).items(), key=lambda item: item[1])
    if len(scores) < 2:
        return ""
    (best, first), *others = scores
    rest = ", ".join(f"{label(n)} {s / first:.2f}x" for n, s in others)
    tied = [label(n) for n, s in others if s / first < TIE]
    verb = f"ties with {' and '.join(tied)}" if tied else "wins"
    return f"{section}: {label(best)} {verb} (time relative to it: {rest})."


def _matching(groups: Sequence[Group], threads: int) -> str:
    sentences = []
    for net, row in totals(groups).items():
        for name in _names(groups):
            matched = row.get(f"{name}/{threads}", row[f"{name}/execution"])
            worse = {b: row[f"{name}/{b}"] / matched for b in BOUNDS if b != threads}
            text = ", ".join(f"{'at execution' if b == 'execution' else f'for {b}'}: {r:.2f}x"
                             for b, r in worse.items())
            sentences.append(f"decomposition: {net} on {label(name)}, relative to layers created "
                             f"for its {threads} threads: {text}.")
    return "\n".join(sentences)
