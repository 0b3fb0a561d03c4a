"""Members, invites and torrents as the operator's commands change them."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.private import database, invites, members, passkeys, schema, torrents
from tracker.private.database import DatabaseError, RegisterError, opened
from tracker.private.invites import InviteState
from tracker.private.members import MemberState, Promotion

NOW = 1_700_000_000.0
DAY = 86_400.0
SQL = [
    "'; DROP TABLE members; --",
    "' OR '1'='1",
    '"; DELETE FROM passkeys; --',
    "x'); INSERT INTO members (name) VALUES ('y",
    "%' UNION SELECT value FROM secrets --",
    "?1 :name @name $name",
    "back\\slash",
]


@pytest.fixture
def connection(tmp_path):
    with opened(tmp_path / "tracker.db") as connection:
        yield connection


def add(connection, name="ann", **fields):
    return members.add(connection, name, now=NOW, secrets=os.urandom, **fields)


def test_a_member_begins_with_nothing_or_with_the_credit_given(connection):
    record, passkey = add(connection)
    assert (record.uploaded, record.downloaded, record.ratio) == (0, 0, math.inf)
    assert (record.state, record.joined, record.invited_by) == (MemberState.ACTIVE, NOW, None)
    assert len(passkey) == 32
    assert passkeys.is_possible(passkey)
    richer, other = add(connection, "bob", uploaded=30, downloaded=20)
    assert (richer.ratio, richer.actual_uploaded) == (1.5, 0)
    assert other != passkey


def test_names_are_one_whatever_their_case_and_form(connection):
    add(connection, "Ännchen")
    assert members.show(connection, "ÄNNCHEN").name == "Ännchen"
    assert members.show(connection, "a\u0308nnchen").name == "Ännchen"
    with pytest.raises(RegisterError, match="already"):
        add(connection, "änNchen")


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines", "bell\x07", "\u202eevil"])
def test_a_name_that_is_none_is_refused(connection, name):
    with pytest.raises(RegisterError):
        add(connection, name)
    assert members.listing(connection) == []


@pytest.mark.parametrize("text", SQL)
def test_sql_in_every_string_is_only_text(connection, text):
    record, passkey = add(connection, text)
    assert record.name == text
    members.disable(connection, text, reason=text)
    assert members.show(connection, text).reason == text
    members.enable(connection, text)
    code = invites.create(connection, text, now=NOW, secrets=os.urandom)
    with pytest.raises(RegisterError, match="no such invite"):
        invites.accept(connection, text, "bob", now=NOW, secrets=os.urandom)
    other, _ = invites.accept(connection, code, f"{text} 2", now=NOW, secrets=os.urandom)
    assert other.invited_by == text
    torrents.add(connection, [b"'; DROP TABLE tor--x"], text, size=1, now=NOW)
    torrents.remove(connection, b"'; DROP TABLE tor--x", reason=text)
    (torrent,) = torrents.listing(connection)
    assert (torrent.name, torrent.reason) == (text, text)
    assert members.by_passkey(connection, text, now=NOW) is None
    assert members.by_passkey(connection, passkey, now=NOW).name == text
    for query in (members.show, members.flags, members.clear_flags):
        with pytest.raises(RegisterError, match="there is no member"):
            query(connection, text + "x")
    assert len(members.listing(connection)) == 2


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=70))
def test_any_name_is_kept_as_it_was_given_or_refused(name):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in schema.FIRST:
            connection.execute(statement)
        try:
            record, _ = add(connection, name)
        except RegisterError:
            assert members.listing(connection) == []
        else:
            assert members.show(connection, record.name) == record
            assert record.name.isprintable()
            assert record.name
    finally:
        connection.close()


def test_passkeys_and_codes_are_not_in_the_file(tmp_path):
    path = tmp_path / "tracker.db"
    with opened(path) as connection:
        _, passkey = add(connection)
        new = members.change_passkey(connection, "ann", now=NOW, secrets=os.urandom)
        code = invites.create(connection, "ann", now=NOW, secrets=os.urandom)
    content = path.read_bytes()
    for secret in (passkey, new, code):
        assert secret.encode() not in content
        assert bytes.fromhex(secret) not in content


def test_the_file_is_its_owners_alone(tmp_path):
    with opened(tmp_path / "tracker.db"):
        pass
    assert stat.S_IMODE((tmp_path / "tracker.db").stat().st_mode) == 0o600


def test_an_invite_code_opens_no_account(connection):
    add(connection)
    code = invites.create(connection, "ann", now=NOW, secrets=os.urandom)
    assert members.by_passkey(connection, code, now=NOW) is None


def test_an_invite_makes_one_member_within_its_time(connection):
    add(connection)
    code = invites.create(connection, "ann", now=NOW, secrets=os.urandom, lifetime=DAY)
    bob, passkey = invites.accept(connection, code, "bob", now=NOW + DAY - 1, secrets=os.urandom, uploaded=5)
    assert (bob.invited_by, bob.uploaded) == ("ann", 5)
    assert members.by_passkey(connection, passkey, now=NOW) == bob
    with pytest.raises(RegisterError, match="used already"):
        invites.accept(connection, code, "cid", now=NOW, secrets=os.urandom)
    late = invites.create(connection, "ann", now=NOW, secrets=os.urandom, lifetime=DAY)
    with pytest.raises(RegisterError, match="expired"):
        invites.accept(connection, late, "cid", now=NOW + DAY, secrets=os.urandom)
    states = {each.state: each.invitee for each in invites.listing(connection, now=NOW + DAY)}
    assert states == {InviteState.USED: "bob", InviteState.EXPIRED: None}


def test_an_invite_for_a_name_that_is_taken_stays_good(connection):
    add(connection)
    code = invites.create(connection, None, now=NOW, secrets=os.urandom)
    with pytest.raises(RegisterError, match="already"):
        invites.accept(connection, code, "ann", now=NOW, secrets=os.urandom)
    assert invites.accept(connection, code, "bob", now=NOW, secrets=os.urandom)[0].invited_by is None


def test_invites_are_limited_revoked_and_not_for_the_disabled(connection):
    add(connection)
    invites.create(connection, "ann", now=NOW, secrets=os.urandom)
    with pytest.raises(RegisterError, match="1 unused"):
        invites.create(connection, "ann", now=NOW, secrets=os.urandom)
    for _ in range(3):
        invites.create(connection, None, now=NOW, secrets=os.urandom)
    (record,) = [each for each in invites.listing(connection, now=NOW) if each.inviter == "ann"]
    invites.revoke(connection, record.id, now=NOW)
    with pytest.raises(RegisterError, match="no open invite"):
        invites.revoke(connection, record.id, now=NOW)
    code = invites.create(connection, "ann", now=NOW, secrets=os.urandom)
    members.disable(connection, "ann")
    with pytest.raises(RegisterError, match="disabled"):
        invites.create(connection, "ann", now=NOW, secrets=os.urandom, max_open=9)
    assert invites.accept(connection, code, "bob", now=NOW, secrets=os.urandom)[0].name == "bob"


def test_the_tree_of_invites_is_in_order_and_may_be_deep(connection):
    with database.writing(connection):
        root = inviter = members.insert(connection, "root", now=NOW)
        members.insert(connection, "alone", now=NOW)
        for number in range(1_200):  # deeper than Python's stack
            inviter = members.insert(connection, f"m{number}", now=NOW + number, invited_by=inviter)
        members.insert(connection, "late", now=NOW + 5_000, invited_by=root)
    tree = invites.tree(connection)
    assert [(each.name, each.depth) for each in tree[:3]] == [("root", 0), ("m0", 1), ("m1", 2)]
    assert [(each.name, each.depth) for each in tree[-3:]] == [("m1199", 1_200), ("late", 1), ("alone", 0)]


def test_credit_never_goes_below_nothing(connection):
    add(connection, uploaded=10)
    members.credit(connection, "ann", uploaded=-50, downloaded=7)
    record = members.show(connection, "ann")
    assert (record.uploaded, record.downloaded) == (0, 7)
    members.credit(connection, "ann", uploaded=database.MAX_TOTAL)
    members.credit(connection, "ann", uploaded=database.MAX_TOTAL)
    assert members.show(connection, "ann").uploaded == database.MAX_TOTAL
    with pytest.raises(RegisterError):
        members.credit(connection, "ann", uploaded=2**70)


def test_a_hybrid_is_one_torrent_under_two_hashes(connection):
    one = torrents.add(connection, [b"1" * 20, b"2" * 20], "hybrid", size=5, now=NOW)
    assert torrents.show(connection, b"2" * 20) == one
    with pytest.raises(RegisterError, match="registered already"):
        torrents.add(connection, [b"2" * 20], "again", size=5, now=NOW)
    torrents.add(connection, [b"3" * 20], "other", size=5, now=NOW)
    with pytest.raises(RegisterError, match="different torrents"):
        torrents.add(connection, [b"2" * 20, b"3" * 20], "mixed", size=5, now=NOW)
    assert len(torrents.listing(connection)) == 2


@pytest.mark.parametrize("hashes", [[], [b"short"], [b"1" * 20, b"2" * 20, b"3" * 20], [b"1" * 32]])
def test_what_is_no_info_hash_is_refused(connection, hashes):
    with pytest.raises(RegisterError, match="20 bytes"):
        torrents.add(connection, hashes, "x", size=1, now=NOW)


def test_a_torrents_name_is_one_printable_line(connection):
    record = torrents.add(connection, [b"1" * 20], "two\nlines\x1b[31m " + "x" * 500, size=None, now=NOW)
    assert record.name.isprintable()
    assert len(record.name) == torrents.MAX_NAME


def test_what_was_never_registered_cannot_be_changed(connection):
    for change in (torrents.show, torrents.remove):
        with pytest.raises(RegisterError, match="is not registered"):
            change(connection, b"9" * 20)
    with pytest.raises(RegisterError, match="is not registered"):
        torrents.promote(connection, b"9" * 20, Promotion.FREELEECH, until=NOW)


# -- the file


def test_a_file_that_is_another_programs_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseError, match="no tracker's database"), opened(path):
        pass
    assert path.read_bytes() == before
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(DatabaseError, match="not a database"), opened(path):
        pass


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "tracker.db"
    with opened(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(schema.STEPS) + 1}")
    with pytest.raises(DatabaseError, match="newer version"), opened(path):
        pass


def test_an_older_file_takes_the_steps_it_lacks_and_keeps_what_it_has(tmp_path, monkeypatch):
    path = tmp_path / "tracker.db"
    with opened(path) as connection:
        add(connection)
    second = ("ALTER TABLE members ADD COLUMN note TEXT NOT NULL DEFAULT 'new'",)
    monkeypatch.setattr(database, "STEPS", (*schema.STEPS, second))
    with opened(path) as connection:
        assert connection.execute("SELECT name, note FROM members").fetchall() == [("ann", "new")]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    with opened(path) as connection:
        assert members.show(connection, "ann").name == "ann"


def test_a_step_that_fails_leaves_the_file_at_the_step_before(tmp_path, monkeypatch):
    path = tmp_path / "tracker.db"
    with opened(path) as connection:
        add(connection)
    broken = ("ALTER TABLE members ADD COLUMN note TEXT", "CREATE TABLE members (x)")
    monkeypatch.setattr(database, "STEPS", (*schema.STEPS, broken))
    with pytest.raises(DatabaseError, match="already exists"), opened(path):
        pass
    monkeypatch.undo()
    with opened(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert "note" not in [row[1] for row in connection.execute("PRAGMA table_info(members)")]


def test_a_path_that_cannot_be_is_an_error(tmp_path):
    with pytest.raises(DatabaseError, match="No such file"), opened(tmp_path / "nowhere" / "tracker.db"):
        pass
    with pytest.raises(DatabaseError), opened(tmp_path):
        pass


def test_two_commands_at_once_both_count(tmp_path):
    path = tmp_path / "tracker.db"
    failures = []

    def work(first):
        try:
            with opened(path) as connection:
                for number in range(first, first + 20):
                    add(connection, f"m{number}")
        except (DatabaseError, RegisterError) as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(100 * each,)) for each in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    with opened(path) as connection:
        assert len(members.listing(connection)) == 60


def test_a_change_that_fails_half_way_changes_nothing(connection):
    add(connection)

    def change():
        with database.writing(connection):
            connection.execute("DELETE FROM passkeys")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert connection.execute("SELECT count(*) FROM passkeys").fetchone() == (1,)
