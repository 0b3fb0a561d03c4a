"""Who may announce, and what each announce counts for: the rules of a private tracker over its ledger, in memory.

No thread, no file, no clock: `now` is seconds since the epoch and comes in with each call. The order of the checks is
that of the words below; the first that fails is what the member reads. A failing download right is judged after the
passkey, the client and the torrent, and the announce that it refuses is still taken into the accounts: its bytes moved.
"""

from __future__ import annotations

import heapq
import logging
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.gate import Admission
from tracker.private import accounts, cheats, passkeys, standing, words
from tracker.private.accounts import MAX_COUNTER, Place
from tracker.private.cheats import Cheat, Finding
from tracker.private.clients import ClientList
from tracker.private.guesses import GuessLimiter, network_of, network_of_compact
from tracker.private.records import FlagKey, Totals, Warned
from tracker.private.standing import Duty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.codec.announce import AnnounceRequest
    from p2p.ids import InfoHash
    from tracker.private.guesses import SourceNetwork
    from tracker.private.ledger import Ledger
    from tracker.private.reading import Changes, Everything
    from tracker.private.records import Member, Snatch, Torrent
    from tracker.private.rules import PrivateRules

log = logging.getLogger(__name__)

UNREGISTERED_RETRY: Final = 300.0
"""Seconds: a torrent is often announced a moment before it is registered (BEP 31)."""

KNOWN_NETWORKS: Final = 32
"""Remembered of a member at least; more are dropped once they are old."""

FREELEECH: Final = "freeleech"
DOUBLE_UPLOAD: Final = "double_upload"


class MemberDesk:
    """The deciding half of a private tracker's gate; see `tracker.gate.Gate` for the three questions it answers."""

    __slots__ = ("_clients", "_duties", "_guesses", "_ledger", "_rules", "_watches_since", "refused")

    def __init__(self, ledger: Ledger, rules: PrivateRules) -> None:
        self._ledger = ledger
        self._rules = rules
        self._clients = ClientList(rules.clients)
        self._guesses = GuessLimiter(rules.guesses)
        self._duties: list[tuple[float, int, int]] = []
        self._watches_since: float | None = None  # who downloaded before is not known
        self.refused = 0
        """Announces and scrapes."""

    @property
    def wrong_passkeys(self) -> int:
        return self._guesses.wrong

    def set_rules(self, rules: PrivateRules) -> None:
        """From now on; windows that run are measured anew."""
        self._rules = rules
        self._clients = ClientList(rules.clients)
        self._guesses.set_rules(rules.guesses)
        self._gather_duties()

    def take_in_all(self, everything: Everything) -> None:
        self._ledger.take_in_all(everything)
        if self._watches_since is None:
            self._watches_since = everything.read_at
        self._gather_duties()

    def take_in(self, changes: Changes) -> None:
        self._ledger.take_in(changes)

    def admit(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, now: float
    ) -> Admission:
        """See `tracker.gate.Gate.admit`."""
        try:
            return self._admit(request, passkey, source, user_agent, now)
        except TrackerError:
            self.refused += 1
            raise

    def on_announced(self, admission: Admission, request: AnnounceRequest, source: Address, now: float) -> None:
        """See `tracker.gate.Gate.on_announced`."""
        member = self._ledger.members.get(admission.member)
        torrent = self._ledger.torrents.get(admission.torrent)
        if member is None or torrent is None:
            return  # taken out of the register between question and answer
        if request.event is not AnnounceEvent.STOPPED or _is_here(member, torrent, request):
            self._account(member, torrent, request, source, now)
        if admission.gives_peers and _fetches(request):
            member.downloading[torrent.id] = now
        else:
            member.downloading.pop(torrent.id, None)

    def may_scrape(
        self, passkey: str | None, info_hashes: Sequence[InfoHash], source: Address, now: float
    ) -> tuple[InfoHash, ...]:
        """See `tracker.gate.Gate.may_scrape`."""
        try:
            self._admit_scrape(passkey, info_hashes, source, now)
        except TrackerError:
            self.refused += 1
            raise
        by_hash = self._ledger.by_hash
        return tuple(
            each for each in info_hashes if (torrent := by_hash.get(each)) is not None and torrent.is_registered
        )

    def identify(self, passkey: str | None, source: Address, now: float) -> tuple[Member, float | None]:
        """Whose passkey it is, and when it expires if it is an old one. Raises TrackerError.

        Who has had its number of wrong ones gets the same answer for a right one, or it could go on guessing; a
        member's own network, from which it was announcing, is let through.
        """
        if passkey is None:
            raise TrackerError("Passkey not found: the announce URL must have one")
        possible = passkeys.is_possible(passkey)
        hashed = passkeys.keyed_hash(passkey if possible else "", self._ledger.secret)
        member = self._ledger.by_passkey.get(hashed)
        expires = member.passkeys[hashed] if member is not None else None
        if expires is not None and expires <= now:
            member = None
        network = network_of(source.host)
        if self._guesses.is_stopped(network, now) and (member is None or network not in member.networks):
            self._guesses.on_wrong(network, hashed, now)
            raise TrackerError("Too many unknown passkeys from your network", retry_in=self._rules.guesses.window)
        if member is None:
            self._guesses.on_wrong(network, hashed, now)
            raise TrackerError("Passkey not found")
        return member, expires

    def no_download(self, member: Member, now: float) -> str | None:
        """Why the member may not download; None if it may."""
        if not member.may_download:
            return "the operator took the right"
        if standing.is_grace_over(member.ratio_low_since, now, self._rules.ratio):
            return words.low_ratio(member.totals, self._rules.ratio)
        most = self._rules.duty.max_warnings
        in_force = self.warnings_in_force(member, now)
        if 0 < most <= in_force:
            return f"{in_force} hit-and-run warnings"
        return None

    @staticmethod
    def warnings_in_force(member: Member, now: float) -> int:
        return sum(warned.expires > now for warned in member.warnings)

    def tick(self, now: float, limit: int) -> None:
        """What time alone brings: windows of duty that end, and places not heard of. At most `limit` of each."""
        for _ in range(limit):
            if not self._duties or self._duties[0][0] > now:
                break
            _, member_id, torrent_id = heapq.heappop(self._duties)
            self._on_window_end(member_id, torrent_id, now)
        by_age = self._ledger.by_age
        for _ in range(limit):
            key = next(iter(by_age), None)
            if key is None:
                break
            member = self._ledger.members[key[0]]
            if member.snatches[key[1]].places[key[2]].seen > now - self._rules.place_lifetime:
                break
            self._ledger.on_place(member, key[1], key[2], None)

    def _admit(
        self, request: AnnounceRequest, passkey: str | None, source: Address, user_agent: str | None, now: float
    ) -> Admission:
        member, expires = self.identify(passkey, source, now)
        if not member.is_active:
            raise TrackerError(words.disabled(member.reason))
        self._clients.check(request.peer_id, user_agent)
        torrent = self._ledger.by_hash.get(request.info_hash)
        if torrent is None or not torrent.is_registered:
            why = f": {torrent.reason}" if torrent is not None and torrent.reason else ""
            raise TrackerError(f"Unregistered torrent{why}", retry_in=UNREGISTERED_RETRY)
        if max(request.uploaded, request.downloaded) > MAX_COUNTER:
            self._flag(member, torrent, Finding(Cheat.COUNTER, "more than 4 EiB", takes_credit=True), source, now)
            raise TrackerError("uploaded and downloaded are impossible")
        if request.event is AnnounceEvent.STOPPED:
            return Admission(member.id, torrent.id, gives_peers=False)
        snatch = member.snatches.get(torrent.id)
        self._check_networks(member, _moved_from(snatch, request, source), source, now)
        if _fetches(request) and (reason := self.no_download(member, now)) is not None:
            if _is_here(member, torrent, request):
                self._account(member, torrent, request, source, now)
            member.downloading.pop(torrent.id, None)
            raise TrackerError(f"Access denied, leeching forbidden: {reason}")
        own = self._own_places(snatch, request, source, now) if snatch is not None else []
        if len(own) >= self._rules.limits.places:
            raise TrackerError(f"You have {len(own)} clients at this torrent already, as many as are allowed")
        warnings = [
            *words.about_passkey(expires),
            *words.about_ratio(member, self._rules.ratio),
            *words.about_warnings(self.warnings_in_force(member, now), self._rules.duty),
        ]
        gives_peers = not _fetches(request) or self._has_slot(member, torrent, now)
        if not gives_peers:
            warnings.insert(0, words.no_slot(self._slots(member)))
        return Admission(
            member.id,
            torrent.id,
            warning="; ".join(warnings) or None,
            gives_peers=gives_peers,
            own_peers=_addresses(snatch) if snatch is not None and snatch.places else frozenset(),
        )

    def _admit_scrape(self, passkey: str | None, info_hashes: Sequence[InfoHash], source: Address, now: float) -> None:
        member, _ = self.identify(passkey, source, now)
        if not member.is_active:
            raise TrackerError(words.disabled(member.reason))
        if not info_hashes:
            raise TrackerError("A scrape must name its torrents here")

    def _check_networks(self, member: Member, moved_from: SourceNetwork | None, source: Address, now: float) -> None:
        """Flag or refuse a passkey that comes up where it was not while it is in use elsewhere."""
        network = network_of(source.host)
        last = member.networks.get(network)
        if last is not None and last >= now - self._rules.peer_lifetime:
            return
        in_use = self._networks_in_use(member, network, now)
        count = len(in_use) - (moved_from in in_use)
        if count >= self._rules.cheats.networks:
            finding = Finding(Cheat.NETWORKS, f"in use from {count} more at the same time", takes_credit=False)
            self._flag(member, None, finding, source, now)
        if count >= self._rules.cheats.max_networks:
            raise TrackerError(f"Your passkey is in use from {count} other places: change it if it was stolen")

    def _networks_in_use(self, member: Member, beside: SourceNetwork, now: float) -> list[SourceNetwork]:
        if len(member.networks) > KNOWN_NETWORKS:
            member.networks = {network: seen for network, seen in member.networks.items() if self._is_here(seen, now)}
        return [
            network
            for network, seen in member.networks.items()
            if type(network) is type(beside) and network != beside and self._is_here(seen, now)
        ]

    def _is_here(self, seen: float, now: float) -> bool:
        """Whether who was seen then still counts. A time to come is of a clock that has been set back since: who is
        here says so within an interval."""
        return now - self._rules.peer_lifetime <= seen <= now

    def _own_places(self, snatch: Snatch, request: AnnounceRequest, source: Address, now: float) -> list[Place]:
        """The member's other clients at this torrent that are there; one at the same address was this one before."""
        here = compact.pack(Address(source.host, request.port))
        return [
            place
            for peer_id, place in snatch.places.items()
            if peer_id != request.peer_id and self._is_here(place.seen, now) and here not in place.addresses
        ]

    def _slots(self, member: Member) -> int:
        return self._rules.limits.slots if member.max_slots is None else member.max_slots

    def _has_slot(self, member: Member, torrent: Torrent, now: float) -> bool:
        slots = self._slots(member)
        if slots == 0 or len(member.downloading) < slots:
            return True
        member.downloading = {each: seen for each, seen in member.downloading.items() if self._is_here(seen, now)}
        return len(member.downloading.keys() - {torrent.id}) < slots

    def _account(self, member: Member, torrent: Torrent, request: AnnounceRequest, source: Address, now: float) -> None:
        snatch = self._ledger.snatch(member, torrent, now)
        before = snatch.places.get(request.peer_id)
        findings: list[Finding] = []
        if before is not None and cheats.is_other_client(before, request.key, source.host):
            detail = f"was at {before.source} with another key"
            findings.append(Finding(Cheat.PEER_ID, detail, takes_credit=True))
            before = None
        rise = accounts.rise(before, request.uploaded, request.downloaded, now)
        lifetime = self._rules.peer_lifetime
        if before is not None and not rise.is_base:
            findings += cheats.judge_rise(rise, lifetime, self._rules.cheats)
            if self._had_no_taker(member, torrent, before.seen - lifetime):
                findings += cheats.judge_audience(rise, self._rules.cheats)
        elif before is None and request.event is not AnnounceEvent.STARTED:
            findings += cheats.judge_first(request.uploaded, request.downloaded, self._rules.cheats)
        for finding in findings:
            self._flag(member, torrent, finding, source, now)
        uploaded = 0 if any(finding.takes_credit for finding in findings) else rise.uploaded
        seconds = accounts.seed_seconds(before, snatch.counted_until, now, lifetime)
        promotions = self._ledger.promotions
        terms = accounts.terms(
            now if before is None else before.seen,
            (promotions.get(FREELEECH), torrent.freeleech_until, member.freeleech_until),
            (promotions.get(DOUBLE_UPLOAD), torrent.double_upload_until, member.double_upload_until),
        )
        counted = Totals(
            uploaded * terms.upload_factor, rise.downloaded * terms.download_factor, uploaded, rise.downloaded, seconds
        )
        snatch.uploaded += uploaded
        snatch.downloaded += rise.downloaded
        snatch.seed_time += seconds
        snatch.last_seen = now
        if seconds:
            snatch.counted_until = now
        self._ledger.on_rise(member, torrent.id, counted)
        if (before is not None and not before.resting) or _fetches(request):
            torrent.on_taker(member.id, now)
        if (
            request.event is AnnounceEvent.COMPLETED
            and request.left == 0
            and before is not None
            and before.left > 0
            and snatch.finished is None
        ):
            snatch.finished = now
            self._ledger.on_finished(member, torrent.id)
        if (left := _moved_from(snatch, request, source)) is not None:
            member.networks.pop(left, None)  # who else is there says so within an interval
        self._place(member, torrent, snatch, request, source, now)
        self._judge_duty(member, torrent, snatch, request, now)
        member.last_seen = now
        member.networks[network_of(source.host)] = now
        totals = member.totals
        member.ratio_low_since = standing.low_since(
            member.ratio_low_since, totals.uploaded, totals.downloaded, now, self._rules.ratio
        )

    def _had_no_taker(self, member: Member, torrent: Torrent, since: float) -> bool:
        watched = self._watches_since is not None and since >= self._watches_since
        return watched and not torrent.had_taker_besides(member.id, since)

    def _place(
        self, member: Member, torrent: Torrent, snatch: Snatch, request: AnnounceRequest, source: Address, now: float
    ) -> None:
        here = compact.pack(Address(source.host, request.port))
        for peer_id in [each for each, place in snatch.places.items() if here in place.addresses]:
            if peer_id != request.peer_id:
                self._ledger.on_place(member, torrent.id, peer_id, None)  # the same client, started anew
        if request.event is AnnounceEvent.STOPPED:
            if request.peer_id in snatch.places:
                self._ledger.on_place(member, torrent.id, request.peer_id, None)
            return
        before = snatch.places.get(request.peer_id)
        others = () if before is None else tuple(each for each in before.addresses if len(each) != len(here))
        place = Place(
            key=request.key,
            source=source.host,
            addresses=(here, *others),
            uploaded=request.uploaded,
            downloaded=request.downloaded,
            left=request.left,
            resting=not _fetches(request),
            seen=now,
        )
        self._ledger.on_place(member, torrent.id, request.peer_id, place)

    def _judge_duty(
        self, member: Member, torrent: Torrent, snatch: Snatch, request: AnnounceRequest, now: float
    ) -> None:
        rules = self._rules.duty
        if snatch.duty is Duty.DONE:
            return
        known_left = request.left if request.left <= MAX_COUNTER else 0
        size = torrent.size if torrent.size is not None else snatch.downloaded + known_left
        if snatch.duty is Duty.NONE:
            if not standing.arises(snatch.downloaded, size, rules):
                return
            snatch.duty, snatch.duty_since = Duty.OPEN, now
            heapq.heappush(self._duties, (now + rules.window, member.id, torrent.id))
        if standing.is_fulfilled(snatch.uploaded, snatch.downloaded, snatch.seed_time, size, rules):
            if snatch.duty is Duty.MISSED:
                self._ledger.lift_warning(member, torrent.id, now)
            snatch.duty = Duty.DONE

    def _on_window_end(self, member_id: int, torrent_id: int, now: float) -> None:
        member = self._ledger.members.get(member_id)
        snatch = None if member is None else member.snatches.get(torrent_id)
        rules = self._rules.duty
        if member is None or snatch is None or snatch.duty is not Duty.OPEN or rules.seed_time <= 0:
            return
        lifetime = self._rules.peer_lifetime
        if any(place.resting and place.seen >= now - lifetime for place in snatch.places.values()):
            heapq.heappush(self._duties, (now + lifetime, member_id, torrent_id))
            return
        snatch.duty = Duty.MISSED
        self._ledger.on_warning(member, Warned(torrent_id, now, now + rules.warning_life))
        log.info("hit and run: member %d at torrent %d is warned", member_id, torrent_id)

    def _gather_duties(self) -> None:
        self._duties = [
            (snatch.duty_since + self._rules.duty.window, member.id, torrent_id)
            for member in self._ledger.members.values()
            for torrent_id, snatch in member.snatches.items()
            if snatch.duty is Duty.OPEN and snatch.duty_since is not None
        ]
        heapq.heapify(self._duties)

    def _flag(self, member: Member, torrent: Torrent | None, finding: Finding, source: Address, now: float) -> None:
        key = FlagKey(member.id, 0 if torrent is None else torrent.id, finding.kind.value)
        if self._ledger.flag(key, finding.detail, source.host, now):
            log.warning(
                "member %d at torrent %d, from %s: %s: %s",
                key.member,
                key.torrent,
                source.host,
                key.kind,
                finding.detail,
            )


def _fetches(request: AnnounceRequest) -> bool:
    return request.left > 0 and request.event not in (AnnounceEvent.PAUSED, AnnounceEvent.STOPPED)


def _is_here(member: Member, torrent: Torrent, request: AnnounceRequest) -> bool:
    snatch = member.snatches.get(torrent.id)
    return snatch is not None and request.peer_id in snatch.places


def _moved_from(snatch: Snatch | None, request: AnnounceRequest, source: Address) -> SourceNetwork | None:
    """The network the client has left, told by its peer id and key; None for one that is new or where it was."""
    place = None if snatch is None else snatch.places.get(request.peer_id)
    if place is None or place.key != request.key:
        return None
    here = compact.pack(Address(source.host, request.port))
    before = next((each for each in place.addresses if len(each) == len(here)), here)
    left = network_of_compact(before)
    return None if left == network_of_compact(here) else left


def _addresses(snatch: Snatch) -> frozenset[bytes]:
    return frozenset(address for place in snatch.places.values() for address in place.addresses)
