"""What a definition carries beside requests: parameters, retry policies, caching, order; each mistake is named."""

import copy
from typing import Any

import pytest

from rehearsal.definition import mistakes

Json = dict[str, Any]

POLICY = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 60, "BackoffRate": 2.0, "MaxAttempts": 5}
FAIL = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Period"}}}


def job(name: str, **extras: Any) -> Json:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    arguments = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": "image"},
        "RoleArn": "arn:aws:iam::111111111111:role/make",
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **extras}


def definition(*steps: Json, parameters: list[Json] | None = None) -> Json:
    declared = parameters or [{"Name": "Period", "Type": "String"}]
    return {"Version": "2020-12-01", "Parameters": declared, "Steps": list(steps)}


def test_sound_extras_pass() -> None:
    every = [{**POLICY}, {"ExceptionType": ["Step.THROTTLING"], "ExpireAfterMin": 60}]
    cache = {"Enabled": True, "ExpireAfter": "P30dT5h"}
    parameters: list[Json] = [
        {"Name": "Period", "Type": "String", "EnumValues": ["a", "b"], "DefaultValue": "a"},
        {"Name": "Depth", "Type": "Integer", "DefaultValue": 6},
        {"Name": "Eta", "Type": "Float", "DefaultValue": 1},
        {"Name": "Quick", "Type": "Boolean", "DefaultValue": False},
    ]
    sound = definition(job("Make", RetryPolicies=every, CacheConfig=cache), FAIL, parameters=parameters)

    assert mistakes(sound) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"MaxAttempts": 21}, "MaxAttempts is 21; give a whole number from 0 to 20"),
        ({"IntervalSeconds": -1}, "IntervalSeconds is -1; give a whole number from 0 to 43200"),
        ({"IntervalSeconds": 1.5}, "IntervalSeconds is 1.5; give a whole number from 0 to 43200"),
        ({"BackoffRate": "2"}, "BackoffRate is '2'; give a number from 0"),
        ({"ExpireAfterMin": 10}, "give MaxAttempts or ExpireAfterMin, not both"),
        ({"ExceptionType": []}, "ExceptionType must be a list of exception types"),
        ({"ExceptionType": ["Step.FAULT"]}, "'Step.FAULT' is no exception type; known are SageMaker.CAPACITY_ERROR"),
        ({"Interval": 3}, "'Interval' is unknown; known are ExceptionType, IntervalSeconds"),
    ],
)
def test_a_wrong_retry_policy_is_named(wrong: Json, message: str) -> None:
    (found,) = mistakes(definition(job("Make", RetryPolicies=[{**POLICY, **wrong}])))

    assert found.startswith("Make.RetryPolicies: [0]: ")
    assert message in found


def test_an_exception_stands_in_one_policy_only() -> None:
    (found,) = mistakes(definition(job("Make", RetryPolicies=[POLICY, POLICY])))

    assert found == "Make.RetryPolicies: [1]: SageMaker.CAPACITY_ERROR stands in two policies"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ExpireAfter": "30d"}, "Enabled is None; give true or false"),
        ({"Enabled": True, "ExpireAfter": "soon"}, "ExpireAfter: 'soon' is no duration; give one such as 30d or PT12H"),
        ({"Enabled": True, "ExpireAfter": ""}, "'' is no duration"),
        ({"Enabled": True, "Expires": "30d"}, "'Expires' is unknown; known are Enabled, ExpireAfter"),
    ],
)
def test_a_wrong_cache_config_is_named(config: Json, message: str) -> None:
    (found,) = mistakes(definition(job("Make", CacheConfig=config)))

    assert message in found


def test_only_jobs_are_cached_and_retried() -> None:
    found = mistakes(definition({**FAIL, "CacheConfig": {"Enabled": True}, "RetryPolicies": [POLICY]}))

    assert [line.split(";")[0] for line in found] == [
        "Stop.RetryPolicies: a Fail step has no retry policies",
        "Stop.CacheConfig: a Fail step is not cached",
    ]


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"Name": "Two Words", "Type": "String"}, "a name has letters, digits, _ and -"),
        ({"Name": "P", "Type": "Text"}, "Parameters.P: type 'Text'; types are String, Integer, Float, Boolean"),
        ({"Name": "P", "Type": "Integer", "DefaultValue": "6"}, "Parameters.P: '6' is not of type Integer"),
        ({"Name": "P", "Type": "Float", "DefaultValue": True}, "Parameters.P: True is not of type Float"),
        ({"Name": "P", "Type": "String", "EnumValues": ["a"], "DefaultValue": "b"}, "default 'b' is not one of a"),
        ({"Name": "P", "Type": "String", "Range": [1, 2]}, "Parameters.P: 'Range' is unknown; known are DefaultValue"),
        ({"Name": "Period", "Type": "String"}, "Parameters: 'Period' is declared twice"),
    ],
)
def test_a_wrong_parameter_is_named(parameter: Json, message: str) -> None:
    declared = [{"Name": "Period", "Type": "String"}, parameter]

    (found,) = mistakes(definition(FAIL, parameters=declared))

    assert message in found


def test_more_parameters_than_a_pipeline_has_are_refused() -> None:
    declared = [{"Name": "Period", "Type": "String"}, *({"Name": f"P{n}", "Type": "String"} for n in range(200))]

    assert mistakes(definition(FAIL, parameters=declared)) == ["Parameters: 201; a pipeline has 200 at most"]


def test_steps_that_wait_for_each_other_are_named_also_inside_a_branch() -> None:
    loop = [job("One", DependsOn=["Two"]), job("Two", DependsOn=["One"])]
    asked = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    branch = {"Name": "Ask", "Type": "Condition", "Arguments": {"Conditions": [asked], "IfSteps": copy.deepcopy(loop)}}

    for steps in (loop, [branch]):
        (found,) = mistakes(definition(*steps))
        assert found == "definition: steps wait for each other: One -> Two -> One"


def test_a_branch_may_not_wait_for_the_step_after_its_condition() -> None:
    asked = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}
    inner = job("Inner", DependsOn=["After"])
    branch = {"Name": "Ask", "Type": "Condition", "Arguments": {"Conditions": [asked], "IfSteps": [inner]}}

    found = mistakes(definition(branch, job("After", DependsOn=["Ask"])))

    assert any("steps wait for each other" in line for line in found)
