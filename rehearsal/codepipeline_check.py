"""What CodePipeline refuses: structures that nobody here carries out, references to nothing, values not asked for."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rehearsal.api import ServiceError
from rehearsal.codepipeline_actions import ACTIONS
from rehearsal.codepipeline_cloudformation import MODES
from rehearsal.codepipeline_execution import EXECUTION_ID, REFERENCE, SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.api import Json

INVALID_ACTION, INVALID_STRUCTURE = "InvalidActionDeclarationException", "InvalidStructureException"
REVISIONS = {
    "S3": frozenset({"S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"}),
    "CodeStarSourceConnection": frozenset({"COMMIT_ID"}),
}
"""Which revisions a source may be started with."""


def order(action: Json) -> int:
    return int(action.get("runOrder", 1))


def check(declared: Json) -> None:
    """An action nobody carries out, or a variable or artifact nobody gives, is an error, as everywhere here."""
    actions = [action for stage in declared["stages"] for action in stage["actions"]]
    unknown = sorted({action["actionTypeId"]["provider"] for action in actions} - set(ACTIONS))
    if unknown:
        known = ", ".join(ACTIONS)
        raise ServiceError(INVALID_ACTION, f"no {', '.join(unknown)} here; known are {known}")
    modes = {str(mode) for action in actions if (mode := action.get("configuration", {}).get("ActionMode"))}
    if modes - set(MODES):
        raise ServiceError(
            INVALID_ACTION, f"no ActionMode {', '.join(sorted(modes - set(MODES)))} here; known are {', '.join(MODES)}"
        )
    _check_flow(declared)
    newer = [name for name in ("variables", "triggers") if declared.get(name)]
    newer += ["executionMode"] if declared["executionMode"] != SUPERSEDED else []
    newer += ["onFailure"] if any("onFailure" in stage for stage in declared["stages"]) else []
    if declared["pipelineType"] != "V2" and newer:
        raise ServiceError(INVALID_STRUCTURE, f"{', '.join(newer)}: needs a pipeline of type V2, a V1 has none")


def _check_flow(declared: Json) -> None:
    """What an action refers to and takes must come from an action that has ended before it begins."""
    variables = {f"variables.{each['name']}" for each in declared.get("variables", [])}
    spaces: set[str] = set()
    artifacts: set[str] = set()
    for together in _in_order(declared):
        for action in together:
            _check_references(action, variables, spaces)
            missing = sorted({each["name"] for each in action.get("inputArtifacts", [])} - artifacts)
            if missing:
                raise ServiceError(
                    INVALID_ACTION,
                    f"{action['name']} takes {', '.join(missing)}, which no action before it makes; "
                    f"made are {', '.join(sorted(artifacts)) or 'none'}",
                )
        for action in together:
            artifacts |= {each["name"] for each in action.get("outputArtifacts", [])}
            if action.get("namespace") in spaces:
                raise ServiceError(INVALID_ACTION, f"namespace {action['namespace']} is declared twice; name it anew")
            spaces |= {action["namespace"]} if "namespace" in action else set()


def _in_order(declared: Json) -> Iterator[list[Json]]:
    """The actions that run at the same time, one group after the other."""
    for stage in declared["stages"]:
        for _, together in groupby(sorted(stage["actions"], key=order), order):
            yield list(together)


def _check_references(action: Json, variables: set[str], spaces: set[str]) -> None:
    found = {name for value in action.get("configuration", {}).values() for name in REFERENCE.findall(value)}
    strange = sorted(name for name in found - variables - {EXECUTION_ID} if name.split(".")[0] not in spaces)
    if strange:
        declared = [*sorted(variables), *(f"namespace {name}" for name in sorted(spaces))]
        raise ServiceError(
            INVALID_ACTION,
            f"#{{{'}, #{'.join(strange)}}} cannot be resolved; declared are {', '.join(declared) or 'none'}",
        )


def variables_of(pipeline: Json, request: Json) -> dict[str, str]:
    """The values of an execution: as given, or as declared."""
    declared = {each["name"]: each.get("defaultValue") for each in pipeline.get("variables", [])}
    given = {each["name"]: each["value"] for each in request.get("variables", [])}
    values = {**declared, **given}
    unknown, missing = sorted(set(given) - set(declared)), sorted(name for name in declared if values[name] is None)
    if unknown or missing:
        raise ServiceError("ValidationException", f"variables unknown: {unknown}, without a value: {missing}")
    return {name: str(value) for name, value in values.items()}


def overrides_of(pipeline: Json, request: Json) -> dict[str, Json]:
    """The revisions that sources are to be taken from, by action."""
    sources = {action["name"]: action for action in pipeline["stages"][0]["actions"]}
    given = {each["actionName"]: each for each in request.get("sourceRevisions", [])}
    for name, revision in given.items():
        if name not in sources:
            message = f"sourceRevisions: no source action {name}; there are {', '.join(sources)}"
            raise ServiceError("ValidationException", message)
        _check_revision(sources[name], revision["revisionType"])
    return given


def _check_revision(action: Json, kind: str) -> None:
    provider, settings = action["actionTypeId"]["provider"], action.get("configuration", {})
    allowed = REVISIONS.get(provider, frozenset())
    if kind not in allowed:
        message = f"{action['name']}: a source of {provider} takes {', '.join(sorted(allowed)) or 'none'}, not {kind}"
        raise ServiceError("ValidationException", message)
    if kind == "S3_OBJECT_KEY" and settings.get("AllowOverrideForS3ObjectKey") != "true":
        message = f"{action['name']}: S3_OBJECT_KEY needs AllowOverrideForS3ObjectKey = true in its configuration"
        raise ServiceError("ValidationException", message)
