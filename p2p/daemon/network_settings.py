"""The session's network as clients set it: ways to find peers, limits of peers, encryption, and the port.

The rule: what is set holds in the engine when the call returns, for all torrents at once, or the call says why not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.rpc_errors import Code, RpcError
from p2p.session.encryption import Encryption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues
    from p2p.session.session import Session

SETTINGS: Final = (
    "dht_enabled",
    "encryption",
    "lpd_enabled",
    "peer_limit_global",
    "peer_limit_per_torrent",
    "peer_port",
    "pex_enabled",
    "port_forwarding_enabled",
)
"""The keys that this applies."""

_ENCRYPTION: Final = {
    "allowed": Encryption.ALLOW,
    "preferred": Encryption.PREFER,
    "required": Encryption.REQUIRE,
}


class NetworkSettings:
    """See the module's head. Tells facts of the network beside what it applies."""

    def __init__(self, values: SessionValues, session: Session) -> None:
        self._values = values
        self._session = session
        self._told_encryption = values.text("encryption")
        values.applied_by(SETTINGS, self.apply)
        values.told_by("peer_port", lambda: session.port)
        values.told_by("starling_interface", lambda: session.network.facts.interface or "")
        values.told_by("starling_interface_addresses", lambda: list(session.network.facts.addresses))
        values.told_by("starling_network_problem", lambda: session.network.facts.obstacle or "")
        values.told_by("starling_outer_port", lambda: session.network.facts.announced_port)
        values.told_by("starling_port_mapping", self._mapping)

    def begin(self) -> None:
        """Before the kept values are made to hold: the engine has begun with its port, which may be one by chance."""
        self._values.note("peer_port", self._session.port)
        self._told_encryption = self._values.text("encryption")

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """Let these hold. Raises NetworkError for a port that cannot be listened on, RpcError for encryption where the
        configuration wants plaintext alone."""
        network = self._session.network
        encryption = self._encryption(changes)
        port = changes.get("peer_port")
        if isinstance(port, int) and port != self._session.port:
            await network.set_port(port)
        if "dht_enabled" in changes:
            await network.set_dht(wanted=bool(changes["dht_enabled"]))
        if "lpd_enabled" in changes:
            await network.set_local_discovery(wanted=bool(changes["lpd_enabled"]))
        if "pex_enabled" in changes:
            network.set_peer_exchange(wanted=bool(changes["pex_enabled"]))
        if "port_forwarding_enabled" in changes:
            await network.set_port_mapping(wanted=bool(changes["port_forwarding_enabled"]))
        if encryption is not None:
            network.set_encryption(encryption)
        total, each = changes.get("peer_limit_global"), changes.get("peer_limit_per_torrent")
        if isinstance(total, int) and total != self._session.settings.max_connections:
            network.set_max_connections(total)
        if isinstance(each, int) and each != self._session.settings.max_connections_per_torrent:
            network.set_max_connections_per_torrent(each)

    def _encryption(self, changes: Mapping[str, Json]) -> Encryption | None:
        """What encryption is to be from now on; None where it stays."""
        told = changes.get("encryption", self._told_encryption)
        if told == self._told_encryption and self._session.settings.encryption is Encryption.OFF:
            return None
        if self._session.settings.encryption is Encryption.OFF:
            raise RpcError(Code.SYSTEM, "encryption cannot be changed: the configuration wants plaintext alone")
        self._told_encryption = str(told)
        wanted = _ENCRYPTION[self._told_encryption]
        return None if wanted is self._session.settings.encryption else wanted

    def _mapping(self) -> Json:
        mapping = self._session.network.facts.mapping
        if mapping is None:
            return {}
        return {
            "router": mapping.router or "",
            "way": mapping.way or "",
            "outer_host": mapping.outer_host or "",
            "outer_port": mapping.outer_port or 0,
            "problem": mapping.problem or "",
        }
