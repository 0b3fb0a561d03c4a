"""The values of the session's settings, and who makes each of them hold: the one table that `session_set` goes through.

The rule: a value is kept only if somebody stands for it. A subject takes the keys that it applies live
(`applied_by`); a key that is read when it is needed is `READ_WHEN_NEEDED`; a key whose value is a fact is told by
whoever knows it (`told_by`). Every other key keeps the value it has, and refuses any other by name. Values were checked
by `p2p.daemon.session_fields`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.daemon import session_fields
from p2p.daemon.names import Json
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.errors import StarlingError
from p2p.session.encryption import Encryption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from p2p.session.settings import Settings

log = logging.getLogger(__name__)

Apply: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[None]]
"""Makes values hold, all of a subject's that are set in one call, of which at least one is new; they are in the table
already. Raises StarlingError if it cannot, and then the old ones stay."""

UNDO_SECONDS: Final = 30
"""For which a removal with content can be undone, unless the user says otherwise."""

KILO: Final = 1000
"""Bytes a second in the RPC's unit of rates."""

DISABLED_LIMIT: Final = 100
"""Kilobytes a second of a limit that nobody has set: who only switches it on does not stop everything."""

READ_WHEN_NEEDED: Final = frozenset(
    {"peer_port_random_on_start", "starling_port_test_url", "download_dir", "start_added_torrents"}
)
"""Kept, and read by who needs them: nothing has to happen when they change."""

_ENCRYPTION: Final = {Encryption.REQUIRE: "required", Encryption.PREFER: "preferred"}


def initial(settings: Settings, config_dir: str) -> dict[str, Json]:
    """What a session begins with where nobody has set anything."""
    kept = session_fields.KEPT
    return {
        **dict.fromkeys(kept, 0),
        **{name: False for name in kept if name.endswith("_enabled")},
        **{name: "" for name in kept if name.endswith(("_filename", "_url", "_dir"))},
        "alt_speed_down": 50,
        "alt_speed_time_begin": 9 * 60,
        "alt_speed_time_day": 127,
        "alt_speed_time_end": 17 * 60,
        "alt_speed_up": 50,
        "cache_size_mib": settings.read_cache >> 20,
        "config_dir": config_dir,
        "default_trackers": "",
        "dht_enabled": settings.dht,
        "download_dir": str(Path(settings.download_dir).absolute()),
        "download_dir_free_space": -1,
        "download_queue_enabled": True,
        "download_queue_size": 5,
        "encryption": _ENCRYPTION.get(settings.encryption, "allowed"),
        "idle_seeding_limit": 30,
        "lpd_enabled": settings.local_discovery,
        "peer_limit_global": settings.max_connections,
        "peer_limit_per_torrent": settings.max_connections_per_torrent,
        "peer_port_random_on_start": settings.port == 0,
        "pex_enabled": settings.peer_exchange,
        "port_forwarding_enabled": settings.port_mapping,
        "queue_stalled_enabled": True,
        "queue_stalled_minutes": 30,
        "rename_partial_files": False,
        "reqq": 500,
        "seed_queue_size": 10,
        "seed_ratio_limit": 2.0,
        "seed_ratio_limited": False,
        "sequential_download": False,
        "speed_limit_down": DISABLED_LIMIT if settings.limit_down is None else round(settings.limit_down / KILO),
        "speed_limit_down_enabled": settings.limit_down is not None,
        "speed_limit_up": DISABLED_LIMIT if settings.limit_up is None else round(settings.limit_up / KILO),
        "speed_limit_up_enabled": settings.limit_up is not None,
        "starling_port_file": "",
        "starling_seed_time_limit": 24 * 60,
        "starling_seed_time_limited": False,
        "start_added_torrents": True,
        "starling_undo_seconds": UNDO_SECONDS,
        "trash_original_torrent_files": False,
    }


class SessionValues:
    """See the module's head. Values are read by name, and all with `all`."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = dict(values)
        self._chosen: dict[str, Json] = {}
        """What clients have set, in this run or an earlier one: what is kept."""
        self._written: set[str] = set()
        """What the configuration says: it counts before what was kept."""
        self._subjects: dict[str, Apply] = {}
        self._facts: dict[str, Callable[[], Json]] = {}

    def applied_by(self, names: Iterable[str], apply: Apply) -> None:
        """`apply` stands for those keys: it is called with those of them that have changed."""
        self._subjects.update(dict.fromkeys(names, apply))

    def told_by(self, name: str, read: Callable[[], Json]) -> None:
        """The value of `name` is whatever `read` says when it is asked for."""
        self._facts[name] = read

    def __getitem__(self, name: str) -> Json:
        fact = self._facts.get(name)
        return self._values[name] if fact is None else fact()

    def flag(self, name: str) -> bool:
        return bool(self[name])

    def number(self, name: str) -> float:
        value = self[name]
        return value if isinstance(value, (int, float)) else 0

    def text(self, name: str) -> str:
        return str(self[name])

    def rate(self, name: str) -> float | None:
        """Bytes a second of a limit that has a switch `NAME_enabled`; None while that is off."""
        return self.number(name) * KILO if self.flag(f"{name}_enabled") else None

    def all(self) -> dict[str, Json]:
        return {**self._values, **{name: read() for name, read in self._facts.items()}}

    def note(self, name: str, value: Json) -> None:
        """A value that was found, not set."""
        self._values[name] = value

    async def set(self, changes: Mapping[str, Json]) -> None:
        """Take in checked values and make them hold. Raises RpcError for the first that nobody stands for, before
        anything has changed; StarlingError from a subject, whose keys then keep their values."""
        subjects: dict[Apply, dict[str, Json]] = {}
        noted: dict[str, Json] = {}
        changes = {name: value for name, value in changes.items() if name not in session_fields.CONSTANT}
        differs = {name for name, value in changes.items() if value != self[name]}
        for name, value in changes.items():
            apply = self._subjects.get(name)
            if apply is not None:
                subjects.setdefault(apply, {})[name] = value
            elif name in READ_WHEN_NEEDED:
                noted[name] = value
            elif name in differs:
                raise RpcError(Code.SYSTEM, f"changing {name} while the daemon runs is not in this version")
        self._values.update(noted)
        for apply, own in subjects.items():
            if differs.isdisjoint(own):
                continue
            before = {name: self._values[name] for name in own}
            self._values.update(own)
            try:
                await apply(own)
            except BaseException:
                self._values.update(before)
                raise

    async def choose(self, changes: Mapping[str, Json]) -> None:
        """The same for what a client sets, which is kept over a restart."""
        await self.set(changes)
        self._chosen |= {name: value for name, value in changes.items() if name not in session_fields.CONSTANT}

    async def write_down(self, given: Mapping[str, Json]) -> None:
        """The same for what the configuration says, which is not kept, and counts before what was."""
        await self.set(given)
        self._written |= given.keys()

    async def take_back(self, name: str, default: Json) -> None:
        """The configuration says nothing of a key any more: what a client has set counts, or else the default."""
        self._written.discard(name)
        await self.set({name: self._chosen.get(name, default)})

    def to_record(self) -> dict[str, Json]:
        """What is kept over a restart: the values that clients have set."""
        return {name: self._chosen[name] for name in sorted(self._chosen)}

    def from_record(self, record: Mapping[str, Json]) -> None:
        """Take in what was kept; what is not known or cannot be any more is left out, and the log says so. It holds
        once `hold` has been called."""
        for name, value in record.items():
            if name not in self._subjects and name not in READ_WHEN_NEEDED:
                log.warning("the setting %.100r that was kept is not known, and left out", name)
                continue
            try:
                checked = session_fields.checked({name: value})
            except RpcError as error:
                log.warning("the setting %s that was kept is left out: %s", name, error)
            else:
                self._chosen |= checked
                if name not in self._written:
                    self._values |= checked

    async def hold(self) -> None:
        """Let every subject make its values hold, at the start. A subject that cannot is told of in the log, and the
        others hold all the same."""
        subjects: dict[Apply, dict[str, Json]] = {}
        for name, apply in self._subjects.items():
            subjects.setdefault(apply, {})[name] = self._values[name]
        for apply, own in subjects.items():
            try:
                await apply(own)
            except StarlingError as error:
                log.warning("what was kept of %s does not hold: %s", ", ".join(own), error)


def kept_values(record: Mapping[str, Json]) -> dict[str, Json]:
    """What can be used of a record of `SessionValues`, for who needs it before there is a session."""
    found: dict[str, Json] = {}
    for name, value in record.items():
        with suppress(RpcError):  # told when the record itself is read
            found |= session_fields.checked({name: value})
    return found
