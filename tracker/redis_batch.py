"""One batch of changes as one command: a script that Redis runs in one step.

So the hashes of swarms and the stream have the same order of words, and hundreds of peers cost one call. A key of a
swarm that holds something else is left alone and counted; any other refusal, such as of a Redis whose memory is full,
ends the script and is its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.redis_format import MAX_COMPLETED, Change, Total, pack_entry, pack_value
from tracker.store import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.redis_format import Keys
    from tracker.redis_store import Unsent

STREAM_ENTRIES: Final = 2_048
"""That the stream keeps, about: 60 MB at most. Who misses more compares everything."""

SCRIPT: Final = f"""
local refused, totals, at = 0, {{}}, 3
local function tried(reply)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err, 0) end
  refused = refused + 1
end
for n = 2, #KEYS do
  local before = refused
  local sets, gone = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local base, more = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  at = at + 4
  if sets > 0 then
    tried(redis.pcall('HSET', KEYS[n], unpack(ARGV, at, at + 2 * sets - 1)))
    at = at + 2 * sets
  end
  if gone > 0 then
    tried(redis.pcall('HDEL', KEYS[n], unpack(ARGV, at, at + gone - 1)))
    at = at + gone
  end
  if base >= 0 then
    local known = tonumber(tried(redis.pcall('HGET', KEYS[n], 'completed')) or 0) or 0
    if known ~= known then known = 0 end
    local count = math.min(math.max(known, base) + more, {MAX_COMPLETED})
    tried(redis.pcall('HSET', KEYS[n], 'completed', string.format('%d', count)))
    totals[#totals + 1] = count
  end
  if refused == before then redis.call('PEXPIRE', KEYS[n], ARGV[1]) end
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', {STREAM_ENTRIES}, '*', unpack(ARGV, at, at + 2 * tonumber(ARGV[2]) - 1))
return {{refused, unpack(totals)}}
"""
"""KEYS: the stream, then swarms. ARGV: milliseconds that a swarm stays untouched; the number of fields in the stream
entry; for each swarm how many peers are set and how many go, the completions known before (-1: none to tell) and those
counted since, peers and values, those that go; at the end the fields of the entry."""


class Batch(NamedTuple):
    """The arguments of EVAL after the script, and the swarms whose completions it answers, in order."""

    arguments: list[bytes | int]
    counted: list[tuple[bytes, Family]]


def pack_batch(
    unsent: Unsent,
    totals: Sequence[Total],
    keys: Keys,
    *,
    writer: bytes,
    number: int,
    lifetime: float,
    there: Callable[[float], float],
) -> Batch:
    """The batch that tells of `unsent` and, to other processes alone, of `totals`. `there` tells the time of Redis."""
    changes = [
        Change(info_hash, peer, detail, there(time)) for (info_hash, peer), (detail, time) in unsent.peers.items()
    ]
    swarms: dict[tuple[bytes, Family], tuple[list[bytes | int], list[bytes | int]]] = {}
    for info_hash, peer, detail, time in changes:
        sets, gone = swarms.setdefault((info_hash, Family(len(peer))), ([], []))
        if detail is None:
            gone.append(peer)
        else:
            sets += (peer, pack_value(detail, time))
    for swarm in unsent.completed:
        swarms.setdefault(swarm, ([], []))
    entry = pack_entry(writer, number, changes, totals)
    # Peers go when their lifetime is over, the rest of a swarm that nobody announces to after another.
    arguments: list[bytes | int] = [round(2_000 * lifetime), len(entry)]
    for swarm, (sets, gone) in swarms.items():
        base, more = unsent.completed.get(swarm, (-1, 0))
        arguments += (len(sets) // 2, len(gone), base, more)
        arguments += sets
        arguments += gone
    for name, value in entry.items():
        arguments += (name, value)
    named: list[bytes | int] = [1 + len(swarms), keys.changes, *(keys.swarm(*swarm) for swarm in swarms)]
    return Batch(named + arguments, [swarm for swarm in swarms if swarm in unsent.completed])
