"""Resolves what a pipeline definition leaves open until it runs: variables, joins, property files, conditions."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
TOKEN = re.compile(r"[A-Za-z0-9_]+|\['[^']+'\]|\[\d+\]")
NAMES = ("OutputName", "InputName", "ChannelName", "MetricName")
"""By which member the elements of a described list are told apart: Outputs['model']."""


def is_variable(value: Any) -> bool:
    """Whether a value is resolved only when the pipeline runs."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"Get", "Std:Join", "Std:JsonGet"}


class ExpressionError(Exception):
    """An expression that cannot be resolved; names it and says why."""


@dataclass
class Scope:
    """What expressions may refer to. `read_property_file(step, name)` gives a property file's content."""

    parameters: Json
    execution: Json
    read_property_file: Callable[[str, str], Any]
    steps: dict[str, Json] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The value with every variable replaced by what it is now."""
        if is_variable(value):
            kind, argument = next(iter(value.items()))
            resolvers: dict[str, Callable[[Any], Any]] = {
                "Get": self._get,
                "Std:Join": self._join,
                "Std:JsonGet": self._json_get,
            }
            return resolvers[kind](argument)
        if isinstance(value, dict):
            return {key: self.resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner) for inner in value]
        return value

    def holds(self, condition: Json) -> bool:
        """Whether one condition of a Condition step holds."""
        kind = condition["Type"]
        if kind == "Not":
            return not self.holds(condition["Expression"])
        if kind == "Or":
            return any(self.holds(inner) for inner in condition["Conditions"])
        if kind == "In":
            return self.resolve(condition["QueryValue"]) in self.resolve(condition["Values"])
        if kind not in COMPARISONS:
            raise ExpressionError(f"condition type {kind!r}; known are {', '.join([*COMPARISONS, 'In', 'Not', 'Or'])}")
        left, right = self.resolve(condition["LeftValue"]), self.resolve(condition["RightValue"])
        try:
            return COMPARISONS[kind](left, right)
        except TypeError:
            raise ExpressionError(f"{kind} cannot compare {left!r} with {right!r}") from None

    def _get(self, reference: str) -> Any:
        root, _, rest = reference.partition(".")
        known = {"Parameters": self.parameters, "Execution": self.execution}
        if root in known:
            if rest not in known[root]:
                raise ExpressionError(f"{reference}: known are {', '.join(known[root])}")
            return known[root][rest]
        name, _, path = rest.partition(".")
        if root != "Steps" or name not in self.steps:
            raise ExpressionError(f"{reference}: no step {name!r} has ended; ended are {', '.join(self.steps)}")
        return dig(self.steps[name], path, reference)

    def _join(self, argument: Json) -> str:
        return str(argument["On"]).join(str(self.resolve(value)) for value in argument["Values"])

    def _json_get(self, argument: Json) -> Any:
        _, step, _, name = argument["PropertyFile"]["Get"].split(".")
        found = dig(self.read_property_file(step, name), argument["Path"], f"JsonGet {step}/{name} {argument['Path']}")
        if isinstance(found, (dict, list)):
            raise ExpressionError(f"JsonGet {step}/{name} {argument['Path']}: {found!r} is not a single value")
        return found


def dig(tree: Any, path: str, expression: str) -> Any:
    """The value at a path such as Outputs['model'].S3Output.S3Uri or metrics.auc or slices[0].name."""
    for token in TOKEN.findall(path):
        tree = _step_into(tree, token, expression)
    return tree


def _step_into(tree: Any, token: str, expression: str) -> Any:
    key = token[2:-2] if token.startswith("['") else token
    if token.startswith("['") and isinstance(tree, list):
        for element in tree:
            if key in [element.get(name) for name in NAMES]:
                return element
    elif token.startswith("[") and isinstance(tree, list) and int(token[1:-1]) < len(tree):
        return tree[int(token[1:-1])]
    elif isinstance(tree, dict) and key in tree:
        return tree[key]
    raise ExpressionError(f"{expression}: nothing at {token}")


def references(value: Any) -> Iterator[str]:
    """The steps a value refers to."""
    if is_variable(value):
        kind, argument = next(iter(value.items()))
        if kind == "Get" and argument.startswith("Steps."):
            yield argument.split(".")[1]
        elif kind == "Std:JsonGet":
            yield argument["PropertyFile"]["Get"].split(".")[1]
        elif kind == "Std:Join":
            yield from references(argument["Values"])
    elif isinstance(value, dict):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
