"""Lambda functions really run: what they return, log and import, and what becomes of events they fail on."""

import io
import json
import time
import zipfile
from typing import Any

import pytest
from embedded import Client

from rehearsal.embedded import EmbeddedAws

CODE = """
import json, os
import boto3

def handle(event, context):
    what = event.get("what")
    print("doing", what)
    if what == "who": return {"arn": boto3.client("sts").get_caller_identity()["Arn"], "word": os.environ["WORD"]}
    if what == "fail": raise ValueError("no such row")
    if what == "exit": os._exit(1)
    if what == "polars": import polars
    if what == "count":
        handle.calls = getattr(handle, "calls", 0) + 1
        return handle.calls
    return event
"""


@pytest.fixture
def function(client: Client) -> Any:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code/__init__.py", "")
        archive.writestr("mine/entry.py", CODE)
        archive.writestr("mine/__init__.py", "")
    role = client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    topic = client("sns").create_topic(Name="failures")["TopicArn"]
    client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.14",
        Role=role,
        Handler="mine.entry.handle",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"WORD": "yes"}},
        DeadLetterConfig={"TargetArn": topic},
    )

    def call(event: Any, kind: str = "RequestResponse") -> Any:
        return client("lambda").invoke(FunctionName="f", InvocationType=kind, Payload=json.dumps(event).encode())

    return call


def answer(response: Any) -> Any:
    return json.loads(response["Payload"].read())


def test_a_function_answers_in_its_role_with_its_settings(function: Any, account: str) -> None:
    found = answer(function({"what": "who"}))

    assert found["word"] == "yes"
    assert found["arn"].startswith(f"arn:aws:sts::{account}:assumed-role/worker/")


def test_a_function_stays_warm(function: Any) -> None:
    assert [answer(function({"what": "count"})) for _ in range(3)] == [1, 2, 3]


def test_what_fails_says_so_and_logs_it(function: Any, client: Client) -> None:
    response = function({"what": "fail"})

    assert response["FunctionError"] == "Unhandled"
    assert answer(response) == {"errorType": "ValueError", "errorMessage": "no such row"}
    events = client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    assert "doing fail" in [event["message"] for event in events]
    assert "ValueError: no such row" in [event["message"] for event in events]


def test_what_lambda_does_not_bring_cannot_be_imported(function: Any) -> None:
    assert answer(function({"what": "polars"}))["errorMessage"] == "No module named 'polars' in Lambda's runtime"


def test_an_event_that_fails_three_times_reaches_the_dead_letter_topic(
    function: Any, client: Client, aws: EmbeddedAws
) -> None:
    queue = client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = client("sns").list_topics()["Topics"][0]["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    before = len(aws.clock()["waits"])

    function({"what": "fail"}, "Event")
    for _ in range(200):
        got = client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
        if got:
            break
        time.sleep(0.05)

    assert json.loads(json.loads(got[0]["Body"])["Message"]) == {"what": "fail"}
    assert [wait["seconds"] for wait in aws.clock()["waits"][before:] if "function f" in wait["why"]] == [60, 120]


@pytest.mark.usefixtures("function")
def test_an_event_that_fails_three_times_reaches_the_dead_letter_queue(client: Client) -> None:
    queue = client("sqs").create_queue(QueueName="unheard")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = client("lambda").get_function(FunctionName="f")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("entry.py", "def handle(event, context): raise ValueError('no')")
    client("lambda").create_function(
        FunctionName="g",
        Runtime="python3.14",
        Role=made["Configuration"]["Role"],
        Handler="entry.handle",
        Code={"ZipFile": packed.getvalue()},
        DeadLetterConfig={"TargetArn": arn},
    )

    client("lambda").invoke(FunctionName="g", InvocationType="Event", Payload=b'{"a": 1}')

    assert json.loads(_kept(client, queue)["Body"]) == {"a": 1}


def test_a_function_whose_process_ended_is_started_again(function: Any) -> None:
    assert answer(function({"what": "exit"}))["errorType"] == "Runtime.ExitError"

    assert [answer(function({"what": "count"})) for _ in range(2)] == [1, 2]


def _kept(client: Client, queue: str) -> Any:
    for _ in range(200):
        got = client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
        if got:
            return got[0]
        time.sleep(0.05)
    raise AssertionError("nothing was kept")
