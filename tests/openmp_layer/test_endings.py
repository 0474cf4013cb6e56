"""Ways out of a region: exit(), a fork inside, a C++ exception that is caught inside."""

from __future__ import annotations

import subprocess

import pytest

from .building import RUNTIMES, compile_program, environment, run

EXITING = """
#include <omp.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    int member = atoi(argv[1]);
    (void)argc;
    #pragma omp parallel num_threads(2)
    {
        #pragma omp barrier
        if (omp_get_thread_num() == member) exit(7);
        #pragma omp barrier
    }
    return 0;
}
"""
#: In the child of the region's starter the region ends, and others work; libgomp's would hang.
FORKING = """
#include <omp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    int status = -1, members = 0;
    pid_t child = -1;
    #pragma omp parallel num_threads(2)
    {
        #pragma omp barrier
        if (omp_get_thread_num() == 0) child = fork();
    }
    #pragma omp parallel num_threads(2) reduction(+ : members)
    {
        #pragma omp barrier
        members += 1;
    }
    if (child == 0) _exit(members == 2 ? 5 : 1);
    waitpid(child, &status, 0);
    return members == 2 ? WEXITSTATUS(status) : 1;
}
"""
THROWING = """
#include <omp.h>
#include <stdexcept>
int main() {
    int caught = 0;
    for (int i = 0; i < 100; ++i) {
#pragma omp parallel num_threads(2) reduction(+ : caught)
        try {
            throw std::runtime_error("inside");
        } catch (const std::runtime_error &) {
            caught += 1;
        }
    }
    return caught == 200 ? 0 : 1;
}
"""


def program(folder, source):
    (folder / "program.c").write_text(source)
    return compile_program(folder / "program.c", folder)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("member", [0, 1])
def test_exit_inside(tmp_path, runtime, member):
    assert run(program(tmp_path, EXITING), str(member), runtime=runtime).returncode == 7


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_a_fork_inside(tmp_path, runtime):
    assert run(program(tmp_path, FORKING), runtime=runtime).returncode == 5


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_exception_inside(tmp_path, runtime):
    (tmp_path / "program.cpp").write_text(THROWING)
    subprocess.run(["g++", "-O1", "-fopenmp", "program.cpp", "-o", "program"], cwd=tmp_path,
                   check=True)
    done = subprocess.run([tmp_path / "program"], env=environment(runtime), check=False, timeout=60)
    assert done.returncode == 0
