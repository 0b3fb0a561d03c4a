from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.codec.crc32c import crc32c
from p2p.ids import Address
from p2p.swarm.peer_priority import peer_priority

addresses = st.builds(lambda ip, port: Address(str(ip), port), st.ip_addresses(), st.integers(0, 65_535))


def test_the_vectors_of_bep_40() -> None:
    ours = Address("123.213.32.10", 6881)
    assert peer_priority(ours, Address("98.76.54.32", 1)) == 0xEC2D7224
    assert peer_priority(ours, Address("123.213.32.234", 1)) == 0x99568189


def test_crc32c_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the check value in the CRC catalogues
    assert crc32c(b"\x00" * 32) == 0x8A9136AA  # RFC 3720, B.4


def test_masks_widen_with_the_shared_prefix() -> None:
    ours = Address("10.1.2.3", 1)
    assert peer_priority(ours, Address("10.1.77.1", 1)) == crc32c(bytes([10, 1, 2, 1, 10, 1, 77, 1]))
    v6 = Address("2001:db8:1::1", 1)
    assert peer_priority(v6, Address("2001:db8:2::f", 1)) == crc32c(
        bytes.fromhex("20010db8000100000000000000000001" + "20010db8000200000000000000000005")
    )
    assert peer_priority(v6, Address("2001:db8:1:aaaa::f", 1)) == crc32c(
        bytes.fromhex("20010db8000100000000000000000001" + "20010db80001aa000000000000000005")
    )


def test_same_host_uses_ports_and_families_do_not_mix() -> None:
    assert peer_priority(Address("10.0.0.1", 258), Address("10.0.0.1", 1)) == crc32c(bytes([0, 1, 1, 2]))
    assert peer_priority(Address("10.0.0.1", 1), Address("::1", 1)) is None


@given(a=addresses, b=addresses)
def test_both_ends_agree(a: Address, b: Address) -> None:
    assert peer_priority(a, b) == peer_priority(b, a)
