"""Looking up names: what nobody answers holds up neither who gave up waiting nor the end of the loop."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from p2p.errors import NetworkError
from p2p.net.asyncio_network import AsyncioNetwork


def test_a_lookup_that_is_never_answered_does_not_hold_up_the_end(monkeypatch):
    answered, begun = threading.Event(), threading.Event()

    def silent(*_arguments, **_options):
        begun.set()
        answered.wait()
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", silent)

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(AsyncioNetwork().resolve("silent.example", 1), 0.05)

    asyncio.run(give_up())
    assert begun.is_set()
    answered.set()
    for thread in threading.enumerate():
        if thread.name == "look up silent.example":
            thread.join()


@pytest.mark.parametrize(
    ("refusal", "reason"), [(OSError(-2, "no such name"), "no such name"), (UnicodeError(), "host")]
)
async def test_what_the_system_refuses_is_a_network_error(monkeypatch, refusal, reason):
    def refuse(*_arguments, **_options):
        raise refusal

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(NetworkError, match=reason):
        await AsyncioNetwork().resolve("refused.example", 1)
