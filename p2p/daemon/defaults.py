"""Settings that hold for torrents that are added from now on, and the memory that uploads have.

The rule: what is asked for with a torrent counts before these. Default trackers are for torrents that are known not to
be private (BEP 27), so not for magnet links: only metadata tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.arguments import tiers_of
from p2p.metainfo.metainfo import Metainfo
from p2p.session.settings import TorrentOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.names import Json
    from p2p.daemon.ports import Addition
    from p2p.daemon.session_values import SessionValues
    from p2p.metainfo.magnet import Magnet
    from p2p.session.session import Session

SETTINGS: Final = ("cache_size_mib", "default_trackers", "sequential_download")
"""The keys that this applies."""


class Defaults:
    """See the module's head."""

    def __init__(self, values: SessionValues, session: Session) -> None:
        self._values = values
        self._session = session
        values.applied_by(SETTINGS, self.apply)

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """The others are read when they are needed."""
        if "cache_size_mib" in changes:
            self._session.set_read_cache(int(self._values.number("cache_size_mib")) << 20)

    def options(self, addition: Addition, loaded: Metainfo | Magnet) -> TorrentOptions:
        """How the engine is to handle a torrent that is added."""
        return TorrentOptions(
            download_dir=addition.download_dir or self._values.text("download_dir"),
            sequential=self._values.flag("sequential_download"),
            trackers=self._trackers(loaded),
            trust=addition.is_whole,
        )

    def _trackers(self, loaded: Metainfo | Magnet) -> tuple[tuple[str, ...], ...] | None:
        """Its own tiers and the default ones, None where its own are all."""
        if not isinstance(loaded, Metainfo) or loaded.private:
            return None
        known = {url for tier in loaded.trackers for url in tier}
        tiers = tiers_of("default_trackers", self._values["default_trackers"])
        more = tuple(fresh for tier in tiers if (fresh := tuple(url for url in tier if url not in known)))
        return (*loaded.trackers, *more) if more else None
