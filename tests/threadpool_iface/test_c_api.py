"""The public C header as a state machine: any calls in any order, against a model of the contract.

What a call answers, how often each task ran and what the counters say must be what the model says,
whatever was called before: on open and closed pools, inside and outside regions, with latches that
outlive the close, and after tasks that failed.
"""

from __future__ import annotations

import threading

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from threadpool_iface.native import ffi, lib

KINDS = ("fork-join", "fork-join dynamic", "work-stealing", "sequential")
FAILED = 77
sizes = st.integers(1, 4)
counts = st.sampled_from([-1, 0, 1, 2, 3, 5, 40])


class Tasks:
    """A native task that keeps count of its runs, and what each is to return or to call."""

    def __init__(self, fails_at=None, inside=None):
        self.runs = {}
        self.answers = []
        self._lock = threading.Lock()
        self._fails_at, self._inside = fails_at, inside
        self.pointer = ffi.callback("int32_t(void *, int32_t, int32_t)", self._run)

    def _run(self, ctx, ithr, nthr):
        with self._lock:
            self.runs[ithr] = self.runs.get(ithr, 0) + 1
        if self._inside:
            answer = self._inside(nthr)
            with self._lock:
                self.answers.append(answer)
        return FAILED if ithr == self._fails_at else 0

    def check(self, code, nthr, runs_all=False):
        """What a region of `nthr` tasks must have left."""
        assert set(self.runs.values()) <= {1}
        if self._fails_at is not None and self._fails_at < nthr:
            assert code == FAILED
            assert self._fails_at in self.runs
            assert set(self.runs) <= set(range(nthr))
            if not runs_all:
                return
        else:
            assert code == 0
        assert set(self.runs) == set(range(nthr))


class Pool:
    """A handle, and what the model knows of it."""

    def __init__(self, kind, size, blocktime, metered):
        options = ffi.new("tpi_pool_options *", {
            "num_threads": size, "blocktime_us": blocktime, "metered": metered})
        makers = {"fork-join": lambda: lib.tpi_fork_join_new(options, 0),
                  "fork-join dynamic": lambda: lib.tpi_fork_join_new(options, 1),
                  "work-stealing": lambda: lib.tpi_work_stealing_new(options, 0),
                  "sequential": lib.tpi_sequential_new}
        self.handle = makers[kind]()
        assert self.handle != ffi.NULL
        self.size = 1 if kind == "sequential" else size
        self.detailed = metered and kind != "sequential"
        self.closed = False
        self.regions = self.tasks = 0

    def count(self, nthr):
        self.regions += 1
        self.tasks += nthr


class CApi(RuleBasedStateMachine):
    pools = Bundle("pools")
    latches = Bundle("latches")

    def __init__(self):
        super().__init__()
        self.alive = []
        self.active = "unset"
        self.default = None

    def effective(self):
        if self.active == "unset":
            return self.default
        return None if self.active == "sequential" else self.active

    @rule(target=pools, kind=st.sampled_from(KINDS), size=sizes,
          blocktime=st.sampled_from([-1, 0, 100, 2000]), metered=st.booleans())
    def new_pool(self, kind, size, blocktime, metered):
        pool = Pool(kind, size, blocktime, metered)
        self.alive.append(pool)
        return pool

    @rule(pool=pools)
    def close(self, pool):
        assert lib.tpi_pool_close(pool.handle) == 0
        pool.closed = True

    @rule(pool=pools)
    def retain_and_release(self, pool):
        lib.tpi_pool_retain(pool.handle)
        lib.tpi_pool_release(pool.handle)

    @rule(pool=pools, n=counts, fails_at=st.none() | st.integers(0, 5))
    def parallel(self, pool, n, fails_at):
        tasks = Tasks(fails_at)
        code = lib.tpi_pool_parallel(pool.handle, n, tasks.pointer, ffi.NULL)
        if n < 0:
            assert (code, tasks.runs) == (lib.TPI_E_INVALID, {})
        elif pool.closed:
            assert (code, tasks.runs) == (lib.TPI_E_CLOSED, {})
        else:
            tasks.check(code, n or pool.size)
            pool.count(n or pool.size)

    @rule(n=counts, fails_at=st.none() | st.integers(0, 5))
    def parallel_on_the_effective_pool(self, n, fails_at):
        pool, tasks = self.effective(), Tasks(fails_at)
        code = lib.tpi_parallel(n, tasks.pointer, ffi.NULL)
        if n < 0:
            assert (code, tasks.runs) == (lib.TPI_E_INVALID, {})
        elif pool is not None and pool.closed:
            assert (code, tasks.runs) == (lib.TPI_E_CLOSED, {})
        else:
            nthr = n or (pool.size if pool else lib.tpi_max_threads())
            tasks.check(code, nthr)
            if pool:
                pool.count(nthr)

    @rule(pool=pools, n=counts, fails_at=st.none() | st.integers(0, 3))
    def run_together(self, pool, n, fails_at):
        tasks = Tasks(fails_at, inside=lambda nthr: lib.tpi_barrier())
        code = lib.tpi_pool_run_together(pool.handle, n, tasks.pointer, ffi.NULL)
        nthr = n or pool.size
        if n < 0 or nthr > pool.size:
            assert (code, tasks.runs) == (lib.TPI_E_INVALID, {})
        elif pool.closed:
            assert (code, tasks.runs) == (lib.TPI_E_CLOSED, {})
        else:
            tasks.check(code, nthr, runs_all=True)
            assert tasks.answers == [0] * nthr  # all came to the barrier before one failed
            pool.count(nthr)

    @precondition(lambda self: any(not pool.closed for pool in self.alive))
    @rule(pool=pools, n=st.integers(1, 5))
    def inside_a_region(self, pool, n):
        def inside(nthr):
            inner = Tasks()
            return (
                lib.tpi_in_parallel(), lib.tpi_active_pool() == ffi.NULL,
                lib.tpi_set_active(lib.TPI_SEQUENTIAL, ffi.NULL),
                lib.tpi_pool_run_together(pool.handle, 1, inner.pointer, ffi.NULL),
                lib.tpi_pool_close(pool.handle), lib.tpi_barrier(), inner.runs,
                lib.tpi_parallel(3, inner.pointer, ffi.NULL),
            )

        tasks = Tasks(inside=inside)
        code = lib.tpi_pool_parallel(pool.handle, n, tasks.pointer, ffi.NULL)
        if pool.closed:
            assert code == lib.TPI_E_CLOSED
            return
        tasks.check(code, n)
        pool.count(n)
        refused = lib.TPI_E_IN_REGION
        assert tasks.answers == [
            (1, True, refused, refused, refused, lib.TPI_E_INVALID, {0: 1, 1: 1, 2: 1}, 0)] * n

    @rule(target=latches, pool=pools, n=st.sampled_from([0, 1, 2, 7]),
          fails_at=st.none() | st.integers(0, 3))
    def submit(self, pool, n, fails_at):
        tasks, result = Tasks(fails_at), ffi.new("tpi_latch **")
        code = lib.tpi_pool_submit(pool.handle, n, tasks.pointer, ffi.NULL, result)
        if n == 0 or pool.closed:
            assert code == (lib.TPI_E_CLOSED if n else lib.TPI_E_INVALID)
            return multiple()
        assert code == 0
        pool.count(n)
        return (result[0], tasks, n)

    @rule(latch=consumes(latches), waits=st.integers(1, 2))
    def wait_for_latch(self, latch, waits):
        handle, tasks, n = latch
        for _ in range(waits):
            tasks.check(lib.tpi_latch_wait(handle), n)
        assert lib.tpi_latch_ended(handle) == 1
        lib.tpi_latch_release(handle)

    @rule(pool=pools)
    def park(self, pool):
        lib.tpi_pool_park(pool.handle)

    @rule(pool=pools)
    def make_active(self, pool):
        assert lib.tpi_set_active(lib.TPI_POOL, pool.handle) == 0
        self.active = pool

    @rule(state=st.sampled_from(["unset", "sequential"]))
    def make_none_active(self, state):
        code = lib.TPI_UNSET if state == "unset" else lib.TPI_SEQUENTIAL
        assert lib.tpi_set_active(code, ffi.NULL) == 0
        self.active = state

    @rule(pool=st.none() | pools)
    def make_default(self, pool):
        lib.tpi_set_default(pool.handle if pool else ffi.NULL)
        self.default = pool

    @rule()
    def barrier_outside_a_gang(self):
        assert lib.tpi_barrier() == lib.TPI_E_INVALID

    @invariant()
    def pools_are_what_the_model_says(self):
        stats = ffi.new("tpi_stats *")
        for pool in self.alive:
            assert lib.tpi_pool_num_threads(pool.handle) == pool.size
            assert lib.tpi_pool_is_closed(pool.handle) == pool.closed
            assert lib.tpi_pool_in_parallel(pool.handle) == 0
            lib.tpi_pool_stats(pool.handle, stats)
            assert (stats.regions, stats.tasks) == (pool.regions, pool.tasks)
            assert stats.detailed == pool.detailed

    @invariant()
    def the_active_pool_is_what_the_model_says(self):
        pool = self.effective()
        assert lib.tpi_active_pool() == (pool.handle if pool else ffi.NULL)
        assert lib.tpi_in_parallel() == 0

    def teardown(self):
        lib.tpi_set_active(lib.TPI_UNSET, ffi.NULL)
        lib.tpi_set_default(ffi.NULL)
        for pool in self.alive:
            assert lib.tpi_pool_close(pool.handle) == 0  # waits for latches nobody waited for
            lib.tpi_pool_release(pool.handle)


TestCApi = CApi.TestCase
TestCApi.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
