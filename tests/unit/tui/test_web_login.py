"""The login of the interface in a browser: the password, wrong ones, and sessions that end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.web.login import LIFETIME, MOST_SESSIONS, Locked, Login

HERE = "192.0.2.1"


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_the_password_alone_is_right(password, given_):
    assert Login(password).is_right(given_, HERE, 0.0) == (given_ == password)


def test_wrong_passwords_lock_their_network_and_no_other():
    login = Login("sesame")
    for _ in range(5):
        assert not login.is_right("open", HERE, 0.0)
    with pytest.raises(Locked) as locked:
        login.is_right("sesame", HERE, 0.0)
    assert 0 < locked.value.seconds <= 1
    assert login.is_right("sesame", "192.0.2.2", 0.0)
    assert login.is_right("sesame", HERE, 1.0)


def test_some_ten_guesses_are_looked_at_in_a_minute():
    login, looked_at = Login("sesame"), 0
    for tenth in range(600):
        try:
            login.is_right("open", HERE, tenth / 10)
            looked_at += 1
        except Locked:
            pass
    assert 5 <= looked_at <= 12


def test_a_session_is_known_by_its_token_until_it_ends():
    login = Login("sesame")
    login.begin("token", 10.0)
    assert login.session_of("token", 10.0 + LIFETIME - 1) is not None
    assert login.session_of("other", 10.0) is None
    assert login.session_of("", 10.0) is None
    assert login.session_of("token", 10.0 + LIFETIME) is None


def test_an_ended_session_is_of_no_use():
    login = Login("sesame")
    login.begin("token", 0.0)
    session = login.session_of("token", 1.0)
    login.end(session)
    assert login.session_of("token", 1.0) is None


def test_beyond_so_many_sessions_the_oldest_ends():
    login = Login("sesame")
    assert [login.begin(str(number), 0.0) for number in range(MOST_SESSIONS)] == [None] * MOST_SESSIONS
    oldest = login.session_of("0", 0.0)
    assert login.begin("one more", 0.0) == oldest
    assert login.session_of("0", 0.0) is None
    assert login.session_of("1", 0.0) is not None
