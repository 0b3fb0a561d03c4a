"""How many queries of others are answered: so many a second for each IP address, and so many in all.

The rule: what is over the limit is dropped without a word, because an answer to a forged address is an attack on it.
Limits are token buckets. Hosts beyond what is remembered are forgotten oldest first; the limit over all holds for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOST_RATE: Final = 10.0
"""Answers a second for one IP address. A node that runs lookups asks us a few times a lookup at most."""
HOST_BURST: Final = 60.0
TOTAL_RATE: Final = 400.0
"""Answers a second in all: at some 400 bytes each, a tenth of a small upload link."""
TOTAL_BURST: Final = 800.0
MAX_HOSTS: Final = 4_096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class RateLimit:
    """Asks `allow` for each query before any work is done for it."""

    def __init__(
        self,
        *,
        host_rate: float = HOST_RATE,
        host_burst: float = HOST_BURST,
        total_rate: float = TOTAL_RATE,
        total_burst: float = TOTAL_BURST,
    ) -> None:
        self._host_rate = host_rate
        self._host_burst = host_burst
        self._total_rate = total_rate
        self._total_burst = total_burst
        self._total = _Bucket(total_burst, 0.0)
        self._hosts: dict[str, _Bucket] = {}

    def allow(self, host: str, now: float) -> bool:
        """Whether a query from `host` is answered; if so, it is counted."""
        bucket = self._hosts.pop(host, None)
        if bucket is None:
            bucket = _Bucket(self._host_burst, now)
            if len(self._hosts) >= MAX_HOSTS:
                del self._hosts[next(iter(self._hosts))]
        self._hosts[host] = bucket
        if not _fill(bucket, self._host_rate, self._host_burst, now):
            return False
        if not _fill(self._total, self._total_rate, self._total_burst, now):
            return False
        bucket.tokens -= 1.0
        self._total.tokens -= 1.0
        return True


def _fill(bucket: _Bucket, rate: float, burst: float, now: float) -> bool:
    bucket.tokens = min(burst, bucket.tokens + max(now - bucket.filled, 0.0) * rate)
    bucket.filled = now
    return bucket.tokens >= 1.0
