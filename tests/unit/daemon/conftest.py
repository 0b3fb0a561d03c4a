"""A library in memory, and a client that speaks to its dispatcher."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_library import FakeLibrary
from rpc_client import Client

from p2p.daemon.dispatch import Dispatcher


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def client(library):
    return Client(Dispatcher(library, session_id="token", version="9.9.9"))
