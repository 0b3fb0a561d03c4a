"""What a process says over HTTP that takes members' connections and asks another one for every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2p.codec import http_tracker
from p2p.errors import TrackerError
from tracker.http_answers import OK, Announce, HttpReader, Scrape, read_nothing, write_answer
from tracker.store import Totals

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from p2p.codec.http_fast import UsualAnnounce
    from p2p.ids import Address
    from p2p.net.network import Source
    from tracker.accounts_link import AccountsAsker
    from tracker.http_answers import OnTold, Request
    from tracker.proxies import Proxies


class RelayedAnswers(HttpReader):
    """`asker` gives the answers. What cannot be read is refused here."""

    def __init__(
        self,
        asker: AccountsAsker,
        proxies: Proxies,
        on_malformed: Callable[[str, TrackerError], None] | None,
    ) -> None:
        super().__init__(proxies, on_malformed, is_private=True)
        self._asker = asker
        self.read_announce = read_nothing

    def totals(self) -> Totals:
        """There are no swarms here."""
        return Totals(0, 0, 0)

    def reply_announce(self, announce: UsualAnnounce, source: Source, head: bytes) -> bytes:
        """Never asked: `read_announce` reads nothing."""
        raise NotImplementedError

    def reply(self, request: re.Match[bytes], source: Source, *, keep_alive: bool) -> bytes | None:
        """Nothing is answered in the turn that asks."""

    def answer(self, request: Request, source: Address, on_told: OnTold) -> tuple[bytes, bytes] | None:
        """See `tracker.http_answers.HttpAnswers.answer`."""
        try:
            asked = self.read(request, source)
        except TrackerError as error:
            return OK, self.refusal(error)
        if isinstance(asked, Announce):
            announce = asked
            self._asker.announce(asked, lambda told: self._tell(told, on_told, lambda: write_answer(announce, told)))
            return None
        if isinstance(asked, Scrape):
            self._asker.scrape(asked, lambda told: self._tell(told, on_told, lambda: http_tracker.encode_scrape(told)))
            return None
        return asked

    def _tell(self, told: Any, on_told: OnTold, write: Callable[[], bytes]) -> None:
        on_told(OK, self.refusal(told) if isinstance(told, TrackerError) else write())
