"""Whatever stands in environments/: settings, or mistakes that name file and key; never another error."""

from __future__ import annotations

import copy
import datetime as dt
import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stacks.config import ENVIRONMENTS, ConfigError, load
from stacks.schema import json_schema

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
DEV = tomllib.loads((ENVIRONMENTS / "dev.toml").read_text())
SCHEMA = jsonschema.Draft202012Validator(json_schema("environment"))

SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.datetimes(),
    st.sampled_from(["", " ", "111111111111", "eu-west-1", "10.0.0.0/8", "ml.m5.large", "dev", "*", 0, -1, 2**63]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def paths(tree: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of a table and of the tables in it."""
    found = []
    for key, value in tree.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found += paths(value, (*above, key))
    return found


def toml(value: Any) -> str:
    """A value as TOML spells it, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, dt.date) else repr(value)


def mistakes_of(dev: bytes) -> tuple[str, ...]:
    """What is wrong with a dev.toml beside the other files; empty where nothing is."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "environments"
        folder.mkdir()
        for file in ENVIRONMENTS.glob("*.toml"):
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "dev.toml").write_bytes(dev)
        try:
            load(folder)
        except ConfigError as error:
            return tuple(error.mistakes)
        return ()


def plain(value: Any) -> Any:
    """As JSON has it, which is what schemas speak of: times are text there."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, dt.date) else value


@FUZZ
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"a = " + b"[" * 5000)
@example(b"account = '1'\naccount = '2'")
def test_any_bytes_are_settings_or_named_mistakes(content: bytes) -> None:
    assert all(mistake.startswith("environments/dev.toml: ") for mistake in mistakes_of(content))


@FUZZ
@given(st.sampled_from(paths(DEV)), VALUES)
def test_any_value_of_any_key_is_taken_or_named(path: tuple[str, ...], value: Any) -> None:
    changed = copy.deepcopy(DEV)
    table = changed
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    text = "".join(f"{toml(key)} = {toml(inner)}\n" for key, inner in changed.items())

    found = mistakes_of(text.encode())

    assert all(mistake.startswith("environments/dev.toml: ") for mistake in found)
    assert not found or any(path[0] in mistake for mistake in found)
    if not SCHEMA.is_valid(plain(changed)):
        assert found, "the editor would reject what is taken"


@FUZZ
@given(st.sampled_from(paths(DEV)), st.text(max_size=12), VALUES)
def test_any_further_key_is_named(path: tuple[str, ...], key: str, value: Any) -> None:
    changed = copy.deepcopy(DEV)
    table = changed
    for part in path[:-1]:
        table = table[part]
    known = set(table)
    table[key] = value
    text = "".join(f"{toml(name)} = {toml(inner)}\n" for name, inner in changed.items())

    found = mistakes_of(text.encode())

    assert all(mistake.startswith("environments/dev.toml: ") for mistake in found)
    if key not in known and not SCHEMA.is_valid(plain(changed)):
        assert found


def test_a_file_that_cannot_be_read_is_named(environments: Path) -> None:
    (environments / "test.toml").mkdir()

    with pytest.raises(ConfigError) as caught:
        load(environments)

    assert caught.value.mistakes == ["environments/test.toml: cannot be read: Is a directory"]


@FUZZ
@given(st.sampled_from(paths(DEV)))
def test_any_missing_key_has_a_default_or_is_named(path: tuple[str, ...]) -> None:
    changed = copy.deepcopy(DEV)
    table = changed
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    text = "".join(f"{toml(name)} = {toml(inner)}\n" for name, inner in changed.items())

    found = mistakes_of(text.encode())

    assert not found or any(path[-1] in mistake for mistake in found)
