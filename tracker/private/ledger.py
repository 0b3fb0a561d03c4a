"""All accounts in memory: looked up by passkey and info-hash, and what of them is not yet written.

The rules: memory is what announces see and is never behind the file; what is dirty is kept by whom it concerns, so a
database that is away for long costs no more than one row for each thing that changed; a batch takes members whole, a
total always together with the counters it came from, or a crash between two batches would count bytes twice.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracker.private.batch import Batch, MemberRow
from tracker.private.guesses import network_of
from tracker.private.records import FlagKey, FlagNote, Member, Snatch, Torrent, Totals, Warned

if TYPE_CHECKING:
    from tracker.private.accounts import Place
    from tracker.private.reading import Changes, Everything

MAX_FLAGS: Final = 10_000
"""Different flags held until they are written. More come only from a flood; each is logged as well."""

BATCH_ROWS: Final = 5_000
"""After which a batch takes no further member: some milliseconds of the loop's time."""

_MAX_LEFT: Final = 2**63 - 1
"""What SQLite has room for. Clients that do not know `left` yet send more."""


@dataclass(slots=True)
class Dirty:
    """What changed of one member since the last batch."""

    totals: Totals = field(default_factory=Totals)
    snatches: dict[int, None] = field(default_factory=dict)
    places: dict[tuple[int, bytes], None] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)
    lifted: dict[int, float] = field(default_factory=dict)
    finished: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return 1 + len(self.snatches) + len(self.places) + len(self.warnings) + len(self.lifted) + len(self.finished)


class Ledger:
    """`run` names this process in the database, 16 bytes nobody else has."""

    __slots__ = (
        "_dirty",
        "_dirty_rows",
        "_flags",
        "_in_flight",
        "_number",
        "_run",
        "by_age",
        "by_hash",
        "by_passkey",
        "lost_flags",
        "members",
        "promotions",
        "secret",
        "torrents",
    )

    def __init__(self, run: bytes) -> None:
        self._run = run
        self._number = 0
        self._dirty: dict[int, Dirty] = {}
        self._dirty_rows = 0
        self._flags: dict[FlagKey, FlagNote] = {}
        self._in_flight: tuple[Batch, dict[int, Dirty]] | None = None
        self.secret = b""
        self.members: dict[int, Member] = {}
        self.torrents: dict[int, Torrent] = {}
        self.by_passkey: dict[bytes, Member] = {}
        self.by_hash: dict[bytes, Torrent] = {}
        self.promotions: dict[str, float] = {}
        self.by_age: OrderedDict[tuple[int, int, bytes], None] = OrderedDict()
        """Places, the one not heard of for longest first."""
        self.lost_flags = 0

    @property
    def unwritten(self) -> int:
        """Rows that only memory holds."""
        return self._dirty_rows + len(self._flags) + (0 if self._in_flight is None else self._in_flight[0].rows)

    @property
    def snatch_count(self) -> int:
        return sum(len(member.snatches) for member in self.members.values())

    @property
    def is_waiting(self) -> bool:
        """Whether a batch was taken and is not yet known to be written."""
        return self._in_flight is not None

    def snatch(self, member: Member, torrent: Torrent, now: float) -> Snatch:
        """What is between the two, new if there was nothing."""
        found = member.snatches.get(torrent.id)
        if found is None:
            found = member.snatches[torrent.id] = Snatch(first_seen=now, last_seen=now)
        return found

    def on_rise(self, member: Member, torrent_id: int, rise: Totals) -> None:
        """The member's totals grew, and its snatch changed."""
        member.totals.add(rise)
        dirty = self._dirt(member.id)
        dirty.totals.add(rise)
        if torrent_id not in dirty.snatches:
            dirty.snatches[torrent_id] = None
            self._dirty_rows += 1

    def on_place(self, member: Member, torrent_id: int, peer_id: bytes, place: Place | None) -> None:
        """A place is now this, or gone."""
        key = (member.id, torrent_id, peer_id)
        places = member.snatches[torrent_id].places
        if place is None:
            places.pop(peer_id, None)
            self.by_age.pop(key, None)
        else:
            places[peer_id] = place
            self.by_age[key] = None
            self.by_age.move_to_end(key)
        dirty = self._dirt(member.id)
        if (torrent_id, peer_id) not in dirty.places:
            dirty.places[torrent_id, peer_id] = None
            self._dirty_rows += 1

    def on_finished(self, member: Member, torrent_id: int) -> None:
        self._dirt(member.id).finished.append(torrent_id)
        self._dirty_rows += 1

    def on_warning(self, member: Member, warned: Warned) -> None:
        member.warnings.append(warned)
        dirty = self._dirt(member.id)
        dirty.warnings.append(warned)
        dirty.snatches[warned.torrent] = None
        self._dirty_rows += 2

    def lift_warning(self, member: Member, torrent_id: int, now: float) -> None:
        member.warnings = [warned for warned in member.warnings if warned.torrent != torrent_id]
        self._dirt(member.id).lifted[torrent_id] = now
        self._dirty_rows += 1

    def flag(self, key: FlagKey, detail: str, source: str, now: float) -> bool:
        """Note something for the operator; the same again is counted. Whether it is new since the last batch."""
        note = self._flags.get(key)
        if note is not None:
            note.detail, note.source, note.last_seen, note.times = detail, source, now, note.times + 1
            return False
        if len(self._flags) < MAX_FLAGS:
            self._flags[key] = FlagNote(detail, source, now, now)
        else:
            self.lost_flags += 1
        return True

    def take_batch(self, now: float) -> Batch | None:
        """What is to be written next, None if there is nothing or a batch is out already."""
        if self._in_flight is not None or not (self._dirty or self._flags):
            return None
        taken: dict[int, Dirty] = {}
        rows = 0
        for member_id in list(self._dirty):
            taken[member_id] = self._dirty.pop(member_id)
            rows += taken[member_id].rows
            if rows >= BATCH_ROWS:
                break
        self._dirty_rows -= rows
        if not self._dirty:
            self._dirty_rows = 0
        self._number += 1
        batch = self._batch(taken, now)
        self._flags = {}
        self._in_flight = (batch, taken)
        return batch

    def on_written(self) -> None:
        """The batch that was out is in the file."""
        self._in_flight = None

    def take_in_all(self, everything: Everything) -> None:
        """The whole file: at the start, or another one in its place.

        Members and torrents are as the file has them, plus what is not yet written. What was between them is as memory
        has it where memory knows, and is then written again, because another file may lack it.
        """
        self.secret = everything.secret
        self.promotions = everything.promotions
        self._keep_only({each.id for each in everything.members}, {each.id for each in everything.torrents})
        for torrent in everything.torrents:
            self._take_torrent(torrent)
        for member in everything.members:
            self._take_member(member)
        fresh: set[tuple[int, int]] = set()
        for member_id, torrent_id, snatch in everything.snatches:
            owner = self.members.get(member_id)
            if owner is not None and torrent_id in self.torrents and torrent_id not in owner.snatches:
                owner.snatches[torrent_id] = snatch
                fresh.add((member_id, torrent_id))
        for member_id, torrent_id, peer_id, place in everything.places:
            if (member_id, torrent_id) in fresh:
                self._take_place(self.members[member_id], self.torrents[torrent_id], peer_id, place)
        for member in self.members.values():
            for torrent_id, snatch in member.snatches.items():
                if (member.id, torrent_id) not in fresh:
                    self._rewrite(member, torrent_id, snatch)

    def take_in(self, changes: Changes) -> None:
        """Rows that others changed."""
        self.promotions = changes.promotions
        gone_members = set(changes.member_ids) - {each.id for each in changes.members}
        gone_torrents = set(changes.torrent_ids) - {each.id for each in changes.torrents}
        if gone_members or gone_torrents:
            self._keep_only(self.members.keys() - gone_members, self.torrents.keys() - gone_torrents)
        for torrent in changes.torrents:
            self._take_torrent(torrent)
        for member in changes.members:
            self._take_member(member)

    def _dirt(self, member_id: int) -> Dirty:
        dirty = self._dirty.get(member_id)
        if dirty is None:
            dirty = self._dirty[member_id] = Dirty()
            self._dirty_rows += 1
        return dirty

    def _rewrite(self, member: Member, torrent_id: int, snatch: Snatch) -> None:
        self.on_rise(member, torrent_id, Totals())
        for peer_id, place in snatch.places.items():
            self.on_place(member, torrent_id, peer_id, place)

    def _take_torrent(self, torrent: Torrent) -> None:
        known = self.torrents.get(torrent.id)
        if known is not None:
            torrent.takers = known.takers
            for info_hash in known.info_hashes:
                self.by_hash.pop(info_hash, None)
        self.torrents[torrent.id] = torrent
        for info_hash in torrent.info_hashes:
            self.by_hash[info_hash] = torrent

    def _take_member(self, member: Member) -> None:
        known = self.members.get(member.id)
        if known is not None:
            for hashed in known.passkeys:
                self.by_passkey.pop(hashed, None)
            member.snatches, member.downloading, member.networks = known.snatches, known.downloading, known.networks
            member.ratio_low_since, member.last_seen = known.ratio_low_since, known.last_seen
        for dirty in self._unwritten_of(member.id):
            member.totals.add(dirty.totals)
            member.warnings = [warned for warned in member.warnings if warned.torrent not in dirty.lifted]
            member.warnings += [warned for warned in dirty.warnings if warned not in member.warnings]
        self.members[member.id] = member
        for hashed in member.passkeys:
            self.by_passkey[hashed] = member

    def _unwritten_of(self, member_id: int) -> list[Dirty]:
        parts = [self._in_flight[1].get(member_id)] if self._in_flight is not None else []
        parts.append(self._dirty.get(member_id))
        return [part for part in parts if part is not None]

    def _take_place(self, member: Member, torrent: Torrent, peer_id: bytes, place: Place) -> None:
        member.snatches[torrent.id].places[peer_id] = place
        self.by_age[member.id, torrent.id, peer_id] = None
        member.networks[network_of(place.source)] = place.seen
        if not place.resting:
            member.downloading[torrent.id] = place.seen
            torrent.on_taker(member.id, place.seen)

    def _keep_only(self, member_ids: set[int], torrent_ids: set[int]) -> None:
        for member_id in self.members.keys() - member_ids:
            for hashed in self.members.pop(member_id).passkeys:
                self.by_passkey.pop(hashed, None)
            self._forget_dirt(member_id)
        for torrent_id in self.torrents.keys() - torrent_ids:
            for info_hash in self.torrents.pop(torrent_id).info_hashes:
                self.by_hash.pop(info_hash, None)
            for member in self.members.values():
                member.snatches.pop(torrent_id, None)
                member.downloading.pop(torrent_id, None)
        for key in [key for key in self.by_age if key[0] not in self.members or key[1] not in self.torrents]:
            del self.by_age[key]

    def _forget_dirt(self, member_id: int) -> None:
        dirty = self._dirty.pop(member_id, None)
        if dirty is not None:
            self._dirty_rows -= dirty.rows

    def _batch(self, taken: dict[int, Dirty], now: float) -> Batch:
        members: list[MemberRow] = []
        snatches: list[tuple[object, ...]] = []
        places: list[tuple[object, ...]] = []
        gone: list[tuple[int, int, bytes]] = []
        for member_id, dirty in taken.items():
            member = self.members[member_id]
            rise = dirty.totals
            members.append(
                MemberRow(
                    rise.uploaded,
                    rise.downloaded,
                    rise.actual_uploaded,
                    rise.actual_downloaded,
                    rise.seed_time,
                    member.ratio_low_since,
                    member.last_seen,
                    member_id,
                )
            )
            held = [(each, snatch) for each in dirty.snatches if (snatch := member.snatches.get(each)) is not None]
            snatches += [_snatch_row(member_id, torrent_id, snatch) for torrent_id, snatch in held]
            for torrent_id, peer_id in dirty.places:
                of = member.snatches.get(torrent_id)
                place = None if of is None else of.places.get(peer_id)
                if place is None:
                    gone.append((member_id, torrent_id, peer_id))
                else:
                    places.append(_place_row(member_id, torrent_id, peer_id, place))
        return Batch(
            run=self._run,
            number=self._number,
            made=now,
            members=tuple(members),
            snatches=tuple(snatches),
            places=tuple(places),
            gone_places=tuple(gone),
            warnings=tuple((member, *warned) for member, dirty in taken.items() for warned in dirty.warnings),
            lifted=tuple((at, member, each) for member, dirty in taken.items() for each, at in dirty.lifted.items()),
            finished=tuple((each,) for dirty in taken.values() for each in dirty.finished),
            flags=tuple(
                (*key, note.detail, note.source, note.first_seen, note.last_seen, note.times)
                for key, note in self._flags.items()
            ),
        )


def _snatch_row(member_id: int, torrent_id: int, snatch: Snatch) -> tuple[object, ...]:
    return (
        member_id,
        torrent_id,
        snatch.uploaded,
        snatch.downloaded,
        snatch.seed_time,
        snatch.counted_until,
        snatch.first_seen,
        snatch.last_seen,
        snatch.finished,
        snatch.duty.value,
        snatch.duty_since,
    )


def _place_row(member_id: int, torrent_id: int, peer_id: bytes, place: Place) -> tuple[object, ...]:
    return (
        member_id,
        torrent_id,
        peer_id,
        place.key,
        place.source,
        b"".join(address for size in (6, 18) for address in place.addresses if len(address) == size),
        place.uploaded,
        place.downloaded,
        min(place.left, _MAX_LEFT),
        int(place.resting),
        place.seen,
    )
