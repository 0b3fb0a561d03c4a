"""`starling tui --web`: what is refused before anything is served, and what a page's process is told."""

from __future__ import annotations

import pytest

from p2p.cli.main import run
from p2p.cli.web import WebPlace
from p2p.cli.web_session import PASSWORD, SERVER, environment_of
from p2p.daemon.client_address import Server


@pytest.fixture
def complaint(monkeypatch, capsys, tmp_path):
    """The one line that a refused command line gets. Nobody listens at port 1."""
    monkeypatch.setenv("STARLING_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("STARLING_RPC_PORT", "1")
    monkeypatch.delenv("STARLING_RPC_PASSWORD", raising=False)

    def complaint(*options):
        assert run(["tui", *options]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line

    return complaint


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_this_machine_a_password_is_needed(complaint, address):
    line = complaint("--web", "--web-port", "0", "--web-bind", address)
    assert line.startswith(f"error: the interface on {address} would be open to others")
    assert "password" in line


@pytest.mark.parametrize("option", [["--web-bind", "::1"], ["--web-port", "0"], ["--web-host", "nas"], ["--json"]])
def test_its_options_are_of_no_use_alone(complaint, option):
    assert "go with --web" in complaint(*option)


def test_a_daemon_that_was_named_must_be_there(complaint):
    assert complaint("--web", "--connect", "127.0.0.1:1").startswith("error: ")


def test_what_is_said_is_taken_and_the_rest_is_usual():
    settings = WebPlace("::1", 8080, ("nas",)).settings("sesame")
    assert (settings.host, settings.port, settings.names, settings.password) == ("::1", 8080, ("nas",), "sesame")
    usual = WebPlace(None, None, ()).settings(None)
    assert (usual.host, usual.port) == ("127.0.0.1", 9180)


@pytest.mark.parametrize("address", ["127.0.0.1:9091", "http://us%40er@[::1]:80/transmission/rpc", "https://a/b/rpc"])
def test_a_page_is_told_the_server_as_it_is(address):
    server = Server.parse(address)
    environment = environment_of(server, "sesame")
    assert Server.parse(environment[SERVER]) == server
    assert environment[PASSWORD] == "sesame"
    assert "sesame" not in environment[SERVER]
    assert PASSWORD not in environment_of(server, None)
