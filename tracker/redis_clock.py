"""The clock of a Redis, as a process of another machine tells it: its own clock and a difference.

The rule: the difference stays as it is while what is measured can be explained by the time of the way there and back.
So times keep their value, and a clock that was set, or a Redis on another machine, is followed at once.
"""

from __future__ import annotations


class RedisClock:
    """Times of the loop to times of Redis and back, in seconds."""

    __slots__ = ("_difference", "_is_set")

    def __init__(self) -> None:
        self._difference = 0.0
        self._is_set = False

    def on_time(self, asked: float, answered: float, told: float) -> None:
        """Redis told a time between two of the loop's."""
        difference = told - (asked + answered) / 2
        if not self._is_set or abs(difference - self._difference) > answered - asked:
            self._difference = difference
            self._is_set = True

    def there(self, here: float) -> float:
        """The time of Redis."""
        return here + self._difference

    def here(self, there: float) -> float:
        """The loop's time."""
        return there - self._difference
