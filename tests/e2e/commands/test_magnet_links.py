"""`starling download` of a bare magnet link from `starling seed`: metadata and content come from peers."""

from __future__ import annotations

import signal

import pytest
from command_line import files_below

from p2p import Magnet


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
async def test_a_bare_link_fetches_every_byte(commands, content, tmp_path, version):
    made = await commands.run("create", content, "--version", version, "--piece-length", "16KiB")
    assert made.status == 0
    _, address = await commands.seed(content)
    shown = await commands.run("show", "songs.torrent")
    link = next(line.split()[1] for line in shown.stdout.splitlines() if line.startswith("magnet"))
    ended = await commands.run("download", link, "-o", "out", "--peer", address, "--json")
    assert ended.status == 0, ended.stderr
    assert files_below(tmp_path / "out" / "songs") == files_below(content)
    kinds = [event["event"] for event in ended.events if event["event"] != "progress"]
    assert kinds == ["added", "metadata", "checking", "complete", "stopped"]
    added, metadata = (next(event for event in ended.events if event["event"] == kind) for kind in kinds[:2])
    assert added["total_size"] is None
    assert Magnet.parse(added["magnet"]) == Magnet.parse(link)
    assert metadata["total_size"] > 0


async def test_the_peer_may_be_in_the_link_and_lines_tell_of_the_metadata(commands, content):
    _, address = await commands.seed(content)
    shown = await commands.run("show", "songs.torrent")
    link = next(line.split()[1] for line in shown.stdout.splitlines() if line.startswith("magnet"))
    ended = await commands.run("download", f"{link}&x.pe={address}", "-o", "out")
    assert ended.status == 0
    lines = ended.stdout.splitlines()
    assert any(line.startswith("songs: added, metadata to be fetched") for line in lines)
    assert any(line.startswith("songs: metadata is there, ") for line in lines)


async def test_a_link_without_peers_waits_and_stops_cleanly(commands):
    running = await commands.start("download", "magnet:?xt=urn:btih:" + "ab" * 20, "--json", "--no-trackers")
    await running.event("progress", state="fetching metadata", total=0)
    ended = await running.stop(signal.SIGINT)
    assert ended.status == 130
    assert ended.events[-1]["event"] == "stopped"
