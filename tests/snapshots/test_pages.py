"""docs/tui.md has the table of verbs as it is; the tour's pictures are there and show nothing from elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tui.verb import ActsOn
from tui.verbs import VERBS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tui.md"
BEGIN, END = "<!-- verbs -->\n", "<!-- end of verbs -->"
TITLES = {
    ActsOn.TORRENTS: "Torrents: those that are marked, or the one under the cursor",
    ActsOn.FILES: "Files, on the tab of a torrent",
    ActsOn.LINES: "Marks",
    ActsOn.LIST: "The list",
    ActsOn.INTERFACE: "Everywhere",
}


def table():
    """The verbs in Markdown, by what they act on."""
    lines = []
    for acts_on, title in TITLES.items():
        lines += ["", f"**{title}**", "", "| Key | Verb | What it does |", "|---|---|---|"]
        for verb in VERBS:
            if verb.acts_on is acts_on:
                keys = " ".join(f"`{_written(key)}`" for key in verb.keys.split(",") if key)
                lines.append(f"| {keys} | `:{verb.name}` | {verb.about} |".replace("|  |", "| |"))
    return "\n".join([*lines, "", ""])


def _written(key):
    names = {"slash": "/", "colon": ":", "question_mark": "?", "plus": "+", "minus": "-", "equals_sign": "="}
    return names.get(key, key)


def test_the_page_has_every_verb_as_the_interface_has_it():
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    kept, _, after = rest.partition(END)
    if os.environ.get("STARLING_RECORD") == "1":
        PAGE.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert set(TITLES) == set(ActsOn)
    assert kept == table(), "docs/tui.md is not what tui/verbs.py says: make snapshots"


def test_pictures_are_there_and_fetch_nothing():
    shown = re.findall(r"\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    shown += [f"docs/{each}" for each in re.findall(r"\]\((pictures/[^)]+)\)", PAGE.read_text(encoding="utf-8"))]
    assert len(set(shown)) >= 6
    assert {ROOT / each for each in shown} == set((ROOT / "docs" / "pictures").glob("*.svg"))
    for each in set(shown):
        text = (ROOT / each).read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "://" not in text.replace("://tracker", ""), each
        assert not re.search(r"@import|@font-face|url\(|href|<script", text), each
