"""Our definition means what the SageMaker SDK v3 emits for the same pipeline; the differences are listed, with why."""

from __future__ import annotations

import copy
import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import sdk_pipeline

from pipeline_code.models import load_model
from pipeline_code.pipeline import render
from pipeline_code.steps import steps
from rehearsal.definition import flatten, mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]

Json = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One value that only one of the definitions has, or that differs; `path` begins with the step's name."""

    path: str
    ours: Any
    theirs: Any


@dataclass(frozen=True)
class Allowed:
    """Differences whose path matches, and why they mean nothing or are meant."""

    path: str
    because: str


ALLOWED = (
    Allowed("*.S3Input.S3CompressionType", "the SDK spells out the service's default, None"),
    Allowed("*.InputDataConfig[[]*[]].InputMode", "the SDK says File for the channel, we for the whole job"),
    Allowed("*.OutputDataConfig.CompressionType", "the SDK spells out the service's default, GZIP"),
    Allowed("Register.SkipModelValidation", "the SDK spells out the service's default, None"),
    Allowed("Register.ModelMetrics.Bias", "empty: the SDK names what it was not given"),
    Allowed("Register.ModelMetrics.Explainability", "empty: the SDK names what it was not given"),
    Allowed("Register.InferenceSpecification.*.Environment", "for the SDK's own serving code, which our image has not"),
    Allowed(
        "Train.AlgorithmSpecification.Container*",
        "the SDK sets an entry point only for code it uploads itself; ours is in the image",
    ),
    Allowed("definition.MlflowConfig", "null: no tracking server"),
    Allowed("definition.PipelineExperimentConfig", "null: no experiment is made beside the execution"),
)


@pytest.fixture(scope="module")
def theirs() -> Json:
    definition: Json = sdk_pipeline.build()
    return definition


@pytest.fixture(scope="module")
def ours() -> Json:
    return render(load_model("flight_delay"), steps(), sdk_pipeline.AROUND)


def parts(definition: Json) -> dict[str, Any]:
    """The definition taken apart: each step's arguments, what a step carries beside them, and the rest."""
    found: dict[str, Any] = {"definition": {key: value for key, value in definition.items() if key != "Steps"}}
    for step in flatten(definition["Steps"]):
        arguments = {k: _names(v) if k in {"IfSteps", "ElseSteps"} else v for k, v in step["Arguments"].items()}
        found[step["Name"]] = arguments
        found[f"{step['Name']} carries"] = {key: value for key, value in step.items() if key != "Arguments"}
    return found


def _names(inner: list[Json]) -> list[str]:
    return [step["Name"] for step in inner]


def differences(ours: Json, theirs: Json) -> list[Difference]:
    left, right = parts(ours), parts(theirs)
    return list(_walk("", left, right))


def _walk(path: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            inner = f"{path}.{key}" if path else key
            if key not in ours or key not in theirs:
                yield Difference(inner, ours.get(key), theirs.get(key))
            else:
                yield from _walk(inner, ours[key], theirs[key])
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other)
    elif ours != theirs:
        yield Difference(path, ours, theirs)


def unexplained(found: list[Difference]) -> list[Difference]:
    return [one for one in found if not any(fnmatch.fnmatchcase(one.path, allowed.path) for allowed in ALLOWED)]


@pytest.mark.parametrize(
    "step", ["definition", "Prepare", "Train", "Evaluate", "Gate", "Record", "Register", "Refused"]
)
def test_both_mean_the_same(ours: Json, theirs: Json, step: str) -> None:
    found = [one for one in unexplained(differences(ours, theirs)) if one.path.split(".")[0].split(" ")[0] == step]

    assert step in parts(ours)
    assert found == []


@pytest.mark.parametrize("allowed", ALLOWED, ids=lambda allowed: str(allowed.path))
def test_every_allowed_difference_is_there_and_has_its_reason(ours: Json, theirs: Json, allowed: Allowed) -> None:
    """What no longer differs must leave the list."""
    assert [one for one in differences(ours, theirs) if fnmatch.fnmatchcase(one.path, allowed.path)]
    assert len(allowed.because) > 20


def drop_property_file(definition: Json) -> None:
    del definition["Steps"][0]["PropertyFiles"]


def other_instance(definition: Json) -> None:
    definition["Steps"][1]["Arguments"]["ResourceConfig"]["InstanceType"] = "ml.m5.xlarge"


def other_order(definition: Json) -> None:
    definition["Steps"][3]["Arguments"]["IfSteps"].reverse()


def other_default(definition: Json) -> None:
    definition["Parameters"][5]["DefaultValue"] = 0.5


def no_retries(definition: Json) -> None:
    definition["Steps"][2]["RetryPolicies"].pop()


def other_reference(definition: Json) -> None:
    channel = definition["Steps"][1]["Arguments"]["InputDataConfig"][0]
    channel["DataSource"]["S3DataSource"]["S3Uri"]["Get"] = "Steps.Prepare.ProcessingJobArn"


@pytest.mark.parametrize(
    "change", [drop_property_file, other_instance, other_order, other_default, no_retries, other_reference]
)
def test_a_change_of_meaning_is_seen(ours: Json, theirs: Json, change: Any) -> None:
    changed = copy.deepcopy(ours)
    change(changed)

    assert unexplained(differences(changed, theirs))


def test_the_sdks_definition_passes_our_checks_too(theirs: Json) -> None:
    assert mistakes(theirs) == []
