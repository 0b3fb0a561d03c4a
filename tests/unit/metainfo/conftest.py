"""Torrents of small content, made by the library's own plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from p2p.metainfo.create import CreationPlan, hash_job

if TYPE_CHECKING:
    from p2p.metainfo import Metainfo
    from p2p.metainfo.envelope import Envelope
    from p2p.metainfo.metainfo import Version


@dataclass(frozen=True)
class Sample:
    """Content by path parts, and the torrent of it."""

    content: dict[tuple[str, ...], bytes]
    torrent: bytes

    def piece(self, metainfo: Metainfo, piece: int) -> list[bytes]:
        """The piece's bytes, span by span, as a disk that knows the layout reads them."""
        views = []
        for span in metainfo.layout.spans(piece, 0, metainfo.layout.piece_size(piece)):
            file = metainfo.layout.files[span.file_index]
            content = bytes(file.length) if file.pad else self.content[file.parts]
            views.append(content[span.file_offset : span.file_offset + span.length])
        return views


MakeTorrent = Callable[..., Sample]


@pytest.fixture(scope="session")
def make_torrent() -> MakeTorrent:
    def make(
        content: dict[tuple[str, ...], bytes],
        version: Version = "1",
        piece_length: int = 32_768,
        name: str = "top",
        envelope: Envelope | None = None,
        **settings: object,
    ) -> Sample:
        entries = [(parts, len(blob)) for parts, blob in content.items()]
        plan = CreationPlan(name, entries, version=version, piece_length=piece_length)
        results = [
            hash_job(
                job,
                [
                    content[plan.files[span.file_index].parts][span.file_offset : span.file_offset + span.length]
                    for span in job.spans
                ],
            )
            for job in plan.jobs()
        ]
        torrent = plan.finish(reversed(results), envelope=envelope, **settings)
        placed = {(name,): content[()]} if () in content else content
        return Sample(placed, torrent)

    return make
