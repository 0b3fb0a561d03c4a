"""What processes of one tracker that share their swarms by Redis tell one another: traffic, and all while it is down.

The rule: a word about a peer is the same by either way, and of two the later holds (tracker.redis_store), so it does no
harm to hear it twice. Completions wait for Redis, which adds them up.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, Final

from tracker.figures import Traffic
from tracker.shared_store import ENTRIES, OTHERS, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.redis_store import RedisStore

_PEERS: Final = 0
_TRAFFIC: Final = 1

MESSAGES: Final = 40
"""Made in one go: 20,000 peers, as many as are announced in a fraction of a second."""


class RedisSiblings:
    """A `tracker.siblings.Talk` of the process `number` about `store`. `is_up` says whether Redis tells the others."""

    def __init__(self, number: int, store: RedisStore, is_up: Callable[[], bool]) -> None:
        self._number = number
        self._store = store
        self._is_up = is_up
        self._tells = False
        self._to_send: list[Message] = []
        self._traffic: dict[int, Traffic] = {}

    @property
    def traffic_elsewhere(self) -> list[Traffic]:
        """What the other processes last said that they have answered."""
        return list(self._traffic.values())

    def on_traffic(self, traffic: Traffic) -> None:
        """Tell the others what this process has answered."""
        self._to_send.append(self._message(_TRAFFIC, tuple(traffic)))

    def messages(self) -> list[Message]:
        """What is to be sent now, in order."""
        if self._is_up() is self._tells:
            self._tells = not self._tells
            (self._store.tell_beside if self._tells else self._store.leave_it_to_redis)()
        for _ in range(MESSAGES):
            peers = self._store.take_untold(ENTRIES)
            if not peers:
                break
            self._to_send.append(self._message(_PEERS, [(*key, *value) for key, value in peers.items()]))
        sending, self._to_send = self._to_send, []
        return sending

    def receive(self, content: bytes) -> None:
        """Take in a message of another process."""
        try:
            sender, kind, told = marshal.loads(content)  # noqa: S302 - of our own processes
        except (ValueError, EOFError, TypeError):
            return
        if kind == _TRAFFIC:
            self._traffic[sender] = Traffic(*told)
            return
        for info_hash, peer, detail, seen in told:
            self._store.on_change(info_hash, peer, detail, seen)

    def _message(self, kind: int, told: Any) -> Message:
        return Message(OTHERS, marshal.dumps((self._number, kind, told)))
