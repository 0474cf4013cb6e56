"""Ways out of a region: exit(), a fork inside, a C++ exception that is caught inside."""

from __future__ import annotations

import subprocess

import pytest

from threadpool_iface import openmp_layer

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


#: A fault in each member, from which its handler goes back.
FAULTING = """
#include <omp.h>
#include <setjmp.h>
#include <signal.h>
static __thread sigjmp_buf back;
static void go_back(int signal) { (void)signal; siglongjmp(back, 1); }
int main(void) {
    int caught = 0;
    signal(SIGSEGV, go_back);
    #pragma omp parallel num_threads(4) reduction(+ : caught)
    {
        if (sigsetjmp(back, 1)) caught += 1;
        else *(volatile int *)0 = 1;
    }
    return caught == 4 ? 0 : 1;
}
"""
#: 32 MB of a member's stack.
DEEP = """
#include <omp.h>
#include <string.h>
__attribute__((noinline)) static int deep(void) {
    volatile char large[32 << 20];
    memset((char *)large, 1, sizeof large);
    return large[12345] != 1;
}
int main(void) {
    int wrong = 0;
    #pragma omp parallel num_threads(2) reduction(+ : wrong)
    if (omp_get_thread_num() == 1) wrong += deep();
    return wrong;
}
"""
#: Numbers of teams, and what a region's own settings do to it and to others.
SETTINGS = """
#include <omp.h>
#include <stdio.h>
int main(void) {
    int teams = 0, kind_inside = 0, chunk_inside = 0;
    omp_sched_t kind;
    int chunk;
    #pragma omp teams num_teams(2) thread_limit(2)
    {
        #pragma omp parallel num_threads(4)
        {
            #pragma omp atomic
            teams += omp_get_num_teams() * 10 + omp_get_team_num();
        }
    }
    omp_set_schedule(omp_sched_guided, 7);
    omp_set_max_active_levels(3);
    #pragma omp parallel num_threads(2)
    {
        omp_sched_t k;
        int c;
        omp_get_schedule(&k, &c);
        #pragma omp atomic
        kind_inside += k & 7;
        #pragma omp atomic
        chunk_inside += c;
        omp_set_schedule(omp_sched_static, 5);
        omp_set_num_threads(1);
        omp_set_dynamic(1);
    }
    omp_get_schedule(&kind, &chunk);
    printf("%d %d %d %d %d %d %d\\n", teams, kind_inside, chunk_inside, (int)kind & 7, chunk,
           omp_get_dynamic(), omp_get_max_active_levels());
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


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_fault_inside_reaches_its_handler(tmp_path, runtime):
    assert run(program(tmp_path, FAULTING), runtime=runtime).returncode == 0


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_stack_is_as_large_as_asked_for(tmp_path, runtime):
    done = run(program(tmp_path, DEEP), runtime=runtime, OMP_STACKSIZE="64M")
    assert done.returncode == 0


@pytest.mark.parametrize("runtime", [*RUNTIMES, "preloaded"])
def test_settings_are_a_regions_own(tmp_path, runtime):
    """The last has the layer, but no pool."""
    env = {"LD_PRELOAD": openmp_layer.path()} if runtime == "preloaded" else {}
    on = "libgomp" if runtime == "preloaded" else runtime
    done = run(program(tmp_path, SETTINGS), runtime=on, **env)
    assert done.stdout == "82 6 14 3 7 0 3\n"


def test_the_environment_is_read_before_the_pool_is_made(tmp_path):
    text = "#include <omp.h>\nint main(void) { return omp_get_max_threads(); }"
    done = run(program(tmp_path, text), runtime="omp", OMP_NUM_THREADS="5")
    assert done.returncode == 5
    done = run(program(tmp_path, text), runtime="omp", OMP_NUM_THREADS="2", OMP_PROC_BIND="false")
    assert done.returncode == 2
    done = run(program(tmp_path, text), runtime="omp", OMP_PLACES="cores")
    assert "OMP_PLACES binds OpenMP threads to places" in done.stderr
