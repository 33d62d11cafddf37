"""What the embedded AWS announces on the default bus, in the form AWS documents."""

import json
import time
from typing import Any

import pytest
from embedded import Client
from engine_world import World, step, training

Events = dict[str, list[dict[str, Any]]]


@pytest.fixture
def heard(client: Client, account: str) -> Any:
    """Everything these services announce in this account, by detail type; asks until what is awaited has come."""
    queue = client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    client("events").put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.sagemaker", "aws.ssm"]}))
    client("events").put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:eu-west-1:{account}:heard"}])
    seen: Events = {}

    def listen(kind: str, count: int) -> list[dict[str, Any]]:
        for _ in range(200):
            got = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            for message in got:
                event = json.loads(message["Body"])
                seen.setdefault(event["detail-type"], []).append(event)
            if len(seen.get(kind, [])) >= count and not got:
                break
            time.sleep(0.02)
        return seen.get(kind, [])

    return listen


def test_an_execution_announces_its_states(world: World, heard: Any) -> None:
    outcome = world.run(step(world, "Make", "make"))

    first, last = heard("SageMaker Model Building Pipeline Execution Status Change", 2)
    assert first["detail"]["currentPipelineExecutionStatus"] == "Executing"
    assert "previousPipelineExecutionStatus" not in first["detail"]
    assert last["detail"]["previousPipelineExecutionStatus"] == "Executing"
    assert last["detail"]["currentPipelineExecutionStatus"] == "Succeeded"
    assert last["detail"]["pipelineExecutionArn"] == outcome.arn
    assert last["resources"] == [outcome.arn.split("/execution/")[0], outcome.arn]


def test_a_step_announces_its_states_with_its_job_and_its_reason(world: World, heard: Any) -> None:
    outcome = world.run(step(world, "Make", "explain"))

    first, last = (
        event["detail"] for event in heard("SageMaker Model Building Pipeline Execution Step Status Change", 2)
    )
    assert (first["previousStepStatus"], first["currentStepStatus"]) == ("Starting", "Executing")
    assert (last["stepName"], last["stepType"], last["currentStepStatus"]) == ("Make", "Processing", "Failed")
    assert last["failureReason"] == "AlgorithmError: row 7 is bad, exit code: 3"
    assert last["metadata"] == {"processingJob": {"arn": outcome.steps[0].metadata["ProcessingJob"]["Arn"]}}


def test_a_job_announces_its_states(world: World, heard: Any) -> None:
    world.run(step(world, "Make", "make"), training(world, "fit"))

    details = [event["detail"] for event in heard("SageMaker Training Job State Change", 2)]
    assert [detail["TrainingJobStatus"] for detail in details] == ["InProgress", "Completed"]
    assert details[1]["HyperParameters"] == {"depth": "6"}
    assert isinstance(details[1]["TrainingEndTime"], int)
    assert [e["detail"]["ProcessingJobStatus"] for e in heard("SageMaker Processing Job State Change", 2)] == [
        "InProgress",
        "Completed",
    ]


def test_a_parameter_announces_that_it_is_made_changed_and_gone(client: Client, account: str, heard: Any) -> None:
    ssm, cloudformation = client("ssm"), client("cloudformation")
    ssm.put_parameter(Name="/a/b", Type="String", Value="1", Description="of a")
    ssm.put_parameter(Name="/a/b", Type="String", Value="2", Overwrite=True)
    ssm.put_parameter(Name="plain", Type="StringList", Value="1")
    ssm.delete_parameter(Name="/a/b")
    ssm.delete_parameters(Names=["plain", "gone"])
    for value in ("1", "2"):
        made = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/c", "Type": "String", "Value": value}}
        apply = cloudformation.create_stack if value == "1" else cloudformation.update_stack
        apply(StackName="s", TemplateBody=json.dumps({"Resources": {"C": made}}))
    cloudformation.delete_stack(StackName="s")

    found = heard("Parameter Store Change", 8)

    told = [(event["detail"]["name"], event["detail"]["operation"]) for event in found]
    assert [operation for name, operation in told if name == "/a/b"] == ["Create", "Update", "Delete"]
    assert [operation for name, operation in told if name == "plain"] == ["Create", "Delete"]
    assert [operation for name, operation in told if name == "/c"] == ["Create", "Update", "Delete"]
    assert found[0]["detail"] == {"operation": "Create", "name": "/a/b", "type": "String", "description": "of a"}
    assert (found[0]["source"], found[0]["resources"]) == (
        "aws.ssm",
        [f"arn:aws:ssm:eu-west-1:{account}:parameter/a/b"],
    )


def test_what_a_target_cannot_take_is_kept_in_its_queue_and_the_others_still_hear(client: Client, account: str) -> None:
    queues = {name: client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "alive")}
    arn = f"arn:aws:sqs:eu-west-1:{account}:"
    events = client("events")
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["mine"]}))
    gone = {"Id": "1", "Arn": f"{arn}gone", "DeadLetterConfig": {"Arn": f"{arn}dead"}}
    events.put_targets(Rule="all", Targets=[gone, {"Id": "2", "Arn": f"{arn}alive"}])

    events.put_events(Entries=[{"Source": "mine", "DetailType": "kind", "Detail": json.dumps({"a": 1})}])

    kept, heard = (
        client("sqs").receive_message(QueueUrl=queues[name], MessageAttributeNames=["All"])["Messages"][0]
        for name in ("dead", "alive")
    )
    assert json.loads(kept["Body"])["detail"] == json.loads(heard["Body"])["detail"] == {"a": 1}
    told = {name: value["StringValue"] for name, value in kept["MessageAttributes"].items()}
    assert told["TARGET_ARN"] == f"{arn}gone"
    assert told["ERROR_CODE"].endswith("NonExistentQueue")
