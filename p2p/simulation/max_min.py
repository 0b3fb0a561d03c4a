"""Max-min fair rates by water-filling: what links shared fairly come to, exactly, to judge the simulated ones by.

The rule: the rates of all streams rise together; where a link is full, its streams stay as they are (Bertsekas and
Gallager, Data Networks, 6.5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def max_min_rates(capacities: Mapping[str, float], paths: Sequence[Sequence[str]]) -> list[float]:
    """The rate of each stream, given the links of its path; `capacities` are bytes a second by link.

    A stream over no link with a capacity has an infinite rate.
    """
    rates = [float("inf")] * len(paths)
    left = dict(capacities)
    rising = {index for index, path in enumerate(paths) if any(link in left for link in path)}
    while rising:
        users = {link: [index for index in sorted(rising) if link in paths[index]] for link in left}
        fullest = min((link for link in left if users[link]), key=lambda link: left[link] / len(users[link]))
        level = left[fullest] / len(users[fullest])
        for index in users[fullest]:
            rates[index] = level
            rising.discard(index)
            for link in dict.fromkeys(paths[index]):
                if link in left:
                    left[link] = max(0.0, left[link] - level)
        del left[fullest]
    return rates
