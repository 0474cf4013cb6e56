"""The bodies of the main job as ordinary pytest-benchmark suites, all in one process.

    pytest bench --benchmark-group-by=param:shape

One process means that spinning pools disturb each other: for figures to quote, run
`python -m bench`, which takes turns.
"""

from __future__ import annotations

import pytest

from threadpool_iface import default_num_threads, set_threadpool

from .contenders import create, missing


@pytest.fixture
def prepared(contender, case):
    """The job of a contender, made active; skips what it cannot do."""
    if missing(contender):
        pytest.skip(f"{contender} needs {', '.join(missing(contender))}")
    job = create(contender, default_num_threads()).prepare(case)
    if job is None:
        pytest.skip(f"{contender} does not do {case}")
    yield job
    set_threadpool(None)
