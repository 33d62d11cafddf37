"""Each seeded mistake in a definition is found and named with its path."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.definition import DEFINITION_LIMIT, mistakes

Json = dict[str, Any]


def definition() -> Json:
    return {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Period", "Type": "String"}, {"Name": "Disk", "Type": "Integer"}],
        "Steps": [
            {
                "Name": "Make",
                "Type": "Processing",
                "Arguments": {
                    "ProcessingResources": {
                        "ClusterConfig": {
                            "InstanceCount": 1,
                            "InstanceType": "ml.m5.large",
                            "VolumeSizeInGB": {"Get": "Parameters.Disk"},
                        }
                    },
                    "AppSpecification": {"ImageUri": "image"},
                    "RoleArn": "arn:aws:iam::111111111111:role/make",
                    "Environment": {"PERIOD": {"Get": "Parameters.Period"}},
                    "ProcessingOutputConfig": {
                        "Outputs": [
                            {
                                "OutputName": "made",
                                "S3Output": {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/x", "S3UploadMode": "EndOfJob"},
                            }
                        ]
                    },
                },
                "PropertyFiles": [{"PropertyFileName": "facts", "OutputName": "made", "FilePath": "facts.json"}],
            },
            {
                "Name": "Ask",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [
                        {
                            "Type": "Equals",
                            "LeftValue": {
                                "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Make.PropertyFiles.facts"}, "Path": "a"}
                            },
                            "RightValue": 1,
                        }
                    ],
                    "IfSteps": [],
                    "ElseSteps": [
                        {
                            "Name": "Stop",
                            "Type": "Fail",
                            "Arguments": {
                                "ErrorMessage": {
                                    "Get": "Steps.Make.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"
                                }
                            },
                        }
                    ],
                },
            },
        ],
    }


def test_a_right_definition_has_no_mistakes() -> None:
    assert mistakes(definition()) == []


def arguments(found: Json) -> Json:
    inner: Json = found["Steps"][0]["Arguments"]
    return inner


def condition(found: Json) -> Json:
    inner: Json = found["Steps"][1]["Arguments"]
    return inner


SEEDS: list[tuple[str, Callable[[Json], Any]]] = [
    ('Missing required parameter in input: "RoleArn"', lambda d: arguments(d).pop("RoleArn")),
    ('Unknown parameter in input: "Rolearn"', lambda d: arguments(d).update(Rolearn="x")),
    ("'ml.m5.lrage' is not one of", lambda d: cluster(d).update(InstanceType="ml.m5.lrage")),
    ("does not match", lambda d: arguments(d).update(RoleArn="role/make")),
    ("is a string, the API wants a integer", lambda d: cluster(d).update(VolumeSizeInGB={"Get": "Parameters.Period"})),
    ("'Parameters.Dsk': no such variable", lambda d: cluster(d).update(VolumeSizeInGB={"Get": "Parameters.Dsk"})),
    ("no such step", lambda d: refer(d, "Steps.Mkae.ProcessingJobName")),
    ("has no output 'maed'", lambda d: refer(d, "Steps.Make.ProcessingOutputConfig.Outputs['maed'].S3Output.S3Uri")),
    ("has no 'JobName'", lambda d: refer(d, "Steps.Make.JobName")),
    ("declares no property file 'facts'", lambda d: d["Steps"][0].pop("PropertyFiles")),
    ("DependsOn 'Nobody'", lambda d: d["Steps"][0].update(DependsOn=["Nobody"])),
    ("two steps have this name", lambda d: d["Steps"].append(copy.deepcopy(d["Steps"][0]))),
    ("step type 'Wait'", lambda d: d["Steps"][0].update(Type="Wait")),
    ("closed to new AWS customers", lambda d: arguments(d).update(ProfilerConfig={})),
    (f"CreatePipeline accepts {DEFINITION_LIMIT}", lambda d: d.update(Metadata={"x": "x" * DEFINITION_LIMIT})),
]


def cluster(found: Json) -> Json:
    inner: Json = arguments(found)["ProcessingResources"]["ClusterConfig"]
    return inner


def refer(found: Json, reference: str) -> None:
    condition(found)["ElseSteps"][0]["Arguments"]["ErrorMessage"] = {"Get": reference}


@pytest.mark.parametrize(("message", "seed"), SEEDS, ids=[message[:40] for message, _ in SEEDS])
def test_a_seeded_mistake_is_found(message: str, seed: Callable[[Json], Any]) -> None:
    spoilt = definition()
    seed(spoilt)

    found = mistakes(spoilt)

    assert any(message in mistake for mistake in found), found
