"""What waits for what in a pipeline definition."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Any

from rehearsal.expressions import references

Json = dict[str, Any]
BRANCHES = ("IfSteps", "ElseSteps")


def needs(step: Json, *, branches: bool = False) -> set[str]:
    """The steps whose end a step waits for; what its branches wait for is theirs, unless asked for too."""
    arguments = step.get("Arguments", {})
    own = {key: value for key, value in arguments.items() if key not in BRANCHES}
    found = {*step.get("DependsOn", []), *references(own)}
    if branches:
        inside = [inner for branch in BRANCHES for inner in arguments.get(branch, [])]
        found |= {name for inner in inside for name in needs(inner, branches=True)} - {
            inner["Name"] for inner in inside
        }
    return found


def cycle(steps: list[Json]) -> list[str]:
    """Steps that wait for each other, the first named again at the end; empty if there are none."""
    names = {step["Name"] for step in steps}
    waits = {step["Name"]: needs(step, branches=True) & names for step in steps}
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []
