"""What a session that is held to an interface uses of it, and that nothing is used where there is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import NetworkError
from p2p.net.interface_binding import Addresses, InterfaceBinding, choose, is_interface_name

HOSTS = st.sampled_from(
    [
        "10.0.0.2",
        "10.0.0.3",
        "198.51.100.7",
        "169.254.1.1",
        "fd00::2",
        "2a02::7",
        "2a02::8",
        "fe80::1",
        "::",
        "junk",
        "",
    ]
)


def test_a_global_address_comes_before_a_private_one_and_none_of_the_link_alone():
    assert choose(Addresses(), ["fe80::1", "169.254.3.3", "fd00::2", "2a02::7", "10.0.0.2"]) == Addresses(
        "10.0.0.2", "2a02::7"
    )


def test_an_address_in_use_is_kept_while_the_interface_has_it():
    assert choose(Addresses("10.0.0.2", "2a02::7"), ["2a02::8", "2a02::7", "10.0.0.3", "10.0.0.2"]) == Addresses(
        "10.0.0.2", "2a02::7"
    )
    assert choose(Addresses("10.0.0.2", "2a02::7"), ["2a02::8"]) == Addresses(None, "2a02::8")


@given(present=st.lists(HOSTS), seen=st.lists(HOSTS))
def test_what_is_chosen_is_what_the_interface_has_and_stays_so(present, seen):
    before = choose(Addresses(), present)
    after = choose(before, seen)
    assert {each for each in after if each is not None} <= set(seen)
    assert choose(after, seen) == after
    for ipv6 in (False, True):
        if before.of(ipv6=ipv6) in seen and before.of(ipv6=ipv6) is not None:
            assert after.of(ipv6=ipv6) == before.of(ipv6=ipv6)


def test_an_interface_without_an_address_gives_none_and_says_why():
    seen: list[str] = []
    binding = InterfaceBinding("tun0", lambda _: seen)
    assert not binding.refresh()
    assert binding.obstacle == "the interface tun0 has no address"
    with pytest.raises(NetworkError, match="the interface tun0 has no address"):
        binding.local(ipv6=False)
    seen.append("10.8.0.2")
    assert binding.refresh()
    assert not binding.refresh()
    assert binding.obstacle is None
    assert binding.local_for("0.0.0.0") == binding.local_for("10.8.0.2") == "10.8.0.2"
    with pytest.raises(NetworkError, match="the interface tun0 has no IPv6 address"):
        binding.local_for("::")
    with pytest.raises(NetworkError, match=r"the interface tun0 does not use 192\.0\.2\.1"):
        binding.local_for("192.0.2.1")


def test_a_system_that_does_not_tell_is_an_interface_without_an_address():
    def look(name):
        raise NetworkError("the system does not tell")

    binding = InterfaceBinding("tun0", look)
    assert not binding.refresh()
    assert binding.obstacle == "the interface tun0 has no address"


@pytest.mark.parametrize(
    ("text", "can_be"),
    [("tun0", True), ("wg-nl.1", True), ("", False), ("a/b", False), ("..", False), ("x" * 16, False), ("a b", False)],
)
def test_names_of_interfaces_are_told_from_other_text(text, can_be):
    assert is_interface_name(text) is can_be
