"""The torrents of a session under the names of their swarms: whoever was here first under an info-hash keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.wire.mse import skey_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.ids import InfoHash
    from p2p.session.torrent import Torrent


class SwarmNames:
    """See the module's head."""

    def __init__(self) -> None:
        self._torrents: dict[InfoHash, Torrent] = {}
        self._names: dict[Torrent, tuple[InfoHash, ...]] = {}
        self._skeys: dict[bytes, InfoHash] = {}

    @property
    def torrents(self) -> list[Torrent]:
        """In the order in which they were added."""
        return list(dict.fromkeys(self._torrents.values()))

    def find(self, info_hash: InfoHash) -> Torrent | None:
        """The torrent of that name; None if there is none."""
        return self._torrents.get(info_hash)

    def by_skey(self, digest: bytes) -> InfoHash | None:
        """The name that an encrypted handshake calls by `digest` (see `p2p.wire.mse`); None if there is none."""
        return self._skeys.get(digest)

    def on_names(self, torrent: Torrent) -> None:
        """A torrent is new, or has other info-hashes than before."""
        self.forget(torrent, except_for=torrent.info_hashes)
        for info_hash in torrent.info_hashes:
            self._torrents.setdefault(info_hash, torrent)
            self._skeys[skey_digest(info_hash)] = info_hash
        self._names[torrent] = torrent.info_hashes

    def forget(self, torrent: Torrent, *, except_for: Sequence[InfoHash] = ()) -> None:
        """A torrent goes, or loses the names other than those."""
        for info_hash in self._names.pop(torrent, ()):
            if info_hash not in except_for and self._torrents.get(info_hash) is torrent:
                del self._torrents[info_hash]
                self._skeys.pop(skey_digest(info_hash), None)
