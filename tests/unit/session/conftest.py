"""A small torrent on real files, whose record, journal and storage a test can look into."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from p2p.disk.file_storage import FileStorage
from p2p.disk.inline_hasher import InlineHasher
from p2p.disk.open_files import OpenFiles
from p2p.disk.resume import ResumeStore
from p2p.session.opening import Opening
from p2p.session.piece_store import PieceStore
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.world import make_content

PIECE = 16_384


class StoreTorrent:
    """Stores of one torrent at one place, one after the other, as runs of a program make them."""

    def __init__(self, folder, files, open_files):
        self.metainfo, self.pieces = make_content(random.Random(1), files, PIECE, announce=None)
        self.target = folder / "target"
        self.resume = ResumeStore(folder / "resume")
        self.hasher = InlineHasher()
        self.wrap = lambda storage: storage
        self.settings = Settings()
        self._files = open_files
        self._content = b"".join(self.pieces[piece] for piece in range(len(self.pieces)))

    def store(self, *, wanted=lambda _: True, options=None):
        def storage(layout, target, wanted, journal):
            made = FileStorage(layout, target, hasher=self.hasher, files=self._files, wanted=wanted, journal=journal)
            return self.wrap(made)

        environment = SimpleNamespace(storage=storage, wall=lambda: 1_700_000_000.0)
        services = SimpleNamespace(settings=self.settings, environment=environment, resume=self.resume)
        return PieceStore(
            self.metainfo, self.target, services=services, wanted=wanted, options=options or TorrentOptions()
        )

    async def open(self, store):
        try:
            await store.open(Opening())
        except BaseException:
            await store.close(None)
            raise

    def path(self, name):
        return self.target / "content" / name

    def put(self, name, content):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(content)

    def content_of(self, name):
        file = next(file for file in self.metainfo.layout.files if file.parts == (name,))
        return self._content[file.offset : file.offset + file.length]

    @property
    def key(self):
        return self.resume.key(self.metainfo.wire_info_hashes()[0], self.target)

    async def record(self):
        return await self.resume.load(self.key)

    async def rewrite_record(self, change):
        await self.resume.save(self.key, change(await self.record()))


@pytest.fixture
def make_store_torrent(tmp_path):
    """Makes a `StoreTorrent` of files (path parts, bytes)."""
    open_files = OpenFiles(limit=8)
    yield lambda files: StoreTorrent(tmp_path, files, open_files)
    open_files.close()
