"""`starling tracker` as its operators use it: served, watched, reloaded, stopped, and its members looked after."""

from __future__ import annotations

import asyncio
import json
import signal
import tomllib
from urllib.parse import quote_from_bytes
from urllib.request import urlopen

import pytest

from p2p.codec import http_tracker
from p2p.metainfo.metainfo import Metainfo

INFO_HASH = b"\xaa" * 20
HERE = ("--bind", "127.0.0.1", "--http-port", "0", "--udp-port", "0")
DEADLINE = 20.0


async def fetch(url: str) -> bytes:
    def get() -> bytes:
        with urlopen(url, timeout=DEADLINE) as answer:
            return answer.read()

    return await asyncio.to_thread(get)


async def announce(url: str, port: int, **fields):
    told = {"uploaded": 0, "downloaded": 0, "left": 9, "compact": 1, **fields}
    ids = f"info_hash={quote_from_bytes(INFO_HASH, safe='')}&peer_id=-TT0001-{port:012}&port={port}"
    query = "&".join(f"{name}={value}" for name, value in told.items())
    return http_tracker.decode_announce(await fetch(f"{url}?{ids}&{query}"))


async def serve(commands, *options):
    """A tracker that listens, and its HTTP announce URL."""
    running = await commands.start("tracker", "serve", *HERE, "--json", *options)
    urls = (await running.event("listening"))["urls"]
    return running, next(url for url in urls if url.startswith("http"))


async def told(commands, *arguments):
    """What a command beside the tracker says with --json."""
    ended = await commands.run("tracker", *arguments, "--json")
    assert ended.status == 0, ended
    return json.loads(ended.stdout.splitlines()[-1])


async def test_stats_metrics_and_the_page_agree(commands):
    running, url = await serve(commands)
    base = url.removesuffix("/announce")
    await announce(url, 1, left=0)
    await announce(url, 2)
    stats = await told(commands, "stats", base)
    assert (stats["mode"], stats["torrents"], stats["seeders"], stats["leechers"]) == ("open", 1, 1, 1)
    assert stats["traffic"]["http_announces"] == 2
    metrics = (await fetch(f"{base}/metrics")).decode()
    assert 'starling_tracker_requests_total{kind="announce",transport="http"} 2.0' in metrics
    assert 'starling_tracker_peers{role="seeder"} 1.0' in metrics
    assert INFO_HASH.hex() in (await fetch(base)).decode()
    plain = await commands.run("tracker", "stats", base)
    assert "2: 1 seeders, 1 leechers" in plain.stdout
    assert (await running.stop()).status == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 0)])
async def test_signals_stop_it_in_good_order(commands, number, status):
    running, _ = await serve(commands)
    ended = await running.stop(number)
    assert (ended.status, ended.stderr) == (status, "")
    assert [event["event"] for event in ended.events] == ["listening", "stopping", "stopped"]


async def test_a_reload_takes_up_what_it_can_and_a_bad_file_changes_nothing(commands, tmp_path):
    config = tmp_path / "tracker.toml"
    config.write_text("[announce]\ninterval = 1000\n")
    running, url = await serve(commands, "--config", config)
    assert 1_000 <= (await announce(url, 1)).interval <= 1_100
    config.write_text("[announce]\ninterval = 2000\n[limits]\npeers = 5\n")
    running.send(signal.SIGHUP)
    assert (await running.event("reloaded"))["changed"] == ["[announce] interval"]
    assert (await running.event("these wait for the next start"))["keys"] == ["[limits] peers"]
    assert 2_000 <= (await announce(url, 2)).interval <= 2_200
    config.write_text("[announce]\nintervall = 9\n")
    running.send(signal.SIGHUP)
    reason = (await running.event("reload failed, the settings stay"))["reason"]
    assert reason == f'{config}: [announce] has no key "intervall"; did you mean interval?'
    assert 2_000 <= (await announce(url, 3)).interval <= 2_200


async def test_swarms_outlive_a_restart(commands, tmp_path):
    running, url = await serve(commands, "--snapshot", "swarms")
    await announce(url, 1, left=0)
    assert (await running.stop()).status == 0
    running, url = await serve(commands, "--snapshot", "swarms")
    assert (await running.event("swarms restored"))["peers"] == 1
    assert [each.port for each in (await announce(url, 2)).peers] == [1]
    assert (await running.stop()).status == 0
    (tmp_path / "swarms").write_bytes(b"damaged")
    running, url = await serve(commands, "--snapshot", "swarms")
    assert "no whole file of swarms" in (await running.event("swarms not restored"))["reason"]
    assert (await announce(url, 2)).peers == ()
    assert (tmp_path / "swarms.damaged").read_bytes() == b"damaged"


async def test_announces_are_logged_where_asked(commands):
    running, url = await serve(commands, "--log-announces")
    await announce(url, 77, event="started")
    event = await running.event("announce", port=77)
    assert (event["info_hash"], event["said"], event["source"]) == (INFO_HASH.hex(), "started", "127.0.0.1")
    ended = await running.stop()
    assert all({"event", "time", "level"} <= each.keys() for each in ended.events)


async def test_the_plain_log_is_a_line_an_event(commands):
    running = await commands.start("tracker", "serve", *HERE)
    line = await running.line("info listening urls=http://127.0.0.1:")
    assert line[10] == "T"
    assert (await running.stop()).status == 0


async def test_print_config_prints_what_is_in_force(commands, tmp_path):
    config = tmp_path / "tracker.toml"
    config.write_text('[announce]\ninterval = "1h"\n[listen]\nhttp_port = 1\n')
    ended = await commands.run("tracker", "serve", "--config", config, "--http-port", "7", "--print-config")
    printed = tomllib.loads(ended.stdout)
    assert (printed["announce"]["interval"], printed["listen"]["http_port"]) == (3_600, 7)
    again = tmp_path / "again.toml"
    again.write_text(ended.stdout)
    assert (await commands.run("tracker", "serve", "--config", again, "--print-config")).stdout == ended.stdout


async def test_a_private_tracker_serves_its_members_alone(commands):
    alice = await told(commands, "member", "add", "alice")
    await told(commands, "torrent", "add", INFO_HASH.hex(), "--name", "photos")
    running, url = await serve(commands, "--private", "tracker.db", "--admin", "127.0.0.1:0")
    own = url.replace("/announce", f"/{alice['passkey']}/announce")
    await announce(own, 2_000)
    await announce(own, 2_000, downloaded=500)
    await announce(url.replace("/announce", f"/announce/{alice['passkey']}"), 2_000, downloaded=700)
    for stranger, reason in ((url, "Passkey not found"), (own.replace(alice["passkey"][:8], "0" * 8), "Passkey not")):
        with pytest.raises(Exception, match=reason):
            await announce(stranger, 3_000)
    (admin,) = (await running.event("listening"))["admin"]
    stats = json.loads(await fetch(f"{admin}stats"))
    assert (stats["mode"], stats["accounts"]["members"]) == ("private", 1)
    assert "starling_tracker_wrong_passkeys_total 1.0" in (await fetch(f"{admin}metrics")).decode()
    assert (await running.stop()).status == 0
    (record,) = await told(commands, "member", "list")
    assert (record["name"], record["downloaded"], record["ratio"]) == ("alice", 700, 0.0)


async def test_two_servers_never_share_a_database(commands):
    await serve(commands, "--private", "tracker.db")
    second = await commands.run("tracker", "serve", *HERE, "--private", "tracker.db")
    assert "tracker.db" in second.failed_with(1)


async def test_members_come_by_invite_change_their_passkey_and_are_disabled(commands):
    await told(commands, "member", "add", "alice")
    code = (await told(commands, "invite", "create", "--by", "alice"))["invite"]
    bob = await told(commands, "invite", "use", code, "bob")
    assert bob["announce"] == f"http://127.0.0.1:6969/{bob['passkey']}/announce"
    assert "used already" in (await commands.run("tracker", "invite", "use", code, "eve")).failed_with(1)
    assert [each["state"] for each in await told(commands, "invite", "list")] == ["used"]
    tree = await commands.run("tracker", "invite", "tree")
    assert tree.stdout == "alice\n  bob"
    assert (await told(commands, "member", "passkey", "bob"))["passkey"] != bob["passkey"]
    await commands.run("tracker", "member", "disable", "bob", "--reason", "gone")
    shown = await told(commands, "member", "show", "BOB")
    assert (shown["state"], shown["reason"], shown["invited_by"]) == ("disabled", "gone", "alice")
    await commands.run("tracker", "member", "enable", "bob")
    assert (await told(commands, "member", "show", "bob"))["state"] == "active"


async def test_a_torrent_of_content_is_private_and_its_copies_differ_in_the_tracker_alone(commands, content, tmp_path):
    at = ("--announce", "https://tracker.example/announce")
    added = await told(commands, "torrent", "add", content, *at)
    given = await told(commands, "member", "add", "alice", "--torrent", added["torrent"], *at)
    original, copy = (
        Metainfo.from_bytes((tmp_path / name).read_bytes()) for name in (added["torrent"], *given["torrents"])
    )
    assert original.private
    assert copy.info_hash_v1 == original.info_hash_v1 == bytes.fromhex(added["info_hashes"][0])
    assert copy.trackers == ((f"https://tracker.example/{given['passkey']}/announce",),)
    again = await commands.run("tracker", "torrent", "copy", added["torrent"], given["passkey"], "-o", "c.torrent", *at)
    assert again.status == 0
    assert (tmp_path / "c.torrent").read_bytes() == (tmp_path / given["torrents"][0]).read_bytes()
    assert "already" in (await commands.run("tracker", "torrent", "add", added["torrent"])).failed_with(1)


async def test_torrents_are_given_promotions_and_removed(commands):
    await told(commands, "torrent", "add", INFO_HASH.hex(), "--name", "photos")
    for line in (
        ("freeleech", INFO_HASH.hex(), "--days", "2"),
        ("double-upload", "--all"),
        ("double-upload", "--all", "--off"),
    ):
        assert (await commands.run("tracker", "torrent", *line)).status == 0
    assert "freeleech" in (await commands.run("tracker", "torrent", "list")).stdout
    await commands.run("tracker", "torrent", "remove", INFO_HASH.hex(), "--reason", "dupe")
    (record,) = await told(commands, "torrent", "list")
    assert (record["registered"], record["reason"]) == (False, "dupe")


async def test_members_are_imported_all_or_none(commands, tmp_path):
    key = "a" * 32
    (tmp_path / "m.csv").write_text(f"name,passkey,uploaded,downloaded\nalice,{key},3000,1000\n")
    assert await told(commands, "import", "m.csv") == {"members": 1, "uploaded": 3_000, "downloaded": 1_000}
    (record,) = await told(commands, "member", "list")
    assert (record["name"], record["ratio"]) == ("alice", 3.0)
    (tmp_path / "bad.csv").write_text(f"name,passkey,uploaded,downloaded\nbob,{'b' * 32},1,1\ncarol,short,1,1\n")
    assert "line 3" in (await commands.run("tracker", "import", "bad.csv")).failed_with(1)
    assert len(await told(commands, "member", "list")) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        ((), 2, "missing command"),
        (("serve", "--http-port", "70000"), 2, "'--http-port'"),
        (("serve", "--bind", "localhost"), 1, '--bind = ["localhost"]: it must be a list of IP addresses'),
        (("serve", "--no-http", "--no-udp"), 1, "nobody could announce"),
        (("serve", "--config", "absent.toml"), 1, "absent.toml: No such file"),
        (("serve", "--bind", "192.0.2.1"), 1, "192.0.2.1:6969: cannot assign requested address"),
        (("serve", "--private", "no/such/folder.db"), 1, "no/such/folder.db"),
        (("serve", *HERE, "--snapshot", "no/such/folder"), 1, "there is no folder"),
        (("member", "list"), 1, "there is no tracker.db"),
        (("member", "add"), 2, "missing argument"),
        (("member", "add", "x", "--torrent", "absent.torrent"), 1, "absent.torrent is missing"),
        (("member", "add", "x", "--announce", "ftp://x/announce"), 2, "is no announce URL"),
        (("torrent", "freeleech"), 2, "name a torrent, or give --all"),
        (("torrent", "add", "absent.torrent"), 1, "absent.torrent is missing"),
        (("stats", "http://127.0.0.1:9"), 1, "http://127.0.0.1:9/stats: "),
        (("import", "absent.csv"), 1, "absent.csv is missing"),
        (("import", "members.txt"), 1, "must end in .csv"),
    ],
)
async def test_errors_are_one_line(commands, arguments, status, reason):
    said = (await commands.run("tracker", *arguments)).failed_with(status)
    assert reason.lower() in said.lower()
