"""JSON Schema of the files in environments/, made from the settings themselves, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline_code.models import names as model_names
from pipeline_code.steps import names as step_names
from stacks.settings import Environment, Platform

if TYPE_CHECKING:
    from stacks.shapes import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLES = {
    "environment": "One environment of the platform: the account and region it is deployed to",
    "platform": "What all environments share",
}


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of an environment's file, or of platform.toml; every key explained, no others allowed."""
    kinds: dict[str, type[Settings]] = {"environment": Environment, "platform": Platform}
    settings = kinds[kind]
    found: dict[str, Any] = _plain(settings.model_json_schema())
    if kind == "environment":
        del found["properties"]["name"]  # the file's own name; nobody writes it down
        found["required"].remove("name")
        found["$defs"]["TrainingSettings"]["properties"]["steps"]["propertyNames"] = {"enum": step_names()}
        found["$defs"]["ServingSettings"]["properties"]["models"]["propertyNames"] = {"enum": model_names()}
    return {"$schema": DIALECT, "title": TITLES[kind], **found}


def _plain(schema: Any) -> Any:
    """Without what says nothing in TOML: titles made of names, and null, which a TOML file cannot write."""
    if isinstance(schema, list):
        return [_plain(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(inner) for key, inner in schema.items() if not (key == "title" and isinstance(inner, str))}
    choices = [choice for choice in plain.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1 and len(plain["anyOf"]) > 1:
        del plain["anyOf"], plain["default"]
        plain = {**plain, **choices[0]}
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain
