"""A fork of the platform: the same source, its own environment files, each value as it was but for what is changed."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.fork import SOURCE, changed, fork, lines
from stacks.config import ROOT, load

PLAIN = st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(-1e6, 1e6, width=32))
TABLES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(st.text(), PLAIN | st.lists(PLAIN)), lambda inner: st.dictionaries(st.text(), PLAIN | inner)
)


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_a_table_is_read_as_it_was_written(table: dict[str, Any]) -> None:
    assert tomllib.loads("\n".join(lines(table))) == table


def test_what_json_and_toml_write_otherwise() -> None:
    table = {"\x7f": '\x7f\u2028\U00010000\r\n\t\\"', 'a"b.c': {"": [True, 1.5, "\x00"]}}

    assert tomllib.loads("\n".join(lines(table))) == table


def test_what_is_not_named_stays_and_none_takes_away() -> None:
    table = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}

    assert changed(table, {"b": {"c": 5, "d": None, "f": 6}, "e": None, "g": {"h": 7}}) == {
        "a": 1,
        "b": {"c": 5, "f": 6},
        "g": {"h": 7},
    }
    assert table == {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}


def test_a_fork_is_the_platform_with_other_accounts(tmp_path: Path) -> None:
    shipped = load()

    made = fork(ROOT, tmp_path / "fork", {"platform.toml": {}, "dev.toml": {"account": "444444444444"}})

    config = load(made / "environments")
    assert config.platform == shipped.platform
    assert config.environments == (shipped.environment("dev").model_copy(update={"account": "444444444444"}),)
    for part in SOURCE:
        files = [file for file in (ROOT / part).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        assert files
        assert all((made / file.relative_to(ROOT)).read_bytes() == file.read_bytes() for file in files)
    assert load() == shipped
