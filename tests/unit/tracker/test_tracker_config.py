"""The tracker's configuration: what is printed is read back, what is wrong is refused by name, what is live changes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import ConfigError
from p2p.operation.config_schema import keys_of
from p2p.operation.config_values import Duration, Networks, Places, Size
from p2p.operation.log_lines import LogLevel
from tracker.config import (
    SECTIONS,
    ConfigSource,
    LogFormat,
    TrackerConfig,
    needs_restart,
    only_live,
    parse,
    taken_up,
)


def refusal(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "t.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_printed_is_read_back_and_explains_every_key():
    printed = TrackerConfig().to_toml()
    assert parse(printed, "printed") == TrackerConfig()
    tables = tomllib.loads(printed)
    assert {name: list(table) for name, table in tables.items()} == {
        name: [each for each, _, _ in keys_of(section)] for name, section in SECTIONS.items()
    }
    for lines in re.findall(r"((?:^# .*\n)*)^\w+ = ", printed, re.MULTILINE):
        assert "Must be" in lines.replace("\n# ", " ")


def test_every_key_says_what_it_allows_in_words_of_its_own():
    for section in SECTIONS.values():
        for name, key, default in keys_of(section):
            assert key.words.endswith("."), name
            assert key.kind.read(tomllib.loads(f"x = {key.kind.write(default)}")["x"]) == default


def test_values_are_typed():
    config = parse(
        """
        [listen]
        bind = ["127.0.0.1", "0:0::1"]
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [announce]
        interval = "30min"
        min_interval = 60
        [admin]
        bind = ["[::1]:9100", "127.0.0.1:0"]
        [log]
        format = "json"
        level = "warning"
        """,
        "t.toml",
    )
    assert config.listen.bind == ("127.0.0.1", "::1")
    assert config.listen.trusted_proxies == Networks().read(["10.0.0.0/8", "::1/128"])
    assert (config.announce.interval, config.announce.min_interval) == (1_800.0, 60.0)
    assert config.admin.bind == (("::1", 9_100), ("127.0.0.1", 0))
    assert (config.log.format, config.log.level) == (LogFormat.JSON, LogLevel.WARNING)
    assert config.announce.rules().interval == 1_800.0
    assert parse(config.to_toml(), "again") == config


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[lisen]", "t.toml: there is no section [lisen]; did you mean listen?"),
        ('["\\n\\u001b"]', r"t.toml: there is no section [\n\u001b]; there are listen,"),
        ("listen = 3", "t.toml: listen must be a section: write [listen]"),
        ("[listen]\nhttp_prt = 1", 't.toml: [listen] has no key "http_prt"; did you mean http_port?'),
        ("[listen]\nxyzzy = 1", 't.toml: [listen] has no key "xyzzy"; there are bind, http,'),
        ("[listen]\nhttp_port = 70000", "[listen] http_port = 70000: it must be a whole number from 0 to 65535"),
        ("[listen]\nhttp_port = true", "[listen] http_port = true: it must be a whole number"),
        ("[listen]\nhttp_port = 1.0", "[listen] http_port = 1.0: it must be a whole number"),
        ("[listen]\nhttp = 1", "[listen] http = 1: it must be true or false"),
        ('[listen]\nbind = "127.0.0.1"', "it must be a list of IP addresses"),
        ('[listen]\nbind = ["localhost"]', "it must be a list of IP addresses"),
        ("[listen]\nbind = [1]", "it must be a list of IP addresses"),
        ('[listen]\ntrusted_proxies = ["10.0.0.1/8"]', "it must be a list of IP addresses or networks"),
        ("[announce]\ninterval = nan", "[announce] interval = NaN: it must be seconds from 1s to 1d"),
        ("[announce]\ninterval = inf", "it must be seconds"),
        ('[announce]\ninterval = "5 fortnights"', "it must be seconds"),
        ("[announce]\ninterval = 2024-01-01", '[announce] interval = "2024-01-01": it must be seconds'),
        ('[admin]\nbind = ["::1:9100"]', "it must be a list of addresses with ports"),
        ('[admin]\nbind = ["127.0.0.1"]', "it must be a list of addresses with ports"),
        ('[log]\nlevel = "loud"', '[log] level = "loud": it must be "debug", "info", "warning" or "error"'),
        ('[log]\nformat = ["plain"]', 'it must be "plain" or "json"'),
        ('[swarms]\nsnapshot = "a\\nb"', "it must be a path, or nothing"),
        (f'[swarms]\nsnapshot = "{"x" * 5000}"', "it must be a path, or nothing"),
        ("x =", "t.toml: Invalid value"),
        ("[listen]\n[listen]", "t.toml: Cannot declare"),
        (
            '[swarms]\nredis_prefix = "a*"',
            '[swarms] redis_prefix = "a*": it must be 1 to 64 letters, digits and signs of _ . : { } -',
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text, reason):
    assert reason in refusal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[listen]\nhttp = false\nudp = false", "nobody could announce"),
        ("[announce]\ninterval = 60\nmin_interval = 61", "min_interval is longer than interval"),
        ("[announce]\ndefault_peers = 100\nmax_peers = 50", "default_peers is more than max_peers"),
    ],
)
def test_values_that_contradict_one_another_are_refused(text, reason, tmp_path):
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        ConfigSource(file).load()


def test_options_stand_over_the_file(tmp_path):
    file = tmp_path / "t.toml"
    file.write_text("[listen]\nhttp_port = 1\nudp_port = 2\n")
    config = ConfigSource(file, {("listen", "http_port"): ("--http-port", 7)}).load()
    assert (config.listen.http_port, config.listen.udp_port) == (7, 2)
    with pytest.raises(ConfigError, match="--http-port = 70000: it must be a whole number"):
        ConfigSource(None, {("listen", "http_port"): ("--http-port", 70_000)}).load()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff", "not in UTF-8, at byte 0"),
        (b"#" * (1 << 21), "at most 1048576 bytes"),
        (b"x = " + b"[" * 99_999, "t.toml: "),
    ],
    ids=["no text", "huge", "deep"],
)
def test_files_that_are_no_configuration(tmp_path, raw, reason):
    file = tmp_path / "t.toml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=reason):
        ConfigSource(file).load()


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError, match=re.escape(str(path))):
            ConfigSource(path).load()


def test_a_reload_takes_up_what_is_live_and_names_the_rest():
    old = TrackerConfig()
    new = parse(
        '[listen]\nhttp_port = 1\n[announce]\nmax_peers = 60\n[log]\nlevel = "debug"\nannounces = true', "t.toml"
    )
    assert taken_up(old, new) == ["[announce] max_peers", "[log] level"]
    assert needs_restart(old, new) == ["[listen] http_port", "[log] announces"]
    assert only_live(old, new) == replace(
        old, announce=replace(old.announce, max_peers=60), log=replace(old.log, level=LogLevel.DEBUG)
    )


def test_quantities_have_units():
    assert [Duration(0, 1e9).read(text) for text in ("90s", "1.5 min", "2h", "7d", "1w", "250ms", 3)] == [
        90, 90, 7_200, 604_800, 604_800, 0.25, 3,
    ]  # fmt: skip
    assert [Size(0, 1 << 60).read(text) for text in ("512 B", "50GiB", "1.5KiB", 7)] == [512, 50 << 30, 1_536, 7]
    assert Places().read(["[::1]:1", "1.2.3.4:5"]) == (("::1", 1), ("1.2.3.4", 5))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_value_is_taken_as_it_is_or_refused(data):
    """What is taken is written and read back the same."""
    section = data.draw(st.sampled_from(sorted(SECTIONS)))
    name, key, _ = data.draw(st.sampled_from(list(keys_of(SECTIONS[section]))))
    try:
        value = key.kind.read(data.draw(ANYTHING))
    except ValueError:
        return
    written = tomllib.loads(f"{name} = {key.kind.write(value)}")[name]
    assert key.kind.read(written) == value


def test_each_section_is_a_field():
    assert list(SECTIONS) == [each.name for each in fields(TrackerConfig)]


def test_a_clients_counters_are_kept_as_long_as_is_asked_and_never_less_than_its_peer():
    assert parse("", "t").private_rules().place_lifetime == 86_400
    asked = parse('[members]\nplace_lifetime = "3d"\n', "t").private_rules()
    assert asked.place_lifetime == 3 * 86_400
    rare = parse('[announce]\ninterval = "1d"\n[members]\nplace_lifetime = "1h"\n', "t").private_rules()
    assert rare.place_lifetime == rare.peer_lifetime == 2.5 * 86_400
