"""Parameters of a pipeline: what they may declare, and the values an execution gets."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

TYPES: dict[str, type] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
FAMILIES = {"String": "string", "Integer": "integer", "Float": "float", "Boolean": "boolean"}
"""The kind of scalar each type is in AWS's API shapes."""

TRUTH = {"true": True, "false": False}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
KEYS = {"Name", "Type", "DefaultValue", "EnumValues"}
MOST = 200
LONGEST = 1024
"""Characters of a value: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Parameter.html."""


def mistakes(declared: list[Json]) -> list[str]:
    """What is wrong with the declarations; empty if nothing is."""
    found = [line for parameter in declared for line in _mistakes(parameter)]
    names = [parameter.get("Name") for parameter in declared]
    found += [
        f"Parameters: {name!r} is declared twice" for name in sorted({str(n) for n in names if names.count(n) > 1})
    ]
    if len(declared) > MOST:
        found.append(f"Parameters: {len(declared)}; a pipeline has {MOST} at most")
    return found


def _mistakes(parameter: Json) -> list[str]:
    name, kind = str(parameter.get("Name", "")), parameter.get("Type")
    where = f"Parameters.{name}"
    found = [
        f"{where}: {key!r} is unknown; known are {', '.join(sorted(KEYS))}" for key in sorted(set(parameter) - KEYS)
    ]
    if not NAME.fullmatch(name):
        found.append(f"{where}: a name has letters, digits, _ and -, and begins with a letter or digit")
    if kind not in TYPES:
        return [*found, f"{where}: type {kind!r}; types are {', '.join(TYPES)}"]
    values = [*parameter.get("EnumValues", []), *([parameter["DefaultValue"]] if "DefaultValue" in parameter else [])]
    found += [f"{where}: {value!r} is not of type {kind}" for value in values if not _fits(kind, value)]
    allowed = parameter.get("EnumValues")
    if allowed and "DefaultValue" in parameter and parameter["DefaultValue"] not in allowed:
        found.append(f"{where}: default {parameter['DefaultValue']!r} is not one of {', '.join(map(str, allowed))}")
    return found


def _fits(kind: str, value: Any) -> bool:
    if kind == "Float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is TYPES[kind]


def values(definition: Json, given: list[Json]) -> tuple[Json, list[str]]:
    """A value for each declared parameter, in its type; and everything wrong with what was given."""
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    named = {parameter["Name"]: parameter["Value"] for parameter in given}
    known = ", ".join(declared) or "none"
    problems = [f"Parameter {name} is not one of {known}" for name in named if name not in declared]
    found: Json = {}
    for name, parameter in declared.items():
        value = named.get(name, parameter.get("DefaultValue"))
        if value is None:
            problems.append(f"Parameter {name} has no default and needs a value")
            continue
        try:
            found[name] = _typed(parameter["Type"], value)
        except ValueError:
            problems.append(f"Parameter {name}: {value!r} is not of type {parameter['Type']}")
            continue
        allowed = parameter.get("EnumValues")
        if allowed and found[name] not in allowed:
            problems.append(f"Parameter {name}: {value!r} is not one of {', '.join(map(str, allowed))}")
    return found, problems


def _typed(kind: str, value: Any) -> Any:
    if kind == "Boolean":
        if str(value).lower() not in TRUTH:
            raise ValueError(value)
        return TRUTH[str(value).lower()]
    if kind == "String" and len(str(value)) > LONGEST:
        raise ValueError(value)
    return TYPES[kind](value)
