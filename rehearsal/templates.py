"""Evaluates CloudFormation templates: parameters, conditions, intrinsic functions; what it does not know is an error.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Protocol

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

NO_VALUE = object()
"""What `AWS::NoValue` becomes until it is dropped from its dictionary or list."""

VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short tags such as !Ref; builds plain values only."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    # Most of moto comes with it, a second's work, and templates of the CDK are JSON without tags.
    from moto.cloudformation.utils import yaml_tag_constructor

    return yaml_tag_constructor(loader, suffix, node)


_Loader.add_multi_constructor("", _tagged)


class TemplateError(Exception):
    """A template that cannot be evaluated; says which part and why."""


class Scope(Protocol):
    """What a template's functions may ask for."""

    def ref(self, name: str) -> Any: ...
    def attribute(self, resource: str, name: str) -> Any: ...
    def imported(self, export: str) -> str: ...
    def zones(self, region: str) -> list[str]: ...


def parse(text: str) -> Json:
    """A template from JSON or YAML, short function tags included."""
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise TemplateError(f"Template format error: {error}") from None
    if not isinstance(template, dict) or not template.get("Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    return template


def evaluate(value: Any, template: Json, scope: Scope) -> Any:
    """The value with every function replaced by what it yields."""
    return _Evaluator(template, scope).value(value)


def wanted(template: Json, name: str, scope: Scope) -> bool:
    """Whether a resource's or an output's condition holds."""
    part = template.get("Resources", {}).get(name) or template.get("Outputs", {}).get(name) or {}
    return "Condition" not in part or _Evaluator(template, scope).condition(part["Condition"])


def in_order(template: Json) -> list[str]:
    """Resources, those that others need first."""
    resources = template["Resources"]
    needs = {}
    for name, resource in resources.items():
        stated = resource.get("DependsOn", [])
        needs[name] = {*([stated] if isinstance(stated, str) else stated), *references(resource)} & set(resources)
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise TemplateError(f"Circular dependency between resources: {sorted(set(error.args[1]))}") from None


def references(value: Any) -> Iterator[str]:
    """What a part of a template refers to: resources, parameters, pseudo parameters."""
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner.split(".")[0] if isinstance(inner, str) else inner[0]
            elif key == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from (name.split(".")[0] for name in VARIABLE.findall(text))
            yield from references(inner)


class _Evaluator:
    def __init__(self, template: Json, scope: Scope) -> None:
        self.template, self.scope = template, scope
        self.functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Join": self._join,
            "Fn::Sub": self._sub,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::GetAZs": self._zones,
            "Fn::ImportValue": lambda argument: self.scope.imported(self.value(argument)),
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
        }

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for inner in value if (item := self.value(inner)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name in self.functions:
                return self.functions[name](argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"the embedded CloudFormation has no function {name}")
        return {key: item for key, inner in value.items() if (item := self.value(inner)) is not NO_VALUE}

    def condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise TemplateError(f"Template format error: Unresolved condition {name}")
        return self._holds(conditions[name])

    def _holds(self, rule: Json) -> bool:
        (kind, argument), *_ = rule.items()
        if kind == "Condition":
            return self.condition(argument)
        if kind == "Fn::Equals":
            left, right = (self.value(side) for side in argument)
            return str(left) == str(right)
        held = [self._holds(inner) for inner in argument]
        outcomes = {"Fn::Not": not held[0], "Fn::And": all(held), "Fn::Or": any(held)}
        if kind not in outcomes:
            raise TemplateError(f"the embedded CloudFormation has no condition {kind}")
        return outcomes[kind]

    def _ref(self, name: str) -> Any:
        return NO_VALUE if name == "AWS::NoValue" else self.scope.ref(name)

    def _get_att(self, argument: str | list[str]) -> Any:
        resource, name = argument.split(".", 1) if isinstance(argument, str) else argument
        return self.scope.attribute(resource, name)

    def _join(self, argument: list[Any]) -> str:
        return str(argument[0]).join(str(part) for part in self.value(argument[1]))

    def _sub(self, argument: str | list[Any]) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else (argument[0], self.value(argument[1]))

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(given[name])
            resource, _, attribute = name.partition(".")
            return str(self.scope.attribute(resource, attribute) if attribute else self._ref(name))

        return VARIABLE.sub(fill, text).replace("${!", "${")

    def _select(self, argument: list[Any]) -> Any:
        index, items = int(self.value(argument[0])), self.value(argument[1])
        if index >= len(items):
            raise TemplateError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return items[index]

    def _split(self, argument: list[Any]) -> list[str]:
        return str(self.value(argument[1])).split(argument[0])

    def _zones(self, argument: Any) -> list[str]:
        return self.scope.zones(self.value(argument))

    def _if(self, argument: list[Any]) -> Any:
        name, then, otherwise = argument
        return self.value(then if self.condition(name) else otherwise)

    def _find_in_map(self, argument: list[Any]) -> Any:
        found = self.template.get("Mappings", {})
        for key in argument:
            found = found[self.value(key)]
        return found
