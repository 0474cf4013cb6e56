"""`threadpool-iface launch --openmp`: programs with and without Python on our pools."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .building import HERE, compile_program

ROOT = HERE.parents[1]
PROGRAM = r"""
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <dirent.h>
int main(void) {
    int n = 0;
    #pragma omp parallel num_threads(2) reduction(+ : n)
    n += 1;
    DIR *tasks = opendir("/proc/self/task");
    char path[512], name[64];
    printf("%d members;", n);
    for (struct dirent *e; (e = readdir(tasks));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(name, sizeof name, file) && !strncmp(name, "tpi-", 4))
            printf(" %s", name);
    }
    printf("\n");
}
"""


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items()
           if not name.startswith(("OMP_", "THREADPOOL_IFACE_"))}
    return subprocess.run([sys.executable, "-m", "threadpool_iface.cli", "launch", "--openmp",
                           *arguments], cwd=ROOT, env=env, capture_output=True, text=True,
                          check=False, timeout=120)


@pytest.mark.parametrize(("pool", "thread"), [("omp", "tpi-fj"), ("eigen", "tpi-ws")])
def test_a_program_without_python(tmp_path, pool, thread):
    (tmp_path / "program.c").write_text(PROGRAM)
    program = compile_program(tmp_path / "program.c", tmp_path)
    done = launch("--pool", pool, "--no-python", str(program))
    assert done.returncode == 0, done.stderr
    assert "2 members;" in done.stdout
    assert (thread in done.stdout) == (len(os.sched_getaffinity(0)) > 1)


def test_a_python_program(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from threadpool_iface import openmp_layer\n"
                      "assert openmp_layer.installed()\nprint('installed')\n")
    done = launch(str(script))
    assert done.returncode == 0, done.stderr
    assert "installed" in done.stdout
