"""The verbs of the command line against a daemon of ours over HTTP: what each does there, and what it says."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from own_daemon import own_daemon

from p2p.cli.main import run
from p2p.cli.remote_list import Sort
from p2p.cli.remote_names import NoTorrentError
from p2p.cli.remote_watch import watch
from p2p.daemon.access import Login, hash_password
from p2p.session.create import create


@pytest.fixture
async def torrents(tmp_path, seed):
    """Torrent files of two folders and a file."""
    made = tmp_path / "made"
    for name, files in {"album": ("01.flac", "02.flac", "cover.txt"), "book": ("a.txt",)}.items():
        (made / name).mkdir(parents=True)
        for file in files:
            (made / name / file).write_bytes(random.Random(f"{seed} {file}").randbytes(40_000))
    (made / "disk.iso").write_bytes(bytes(50_000))
    for name in ("album", "book", "disk.iso"):
        data = await create(made / name, trackers=("http://127.0.0.1:1/announce",))
        (tmp_path / f"{name}.torrent").write_bytes(data)
    return tmp_path


@pytest.fixture
def verb(tmp_path, monkeypatch, capsys):
    """Runs a verb; what it said, after a status that is as expected."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "STARLING_CONFIG_DIR", "STARLING_RPC_PASSWORD", "STARLING_RPC_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)

    async def verb(*arguments, status=0):
        assert await asyncio.to_thread(run, list(map(str, arguments))) == status, capsys.readouterr()
        told = capsys.readouterr()
        if status:
            assert told.err.count("\n") == 1, told.err
            return told.err
        return json.loads(told.out) if "--json" in arguments else told.out + told.err

    return verb


@pytest.fixture
async def daemon(torrents, verb, monkeypatch):
    """A daemon that has the three torrents, stopped, as 1, 2 and 3."""
    async with own_daemon(torrents) as served:
        monkeypatch.setenv("STARLING_CONNECT", served.url)
        files = [torrents / f"{name}.torrent" for name in ("album", "book", "disk.iso")]
        assert await verb("add", *files, "--paused") == "added  1  album\nadded  2  book\nadded  3  disk.iso\n"
        yield served


async def states(daemon):
    return {row.name: row.status.name for row in await daemon.client.torrents()}


async def test_torrents_are_added_as_told(torrents, verb, monkeypatch):
    async with own_daemon(torrents) as daemon:
        monkeypatch.setenv("STARLING_CONNECT", daemon.url)
        folder = str(torrents / "elsewhere")
        monkeypatch.chdir(torrents)
        added = await verb("add", "book.torrent", "--json", "--paused", "--download-dir", folder, "--label", "x")
        assert [(each["id"], each["name"], each["duplicate"]) for each in added] == [(1, "book", False)]
        (row,) = await daemon.client.torrents()
        assert (row.status.name, row.labels, row.download_dir) == ("STOPPED", ("x",), folder)
        assert await verb("add", "book.torrent") == "is there  1  book\n"
        link = "magnet:?xt=urn:btih:" + "a" * 40 + "&dn=linked"
        assert await verb("add", link, "--paused") == "added  2  linked\n"
        (torrents / "bad.torrent").write_bytes(b"<html>")
        assert "bad.torrent" in await verb("add", "bad.torrent", status=1)
        assert "missing" in await verb("add", "absent.torrent", status=1)


async def test_the_list_says_what_there_is(daemon, verb):
    lines = (await verb("list")).splitlines()
    assert lines[0].split() == [
        "ID",
        "Name",
        "Done",
        "Size",
        "State",
        "Down",
        "Up",
        "ETA",
        "Ratio",
        "Peers",
        "Labels",
        "Added",
    ]
    assert [line.split()[:6] for line in lines[1:4]] == [
        ["1", "album", "0%", "117", "KiB", "stopped"],
        ["2", "book", "0%", "39.1", "KiB", "stopped"],
        ["3", "disk.iso", "0%", "48.8", "KiB", "stopped"],
    ]
    assert lines[4].startswith("3 torrents, 205 KiB")
    assert [each["name"] for each in await verb("list", "--sort", "size", "--json")] == ["album", "disk.iso", "book"]
    assert [each["id"] for each in await verb("list", "*.iso", "1", "--json")] == [1, 3]
    assert await verb("list", "--state", "seeding") == "note: no torrents like that\n"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["2"], [2]),
        (["BOOK"], [2]),
        (["disk"], [3]),
        (["*o*"], [2, 3]),
        (["b*", "1", "album"], [1, 2]),
    ],
)
async def test_torrents_are_named_by_id_and_by_name(daemon, verb, words, found):
    assert [each["id"] for each in await verb("start", *words, "--json")] == found
    assert sorted(row.id for row in await daemon.client.torrents() if row.status.name != "STOPPED") == found


async def test_torrents_are_named_by_the_beginning_of_their_hash(daemon, verb):
    rows = await daemon.client.torrents()
    for row in rows:
        assert [each["id"] for each in await verb("start", row.hash_string[:10].upper(), "--json")] == [row.id]


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["nothing"], 1, "no torrent is called nothing"),
        (["4"], 1, "no torrent is called 4"),
        (["x*"], 1, "no torrent's name is like x*"),
        (["o"], 1, "o names 2 torrents: 2 book, 3 disk.iso; give an id"),
        ([], 2, "name torrents, or give --all"),
        (["1", "--all"], 2, "--all leaves no torrent to name"),
    ],
)
async def test_what_changes_something_never_guesses(daemon, verb, words, status, reason):
    for name in ("start", "stop", "verify", "remove"):
        assert reason in await verb(name, *words, status=status)
    assert set((await states(daemon)).values()) == {"STOPPED"}


async def test_torrents_start_and_stop(daemon, verb):
    assert await verb("start", "--all") == "started: 1 album\nstarted: 2 book\nstarted: 3 disk.iso\n"
    assert "STOPPED" not in (await states(daemon)).values()
    assert await verb("stop", "album", "book") == "stopped: 1 album\nstopped: 2 book\n"
    while list((await states(daemon)).values()).count("STOPPED") < 2:
        await asyncio.sleep(0.01)
    assert await verb("start", "album", "--now") == "started: 1 album\n"


async def test_nothing_is_removed_unasked(daemon, verb):
    assert "give --yes" in await verb("remove", "book", status=1)
    assert len(await daemon.client.torrents()) == 3
    assert await verb("remove", "book", "--yes") == "removed: 2 book\n"
    assert [row.name for row in await daemon.client.torrents()] == ["album", "disk.iso"]


async def test_what_was_removed_with_its_content_comes_back(daemon, verb):
    assert "nothing to undo" in await verb("remove", "--undo", status=1)
    assert "takes nothing beside it" in await verb("remove", "book", "--undo", status=1)
    assert await verb("remove", "book", "--delete", "--yes") == "removed with its content: 2 book\n"
    assert await verb("remove", "--undo") == "brought back: 4 book\n"
    assert [row.name for row in await daemon.client.torrents()] == ["album", "disk.iso", "book"]


async def test_who_says_no_keeps_all_and_is_told_how_much_it_is(daemon, verb, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("p2p.cli.remote_remove.typer.confirm", lambda text, **_: asked.append(text))
    assert await asyncio.to_thread(run, ["remove", "--all", "--delete"]) == 1
    assert asked == ["Remove 3 torrents and delete 0 B of content?"]
    assert "1 album, 0 B" in capsys.readouterr().err
    assert len(await daemon.client.torrents()) == 3


async def test_files_are_shown_and_chosen(daemon, verb):
    lines = (await verb("files", "album")).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["0", "album/01.flac", "0%", "39.1", "KiB", "yes"],
        ["1", "album/02.flac", "0%", "39.1", "KiB", "yes"],
        ["2", "album/cover.txt", "0%", "39.1", "KiB", "yes"],
    ]
    told = await verb("files", "album", "--skip", "*.TXT", "--first", "1", "--last", "01.flac", "--json")
    assert [(each["wanted"], each["priority"]) for each in told] == [(True, -1), (True, 1), (False, 0)]
    assert [line.split()[-1] for line in (await verb("files", "1")).splitlines()[1:]] == ["last", "first", "no"]
    assert "no file is like x*" in await verb("files", "album", "--want", "x*", status=1)


async def test_limits_of_torrents_and_of_the_daemon(daemon, verb):
    assert await verb("limit", "*o*", "--up", "100KiB/s", "--ratio", "2", "--idle", "none") == (
        "limited: 2 book\nlimited: 3 disk.iso\n"
    )
    details = await daemon.client.details(3)
    assert (details.upload_limit, details.upload_limited, details.download_limited) == (102, True, False)
    assert (details.seed_ratio_mode.name, details.seed_ratio_limit, details.seed_idle_mode.name) == (
        "OWN", 2.0, "UNLIMITED",
    )  # fmt: skip
    await verb("limit", "3", "--up", "none", "--ratio", "default")
    details = await daemon.client.details(3)
    assert (details.upload_limited, details.seed_ratio_mode.name) == (False, "GLOBAL")
    told = await verb("limit", "--down", "1MB", "--ratio", "1.5", "--alt", "on", "--json")
    assert (told["speed_limit_down"], told["speed_limit_down_enabled"], told["alt_speed_enabled"]) == (
        1_000,
        True,
        True,
    )
    assert (told["seed_ratio_limit"], told["seed_ratio_limited"]) == (1.5, True)
    assert "none" in await verb("limit", "--down", "none", "--ratio", "none", "--alt", "off")
    for arguments in (["3"], ["3", "--alt", "on"], ["--alt", "maybe"], ["--ratio", "default"], ["--up", "fast"]):
        await verb("limit", *arguments, status=2)


async def test_a_page_about_a_torrent(daemon, verb):
    text = await verb("info", "album")
    fields = dict(line.split("  ", 1) for line in text.splitlines() if "  " in line)
    assert {name: fields[name].strip() for name in ("name", "id", "state", "folder", "content")} == {
        "name": "album",
        "id": "1",
        "state": "stopped",
        "folder": str((await daemon.client.torrents())[0].download_dir),
        "content": "117 KiB in 3 files, 8 pieces of 16 KiB",
    }
    told = await verb("info", "*", "--json")
    assert [each["name"] for each in told] == ["album", "book", "disk.iso"]
    assert told[0]["seed_ratio_mode"] == "global"


async def test_trackers_are_shown_and_changed(daemon, verb):
    assert "http://127.0.0.1:1/announce" in await verb("trackers", "album")
    assert "udp://127.0.0.1:2" in await verb("trackers", "album", "--add", "udp://127.0.0.1:2/announce")
    told = await verb("trackers", "album", "--drop", "127.0.0.1:1", "--json")
    assert [each["announce"] for each in told] == ["udp://127.0.0.1:2/announce"]
    assert "no tracker is x" in await verb("trackers", "album", "--drop", "x", status=1)


async def test_who_has_no_peers_says_so(daemon, verb):
    assert await verb("peers", "album") == "note: album has no peers\n"
    assert await verb("peers", "album", "--json") == []


async def test_how_a_daemon_does(daemon, verb):
    text = await verb("stats")
    assert "starling 1.2.3" in text
    assert "3: 0 active, 3 stopped" in text
    assert (await verb("stats", "--json"))["torrent_count"] == 3


async def test_content_is_moved_and_checked(daemon, verb, tmp_path):
    assert await verb("verify", "book") == "checking: 2 book\n"
    assert await verb("move", "book", tmp_path / "new") == f"moving to {tmp_path / 'new'}: 2 book\n"
    while (await daemon.client.torrents([2]))[0].download_dir != str(tmp_path / "new"):
        await asyncio.sleep(0.01)


async def test_passwords_come_from_files_and_the_environment(torrents, verb, monkeypatch):
    login = Login("starling", hash_password("hush", b"s" * 16))
    (torrents / "pass").write_text("hush\n")
    async with own_daemon(torrents, login) as daemon:
        monkeypatch.setenv("STARLING_CONNECT", daemon.url)
        assert "a user and a password are needed" in await verb("list", status=1)
        assert "no torrents" in await verb("list", "--password-file", torrents / "pass")
        monkeypatch.setenv("STARLING_RPC_PASSWORD_FILE", str(torrents / "pass"))
        assert "no torrents" in await verb("list")
        assert "needed" in await verb("list", "--connect", daemon.url.replace("//", "//other@"), status=1)
        monkeypatch.delenv("STARLING_RPC_PASSWORD_FILE")
        config = torrents / "config"
        config.mkdir()
        port = daemon.url.rpartition(":")[2]
        (config / "daemon.toml").write_text(f'[rpc]\nport = {port}\npassword = "hush"')
        monkeypatch.setenv("STARLING_CONFIG_DIR", str(config))
        assert "needed" in await verb("list", status=1)  # what is written down here is for the daemon here
        monkeypatch.delenv("STARLING_CONNECT")
        assert "no torrents" in await verb("list")


async def test_a_daemon_that_is_not_there_is_one_line(verb, monkeypatch):
    for name in ("list", "stats", "limit", "watch"):
        told = await verb(name, "--connect", "127.0.0.1:1", status=1)
        assert "connection refused (is there a daemon?" in told
    assert "is no address of a daemon" in await verb("list", "--connect", "a b", status=1)
    assert "a password has no place in an address" in await verb("list", "--connect", "http://a:b@c", status=1)


def test_a_folder_of_another_machine_is_an_absolute_path():
    from p2p.cli.remote import Daemon
    from p2p.errors import ConfigError

    assert Daemon(connect="nas").folder("/x") == "/x"
    with pytest.raises(ConfigError, match="must be an absolute path"):
        Daemon(connect="nas").folder("x")
    assert Daemon(connect="localhost").folder("x").endswith("/x")


@pytest.mark.parametrize(
    ("shell", "line", "offered"),
    [
        ("complete_bash", "starling info b", ["book"]),
        ("complete_bash", "starling files di", ["disk.iso"]),
        ("complete_bash", "starling start --al", ["--all"]),
        ("complete_bash", "starling trackers --ann", ["--announce"]),
        ("complete_fish", "starling peers a", ["album"]),
    ],
)
async def test_a_shell_is_offered_names(daemon, monkeypatch, capsys, shell, line, offered):
    monkeypatch.setenv("_STARLING_COMPLETE", shell)
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    if shell == "complete_fish":
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")

    def complete():
        with pytest.raises(SystemExit):
            run([])

    await asyncio.to_thread(complete)
    assert [word.split("\t")[0] for word in capsys.readouterr().out.split("\n") if word] == offered


class Seen:
    """What a view of the list is shown."""

    def __init__(self):
        self.news = []
        self.grown = asyncio.Event()

    def show(self, rows, before, gone):
        self.news += [("gone", row.name) for row in gone]
        self.news += [(row.status.name, row.name) for row in rows if row.id not in before or before[row.id] != row]
        self.grown.set()

    def lost(self, why):
        self.news.append(("lost", ""))
        self.grown.set()

    def close(self):
        self.news.append(("closed", ""))

    async def until(self, wanted):
        while wanted not in self.news:
            self.grown.clear()
            await self.grown.wait()


async def test_a_watch_sees_what_comes_changes_and_goes(daemon, monkeypatch):
    monkeypatch.setattr("p2p.cli.remote_watch.INTERVAL", 0.01)
    seen = Seen()
    task = asyncio.create_task(watch(daemon.client, ["b*", "album"], Sort.ID, seen))
    async with asyncio.timeout(20):
        await seen.until(("STOPPED", "book"))
        assert ("STOPPED", "disk.iso") not in seen.news
        await daemon.client.start([2])
        await seen.until(("DOWNLOADING", "book"))
        await daemon.client.remove([2])
        await seen.until(("gone", "book"))
        await daemon.client.add("magnet:?xt=urn:btih:" + "a" * 40 + "&dn=bare", paused=True)
        await seen.until(("STOPPED", "bare"))
    task.cancel()
    await asyncio.wait([task])
    assert seen.news[-1] == ("closed", "")


async def test_a_watch_of_nothing_there_is_an_error(daemon):
    with pytest.raises(NoTorrentError):
        await watch(daemon.client, ["nothing"], Sort.ID, Seen())
