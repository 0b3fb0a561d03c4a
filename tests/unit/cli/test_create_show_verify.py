"""The commands as a user meets them: output, streams and exit statuses, in a process of their own where it matters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from p2p.cli.main import COMMANDS, run
from p2p.codec import bencode
from p2p.metainfo.metainfo import Metainfo

if TYPE_CHECKING:
    from collections.abc import Callable

SHOW_KEYS = [
    "name",
    "info_hash_v1",
    "info_hash_v2",
    "version",
    "total_size",
    "piece_length",
    "piece_count",
    "private",
    "files",
    "trackers",
    "web_seeds",
]


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `set`, with the current folder beside it."""
    (tmp_path / "set/sub").mkdir(parents=True)
    (tmp_path / "set/a").write_bytes(bytes(40_000))
    (tmp_path / "set/sub/b").write_bytes(b"b" * 10)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "set"


@pytest.fixture
def starling(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(list(arguments))
        return (status, *capsys.readouterr())

    return call


def test_create_then_show_then_verify(content: Path, starling: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = starling("create", "set", "--tracker", "http://t/announce", "--comment", "hello")
    assert (status, err) == (0, "")
    metainfo = Metainfo.from_bytes(Path("set.torrent").read_bytes())
    assert metainfo.info_hash_v1 is not None
    assert metainfo.info_hash_v1.hex() in out
    assert out.startswith("torrent     set.torrent\nname        set\nsize        39.1 KiB in 2 files\n")
    assert f"magnet      magnet:?xt=urn:btih:{metainfo.info_hash_v1.hex()}&dn=set&tr=http%3A%2F%2Ft%2Fannounce\n" in out
    status, out, err = starling("show", "set.torrent")
    assert (status, err) == (0, "")
    assert out.endswith("\n\n39.1 KiB  a\n    10 B  sub/b\n")
    assert max(len(line) for line in out.splitlines() if not line.startswith("magnet")) <= 80
    for path in ("set", "."):
        assert starling("verify", "set.torrent", path) == (0, "3 of 3 pieces good (set, 39.1 KiB)\n", "")


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
def test_json_of_create_and_show(content: Path, starling: Callable[..., tuple[int, str, str]], version: str) -> None:
    status, out, err = starling(
        "create", "set", "-o", "o.torrent", "--version", version, "--piece-length", "32KiB", "--private",
        "--source", "s",
        "--tracker", "http://t/a", "--tier", "udp://u:1,udp://v:2", "--web-seed", "http://w/", "--node", "n.example:1",
        "--json",
    )  # fmt: skip
    assert (status, err) == (0, "")
    created = json.loads(out)
    assert created["torrent"] == "o.torrent"
    assert created["magnet"].startswith("magnet:?xt=urn:bt")
    status, out, err = starling("show", "o.torrent", "--json")
    assert (status, err) == (0, "")
    shown = json.loads(out)
    assert list(shown) == SHOW_KEYS
    assert {**created, **shown} == created
    assert shown["version"] == version
    assert (shown["info_hash_v1"] is None) == (version == "2")
    assert (shown["info_hash_v2"] is None) == (version == "1")
    assert shown["files"] == [{"path": "a", "length": 40_000}, {"path": "sub/b", "length": 10}]
    assert shown["trackers"] == [["http://t/a"], ["udp://u:1", "udp://v:2"]]
    assert (shown["total_size"], shown["piece_length"], shown["private"]) == (40_010, 32_768, True)
    assert shown["web_seeds"] == ["http://w/"]


def test_show_of_a_magnet_link(starling: Callable[..., tuple[int, str, str]]) -> None:
    link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=x&tr=http%3A%2F%2Ft%2Fa&tr=udp%3A%2F%2Fu%3A1&x.pe=10.0.0.1:5&so=0,2-4"
    status, out, _ = starling("show", link, "--json")
    assert status == 0
    shown = json.loads(out)
    assert list(shown) == SHOW_KEYS
    assert shown == {
        **dict.fromkeys(SHOW_KEYS),
        "name": "x",
        "info_hash_v1": "ab" * 20,
        "version": "1",
        "trackers": [["http://t/a"], ["udp://u:1"]],
        "web_seeds": [],
    }
    status, out, _ = starling("show", link)
    assert out.splitlines() == [
        "name       x",
        "version    1",
        f"info-hash  {'ab' * 20}",
        "trackers   http://t/a",
        "           udp://u:1",
        "peers      10.0.0.1:5",
        "selected   files 0, 2-4",
    ]


def test_create_does_not_overwrite_unless_forced(content: Path, starling: Callable[..., tuple[int, str, str]]) -> None:
    Path("set.torrent").write_bytes(b"precious")
    assert starling("create", "set") == (1, "", "error: set.torrent exists; --force writes over it\n")
    assert Path("set.torrent").read_bytes() == b"precious"
    assert starling("create", "set", "--force")[0] == 0
    assert starling("show", "set.torrent")[0] == 0
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["set", "set.torrent"]
    assert starling("create", "set", "-o", "no/folder.torrent")[0] == 1


def test_create_says_what_it_leaves_out(content: Path, starling: Callable[..., tuple[int, str, str]]) -> None:
    (content / "li\x1bnk").symlink_to("a")
    status, _, err = starling("create", "set", "--private")
    assert status == 0
    assert err.splitlines() == [
        "note: a private torrent without a tracker finds no peers",
        "note: left out: li\\x1bnk is a symbolic link",
    ]


def test_verify_names_files_and_pieces(content: Path, starling: Callable[..., tuple[int, str, str]]) -> None:
    assert starling("create", "set")[0] == 0
    raw = bytearray(40_000)
    raw[0] = raw[20_000] = 1
    (content / "a").write_bytes(raw)
    (content / "sub/b").unlink()
    status, out, err = starling("verify", "set.torrent", "set")
    assert (status, err) == (1, "error: 2 of 2 files not as the torrent says\n")
    assert out == "bad        set/a: pieces 0-1\nmissing    set/sub/b\n0 of 3 pieces good (set, 39.1 KiB)\n"
    status, out, err = starling("verify", "set.torrent", "set", "--json")
    assert status == 1
    found = json.loads(out)
    assert (found["whole"], found["good_count"], found["bad_pieces"], found["missing_pieces"]) == (
        False,
        0,
        [0, 1],
        [2],
    )
    assert found["files"] == [
        {"path": "set/a", "length": 40_000, "size": 40_000, "state": "bad", "bad_pieces": [0, 1]},
        {"path": "set/sub/b", "length": 10, "size": None, "state": "missing", "bad_pieces": []},
    ]
    (content / "a").write_bytes(bytes(40_001))
    _, out, _ = starling("verify", "set.torrent", "set")
    assert "bad        set/a: 40,001 bytes instead of 40,000\n" in out
    (content / "a").write_bytes(bytes(40_000))
    _, out, _ = starling("verify", "set.torrent", "set")
    assert "unchecked  set/a: shares pieces with a file that is not whole\n" in out


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path, starling: Callable[..., tuple[int, str, str]]) -> None:
    name = "\x1b[2J[red]\u202efdp\n"
    info = {
        b"name": name.encode(),
        b"piece length": 16_384,
        b"pieces": bytes(20),
        b"files": [{b"length": 5, b"path": [b"[bold]\x1b]0;x\x07", b"f\r"]}],
        b"source": b"\x9b31m",
    }
    place = tmp_path / "t"
    place.write_bytes(
        bencode.encode({b"info": info, b"comment": b"two\nlines\x1b[0m", b"announce": b"http://x/\x1b[A"})
    )
    for arguments in (["show", str(place)], ["show", "--json", str(place)], ["verify", str(place), str(tmp_path)]):
        _, out, err = starling(*arguments)
        for text in (out, err):
            assert all(line.isprintable() for line in text.split("\n"))
    assert "[red]" in starling("show", str(place))[1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["show", "nowhere.torrent"], 1, "nowhere.torrent"),
        (["show", "set"], 1, "set"),
        (["show", "set/a"], 1, "not a torrent"),
        (["show", "magnet:?dn=x"], 1, "info-hash"),
        (["create", "nowhere"], 1, "nowhere"),
        (["create", "set", "--tracker", "nonsense"], 1, "nonsense"),
        (["create", "set", "--piece-length", "17000"], 1, "piece length"),
        (["verify", "nowhere", "set"], 1, "nowhere"),
        (["create", "set", "--piece-length", "big"], 2, "starling create --help"),
        (["create", "set", "--tier", "a,,b"], 2, "--tier"),
        (["create", "set", "--node", "x"], 2, "--node"),
        (["create", "set", "--version", "3"], 2, "--version"),
        (["create"], 2, "missing argument"),
        (["create", "--nonsense"], 2, "--nonsense"),
        (["nonsense"], 2, "starling --help"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_an_error_is_one_line_on_stderr(
    content: Path, starling: Callable[..., tuple[int, str, str]], arguments: list[str], status: int, words: str
) -> None:
    found, out, err = starling(*arguments)
    assert (found, out) == (status, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_a_bug_of_ours_is_one_line_too(
    content: Path, starling: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("p2p.cli.show.read_source", fail)
    assert starling("show", "x") == (
        1, "", "error: a bug in this program: ZeroDivisionError: oh no (STARLING_TRACEBACK=1 shows where)\n"
    )  # fmt: skip
    monkeypatch.setenv("STARLING_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        starling("show", "x")


def test_help_names_every_command(starling: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = starling("--help")
    assert status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert starling() == (2, out, "")
    assert starling("--version")[1].startswith("starling ")


def process(*arguments: str, **settings: object) -> subprocess.Popen[bytes]:
    # A shell that runs the tests in the background has SIGINT ignored in all that they start.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{listen}; from p2p.cli.main import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], **settings)  # type: ignore[call-overload]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    files = [{b"length": 1, b"path": [b"%06d" % n]} for n in range(20_000)]
    info = {b"name": b"n", b"piece length": 16_384 * 2, b"pieces": bytes(20), b"files": files}
    (tmp_path / "t").write_bytes(bencode.encode({b"info": info}))
    for arguments in (["show", "t"], ["show", "t", "--json"], ["--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        running = process(*arguments, stdout=writer, stderr=subprocess.PIPE, cwd=tmp_path)
        os.close(writer)
        _, err = running.communicate()
        assert (running.returncode, err) == (141, b"")


def test_a_full_output_is_an_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        running = process("--help", stdout=full, stderr=subprocess.PIPE, cwd=tmp_path)
        _, err = running.communicate()
    assert running.returncode == 1
    assert err.startswith(b"error: the output cannot be written")


def test_ctrl_c_while_hashing_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "big"
    with place.open("wb") as file:
        file.truncate(64 << 30)
    running = process("create", "big", stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path)
    opened = Path(f"/proc/{running.pid}/fd")
    while not any(os.path.realpath(entry) == str(place) for entry in opened.iterdir()):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate()
    assert (running.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


def test_only_the_command_that_runs_is_imported() -> None:
    code = (
        "import sys; from p2p.cli.main import run; run(['show', 'magnet:?xt=urn:btih:' + 'a' * 40]); "
        "print([name for name in ('p2p.cli.create', 'aiohttp', 'textual') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
