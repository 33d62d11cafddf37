"""What a deployment would change, as CloudFormation says it: what SSM parameters say included, nothing left behind."""

import json
from typing import Any

import pytest
from embedded import REGION, Client

from operations.assembly import Synthesized
from operations.changes import ChangesError, Describer

Json = dict[str, Any]
TOPIC, QUEUE = "AWS::SNS::Topic", "AWS::SQS::Queue"
VERSION = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/review/version"}


def synthesized(account: str, template: Json, name: str = "slipway-dev-Room") -> Synthesized:
    return Synthesized(name, account, REGION, json.dumps(template), ("templates", f"{name}.json"))


def queue(visibility: Any = 30, **more: Json) -> Json:
    return {"Resources": {"Queue": {"Type": QUEUE, "Properties": {"VisibilityTimeout": visibility}}, **more}}


def deploy(client: Client, template: Json, name: str = "slipway-dev-Room") -> None:
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def describe(client: Client, *stacks: Synthesized, asking: bool = True) -> Any:
    describer = Describer(client, client if asking else None, look_seconds=0)
    return describer.describe("dev", stacks)


def test_what_is_as_it_was_would_not_change(client: Client, account: str) -> None:
    deploy(client, queue())

    found = describe(client, synthesized(account, queue()))

    assert found.changing == []
    assert found.summary == "dev: nothing would change"


def test_a_change_names_the_resource_and_the_property(client: Client, account: str) -> None:
    deploy(client, queue())

    (stack,) = describe(client, synthesized(account, queue(60, More={"Type": TOPIC}))).changing

    told = [(change.action, change.resource, change.kind, change.because) for change in stack.changes]
    assert told == [("Add", "More", TOPIC, ()), ("Modify", "Queue", QUEUE, ("VisibilityTimeout",))]


def test_what_goes_and_what_is_made_anew_is_told(client: Client, account: str) -> None:
    named = {"Type": TOPIC, "Properties": {"TopicName": "one"}}
    deploy(client, queue(More={"Type": TOPIC}, Named=named))
    named = {"Type": TOPIC, "Properties": {"TopicName": "two"}}

    (stack,) = describe(client, synthesized(account, queue(Named=named))).changing

    assert [(c.action, c.resource, c.replaced) for c in stack.changes] == [
        ("Remove", "More", "False"),
        ("Modify", "Named", "True"),
    ]


def test_a_parameter_that_says_something_else_by_now_is_a_change(client: Client, account: str) -> None:
    template = {"Parameters": {"Version": VERSION}, **queue({"Ref": "Version"})}
    client("ssm").put_parameter(Name="/review/version", Value="30", Type="String")
    deploy(client, template)
    client("ssm").put_parameter(Name="/review/version", Value="60", Type="String", Overwrite=True)

    (stack,) = describe(client, synthesized(account, template)).changing

    assert [(c.action, c.resource) for c in stack.changes] == [("Modify", "Queue")]


def test_templates_alone_do_not_tell_it_and_that_is_said(client: Client, account: str) -> None:
    template = {"Parameters": {"Version": VERSION}, **queue({"Ref": "Version"})}
    client("ssm").put_parameter(Name="/review/version", Value="30", Type="String")
    deploy(client, template)
    client("ssm").put_parameter(Name="/review/version", Value="60", Type="String", Overwrite=True)

    found = describe(client, synthesized(account, template), asking=False)

    assert found.changing == []
    assert found.compared


def test_templates_alone_tell_what_they_can(client: Client, account: str) -> None:
    deploy(client, queue(Gone={"Type": TOPIC}))

    (stack,) = describe(client, synthesized(account, queue(60, New={"Type": TOPIC})), asking=False).changing

    told = [(change.action, change.resource, change.because) for change in stack.changes]
    assert told == [("Remove", "Gone", ()), ("Add", "New", ()), ("Modify", "Queue", ("VisibilityTimeout",))]


def test_a_stack_that_is_not_there_is_all_new_and_none_is_left_behind(client: Client, account: str) -> None:
    (stack,) = describe(client, synthesized(account, queue())).changing

    assert stack.new
    assert [(c.action, c.resource) for c in stack.changes] == [("Add", "Queue")]
    assert client("cloudformation").describe_stacks()["Stacks"] == []


def test_no_change_set_is_left_behind(client: Client, account: str) -> None:
    deploy(client, queue())

    describe(client, synthesized(account, queue(60)))

    assert client("cloudformation").list_change_sets(StackName="slipway-dev-Room")["Summaries"] == []


def test_a_template_that_is_too_long_to_be_handed_over_is_named_by_its_place(client: Client, account: str) -> None:
    deploy(client, queue())
    place = {"LocationConstraint": REGION}
    client("s3").create_bucket(Bucket="templates", CreateBucketConfiguration=place)
    many = {f"Topic{n}": {"Type": TOPIC, "Properties": {"DisplayName": "x" * 90}} for n in range(500)}

    long = synthesized(account, queue(**many))
    client("s3").put_object(Bucket="templates", Key="slipway-dev-Room.json", Body=long.template.encode())

    (stack,) = describe(client, long).changing

    assert len(stack.changes) == 500


def test_every_stack_that_cannot_be_described_is_named(client: Client, account: str) -> None:
    deploy(client, queue())
    deploy(client, queue(), "slipway-dev-Other")
    broken = queue(Bad={"Type": TOPIC, "Properties": {"TopicName": {"Fn::ImportValue": "nowhere"}}})

    with pytest.raises(ChangesError, match=r"(?s)slipway-dev-Other in .*nowhere.*slipway-dev-Room in .*nowhere"):
        describe(client, synthesized(account, broken, "slipway-dev-Other"), synthesized(account, broken))


def test_the_same_changes_have_the_same_digest_and_others_another(client: Client, account: str) -> None:
    deploy(client, queue())
    first, again = (describe(client, synthesized(account, queue(60))) for _ in range(2))

    assert first.digest == again.digest
    assert describe(client, synthesized(account, queue(61))).digest != first.digest


def test_another_value_of_a_parameter_is_another_digest(client: Client, account: str) -> None:
    """Whoever agreed to a version must not find another one deployed."""
    template = {"Parameters": {"Version": VERSION}, **queue({"Ref": "Version"})}
    client("ssm").put_parameter(Name="/review/version", Value="30", Type="String")
    deploy(client, template)
    digests = []
    for value in ("60", "90"):
        client("ssm").put_parameter(Name="/review/version", Value=value, Type="String", Overwrite=True)
        digests.append(describe(client, synthesized(account, template)).digest)

    assert digests[0] != digests[1]
