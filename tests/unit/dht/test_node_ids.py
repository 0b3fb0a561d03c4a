"""Node ids bound to addresses (BEP 42), and which addresses are believed from whom."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.dht.node_id import Reach, id_for, is_credible, is_id_for, random_id, reach, subnet
from p2p.ids import Address

hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None)).map(str)
rngs = st.integers(0, 2**32).map(random.Random)


@pytest.mark.parametrize(
    ("host", "node_id"),
    [
        ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
        ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
        ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
        ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
        ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
    ],
)
def test_the_vectors_of_bep_42(host, node_id):
    raw = bytes.fromhex(node_id)
    assert is_id_for(raw, host)
    assert is_id_for(raw[:2] + bytes([raw[2] ^ 7]) + raw[3:], host)  # the lower three bits are free
    assert not is_id_for(raw[:2] + bytes([raw[2] ^ 8]) + raw[3:], host)
    assert not is_id_for(raw[:-1] + bytes([raw[-1] ^ 1]), host)


@given(hosts, rngs)
def test_a_made_id_is_for_its_address(host, rng):
    made = id_for(host, rng)
    assert len(made) == 20
    assert is_id_for(made, host)


@given(rngs)
def test_any_id_is_for_a_local_address_and_hardly_any_for_a_public_one(rng):
    made = random_id(rng)
    assert all(is_id_for(made, host) for host in ("10.1.2.3", "127.0.0.1", "::1", "fe80::1", "fd00::1"))
    assert sum(is_id_for(random_id(rng), "8.8.8.8") for _ in range(20)) <= 1


def test_ids_of_one_address_differ_by_their_random_bits():
    rng = random.Random(1)
    assert len({id_for("8.8.8.8", rng)[:2] for _ in range(100)}) == 8


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("0.0.0.0", Reach.NOWHERE),
        ("224.0.0.1", Reach.NOWHERE),
        ("255.255.255.255", Reach.NOWHERE),
        ("127.3.2.1", Reach.LOOPBACK),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("172.31.255.1", Reach.PRIVATE),
        ("172.32.0.1", Reach.PUBLIC),
        ("192.168.3.4", Reach.PRIVATE),
        ("192.169.3.4", Reach.PUBLIC),
        ("169.254.9.9", Reach.PRIVATE),
        ("8.8.8.8", Reach.PUBLIC),
        ("::", Reach.NOWHERE),
        ("::1", Reach.LOOPBACK),
        ("ff02::1", Reach.NOWHERE),
        ("fe80::1", Reach.PRIVATE),
        ("fd12::1", Reach.PRIVATE),
        ("2001:db8::1", Reach.PUBLIC),
    ],
)
def test_where_addresses_can_be_reached_from(host, where):
    assert reach(host) is where


@given(hosts)
def test_every_address_is_somewhere(host):
    assert reach(host) in Reach
    assert len(subnet(host)) == (8 if ":" in host else 3)


def test_who_is_believed_about_what():
    public, private, loopback = Address("8.8.8.8", 1), Address("10.0.0.1", 1), Address("127.0.0.1", 1)
    assert [is_credible(public, teller) for teller in (Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK)] == [True] * 3
    assert [is_credible(private, teller) for teller in (Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK)] == [
        False, True, True,
    ]  # fmt: skip
    assert [is_credible(loopback, teller) for teller in (Reach.PUBLIC, Reach.PRIVATE, Reach.LOOPBACK)] == [
        False, False, True,
    ]  # fmt: skip
    assert not is_credible(Address("8.8.8.8", 0), Reach.LOOPBACK)
    assert not is_credible(Address("0.0.0.0", 1), Reach.LOOPBACK)
