"""Who may speak to the RPC."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.access import (
    FREE_GUESSES,
    LONGEST_LOCK,
    MAX_GUESSERS,
    AllowedAddresses,
    AllowedHosts,
    Guesses,
    Login,
    basic_credentials,
    hash_password,
)
from p2p.errors import ConfigError


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST.:9091", True),
        ("127.0.0.1:9091", True),
        ("192.168.1.5", True),
        ("[::1]:9091", True),
        ("[::1]", True),
        ("box.example", True),
        ("a.home.test:80", True),
        ("evil.example", False),
        ("home.test.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("x" * 500, False),
    ],
)
def test_names_we_are_reached_by(host, allowed):
    assert AllowedHosts(["Box.example", "*.home.test"]).allow(host) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("192.168.7.9", True),
        ("fd00::1", True),
        ("11.0.0.1", False),
        ("fd01::1", False),
        ("192.169.0.1", False),
        ("garbage", False),
    ],
)
def test_addresses_that_may_call(address, allowed):
    assert AllowedAddresses(["10.0.0.0/8", "192.168.*.*", "fd00::/64"]).allow(address) is allowed


def test_a_wrong_network_is_told():
    with pytest.raises(ConfigError, match="/99"):
        AllowedAddresses(["10.0.0.0/99"])


def test_passwords_are_kept_as_hashes():
    kept = hash_password("pass:wörd", b"s" * 16)
    assert "wörd" not in kept
    login = Login("me", kept)
    assert login.matches("me", "pass:wörd")
    assert not login.matches("me", "pass")
    assert not login.matches("you", "pass:wörd")


@pytest.mark.parametrize("kept", ["", "secret", "scrypt:zz:zz", "scrypt:00:00", "md5:" + 32 * "0" + ":" + 128 * "0"])
def test_what_is_no_hash_is_refused(kept):
    with pytest.raises(ConfigError):
        Login("me", kept)


@given(st.text(max_size=40).filter(lambda text: ":" not in text), st.text(max_size=40))
def test_credentials_come_back(user, password):
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert basic_credentials(f"Basic {encoded}") == (user, password)


@given(st.text(max_size=60))
def test_any_header_is_read(header):
    basic_credentials(header)
    basic_credentials(f"Basic {header}")


def test_guessing_is_slowed_down_until_it_is_hopeless():
    guesses, now, waits = Guesses(), 0.0, []
    for _ in range(20):
        guesses.on_wrong("1.2.3.4", now)
        waits.append(guesses.locked_for("1.2.3.4", now))
        now += waits[-1]
    assert waits[: FREE_GUESSES - 1] == [0.0] * (FREE_GUESSES - 1)
    assert waits[FREE_GUESSES - 1 : FREE_GUESSES + 2] == [1.0, 2.0, 4.0]
    assert waits[-1] == LONGEST_LOCK
    assert guesses.locked_for("1.2.3.5", now) == 0.0
    guesses.on_right("1.2.3.4")
    guesses.on_wrong("1.2.3.4", now)
    assert guesses.locked_for("1.2.3.4", now) == 0.0


def test_a_subscriber_with_many_addresses_is_one_guesser():
    guesses = Guesses()
    for last in range(FREE_GUESSES):
        guesses.on_wrong(f"2001:db8::{last}", 0.0)
    assert guesses.locked_for("2001:db8::ffff:1", 0.0) > 0
    assert guesses.locked_for("2001:db8:0:1::1", 0.0) == 0.0


def test_guessers_that_are_counted_are_bounded():
    guesses = Guesses()
    for number in range(MAX_GUESSERS + FREE_GUESSES):
        for _ in range(FREE_GUESSES):
            guesses.on_wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert guesses.locked_for("10.0.0.0", 0.0) == 0.0
    assert guesses.locked_for("10.0.16.0", 0.0) > 0.0
