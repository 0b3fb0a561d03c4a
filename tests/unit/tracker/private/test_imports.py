"""Members from another tracker: all of a file or nothing, each problem with its line."""

from __future__ import annotations

import contextlib
import io
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.private import imports, members
from tracker.private.database import MAX_TOTAL, RegisterError, opened
from tracker.private.imports import ImportFormat, ImportRefusedError, format_of, import_members

NOW = 1_700_000_000.0
KEY = "0123456789abcdef0123456789abcdef"
HEAD = "name,passkey,uploaded,downloaded\n"


@pytest.fixture
def connection(tmp_path):
    with opened(tmp_path / "tracker.db") as connection:
        yield connection


def take(connection, text, form=ImportFormat.CSV):
    return import_members(connection, io.StringIO(text, newline=""), form, now=NOW, secrets=os.urandom)


def problems(connection, text, form=ImportFormat.CSV):
    before = members.listing(connection)
    with pytest.raises(ImportRefusedError) as caught:
        take(connection, text, form)
    assert members.listing(connection) == before
    return [str(each) for each in caught.value.problems]


def test_members_come_with_their_passkeys_and_totals(connection):
    report = take(connection, HEAD + f'ann,{KEY},300,100\n"O\'Hara, ""Bo""",ABCDEFGHIJKLMNOP,5,0\n')
    assert (report.members, report.uploaded, report.downloaded) == (2, 305, 100)
    ann = members.by_passkey(connection, KEY, now=NOW)
    assert (ann.name, ann.uploaded, ann.downloaded, ann.actual_uploaded, ann.joined) == ("ann", 300, 100, 300, NOW)
    assert members.by_passkey(connection, "ABCDEFGHIJKLMNOP", now=NOW).name == 'O\'Hara, "Bo"'


def test_all_fields_are_taken(connection):
    row = {"name": "ann", "passkey": KEY, "uploaded": 3, "downloaded": 2, "actual_uploaded": 1, "actual_downloaded": 9}
    lines = [json.dumps({**row, "joined": 1_600_000_000}), "", json.dumps({**row, "name": "bob", "passkey": KEY[::-1]})]
    take(connection, "\n".join(lines), ImportFormat.JSON_LINES)
    ann = members.show(connection, "ann")
    assert (ann.uploaded, ann.downloaded, ann.actual_uploaded, ann.actual_downloaded) == (3, 2, 1, 9)
    assert (ann.joined, members.show(connection, "bob").joined) == (1_600_000_000.0, NOW)


def test_every_problem_has_its_line_and_nothing_comes_in(connection):
    text = (
        HEAD + f"ann,{KEY},1,1\nbob,short,1,1\ncid,{KEY[::-1]},-1,1\ndan,{KEY}\n,{'d' * 32},1,1\neve,{'e' * 32},1,1e9\n"
    )
    assert problems(connection, text) == [
        "line 3: the passkey must have 16 to 64 letters, digits, - and _",
        f"line 4: uploaded must be a whole number of bytes from 0 to {MAX_TOTAL}",
        "line 5: 2 fields instead of 4",
        f"line 7: downloaded must be a whole number of bytes from 0 to {MAX_TOTAL}",
    ]


def test_names_and_passkeys_that_are_there_already_are_problems(connection):
    take(connection, HEAD + f"ann,{KEY},1,1\n")
    text = HEAD + f"Ann,{'a' * 32},1,1\nbob,{KEY},1,1\ncid,{'c' * 32},1,1\nCID,{'d' * 32},1,1\ndan,{'c' * 32},1,1\n"
    assert problems(connection, text) == [
        "line 2: there is a member 'Ann' already",
        "line 3: this passkey is some member's already",
        "line 5: there is a member 'CID' already",
        "line 6: this passkey is some member's already",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: there are no members in it"),
        (HEAD, "line 1: there are no members in it"),
        ("name,passkey,uploaded\n", "line 1: the field downloaded is missing"),
        ("name,name,passkey,uploaded,downloaded\n", "line 1: the field name is there twice"),
        (HEAD.replace("name", "login"), "line 1: there is no field 'login'"),
        (HEAD + 'ann,"unclosed\n', "no CSV"),
        (HEAD + "x" * (imports.MAX_LINE + 1), "line 2: it has more than"),
        (HEAD + f"ann,{KEY},{2**62},0\n", "line 2: uploaded must be"),
        (HEAD + f"ann,{KEY},1_0,0\n", "line 2: uploaded must be"),
        (HEAD + f"ann,{KEY},,0\n", "line 2: uploaded is empty"),
        (HEAD + f"an\x07n,{KEY},0,0\n", "line 2: a name has printable characters alone"),
    ],
)
def test_a_bad_csv_file_is_refused(connection, text, problem):
    assert problem in problems(connection, text)[0]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ("[" * 100_000, "more than"),
        ("[" * 16_000, "no JSON"),
        ('{"name": "a", "name": "b"}', "a field is there twice"),
        ('{"name": "a", "class": 1}', "there is no field 'class'"),
        ('{"name": "a"}', "the field passkey is missing"),
        (f'{{"name": 5, "passkey": "{KEY}", "uploaded": 1, "downloaded": 1}}', "the name is no text"),
        (f'{{"name": "a", "passkey": "{KEY}", "uploaded": true, "downloaded": 1}}', "uploaded must be"),
        (f'{{"name": "a", "passkey": "{KEY}", "uploaded": 1.5, "downloaded": 1}}', "uploaded must be"),
        (f'{{"name": "a", "passkey": "{KEY}", "uploaded": NaN, "downloaded": 1}}', "NaN is no number"),
        (f'{{"name": "a", "passkey": "{KEY}", "uploaded": 1, "downloaded": 1, "joined": -1}}', "joined must be"),
        (f'{{"name": "a", "passkey": "{KEY}", "uploaded": 1, "downloaded": null}}', "downloaded is empty"),
    ],
)
def test_a_bad_json_line_is_refused(connection, row, problem):
    good = f'{{"name": "ok", "passkey": "{"k" * 32}", "uploaded": 1, "downloaded": 1}}\n'
    (found,) = problems(connection, good + row, ImportFormat.JSON_LINES)
    assert found.startswith("line 2: ")
    assert problem in found


def test_problems_are_bounded(connection):
    assert len(problems(connection, HEAD + "x\n" * 1_000)) == imports.MAX_PROBLEMS


@settings(max_examples=60, deadline=None)
@given(st.text("name,pskeyuldow\n\"'{}:0123456789 é\x00", max_size=200), st.sampled_from(ImportFormat))
def test_any_text_is_imported_or_refused(tmp_path_factory, text, form):
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.db"
    with opened(path) as connection, contextlib.suppress(ImportRefusedError):
        assert take(connection, text, form).members > 0


def test_the_form_is_told_by_the_files_name():
    assert format_of("Members.CSV") is ImportFormat.CSV
    assert format_of("a.jsonl") is ImportFormat.JSON_LINES
    with pytest.raises(RegisterError, match="must end in"):
        format_of("members.xlsx")
