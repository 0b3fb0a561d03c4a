"""The options of `starling daemon`: what each is in the configuration, whose each value is, and where things are."""

from __future__ import annotations

import tomllib

import pytest

from p2p.cli.main import run


@pytest.fixture
def printed(monkeypatch, capsys, tmp_path):
    """What `--print-config` says with some options: the tables, and the source of each key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DOWNLOAD_DIR", "STARLING_CONFIG_DIR", "STARLING_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)

    def printed(*options):
        assert run(["daemon", "--print-config", *options]) == 0, capsys.readouterr()
        text = capsys.readouterr().out
        sources = {}
        for line in text.splitlines():
            if "=" in line and not line.startswith("#"):
                sources[line.split()[0]] = line.rpartition("# ")[2]
        return tomllib.loads(text), sources

    return printed


def test_without_options_everything_is_a_default(printed, tmp_path):
    tables, sources = printed()
    assert set(sources.values()) == {"default"}
    assert tables["session"]["download_dir"] == str(tmp_path / "Downloads")
    assert tables["session"]["peer_port"] == 51_413
    assert (tables["rpc"]["host"], tables["rpc"]["port"]) == ("127.0.0.1", 9_091)


@pytest.mark.parametrize(
    ("options", "section", "said"),
    [
        (["--port", "6000"], "session", {"peer_port": 6_000, "peer_port_random_on_start": False}),
        (["--no-dht"], "session", {"dht_enabled": False}),
        (["--no-lsd"], "session", {"lpd_enabled": False}),
        (["--no-pex"], "session", {"pex_enabled": False}),
        (["--no-nat"], "session", {"port_forwarding_enabled": False}),
        (["--no-trackers"], "network", {"trackers": False}),
        (["--limit-up", "2MB/s"], "session", {"speed_limit_up": 2_000, "speed_limit_up_enabled": True}),
        (["--limit-down", "1"], "session", {"speed_limit_down": 1, "speed_limit_down_enabled": True}),
        (["--encryption", "require"], "session", {"encryption": "required"}),
        (["--encryption", "off"], "network", {"plaintext_only": True}),
        (["--bind", "127.0.0.1"], "network", {"bind": ["127.0.0.1"]}),
        (["--peer", "[::1]:5", "--peer", "a.example:6"], "network", {"peers": ["[::1]:5", "a.example:6"]}),
        (["--bootstrap", "a.example:6"], "network", {"bootstrap": ["a.example:6"]}),
        (["--rpc-port", "0", "--rpc-user", "ada"], "rpc", {"port": 0, "user": "ada"}),
        (["--allow", "10.0.0.0/8", "--allow-host", "nas"], "rpc", {"allow": ["10.0.0.0/8"], "allow_host": ["nas"]}),
        (["--watch-dir", "/in"], "watch", {"folders": ["/in"]}),
        (["--log-level", "debug", "--json"], "log", {"level": "debug", "format": "json"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_option_is_a_key(printed, options, section, said):
    tables, sources = printed(*options)
    assert {name: tables[section][name] for name in said} == said
    assert all(sources[name].startswith("--") for name in said)


def test_folders_are_whole_paths(printed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tables, _ = printed("--download-dir", "a/../b", "--watch-dir", "~/in")
    assert tables["session"]["download_dir"] == str(tmp_path / "b")
    assert tables["watch"]["folders"] == [str(tmp_path / "in")]


def test_the_folder_of_the_configuration_can_be_named(printed, tmp_path, monkeypatch):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "daemon.toml").write_text("[rpc]\nport = 7")
    assert printed("--config-dir", str(tmp_path / "c"))[0]["rpc"]["port"] == 7
    monkeypatch.setenv("STARLING_CONFIG_DIR", str(tmp_path / "c"))
    assert printed()[1]["port"] == str(tmp_path / "c" / "daemon.toml")


def test_a_password_of_an_option_is_hidden(printed, tmp_path, capsys):
    (tmp_path / "pass").write_text("hush\n")
    tables, _ = printed("--rpc-password-file", str(tmp_path / "pass"), "--rpc-host", "0.0.0.0")
    assert tables["rpc"]["host"] == "0.0.0.0"
    assert "hush" not in str(tables)


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (["--rpc-host", "::"], 1, "the RPC on :: (--rpc-host) would be open to others"),
        (["--rpc-password-file", "/absent"], 1, "/absent: No such file"),
        (["--allow", "nas"], 1, "--allow"),
        (["--limit-up", "0"], 2, "a limit of 0"),
        (["--log-format", "xml"], 2, "--log-format"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_one_line(capsys, monkeypatch, tmp_path, options, status, reason):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(["daemon", "--print-config", *options]) == status
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert reason in told
