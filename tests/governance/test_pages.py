"""Pages about governance name tests that exist, and files and verbs that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from stacks.config import ROOT

FOLDER = ROOT / "docs/governance"
PAGES = ("threat-model.md", "what-an-auditor-reads.md", "weaknesses.md", "who-may-what.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
LINK = re.compile(r"\]\(([^)#]+)\)")
LEAST = {"threat-model.md": 15, "what-an-auditor-reads.md": 10}
"""Fewer proofs than these, and a page has lost its point."""


def proofs(page: str) -> list[tuple[str, str]]:
    """File and test of each proof a page names."""
    return [(file, test) for file, test in NAMED.findall((FOLDER / page).read_text()) if test]


def named_in(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    text = (FOLDER / page).read_text()
    files = [*(ROOT / file for file, _ in NAMED.findall(text)), *(FOLDER / link for link in LINK.findall(text))]

    assert [str(file) for file in files if not file.exists()] == []
    assert [(file, test) for file, test in proofs(page) if test not in named_in(ROOT / file)] == []


@pytest.mark.parametrize("page", LEAST)
def test_every_claim_of_a_table_of_proofs_has_one(page: str) -> None:
    """Who tries what, and which control is met: a line without a proof is an opinion."""
    rows = re.split(r"\| proved by \|\n\|[-|]+\n", (FOLDER / page).read_text())[1].split("\n\n")[0].splitlines()

    assert [row for row in rows if not NAMED.search(row.rsplit("|", 2)[1])] == []
    assert len(rows) >= LEAST[page]


def test_each_page_is_found_from_the_others() -> None:
    for start in ("README.md", "docs/decisions/README.md"):
        text = (ROOT / start).read_text()
        for page in PAGES:
            assert f"governance/{page}" in text, f"{start} does not lead to {page}"
