"""Bad input to `download` and `seed`: one clear line, the right status, and nothing lost or left behind."""

from __future__ import annotations

import os
import random
import socket
import subprocess

import pytest
from command_line import files_below, make_content

from p2p import create


@pytest.fixture
async def torrent(content, tmp_path):
    file = tmp_path / "songs.torrent"
    file.write_bytes(await create(content))
    return file


async def test_a_missing_torrent(commands, tmp_path):
    assert "nowhere.torrent is missing" in (await commands.run("download", "nowhere.torrent")).failed_with(1)
    assert list(tmp_path.iterdir()) == []


async def test_a_garbage_torrent(commands, tmp_path):
    (tmp_path / "bad.torrent").write_bytes(b"\x1b[31mnot bencode\n")
    assert "bad.torrent: not a torrent file" in (await commands.run("download", "bad.torrent")).failed_with(1)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.torrent"]


async def test_a_peer_whose_name_leads_nowhere(commands, torrent):
    ended = await commands.run("download", torrent, "-o", "out", "--peer", "no.such.host.invalid:1")
    assert "no.such.host.invalid" in ended.failed_with(1)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_a_port_that_is_taken(commands, torrent, host):
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        options = ("--bind", host) if host != "0.0.0.0" else ()
        ended = await commands.run("download", torrent, "-o", "out", "--port", str(port), *options)
    assert ended.failed_with(1) == f"cannot listen on {host}:{port}: address already in use"
    assert not (torrent.parent / "out").exists()


async def test_a_pattern_that_matches_nothing(commands, torrent):
    ended = await commands.run("download", torrent, "-o", "out", "--select", "*.mkv")
    assert "no file of songs matches '*.mkv'" in ended.failed_with(1)


@pytest.mark.parametrize("size", [100, 1_234_567, 2_000_000])
async def test_other_content_under_the_right_name_is_left_alone(commands, torrent, tmp_path, size):
    file = tmp_path / "out/songs/a.flac"
    file.parent.mkdir(parents=True)
    file.write_bytes(random.Random(3).randbytes(size))
    before = files_below(tmp_path / "out")
    ended = await commands.run("download", torrent, "-o", "out")
    assert "a.flac" in ended.failed_with(1)
    assert files_below(tmp_path / "out") == before


async def test_other_content_is_written_over_when_asked(commands, content, tmp_path):
    _, address = await commands.seed(content)
    file = tmp_path / "out/songs/a.flac"
    file.parent.mkdir(parents=True)
    file.write_bytes(random.Random(3).randbytes(1_234_567))
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address, "--overwrite")
    assert ended.status == 0
    assert files_below(tmp_path / "out/songs") == files_below(content)


async def test_content_that_is_gone_is_an_error_and_no_empty_start(commands, content, tmp_path):
    _, address = await commands.seed(content)
    await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    (tmp_path / "out/songs/a.flac").unlink()
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    assert "a.flac is gone" in ended.failed_with(1)
    again = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address, "--recheck")
    assert again.status == 0
    assert files_below(tmp_path / "out/songs") == files_below(content)


async def test_a_target_that_is_a_file(commands, torrent, tmp_path):
    (tmp_path / "out").write_text("mine")
    ended = await commands.run("download", torrent, "-o", "out")
    assert "out" in ended.failed_with(1)
    assert (tmp_path / "out").read_text() == "mine"


async def test_one_bad_torrent_among_good_ones_starts_none(commands, torrent, tmp_path):
    ended = await commands.run("download", torrent, "nowhere.torrent", "-o", "out")
    assert "nowhere.torrent" in ended.failed_with(1)
    assert not (tmp_path / "out").exists()


async def test_seeding_what_does_not_match(commands, torrent, content):
    data = bytearray((content / "a.flac").read_bytes())
    data[5] ^= 1
    (content / "a.flac").write_bytes(data)
    before = files_below(content)
    ended = await commands.run("seed", content)
    assert "1 of" in ended.failed_with(1)
    assert files_below(content) == before


async def test_seeding_without_an_empty_file_does_not_make_it(commands, torrent, content):
    (content / "deep/empty").unlink()
    ended = await commands.run("seed", content, "--torrent", torrent)
    assert "empty" in ended.failed_with(1)
    assert not (content / "deep/empty").exists()


async def test_seed_never_writes_over_another_torrent(commands, torrent, content, tmp_path):
    make_content(content / "more", seed=5)
    before = torrent.read_bytes()
    ended = await commands.run("seed", content)
    assert "describes other content" in ended.failed_with(1)
    assert torrent.read_bytes() == before
    torrent.write_bytes(b"precious")
    assert "is no torrent" in (await commands.run("seed", content)).failed_with(1)
    assert torrent.read_bytes() == b"precious"


async def test_seed_makes_no_torrent_inside_the_content(commands, content):
    before = files_below(content)
    ended = await commands.run("seed", ".", cwd=content)
    assert "would be written into the content" in ended.failed_with(1)
    assert files_below(content) == before


async def test_seeding_nothing(commands):
    assert "nothing is missing" in (await commands.run("seed", "nothing")).failed_with(1)


async def test_seeding_an_empty_folder(commands, tmp_path):
    (tmp_path / "empty").mkdir()
    (await commands.run("seed", "empty")).failed_with(1)
    assert not (tmp_path / "empty.torrent").exists()


async def test_a_bad_tracker(commands, content, tmp_path):
    assert "is no tracker address" in (await commands.run("seed", content, "--tracker", "nonsense")).failed_with(1)
    assert not (tmp_path / "songs.torrent").exists()


async def test_a_second_process_at_the_same_place(commands, content, torrent):
    await commands.seed(content)
    ended = await commands.run("seed", content)
    assert "another process works on this torrent" in ended.failed_with(1)


def with_mounts(*commands: str) -> tuple[str, ...]:
    """What runs a command line in a mount namespace of its own, after `commands`; skips where nobody lets us."""
    namespace = ("unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c")
    script = " && ".join(commands)
    try:
        allowed = subprocess.run((*namespace, script), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system lets us mount nothing")
    return (*namespace, f'{script} && exec "$@"', "sh")


async def test_a_full_target_waits_for_room_and_says_so(commands, content, tmp_path):
    _, address = await commands.seed(content)
    (tmp_path / "out").mkdir()
    prefix = with_mounts(f'mount -t tmpfs -o size=512k none "{tmp_path}/out"')
    arguments = ("download", "songs.torrent", "-o", "out", "--peer", address, "--json")
    download = await commands.start(*arguments, prefix=prefix)
    event = await download.event("error", state="disk full")
    assert "more bytes are needed" in event["message"]
    assert event["message"].endswith("are free; waiting for room on the disk")
    ended = await download.stop()
    assert ended.status == 143
    assert ended.stderr == ""


async def test_a_read_only_target(commands, torrent, tmp_path):
    (tmp_path / "out").mkdir()
    prefix = with_mounts(f'mount -t tmpfs -o ro none "{tmp_path}/out"')
    ended = await commands.run("download", torrent, "-o", "out", prefix=prefix)
    assert "ead-only" in ended.failed_with(1)


async def test_seeding_from_a_read_only_folder(commands, content, torrent, tmp_path):
    place = tmp_path / "source"
    prefix = with_mounts(f'mount --bind "{place}" "{place}"', f'mount -o remount,ro,bind "{place}"')
    seed = await commands.start("seed", content, "--recheck", "--bind", "127.0.0.1", "--json", prefix=prefix)
    port = (await seed.event("added"))["port"]
    await seed.event("complete")
    ended = await commands.run("download", torrent, "-o", "out", "--peer", f"127.0.0.1:{port}")
    assert ended.status == 0
    assert files_below(tmp_path / "out/songs") == files_below(content)
