"""What clients call a tracker."""

from __future__ import annotations

import pytest

from p2p.daemon.peer_facts import site_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("tracker.example.org", "example"),
        ("www.example.org", "example"),
        ("example.org", "example"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_site_is_called_by_its_name_and_an_address_is_whole(host, name):
    assert site_name(host) == name
