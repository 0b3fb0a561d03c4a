"""What the client promises, whatever daemon it speaks to. Subclasses say which: the fixture `served`."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from p2p.daemon.client import Client, Every, Step
from p2p.daemon.client_errors import LoginRefusedError, RefusedError, UnreachableError, UnsupportedError
from p2p.daemon.client_values import Part, Priority, Status, TorrentChanges
from p2p.metainfo.metainfo import Metainfo

PASSWORD = "pass:word ä"
TRACKER = "http://127.0.0.1:1/announce"


@dataclass
class Served:
    """A daemon that asks for `PASSWORD` of `user`. `folder` is where it downloads to."""

    server: object
    folder: object
    ours: bool

    def client(self, password=PASSWORD):
        return Client(self.server, password=password, timeout=20)


async def until(read, wanted):
    """Ask until what is read is as wanted; the test's own timeout bounds it."""
    while not wanted(found := await read()):
        pass
    return found


class ClientContract:
    @pytest.fixture
    async def daemon(self, served):
        async with served.client() as daemon:
            yield daemon

    async def test_it_tells_what_answers(self, served, daemon):
        info = await daemon.info()
        assert info.ours is served.ours
        assert info.version
        assert info.rpc_version >= 15
        assert bool(info.starling) is served.ours

    async def test_a_wrong_password_has_an_error_of_its_own(self, served):
        for wrong in ("wrong", None):
            async with served.client(wrong) as daemon:
                with pytest.raises(LoginRefusedError):
                    await daemon.torrents()
        async with served.client() as daemon:
            assert await daemon.torrents() == ()

    async def test_a_torrent_is_added_read_changed_and_removed(self, served, daemon, torrent):
        whole = await daemon.changes()
        assert whole.full
        assert whole.torrents == ()
        changes = TorrentChanges(files_unwanted=(1,), labels=("one", "two"), bandwidth_priority=Priority.NORMAL)
        added = await daemon.add(torrent, paused=True, changes=changes)
        metainfo = Metainfo.from_bytes(torrent)
        assert (added.hash_string, added.name) == (metainfo.info_hash_v1.hex(), "album")
        assert not added.duplicate
        again = await daemon.add(torrent, paused=True)
        assert (again.id, again.duplicate) == (added.id, True)

        (row,) = await until(daemon.torrents, lambda rows: rows[0].status is Status.STOPPED)
        assert (row.id, row.hash_string, row.name) == (added.id, added.hash_string, "album")
        assert row.total_size == metainfo.total_size
        assert row.labels == ("one", "two")
        assert row.tracker == "127.0.0.1"
        assert row.download_dir == str(served.folder)
        assert (row.seeders, row.is_private, row.metadata_percent_complete) == (-1, False, 1.0)
        (short,) = await daemon.torrents([added.hash_string], only=("status",))
        assert (short.id, short.name, short.total_size) == (added.id, "album", 0)

        details = await daemon.details(added.id, *Part)
        assert [(file.name, file.length) for file in details.files] == [("album/a", 40_000), ("album/b", 50_000)]
        assert [file.wanted for file in details.files] == [True, False]
        assert details.piece_count == metainfo.piece_count
        assert [each.announce for each in details.tracker_stats] == [TRACKER]
        assert len(base64.b64decode(details.pieces)) == (metainfo.piece_count + 7) // 8
        assert details.peers == ()
        assert added.hash_string in details.magnet_link
        assert await daemon.details("ab" * 20) is None

        limits = TorrentChanges(download_limit=70, download_limited=True, files_wanted=(1,), labels=())
        await daemon.change([added.id], limits)
        told = await daemon.details(added.hash_string, Part.FILES)
        assert (told.download_limit, told.download_limited) == (70, True)
        assert [file.wanted for file in told.files] == [True, True]
        (row,) = await daemon.torrents()
        assert row.labels == ()

        news = await daemon.changes(whole.mark)
        assert [each.id for each in news.torrents] == [added.id]
        await daemon.remove([added.id])
        gone = await daemon.changes(news.mark)
        assert (gone.torrents, gone.removed, gone.full) == ((), (added.id,), False)
        assert await daemon.torrents() == ()

    async def test_trackers_are_added_and_removed(self, daemon, torrent):
        added = await daemon.add(torrent, paused=True)
        await daemon.change([added.id], TorrentChanges(tracker_add=("udp://127.0.0.2:2",)))
        first, second = (await daemon.details(added.id, Part.TRACKERS)).tracker_stats
        assert second.announce.startswith("udp://127.0.0.2:2")
        await daemon.change([added.id], TorrentChanges(tracker_remove=(first.id,)))
        (left,) = (await daemon.details(added.id, Part.TRACKERS)).tracker_stats
        assert left.announce == second.announce

    async def test_verbs_reach_the_torrent(self, served, daemon, torrent, content):
        for name, data in content.items():
            target = served.folder / "album" / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
        added = await daemon.add(torrent, paused=True)
        await daemon.verify([added.id])

        async def row():
            (found,) = await daemon.torrents([added.id])
            return found

        await until(row, lambda each: each.percent_done == 1.0 and each.status is Status.STOPPED)
        await daemon.start([added.id])
        await until(row, lambda each: each.status is Status.SEEDING)
        await daemon.reannounce([added.id])
        await daemon.stop(Every.TORRENT)
        await until(row, lambda each: each.status is Status.STOPPED)
        await daemon.stop([])  # is nobody, and not everybody

    async def test_settings_and_figures(self, served, daemon):
        await daemon.set_settings({"speed_limit_down": 123, "speed_limit_down_enabled": True})
        settings = await daemon.settings()
        assert (settings["speed_limit_down"], settings["speed_limit_down_enabled"]) == (123, True)
        assert settings["download_dir"] == str(served.folder)
        assert settings["encryption"] in ("allowed", "preferred", "required")
        statistics = await daemon.statistics()
        assert statistics.torrent_count == 0
        assert statistics.current.session_count == 1
        assert (await daemon.free_space(str(served.folder))).free > 0

    async def test_refusals_carry_the_servers_words(self, served, daemon, torrent):
        with pytest.raises(RefusedError) as refused:
            await daemon.add(b"no torrent")
        assert str(refused.value)
        assert refused.value.method == "torrent_add"
        with pytest.raises(RefusedError):
            await daemon.free_space("relative")
        with pytest.raises(UnsupportedError):
            await daemon.transport.call("torrent_juggle")

    async def test_places_in_the_queue(self, daemon, torrent):
        added = await daemon.add(torrent, paused=True)
        await daemon.add(f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)

        async def order():
            rows = await daemon.torrents(only=("queue_position",))
            return [row.id for row in sorted(rows, key=lambda row: row.queue_position)]

        first, second = await order()
        assert first == added.id
        await daemon.move_in_queue([second], Step.TOP)
        assert await order() == [second, first]
        await daemon.move_in_queue([second], Step.DOWN)
        assert await order() == [first, second]

    async def test_a_daemon_that_is_not_there(self, served):
        from p2p.daemon.client_address import Server

        async with Client(Server.parse("127.0.0.1:1"), timeout=5) as daemon:
            with pytest.raises(UnreachableError):
                await daemon.info()
