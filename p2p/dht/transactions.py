"""Queries that wait for an answer: who was asked what, and when.

The rule: an answer counts only if it comes from the address that was asked and carries the transaction id it was asked
with, once. Ids cannot be foreseen by who does not see our datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.dht.contact import Contact
    from p2p.dht.searches import Run
    from p2p.ids import Address

TIMEOUT: Final = 5.0
"""Seconds after which a query has failed. Searches go on long before (see `round_trips`)."""
TRANSACTION_SIZE: Final = 4


@dataclass(slots=True, eq=False)
class Waiting:
    """One query under way."""

    address: Address
    contact: Contact | None
    """Who is asked; None where only the address is known."""
    sent: float
    run: Run | None = None
    """The search that asked it, or whose outcome it announces."""
    announces: bool = False
    ping: int = 0
    """The number of the ping that it is, 0 for none."""
    transaction: bytes = b""
    given_up: bool = False
    """Late beyond what its search waits for."""
    over: bool = False
    """Answered or failed."""


class Transactions:
    """All queries under way, oldest first. `secret` is 16 bytes or more that nobody can guess."""

    def __init__(self, secret: bytes) -> None:
        self._secret = blake2s(secret, person=b"query").digest()
        self._count = 0
        self._waiting: dict[bytes, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, waiting: Waiting) -> bytes:
        """The transaction id to send with it."""
        while True:
            self._count += 1
            count = self._count.to_bytes(8, "big")
            transaction = blake2s(count, key=self._secret, digest_size=TRANSACTION_SIZE).digest()
            if transaction not in self._waiting:
                break
        waiting.transaction = transaction
        self._waiting[transaction] = waiting
        return transaction

    def take(self, transaction: bytes, address: Address) -> Waiting | None:
        """The query that an answer from `address` belongs to; it waits no longer. None if there is none."""
        waiting = self._waiting.get(transaction)
        if waiting is None or waiting.address != address:
            return None
        del self._waiting[transaction]
        waiting.over = True
        return waiting

    def expired(self, now: float) -> list[Waiting]:
        """Queries that have failed by now; they wait no longer."""
        failed: list[Waiting] = []
        for waiting in self._waiting.values():
            if waiting.sent + TIMEOUT > now:  # the sum that `next_timer` gives, or rounding could leave it due for ever
                break
            failed.append(waiting)
            waiting.over = True
        for waiting in failed:
            del self._waiting[waiting.transaction]
        return failed

    @property
    def next_timer(self) -> float | None:
        """When the oldest fails; None while nothing waits."""
        for waiting in self._waiting.values():
            return waiting.sent + TIMEOUT
        return None
