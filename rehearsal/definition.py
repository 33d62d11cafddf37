"""Checks a pipeline definition before it runs: requests against botocore's shapes, references against their steps.

SageMaker finds these mistakes only when the step starts, minutes or hours into an execution.
"""

from __future__ import annotations

import difflib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator

from rehearsal import caching, parameters, retries
from rehearsal.expressions import is_variable
from rehearsal.graph import BRANCHES, cycle

if TYPE_CHECKING:
    from botocore.model import Shape

Json = dict[str, Any]

# The API call behind a step type, what SageMaker adds to the step's arguments itself, and the call that describes it.
REQUESTS: dict[str, tuple[str, Json, str]] = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "name"}, "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "name"}, "DescribeTrainingJob"),
    "RegisterModel": ("CreateModelPackage", {}, "DescribeModelPackage"),
}
# Step types without a request of their own.
CONTROL = ("Condition", "Fail")

EXECUTION_VARIABLES = (
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "StartDateTime",
    "CurrentDateTime",
)
FAMILIES = {"long": "integer", "double": "float", "timestamp": "string"}
DEFINITION_LIMIT = 1_048_576
"""Characters CreatePipeline accepts."""

# Model Monitor's, Clarify's and Debugger's parts are closed to new AWS customers; a definition must not name them.
CLOSED = ("DebugHookConfig", "DebugRuleConfigurations", "ProfilerConfig", "ProfilerRuleConfigurations")


def mistakes(definition: Json) -> list[str]:
    """Every mistake of a definition, each with the path to it; an empty list if there is none."""
    return _Checker(definition).run()


def flatten(steps: list[Json]) -> list[Json]:
    """All steps, those inside conditions too."""
    found: list[Json] = []
    for step in steps:
        found.append(step)
        arguments = step.get("Arguments", {})
        if step.get("Type") == "Condition":
            found += flatten(arguments.get("IfSteps", [])) + flatten(arguments.get("ElseSteps", []))
    return found


@cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


class _Checker:
    def __init__(self, definition: Json) -> None:
        self.definition = definition
        self.found: list[str] = []
        self.parameters = {p["Name"]: p for p in definition.get("Parameters", [])}
        self.steps = {step["Name"]: step for step in flatten(definition["Steps"])}

    def run(self) -> list[str]:
        names = [step["Name"] for step in flatten(self.definition["Steps"])]
        for name in sorted({n for n in names if names.count(n) > 1}):
            self._add(name, "two steps have this name; a pipeline's step names are unique")
        for name, step in self.steps.items():
            self._step(name, step)
            self._extras(name, step)
        self.found += parameters.mistakes(self.definition.get("Parameters", []))
        self._cycles(self.definition["Steps"])
        size = len(json.dumps(self.definition))
        if size > DEFINITION_LIMIT:
            self._add("definition", f"{size} characters; CreatePipeline accepts {DEFINITION_LIMIT}")
        return self.found

    def _extras(self, name: str, step: Json) -> None:
        """What a step may carry beside its arguments."""
        if "RetryPolicies" in step:
            for line in retries.mistakes(step["RetryPolicies"], step["Type"]):
                self._add(f"{name}.RetryPolicies", line)
        if "CacheConfig" in step:
            for line in caching.mistakes(step["CacheConfig"], step["Type"]):
                self._add(f"{name}.CacheConfig", line)

    def _cycles(self, steps: list[Json]) -> None:
        loop = cycle(steps)
        if loop:
            self._add("definition", f"steps wait for each other: {' -> '.join(loop)}")
        for step in steps:
            for branch in BRANCHES:
                self._cycles(step.get("Arguments", {}).get(branch, []))

    def _add(self, path: str, message: str) -> None:
        self.found.append(f"{path}: {message}")

    def _step(self, name: str, step: Json) -> None:
        arguments = step.get("Arguments", {})
        for dependency in step.get("DependsOn", []):
            if dependency not in self.steps:
                self._add(name, f"DependsOn {dependency!r}, but steps are {sorted(self.steps)}")
        for closed in CLOSED:
            if closed in arguments:
                self._add(f"{name}.{closed}", "closed to new AWS customers since 2026-07-30; remove it")
        if step["Type"] in CONTROL:
            self._walk(name, {k: v for k, v in arguments.items() if k not in {"IfSteps", "ElseSteps"}})
        elif step["Type"] in REQUESTS:
            self._request(name, step["Type"], arguments)
        else:
            self._add(name, f"step type {step['Type']!r}; known are {[*REQUESTS, *CONTROL]}")

    def _request(self, name: str, kind: str, arguments: Json) -> None:
        operation, given, _ = REQUESTS[kind]
        shape = _service().operation_model(operation).input_shape
        report = ParamValidator().validate({**given, **self._filled(name, arguments, shape)}, shape)
        if report.has_errors():
            for line in report.generate_report().splitlines():
                self._add(name, line)

    def _walk(self, path: str, value: Any) -> None:
        if is_variable(value):
            self._family(path, value)
        elif isinstance(value, dict):
            for key, inner in value.items():
                self._walk(f"{path}.{key}", inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._walk(f"{path}[{index}]", inner)

    def _filled(self, path: str, value: Any, shape: Shape) -> Any:
        """The value with variables replaced by a valid stand-in, literals checked where botocore does not."""
        if is_variable(value):
            return self._stand_in(path, value, shape)
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict):
            known = shape.members
            return {k: self._filled(f"{path}.{k}", v, known[k]) if k in known else v for k, v in value.items()}
        if kind == "list" and isinstance(value, list):
            return [self._filled(f"{path}[{i}]", v, shape.member) for i, v in enumerate(value)]
        if kind == "map" and isinstance(value, dict):
            return {k: self._filled(f"{path}.{k}", v, shape.value) for k, v in value.items()}
        if kind == "string" and isinstance(value, str):
            self._literal(path, value, shape)
        return value

    def _stand_in(self, path: str, value: Json, shape: Shape) -> Any:
        family, wanted = self._family(path, value), FAMILIES.get(shape.type_name, shape.type_name)
        if family not in {None, wanted} and (family, wanted) != ("integer", "float"):
            self._add(path, f"{json.dumps(value)} is a {family}, the API wants a {wanted}")
        least = int(shape.metadata.get("min", 1) or 1)
        text = shape.enum[0] if getattr(shape, "enum", None) else "x" * least
        return {"string": text, "integer": least, "float": 1.0, "boolean": True}.get(wanted, text)

    def _literal(self, path: str, value: str, shape: Shape) -> None:
        rules = shape.metadata
        if rules.get("enum") and value not in rules["enum"]:
            self._add(path, f"{value!r} is not one of {_nearest(value, rules['enum'])}")
        if len(value) > rules.get("max", len(value)):
            self._add(path, f"{len(value)} characters; allowed are {rules['max']}")
        pattern = _python_pattern(rules.get("pattern", ""))
        if pattern and not re.fullmatch(pattern, value):
            self._add(path, f"{value!r} does not match {rules['pattern']}")

    def _family(self, path: str, variable: Json) -> str | None:
        """The kind of scalar a variable becomes, None where only the run can tell; notes dangling references."""
        kind, argument = next(iter(variable.items()))
        if kind == "Std:Join":
            for value in argument["Values"]:
                self._walk(path, value)
            return "string"
        if kind == "Std:JsonGet":
            self._property_file(path, argument)
            return None
        return self._reference(path, str(argument))

    def _reference(self, path: str, reference: str) -> str | None:
        root, _, rest = reference.partition(".")
        if root == "Parameters" and rest in self.parameters:
            return parameters.FAMILIES.get(self.parameters[rest].get("Type", ""))
        if root == "Execution" and rest in EXECUTION_VARIABLES:
            return "string"
        if root == "Steps":
            return self._property(path, reference)
        known = [f"Parameters.{name}" for name in self.parameters] + [
            f"Execution.{name}" for name in EXECUTION_VARIABLES
        ]
        self._add(path, f"{reference!r}: no such variable; known are {', '.join(known)} and Steps.<name>.<property>")
        return None

    def _property_file(self, path: str, argument: Json) -> None:
        target = argument.get("PropertyFile", {}).get("Get", "")
        match = re.fullmatch(r"Steps\.([\w-]+)\.PropertyFiles\.([\w-]+)", target)
        step = self.steps.get(match[1]) if match else None
        if match is None or step is None:
            self._add(path, f"JsonGet of {target!r}: no such step")
        elif match[2] not in [file["PropertyFileName"] for file in step.get("PropertyFiles", [])]:
            self._add(path, f"JsonGet: step {match[1]} declares no property file {match[2]!r}")

    def _property(self, path: str, reference: str) -> str | None:
        _, name, rest = reference.split(".", 2)
        step = self.steps.get(name)
        if step is None or step["Type"] not in REQUESTS:
            self._add(path, f"{reference!r}: no such step with properties; steps are {sorted(self.steps)}")
            return None
        shape = _service().operation_model(REQUESTS[step["Type"]][2]).output_shape
        for token in re.findall(r"[A-Za-z0-9]+|\['[^']+'\]|\[\d+\]", rest):
            shape = self._descend(path, reference, shape, token, step)
            if shape is None:
                return None
        return str(FAMILIES.get(shape.type_name, shape.type_name))

    def _descend(self, path: str, reference: str, shape: Shape, token: str, step: Json) -> Shape | None:
        if token.startswith("['"):
            outputs = step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
            if shape.type_name == "list" and token[2:-2] not in [output["OutputName"] for output in outputs]:
                self._add(path, f"{reference!r}: step {step['Name']} has no output {token[2:-2]!r}")
            return shape.member if shape.type_name == "list" else shape.value
        if token.startswith("["):
            return shape.member
        if shape.type_name != "structure" or token not in shape.members:
            self._add(path, f"{reference!r}: {shape.name} has no {token!r}")
            return None
        return shape.members[token]


def _python_pattern(pattern: str) -> str | None:
    """AWS writes Java patterns; the few classes Python lacks are spelt out, what else differs is not checked."""
    translated = pattern.replace(r"\p{L}", r"^\W\d_").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
    if r"\p{" in translated or r"[^\W\d_" in translated:
        return None
    try:
        re.compile(translated)
    except re.error:
        return None
    return translated


def _nearest(value: str, allowed: list[str]) -> str:
    shown = difflib.get_close_matches(value, allowed, n=5, cutoff=0.3) or allowed[:5]
    more = len(allowed) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
