"""Which router the system's routes lead to."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import NetworkError
from p2p.net import gateway
from p2p.net.gateway import client_for, default_routes, find_gateway

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
TABLE = HEAD + (
    "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "wlan0\t00000000\t016433C6\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"
    "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "down0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
    "half\n"
)


def test_default_routes_are_read_in_order_of_preference():
    assert default_routes(TABLE, byteorder="little") == [("wlan0", "198.51.100.1"), ("eth0", "192.0.2.1")]
    big = TABLE.replace("010200C0", "C0000201")
    assert ("eth0", "192.0.2.1") in default_routes(big, byteorder="big")


@given(st.text(alphabet="0123456789abcdefxyz \t\n", max_size=200))
def test_no_table_breaks_the_reader(text):
    default_routes(HEAD + text, byteorder="little")


def test_our_address_is_the_one_on_the_routers_network():
    places = [IPv4Interface("10.0.0.2/24"), IPv4Interface("192.0.2.7/24")]
    assert client_for("192.0.2.1", places) == "192.0.2.7"
    assert client_for("203.0.113.1", places) == "10.0.0.2"
    assert client_for("203.0.113.1", []) is None


def test_a_router_is_looked_for_on_one_interface_or_on_any(tmp_path, monkeypatch):
    table = tmp_path / "route"
    table.write_text(TABLE.replace("wlan0", "lo"))
    monkeypatch.setattr(gateway, "ROUTES", table)
    monkeypatch.setattr(gateway.sys, "byteorder", "little")
    assert find_gateway(None) == ("198.51.100.1", "127.0.0.1")
    assert find_gateway("lo").client == "127.0.0.1"
    with pytest.raises(NetworkError, match="no route of tun0 has a router"):
        find_gateway("tun0")
    table.write_text(HEAD)
    with pytest.raises(NetworkError, match="no route leads to a router"):
        find_gateway(None)
    table.unlink()
    with pytest.raises(NetworkError, match="name the router"):
        find_gateway(None)
