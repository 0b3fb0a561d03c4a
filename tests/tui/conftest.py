"""A daemon that is a script, or one in this process, and the interface before it on a terminal that is none."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "daemon"))

import pytest
from driven import PASSED, verbs_done

__all__ = ["verbs_done"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report
