"""The schemas editors check the TOML files by: complete, explained, committed as they are printed, and of one mind."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from stacks.config import ROOT
from stacks.schema import json_schema

ENVIRONMENTS = ROOT / "environments"
FILES = sorted(ENVIRONMENTS.glob("*.toml"))
KINDS = ("environment", "platform")


def kind(file: Path) -> str:
    return "platform" if file.stem == "platform" else "environment"


def keys(schema: Any) -> Iterator[tuple[str, Any]]:
    for owner, part in [("", schema), *schema.get("$defs", {}).items()]:
        yield from ((f"{owner}.{key}", about) for key, about in part.get("properties", {}).items())


@pytest.mark.parametrize("name", KINDS)
def test_the_committed_schema_is_what_the_command_prints(name: str) -> None:
    """Made anew by `slipway schema NAME > environments/schema/NAME.json`."""
    assert json.loads((ENVIRONMENTS / "schema" / f"{name}.json").read_text()) == json_schema(name)


@pytest.mark.parametrize("name", KINDS)
def test_every_key_is_explained(name: str) -> None:
    found = dict(keys(json_schema(name)))

    assert [key for key, about in found.items() if not about.get("description")] == []
    assert len(found) > 2


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(name))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_every_file_names_its_schema_and_fits_it(file: Path) -> None:
    text = file.read_text()

    assert text.splitlines()[0] == f"#:schema ./schema/{kind(file)}.json"
    jsonschema.Draft202012Validator(json_schema(kind(file))).validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("region", 3),
        ("stage", "Live"),
        ("nonsense", True),
        ("name", "dev"),
        ("data.run_retention_days", 0),
        ("training.steps", {"bake": {}}),
        ("training.volume_gb", "30"),
        ("governance.key_arn", "key"),
        ("network.subnet_ids", ["subnet"]),
    ],
)
def test_what_the_check_refuses_the_editor_marks(path: str, value: Any) -> None:
    content = tomllib.loads((ENVIRONMENTS / "dev.toml").read_text())
    *parents, key = path.split(".")
    table = content
    for parent in parents:
        table = table[parent]
    table[key] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema("environment")).validate(content)
