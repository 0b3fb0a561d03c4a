"""Options of `download`, `seed` and `demo`: what is wrong usage, and what the rest means."""

from __future__ import annotations

from dataclasses import replace

import pytest
import typer

from p2p.cli.main import run
from p2p.cli.options import (
    NetworkOptions,
    parse_bind,
    parse_goal,
    parse_limit,
    parse_peer,
    parse_place,
    resolve_peers,
    takes_network_options,
)
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.session.encryption import Encryption
from p2p.session.settings import WELL_KNOWN_ROUTERS


@pytest.mark.parametrize("command", ["download", "seed"])
@pytest.mark.parametrize(
    "options",
    [
        ("--port", "65536"),
        ("--port", "x"),
        ("--bind", "local host"),
        ("--peer", "127.0.0.1"),
        ("--peer", "127.0.0.1:0"),
        ("--limit-down", "fast"),
        ("--limit-up", "0"),
        ("--limit-up", "-1"),
        ("--seed-ratio", "-1"),
        ("--seed-ratio", "nan"),
        ("--seed-ratio", "inf"),
        ("--seed-time", "soon"),
        ("--encryption", "sometimes"),
        ("--encryption", "REQUIRE"),
        ("--bootstrap", "127.0.0.1"),
        ("--no-such-option",),
    ],
)
def test_bad_options_are_wrong_usage(capsys, tmp_path, monkeypatch, command, options):
    monkeypatch.chdir(tmp_path)
    assert run([command, "nowhere", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [("--leechers", "0"), ("--leechers", "17"), ("--size", "1"), ("--size", "big")])
def test_bad_options_of_the_demo_are_wrong_usage(capsys, options):
    assert run(["demo", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", ["download", "seed"])
def test_something_has_to_be_named(capsys, command):
    assert run([command]) == 2
    assert "missing argument" in capsys.readouterr().err


def test_values_mean_what_they_say():
    assert parse_limit("1.5MiB/s") == 3 * 2**19
    assert parse_bind("0:0:0:0:0:0:0:1") == "::1"
    assert parse_peer("[::1]:80") == ("::1", 80)
    assert parse_peer("example.org:6881") == ("example.org", 6881)
    assert parse_goal("0") == 0
    assert parse_goal("1.5") == 1.5


@pytest.mark.parametrize("text", ["\x1b[2J:1", "host:port", "", ":1"])
def test_a_refused_peer_is_shown_safely(text):
    with pytest.raises(typer.BadParameter) as refusal:
        parse_peer(text)
    assert refusal.value.message.isprintable()


def test_settings_keep_their_record_where_state_belongs(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    options = NetworkOptions(port=7, trackers=False, limit_down=5, encryption=Encryption.REQUIRE)
    settings = options.settings(download_dir=tmp_path)
    assert settings.state_dir == str(tmp_path / "state" / "starling")
    assert (settings.port, settings.trackers, settings.limit_down, settings.limit_up) == (7, False, 5, None)
    assert settings.bind == ("0.0.0.0", "::")
    assert settings.encryption is Encryption.REQUIRE
    assert (settings.dht, settings.bootstrap) == (True, WELL_KNOWN_ROUTERS)
    assert (settings.local_discovery, settings.peer_exchange) == (True, True)
    bound = NetworkOptions(bind="::1")
    apart = replace(bound, dht=False, bootstrap=(("::1", 1),)).settings(download_dir=tmp_path)
    assert (apart.dht, apart.bootstrap) == (False, (("::1", 1),))
    assert bound.settings(download_dir=tmp_path).bind == ("::1",)
    assert bound.settings(download_dir=tmp_path).interface is None
    assert (settings.port_mapping, settings.gateway, settings.interface) == (True, None, None)


def test_an_interface_is_told_from_an_address(tmp_path):
    held = NetworkOptions(bind="tun0", name_servers=("10.64.0.1",), nat=False, gateway="10.2.0.1")
    settings = held.settings(download_dir=tmp_path)
    assert (settings.bind, settings.interface) == (("0.0.0.0", "::"), "tun0")
    assert (settings.name_servers, settings.port_mapping) == (("10.64.0.1",), False)
    assert settings.gateway == ("10.2.0.1", "")


@pytest.mark.parametrize(
    ("text", "place"), [("0:0::1", "::1"), ("tun0", "tun0"), ("wg-nl.1", "wg-nl.1"), ("127.0.0.1", "127.0.0.1")]
)
def test_places_to_bind_to_are_addresses_and_interfaces(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "a/b", "an interface", "much-too-long-name", "1.2.3.4:5", "::g"])
def test_what_is_neither_is_a_usage_error(text):
    with pytest.raises(typer.BadParameter, match="no IP address and no network interface"):
        parse_place(text)


def test_commands_get_what_the_options_of_the_network_say(capsys):
    taken = []

    @takes_network_options
    def show_command(source: str, *, network: NetworkOptions, seed: bool = False) -> int:
        """Show."""
        taken.append((source, network, seed))
        return 0

    app = typer.Typer()
    app.command()(show_command)
    argv = ["x", "--no-dht", "--no-lsd", "--no-pex", "--no-trackers", "--bootstrap", "[::1]:1", "--peer", "a.example:2"]
    app([*argv, "--port", "7", "--seed"], standalone_mode=False)
    app(["y", "--bind", "0:0::1", "--encryption", "off", "--limit-up", "1K"], standalone_mode=False)
    first = NetworkOptions(
        port=7,
        peers=(("a.example", 2),),
        bootstrap=(("::1", 1),),
        dht=False,
        local_discovery=False,
        peer_exchange=False,
        trackers=False,
    )
    second = NetworkOptions(bind="::1", encryption=Encryption.OFF, limit_up=1024)
    assert taken == [("x", first, True), ("y", second, False)]
    settings = first.settings(download_dir=".")
    assert (settings.dht, settings.local_discovery, settings.peer_exchange, settings.trackers) == (False,) * 4


async def test_peers_are_resolved_each_once():
    places = (("127.0.0.1", 1), ("::1", 2), ("127.0.0.1", 1))
    assert await resolve_peers(places) == (Address("127.0.0.1", 1), Address("::1", 2))


async def test_a_peer_without_an_address_is_named():
    with pytest.raises(NetworkError, match=r"no\.such\.host\.invalid"):
        await resolve_peers((("no.such.host.invalid", 1),))
