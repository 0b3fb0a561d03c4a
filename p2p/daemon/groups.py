"""Bandwidth groups: limits that torrents share, by name, and how every torrent stands among them.

The rule: a group is there once a client has named it, with limits or for a torrent, and without limits it changes
nothing. What holds for a torrent follows from its wishes and its group's at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Final

from p2p.daemon.arguments import MAX_LIMIT
from p2p.daemon.ports import Group, Priority
from p2p.daemon.rpc_errors import invalid
from p2p.daemon.session_values import KILO
from p2p.daemon.state_records import RecordReader, plain_record, read_plain
from p2p.daemon.torrent_change import MAX_GROUP
from p2p.session.bandwidth import BandwidthGroup
from p2p.session.throttle import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.state_records import Record

MAX_GROUPS: Final = 1_000
"""Groups that there may be: each is made by its name alone, and none goes."""

_WEIGHTS: Final = {Priority.LOW: Weight.LOW, Priority.NORMAL: Weight.NORMAL, Priority.HIGH: Weight.HIGH}


class Groups:
    """See the module's head. `torrents` are all there are."""

    def __init__(self, torrents: Iterable[ManagedTorrent]) -> None:
        self._torrents = torrents
        self._groups: dict[str, Group] = {}
        self._limits: dict[str, BandwidthGroup] = {}

    def all(self) -> Sequence[Group]:
        """In the order of their names."""
        return [self._groups[name] for name in sorted(self._groups)]

    def require(self, name: str) -> None:
        """RpcError for a group that cannot be, which "" for no group is not."""
        if name and not name.isprintable():
            raise invalid("group must be the name of a group")
        if name and name not in self._groups and len(self._groups) >= MAX_GROUPS:
            raise invalid(f"there are {MAX_GROUPS} groups already")

    def set(self, name: str, changes: Mapping[str, Json]) -> None:
        """Change the limits of a group, which need not be there yet. Raises RpcError."""
        self.require(name)
        before = self._groups.get(name)
        self._put(dataclasses.replace(before or Group(name), **changes))  # type: ignore[arg-type] # checked by the RPC
        if before is not None and before.honors_session_limits is not self._groups[name].honors_session_limits:
            for managed in self._torrents:
                if managed.wishes.group == name:
                    self.hold(managed)

    def hold(self, managed: ManagedTorrent) -> None:
        """Let the torrent stand as its wishes say. A group that it names is made if need be."""
        wishes = managed.wishes
        name = wishes.group
        if name and name not in self._groups:
            self._put(Group(name))
        managed.torrent.bandwidth.place(
            self._limits[name] if name else None,
            _WEIGHTS[wishes.bandwidth_priority],
            honours_session=wishes.honors_session_limits and (not name or self._groups[name].honors_session_limits),
        )

    def _put(self, group: Group) -> None:
        now = asyncio.get_running_loop().time()
        limits = self._limits.setdefault(group.name, BandwidthGroup(now))
        limits.set_limits(
            down=group.speed_limit_down * KILO if group.speed_limit_down_enabled else None,
            up=group.speed_limit_up * KILO if group.speed_limit_up_enabled else None,
            now=now,
        )
        self._groups[group.name] = group

    # -- over a restart

    def to_record(self) -> Record:
        return {"groups": [plain_record(group) for group in self.all()]}

    def from_record(self, record: Mapping[str, Json]) -> None:
        reader = RecordReader(dict(record), "the groups")
        for each in reader.records("groups", most=MAX_GROUPS):
            inner = RecordReader(each, "a group")
            group = read_plain(Group(""), inner)
            inner.close()
            limits = (group.speed_limit_down, group.speed_limit_up)
            if not 0 < len(group.name) <= MAX_GROUP or not group.name.isprintable():
                inner.complain("name", group.name)
            elif not all(0 <= limit <= MAX_LIMIT for limit in limits):
                inner.complain("limits", limits)
            else:
                self._put(group)
        reader.close()
