"""Settings of a session: what is written down counts before what clients set, and only the latter is kept."""

from __future__ import annotations

import pytest

from p2p.daemon.rpc_errors import RpcError
from p2p.daemon.session_values import SessionValues

LIMITS = ("speed_limit_up", "speed_limit_down")


class Subject:
    """Stands for the limits; refuses 13."""

    def __init__(self):
        self.told = []

    async def apply(self, changes):
        if 13 in changes.values():
            raise RpcError(5, "not thirteen")
        self.told.append(dict(changes))


@pytest.fixture
def subject():
    return Subject()


@pytest.fixture
def values(subject):
    made = SessionValues({"speed_limit_up": 100, "speed_limit_down": 100, "dht_enabled": True})
    made.applied_by(LIMITS, subject.apply)
    return made


async def test_what_clients_set_is_kept_and_nothing_else(values, subject):
    await values.choose({"speed_limit_up": 7})
    await values.write_down({"speed_limit_down": 8})
    assert (values["speed_limit_up"], values["speed_limit_down"]) == (7, 8)
    assert values.to_record() == {"speed_limit_up": 7}
    assert subject.told == [{"speed_limit_up": 7}, {"speed_limit_down": 8}]


async def test_what_is_written_down_counts_before_what_was_kept(values, subject):
    await values.write_down({"speed_limit_up": 8})
    values.from_record({"speed_limit_up": 7, "speed_limit_down": 6})
    assert (values["speed_limit_up"], values["speed_limit_down"]) == (8, 6)
    await values.hold()
    assert subject.told[-1] == {"speed_limit_up": 8, "speed_limit_down": 6}
    assert values.to_record() == {"speed_limit_down": 6, "speed_limit_up": 7}


async def test_a_client_changes_what_is_written_down_until_it_is_read_again(values):
    await values.write_down({"speed_limit_up": 8})
    await values.choose({"speed_limit_up": 9})
    assert values["speed_limit_up"] == 9
    await values.write_down({"speed_limit_up": 8})
    assert values["speed_limit_up"] == 8


async def test_what_is_written_down_no_more_is_as_clients_set_it_or_as_it_was(values):
    await values.choose({"speed_limit_up": 9})
    await values.write_down({"speed_limit_up": 8, "speed_limit_down": 8})
    await values.take_back("speed_limit_up", 100)
    await values.take_back("speed_limit_down", 100)
    assert (values["speed_limit_up"], values["speed_limit_down"]) == (9, 100)
    values.from_record({"speed_limit_down": 5})
    assert values["speed_limit_down"] == 5


async def test_what_is_refused_changes_nothing_and_is_not_kept(values):
    for change in ({"speed_limit_up": 13}, {"dht_enabled": False}):
        with pytest.raises(RpcError):
            await values.choose(change)
    assert (values["speed_limit_up"], values["dht_enabled"]) == (100, True)
    assert values.to_record() == {}


async def test_what_was_kept_and_cannot_be_is_left_out(values, caplog):
    values.from_record({"speed_limit_up": "fast", "no_such_key": 1, "speed_limit_down": 6})
    assert (values["speed_limit_up"], values["speed_limit_down"]) == (100, 6)
    assert "no_such_key" in caplog.text
    assert "speed_limit_up" in caplog.text
