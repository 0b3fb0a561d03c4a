"""The daemon's configuration: which place decides, whose each value is, what is refused, and what nobody sees."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.config import (
    KEYS,
    SESSION,
    ConfigSource,
    LogFormat,
    engine_settings,
    needs_restart,
    taken_up,
    variable_of,
)
from p2p.daemon.service import Places
from p2p.errors import ConfigError
from p2p.operation.config_layers import Given
from p2p.operation.log_lines import LogLevel
from p2p.session.encryption import Encryption

PLACES = Places(Path("/c"), Path("/s"), Path("/downloads"))


@pytest.fixture
def load(tmp_path):
    """Loads what a file, variables and options say."""

    def load(toml="", environ=None, **options):
        file = tmp_path / "daemon.toml"
        file.write_text(toml)
        given = {tuple(name.split("__")): Given(value, "--option", "--option") for name, value in options.items()}
        return ConfigSource(file, environ or {}, given).load()

    return load


def refusal(load, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_has_to_be_said(tmp_path):
    loaded = ConfigSource(tmp_path / "absent.toml", {}, {}).load()
    assert loaded.config().rpc.host == "127.0.0.1"
    assert loaded.given() == {}
    assert {each.source for each in loaded.values.values()} == {"default"}


def test_options_go_before_variables_and_those_before_the_file(load):
    toml = "[rpc]\nport = 1\nuser = 'f'\nhost = '127.0.0.2'\n[session]\nspeed_limit_up = 3\npeer_limit_global = 9"
    environ = {"STARLING_RPC_PORT": "2", "STARLING_RPC_USER": "e", "STARLING_SPEED_LIMIT_UP": "4"}
    loaded = load(toml, environ, rpc__port=3)
    assert (loaded.config().rpc.port, loaded.config().rpc.user, loaded.config().rpc.host) == (3, "e", "127.0.0.2")
    assert loaded.given() == {"speed_limit_up": 4, "peer_limit_global": 9}
    printed = loaded.to_toml({"peer_limit_global": 5, "speed_limit_down": 6}, PLACES.defaults())
    sources = {line.split(" ")[0]: line.rpartition("# ")[2] for line in printed.splitlines() if " = " in line}
    assert sources["port"] == "--option"
    assert sources["user"] == "STARLING_RPC_USER"
    assert sources["host"].endswith("/daemon.toml")
    assert sources["peer_limit_global"].endswith("/daemon.toml")
    assert sources["speed_limit_down"] == "set by a client"
    assert sources["cache_size_mib"] == "default"
    tables = tomllib.loads(printed)
    assert tables["rpc"]["port"] == 3
    assert tables["session"]["peer_limit_global"] == 9
    assert tables["session"]["speed_limit_down"] == 6
    assert tables["session"]["download_dir"] == "/downloads"


def test_what_is_printed_can_be_the_file(load, tmp_path):
    printed = load("[log]\nlevel = 'debug'").to_toml({}, {**PLACES.defaults(), "download_dir": "/srv/a b"})
    again = load(printed)
    assert again.config().log.level is LogLevel.DEBUG
    assert again.given()["download_dir"] == "/srv/a b"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("true", True), ("YES", True), ("on", True), ("1", True), ("false", False), ("No", False), ("off", False)],
)
def test_variables_say_yes_and_no_as_people_do(load, text, meant):
    loaded = load("", {"STARLING_NETWORK_TRACKERS": text, "STARLING_DHT_ENABLED": text})
    assert loaded.config().network.trackers is meant
    assert loaded.given() == {"dht_enabled": meant}


def test_variables_hold_lists_with_commas_and_words_as_they_are(load):
    environ = {
        "STARLING_RPC_ALLOW": "10.0.0.0/8, 192.168.1.*",
        "STARLING_NETWORK_BIND": '["tun0"]',
        "STARLING_RPC_PASSWORD": '"quoted" # all of it',
        "STARLING_LOG_FORMAT": "json",
        "STARLING_SEED_RATIO_LIMIT": "1.5",
        "STARLING_RPC_USER": "",
    }
    config = load("", environ).config()
    assert config.rpc.allow == ("10.0.0.0/8", "192.168.1.*")
    assert config.network.bind == ("tun0",)
    assert config.rpc.password == '"quoted" # all of it'
    assert config.rpc.user == "starling"
    assert config.log.format is LogFormat.JSON
    assert load("", environ).given() == {"seed_ratio_limit": 1.5}


def test_secrets_come_from_files_and_are_never_shown(load, tmp_path):
    secret = tmp_path / "pass"
    secret.write_text("hush 1\n")
    for loaded in (
        load("", {"STARLING_RPC_PASSWORD_FILE": str(secret)}),
        load('[rpc]\npassword_file = "pass"'),
        load('[rpc]\npassword = "hush 1"'),
    ):
        assert loaded.config().rpc.password == "hush 1"
        printed = loaded.to_toml({}, PLACES.defaults())
        assert "hush" not in printed
        assert "# password = (hidden)" in printed
    assert "hush" not in refusal(load, '[rpc]\npassword = "hush\\n1"')
    assert "hush" not in refusal(load, '[rpc]\npassword = ["hush"]')


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "only line"), (b"a\nb\n", "only line"), (b"\xff", "no text"), (b"x" * 5_000, "at most 4096 bytes")],
)
def test_a_secret_is_one_line(load, tmp_path, content, reason):
    (tmp_path / "pass").write_bytes(content)
    assert reason in refusal(load, '[rpc]\npassword_file = "pass"')


def test_a_secret_stands_in_one_place(load, tmp_path):
    both = {"STARLING_RPC_PASSWORD": "a", "STARLING_RPC_PASSWORD_FILE": "b"}
    assert refusal(load, "", both) == "STARLING_RPC_PASSWORD and STARLING_RPC_PASSWORD_FILE exclude one another"
    assert "password must not stand beside it" in refusal(load, '[rpc]\npassword = "a"\npassword_file = "b"')
    assert "absent" in refusal(load, f'[rpc]\npassword_file = "{tmp_path}/absent"')


@pytest.mark.parametrize(
    ("toml", "environ", "options"),
    [
        ('[rpc]\nhost = "0.0.0.0"', {}, {}),
        ("", {"STARLING_RPC_HOST": "::"}, {}),
        ("", {}, {"rpc__host": "192.0.2.1"}),
        ('[rpc]\nhost = "box.example"', {}, {}),
        ('[rpc]\nhost = "127.0.0.1"', {"STARLING_RPC_HOST": "0.0.0.0"}, {}),
    ],
)
def test_no_place_opens_the_rpc_without_a_password(load, toml, environ, options):
    assert "would be open to others: give it a password first" in refusal(load, toml, environ, **options)
    load(toml, {**environ, "STARLING_RPC_PASSWORD": "x"}, **options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[rcp]", "there is no section [rcp]; did you mean rpc?"),
        ("rpc = 1", "rpc must be a section: write [rpc]"),
        ("[rpc]\nprt = 1", '[rpc] has no key "prt"; did you mean port?'),
        ("[session]\nspeed_limit_dwn = 1", "did you mean speed_limit_down?"),
        ("[session]\nversion = 'x'", '[session] has no key "version"'),
        ("[session]\nspeed_limit_down = -1", "speed_limit_down = -1: it must be a whole number from 0 to 1000000000"),
        ("[session]\ndownload_dir = 'x'", 'download_dir = "x": it must be an absolute path'),
        ("[session]\nencryption = 'none'", "it must be required, preferred, or allowed"),
        ("[session]\nutp_enabled = true", "has no key"),
        ("[rpc]\nuser = 'a:b'", "a user's name has no colon"),
        ("[rpc]\nallow = ['1.2.3.4.5']", "'1.2.3.4.5' is no address or network"),
        ("[network]\npeers = ['nowhere']", "nowhere is no HOST:PORT"),
        ("[log]\nlevel = 'loud'", 'it must be "debug", "info", "warning" or "error"'),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(load, text, reason):
    assert reason in refusal(load, text)


def test_a_value_that_another_goes_before_is_checked_too(load):
    assert "STARLING_RPC_PORT" in refusal(load, "", {"STARLING_RPC_PORT": "many"}, rpc__port=1)


def test_folders_may_begin_at_home(load, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load("[session]\ndownload_dir = '~/x'").given() == {"download_dir": str(tmp_path / "x")}


def test_variables_that_mean_nothing_are_named(tmp_path):
    environ = {"STARLING_RPC_PROT": "1", "STARLING_TRACEBACK": "1", "STARLING_RPC_PORT": "1", "HOME": "/"}
    assert ConfigSource(tmp_path / "x", environ, {}).strangers() == [("STARLING_RPC_PROT", "STARLING_RPC_PORT")]


def test_every_key_has_a_variable_of_its_own():
    assert len({variable_of(key) for key in KEYS}) == len(KEYS)


def test_a_change_is_taken_up_or_waits_for_the_next_start(load):
    old = load()
    new = load("[rpc]\nport = 1\nuser = 'u'\n[network]\ntrackers = false\n[session]\nspeed_limit_up = 1")
    assert needs_restart(old, new) == ["[rpc] port", "[network] trackers"]
    assert taken_up(old, new) == ["[rpc] user", "[session] speed_limit_up"]


def test_the_engine_is_told(load):
    loaded = load(
        "[network]\nbind = ['127.0.0.1']\nbootstrap = ['router.example:1']\ntrackers = false",
        {"STARLING_PEER_PORT": "6000", "STARLING_SPEED_LIMIT_UP": "5", "STARLING_SPEED_LIMIT_UP_ENABLED": "yes"},
    )
    values = {**PLACES.defaults(), "encryption": "required", **loaded.given()}
    settings = engine_settings(loaded.config(), values, state_dir=Path("/s"))
    assert settings.port == 6_000
    assert settings.bind == ("127.0.0.1",)
    assert settings.bootstrap == (("router.example", 1),)
    assert not settings.trackers
    assert (settings.limit_down, settings.limit_up) == (None, 5_000)
    assert settings.encryption is Encryption.REQUIRE
    plain = load("[network]\nplaintext_only = true").config()
    assert engine_settings(plain, values, state_dir=Path("/s")).encryption is Encryption.OFF
    random_port = {**values, "peer_port_random_on_start": True}
    assert engine_settings(plain, random_port, state_dir=Path("/s")).port == 0


@given(st.dictionaries(st.sampled_from([variable_of(key) for key in KEYS]), st.text(max_size=20)))
def test_any_variable_is_taken_or_refused_by_name(tmp_path_factory, texts):
    environ = {f"STARLING_{name}": text for name, text in texts.items()}
    try:
        loaded = ConfigSource(Path("/nowhere/daemon.toml"), environ, {}).load()
    except ConfigError as error:
        refused = str(error)
    else:
        assert set(loaded.given()) <= {name for section, name in KEYS if section == SESSION}
        tomllib.loads(loaded.to_toml({}, PLACES.defaults()))
        refused = "STARLING_"
    assert "STARLING_" in refused
