"""Settings for every test: no time limits on examples (the first may compile), no state left over.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

from threadpool_iface import UNSET, set_default_threadpool, set_threadpool

# Shells start programs in the background with signals ignored, and nohup does; tests that send them
# would wait for ever.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler),
                          (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

settings.register_profile("default", deadline=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True, scope="session")
def _files_of_the_user_are_left_alone(tmp_path_factory):
    os.environ["THREADPOOL_IFACE_CACHE_DIR"] = str(tmp_path_factory.mktemp("user"))


@pytest.fixture(autouse=True)
def _the_environment_stays_as_it_was():
    before = dict(os.environ)
    yield
    # Dask sets OMP_NUM_THREADS for its workers in our process, joblib KMP_INIT_AT_FORK.
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def _nothing_stays_active():
    yield
    set_threadpool(UNSET)
    set_default_threadpool(None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With REQUIRE_ALL_TESTS set, a skipped test is a failed one: nothing is left out unseen.

    Its value may name tools that this machine cannot have, after a colon: `all:spin,clang`.
    """
    report = yield
    required, _, without = os.environ.get("REQUIRE_ALL_TESTS", "").partition(":")
    if report.skipped and not hasattr(report, "wasxfail") and required:
        reason = str(report.longrepr)
        if not any(f"{tool} is not installed" in reason for tool in without.split(",") if tool):
            report.outcome = "failed"
    return report
