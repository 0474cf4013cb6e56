"""`python -m tests.openmp_layer.random_nests [PROGRAMS]`: random programs of nested OpenMP
constructs give on our pools what they give on libgomp.

A program adds up numbers that say which construct ran, in which member of which team, for which
iteration; addition forgets the order, and nothing else.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
from pathlib import Path

from rich.progress import track

from .building import RUNTIMES, compile_program, run

HEADER = """
#include <omp.h>
#include <stdio.h>
static unsigned long long total;
static void add(unsigned long long what, long i) {
    unsigned long long x = what * 1000003u + (unsigned long long)i * 7919u;
    for (int level = omp_get_level(); level > 0; --level)
        x = x * 31 + (unsigned)omp_get_team_size(level);
    x ^= x >> 7;
    __atomic_fetch_add(&total, x * x + x, __ATOMIC_RELAXED);
}
static void add_member(unsigned long long what) { add(what, omp_get_thread_num()); }
"""
SCHEDULES = ("static", "static, 3", "dynamic", "dynamic, 4", "guided", "guided, 2", "runtime",
             "monotonic: dynamic, 2")


class Program:
    """Generates one, of so many functions."""

    def __init__(self, seed: int, functions: int = 25) -> None:
        self._random = random.Random(seed)
        self._next = 0
        bodies = [self._function(i) for i in range(functions)]
        calls = "".join(f"    f{i}();\n" for i in range(functions))
        self.text = HEADER + "".join(bodies) + (
            "int main(void) {\n    omp_set_max_active_levels(3);\n" + calls +
            '    printf("%llu\\n", total);\n    return 0;\n}\n')

    def _function(self, index: int) -> str:
        return f"static void f{index}(void) {{\n{self._region(0)}}}\n"

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _choose(self, *options: str) -> str:
        return self._random.choice(options)

    def _region(self, depth: int) -> str:
        n = self._random.randint(1, 4 if depth == 0 else 2)
        statements = "".join(self._in_region(depth + 1)
                             for _ in range(self._random.randint(1, 4)))
        return f"#pragma omp parallel num_threads({n})\n{{\n{statements}}}\n"

    def _in_region(self, depth: int) -> str:
        """What every member of a team meets."""
        kinds = [self._loop, self._ordered, self._sections, self._single, self._critical,
                 self._barrier, self._member, self._tasks, self._task_loop, self._reduction,
                 self._copy, self._dependences]
        return self._random.choice(kinds)(depth)

    def _inside(self, depth: int) -> str:
        """What one thread meets, inside a construct: another region perhaps, or tasks."""
        number = self._number()
        if depth < 3 and self._random.random() < 0.25:
            return self._region(depth)
        if self._random.random() < 0.2:
            return f"#pragma omp task\nadd({number}, 1);\n"
        return f"add({number}, 0);\n"

    def _loop(self, depth: int) -> str:
        n, number = self._random.randint(1, 40), self._number()
        wait = self._choose("", " nowait")
        kind = self._choose("int", "long", "unsigned long long")
        head = (f"for ({kind} i = 0; i < {n}; i += {self._random.randint(1, 3)})"
                if self._random.random() < 0.7 or kind == "unsigned long long"
                else f"for ({kind} i = {n}; i > -3; i -= 2)")
        body = self._inside(depth) if n < 6 else ""
        return (f"#pragma omp for schedule({self._choose(*SCHEDULES)}){wait}\n{head} {{\n"
                f"add({number}, (long)i);\n{body}}}\n")

    def _ordered(self, depth: int) -> str:
        n, number = self._random.randint(0, 20), self._number()
        return (f"{{ static unsigned long long chain; chain = 1;\n"
                f"#pragma omp barrier\n"
                f"#pragma omp for ordered schedule({self._choose(*SCHEDULES[:-1])})\n"
                f"for (int i = 0; i < {n}; ++i) {{\n#pragma omp ordered\n"
                f"chain = chain * 31 + i;\n}}\n"
                f"#pragma omp single\nadd({number}, (long)(chain % 1000)); }}\n"
                if depth == 1 else f"add({number}, 3);\n")

    def _sections(self, depth: int) -> str:
        parts = "".join(f"#pragma omp section\n{{\n{self._inside(depth)}}}\n"
                        for _ in range(self._random.randint(1, 5)))
        return f"#pragma omp sections{self._choose('', ' nowait')}\n{{\n{parts}}}\n"

    def _single(self, depth: int) -> str:
        inside = self._inside(depth)
        return f"#pragma omp single{self._choose('', ' nowait')}\n{{\n{inside}}}\n"

    def _copy(self, depth: int) -> str:
        number = self._number()
        return (f"{{ int x = 0;\n#pragma omp single copyprivate(x)\nx = {number};\n"
                f"add(x, 2); }}\n")

    def _critical(self, depth: int) -> str:
        name = self._choose("", " (first)", " (second)")
        return f"#pragma omp critical{name}\nadd_member({self._number()});\n"

    def _barrier(self, depth: int) -> str:
        return "#pragma omp barrier\n"

    def _member(self, depth: int) -> str:
        inside = self._inside(depth) if self._random.random() < 0.3 else ""
        return f"add_member({self._number()});\n{inside}"

    def _tasks(self, depth: int) -> str:
        count, number = self._random.randint(1, 8), self._number()
        inner = f"#pragma omp task\nadd({self._number()}, i);\n"
        wait = self._choose("", "#pragma omp taskwait\n")
        clause = self._choose("", " final(i > 3)", " if(i % 2)", " priority(i)", " untied")
        group = self._choose("", "#pragma omp taskgroup\n")
        return (f"{group}for (int i = 0; i < {count}; ++i) {{\n"
                f"#pragma omp task firstprivate(i){clause}\n{{\nadd({number}, i);\n"
                f"{inner}{wait}}}\n"
                f"}}\n")

    def _dependences(self, depth: int) -> str:
        count, number = self._random.randint(1, 8), self._number()
        return (f"{{ unsigned long long x = 1;\nfor (int i = 0; i < {count}; ++i) {{\n"
                f"#pragma omp task depend(inout: x) shared(x) firstprivate(i)\n"
                f"x = x * 31 + i;\n}}\n"
                f"#pragma omp task depend(in: x) shared(x)\nadd({number}, (long)(x % 1000));\n"
                f"#pragma omp taskwait\n}}\n")

    def _task_loop(self, depth: int) -> str:
        n, number = self._random.randint(0, 30), self._number()
        clause = self._choose("", " grainsize(3)", " num_tasks(5)", " nogroup")
        return (f"#pragma omp single\n{{\n#pragma omp taskloop{clause}\n"
                f"for (int i = 0; i < {n}; ++i) add({number}, i);\n}}\n")

    def _reduction(self, depth: int) -> str:
        n, number = self._random.randint(1, 30), self._number()
        return (f"{{ long s = 0;\n#pragma omp for schedule({self._choose(*SCHEDULES)})\n"
                f"for (int i = 0; i < {n}; ++i) {{ s += i; add({number}, i); }}\n(void)s; }}\n")


def results(seed: int, folder: Path, repeats: int) -> dict[str, set[str]]:
    """What the program of this seed printed on each runtime."""
    source = folder / f"nests_{seed}.c"
    source.write_text(Program(seed).text)
    program = compile_program(source, folder, "-w")
    found: dict[str, set[str]] = {}
    for runtime in RUNTIMES:
        times = 1 if runtime == "libgomp" else repeats
        done = [run(program, runtime=runtime) for _ in range(times)]
        found[runtime] = {each.stdout if each.returncode == 0 else f"status {each.returncode}"
                          for each in done}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.openmp_layer.random_nests",
                                     description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("programs", nargs="?", type=int, default=200)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in track(range(options.programs), "programs"):
            try:
                found = results(seed, Path(folder), 5)
            except subprocess.TimeoutExpired as error:
                found = {"hung": {str(error.cmd)}}
            if len(set().union(*found.values())) != 1 or "hung" in found:
                wrong += 1
                print(f"seed {seed}: {found}")
    print(f"{options.programs} programs, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    raise SystemExit(main())
