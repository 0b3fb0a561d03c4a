"""Fixtures of the interop tests: a network of the test's own, and clients that are skipped where they are missing.

`STARLING_REQUIRE_RIVALS=1` turns every such skip into a failure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from namespaces import HOST, Namespace
from rivals import TrackerProcess


def skip_or_fail(reason: str) -> None:
    if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
async def namespace():
    try:
        entered = await Namespace().__aenter__()
    except (PermissionError, FileNotFoundError) as refusal:
        skip_or_fail(str(refusal))
    yield entered
    await entered.__aexit__()


@pytest.fixture
async def tracker(namespace):
    """This project's tracker in the test's network."""
    return await TrackerProcess.start(namespace)


@pytest.fixture
def client(namespace, tmp_path):
    """Makes a client of the given class in the test's network, at the given host of it."""

    def make(kind, host=HOST):
        reason = kind.missing()
        if reason is not None:
            skip_or_fail(reason)
        return kind(namespace, tmp_path, host)

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    network = item.funcargs.get("namespace") if report.failed and report.when == "call" else None
    if network is not None:
        report.sections.append(("programs in the namespace", network.tails()))
    return report
