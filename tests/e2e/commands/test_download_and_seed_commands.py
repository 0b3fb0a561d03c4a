"""What `starling download` and `starling seed` promise, from the outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from command_line import files_below, make_content

from p2p import Magnet, Metainfo


def open_files(pid: int) -> list[str]:
    """Paths of what a process has open."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


async def test_seed_makes_the_torrent_and_download_fetches_every_byte(commands, content, tmp_path):
    seed, address = await commands.seed(content)
    assert files_below(tmp_path / "source") == {f"songs/{path}": data for path, data in files_below(content).items()}
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address, "--json")
    assert ended.status == 0
    assert files_below(tmp_path / "out" / "songs") == files_below(content)
    assert (tmp_path / "out/songs/deep/empty").exists()
    assert (await seed.stop()).status == 0


async def test_download_tells_its_story_in_json(commands, content, tmp_path):
    _, address = await commands.seed(content)
    ended = await commands.run(
        "download", "songs.torrent", "-o", "out", "--peer", address, "--json", "--limit-down", "600KiB"
    )
    metainfo = Metainfo.from_bytes((tmp_path / "songs.torrent").read_bytes())
    kinds = [event["event"] for event in ended.events]
    assert [kind for kind in kinds if kind != "progress"] == ["added", "checking", "complete", "stopped"]
    assert kinds.count("progress") >= 2
    assert {event["info_hash"] for event in ended.events} == {metainfo.info_hash_v1.hex()}
    added = ended.events[0]
    assert added["port"] > 0
    assert added["total_size"] == metainfo.total_size
    assert Magnet.parse(added["magnet"]).info_hash_v1 == metainfo.info_hash_v1
    times = [event["time"] for event in ended.events]
    assert times == sorted(times)
    under_way = [event for event in ended.events if event["event"] == "progress" and event["state"] == "downloading"]
    wanted = {"name", "progress", "done", "total", "rate_down", "rate_up", "downloaded", "uploaded", "ratio", "eta"}
    wanted |= {"seeders", "leechers", "peers", "pieces_had", "piece_count"}
    assert all(wanted <= event.keys() for event in under_way)
    assert any(event["seeders"] == 1 for event in under_way)
    complete = next(event for event in ended.events if event["event"] == "complete")
    assert complete["size"] == complete["done"] == metainfo.total_size
    assert complete["mean_rate"] == pytest.approx(metainfo.total_size / complete["seconds"], rel=0.05)


async def test_download_tells_its_story_in_lines(commands, content):
    _, address = await commands.seed(content)
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("listening on port ")
    assert lines[1].startswith("songs: added, 1.2 MiB, in ")
    assert any(line.startswith("songs: complete, 1.2 MiB in ") and "ratio 0.00" in line for line in lines)
    assert lines[-1].startswith("songs: stopped, downloaded 1.2 MiB")
    assert ended.stderr == ""


async def test_a_second_download_hashes_and_fetches_nothing(commands, content, tmp_path):
    seed, address = await commands.seed(content)
    await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    await seed.stop()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--json")
    assert ended.status == 0
    assert "complete" in [event["event"] for event in ended.events]
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}


async def test_ctrl_c_ends_a_download_that_later_goes_on_where_it_was(commands, content):
    _, address = await commands.seed(content)
    options = ("songs.torrent", "-o", "out", "--peer", address, "--json")
    first = await commands.start("download", *options, "--limit-down", "200KiB")
    await first.line(lambda line: json.loads(line).get("pieces_had", 0) > 5)
    ended = await first.stop(signal.SIGINT)
    assert ended.status == 130
    assert ended.stderr == ""
    stopped = ended.events[-1]
    assert stopped["event"] == "stopped"
    again = await commands.run("download", *options)
    assert again.status == 0
    complete = next(event for event in again.events if event["event"] == "complete")
    assert complete["downloaded"] == pytest.approx(complete["size"], rel=0.2)  # over both runs, hardly more than once


@pytest.mark.parametrize(("options", "status"), [((), 143), (("--seed",), 143)])
async def test_sigterm_ends_an_unfinished_download_with_143(commands, content, options, status):
    seed, _ = await commands.seed(content)
    await seed.stop()
    download = await commands.start("download", "songs.torrent", "-o", "out", "--json", *options)
    await download.event("progress", state="downloading")
    assert (await download.stop(signal.SIGTERM)).status == status


async def test_sigterm_ends_a_seeding_download_with_0(commands, content):
    _, address = await commands.seed(content)
    download = await commands.start("download", "songs.torrent", "-o", "out", "--json", "--seed", "--peer", address)
    await download.event("complete")
    assert (await download.stop(signal.SIGTERM)).status == 0


async def test_seed_ends_at_its_ratio(commands, content):
    seed, address = await commands.seed(content, "--seed-ratio", "1")
    await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    ended = await seed.ended()
    assert ended.status == 0
    assert ended.events[-1]["message"] == "ratio 1 reached"


async def test_download_ends_at_its_seeding_time(commands, content):
    _, address = await commands.seed(content)
    ended = await commands.run(
        "download", "songs.torrent", "-o", "out", "--json", "--peer", address, "--seed-time", "0.01"
    )
    assert ended.status == 0
    assert ended.events[-1]["event"] == "stopped"


async def test_seed_prints_the_link_and_the_torrent(commands, content):
    seed = await commands.start("seed", content, "--bind", "127.0.0.1", "--tracker", "http://127.0.0.1:1/announce")
    await seed.line("songs: complete, all 1.2 MiB are there")
    ended = await seed.stop()
    assert ended.status == 0
    torrent, magnet = ended.stdout.splitlines()[:2]
    assert torrent.split() == ["torrent", "songs.torrent"]
    assert Magnet.parse(magnet.split()[1]).trackers == ("http://127.0.0.1:1/announce",)


async def test_names_in_letters_that_the_output_has_not(commands, tmp_path):
    (tmp_path / "鳥").write_text("bird")
    seed = await commands.start("seed", "鳥", "--bind", "127.0.0.1", PYTHONIOENCODING="latin-1")
    await seed.line("\\u9ce5: complete, all 4 B are there")
    assert (await seed.stop()).status == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_a_signal_while_hashing_leaves_no_torrent(commands, tmp_path, number, status):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(64 << 30)
    seed = await commands.start("seed", "huge", "--bind", "127.0.0.1")
    while not any(name.endswith("/huge") for name in open_files(seed.process.pid)):
        await asyncio.sleep(0.02)
    ended = await seed.stop(number)
    assert ended.status == status
    assert ended.stderr == ""
    assert not (tmp_path / "huge.torrent").exists()


async def test_seed_of_known_content_does_not_hash_it(commands, content):
    first, _ = await commands.seed(content)
    await first.stop()
    # A byte changes and the file's time does not: only a seed that hashes would notice.
    file = content / "a.flac"
    was = file.stat()
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    second, _ = await commands.seed(content)
    assert (await second.stop()).status == 0
    ended = await commands.run("seed", content, "--recheck", "--bind", "127.0.0.1")
    assert "do not match the torrent" in ended.failed_with(1)


@pytest.mark.parametrize("place", ["source/songs", "source"])
async def test_seed_takes_the_content_or_the_folder_that_holds_it(commands, content, tmp_path, place):
    first, _ = await commands.seed(content)
    await first.stop()
    seed, address = await commands.seed(tmp_path / place, "--torrent", "songs.torrent")
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    assert ended.status == 0
    assert files_below(tmp_path / "out" / "songs") == files_below(content)
    await seed.stop()


async def test_seed_takes_content_under_another_name(commands, content, tmp_path):
    first, _ = await commands.seed(content)
    await first.stop()
    content.rename(tmp_path / "source" / "other name")
    _, address = await commands.seed(tmp_path / "source" / "other name", "--torrent", "songs.torrent")
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)
    assert ended.status == 0
    assert files_below(tmp_path / "out" / "songs") == files_below(tmp_path / "source" / "other name")


async def test_select_fetches_what_matches_only(commands, content, tmp_path):
    _, address = await commands.seed(content)
    ended = await commands.run("download", "songs.torrent", "-o", "out", "--peer", address, "--select", "*.flac")
    assert ended.status == 0
    assert (tmp_path / "out/songs/a.flac").read_bytes() == (content / "a.flac").read_bytes()
    assert not (tmp_path / "out/songs/z").exists()


async def test_several_torrents_at_once(commands, content, tmp_path):
    other = make_content(tmp_path / "source" / "other songs", seed=2)
    first, _ = await commands.seed(content)
    second, _ = await commands.seed(other)
    addresses = [(await seed.event("added"))["port"] for seed in (first, second)]
    peers = [argument for port in addresses for argument in ("--peer", f"127.0.0.1:{port}")]
    ended = await commands.run("download", "songs.torrent", "other songs.torrent", "-o", "out", *peers)
    assert ended.status == 0
    assert files_below(tmp_path / "out" / "songs") == files_below(content)
    assert files_below(tmp_path / "out" / "other songs") == files_below(other)


async def test_a_reader_that_goes_away_ends_the_command_in_order(commands, content):
    _, address = await commands.seed(content)
    download = await commands.start(
        "download", "songs.torrent", "-o", "out", "--json", "--peer", address, "--limit-down", "100KiB"
    )
    await download.event("progress", state="downloading")
    download.process._transport.get_pipe_transport(1).close()
    assert await download.process.wait() == 141
    assert (await commands.run("download", "songs.torrent", "-o", "out", "--peer", address)).status == 0
