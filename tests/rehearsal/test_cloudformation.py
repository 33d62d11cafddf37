"""CloudFormation as AWS documents it, where moto's own is silent, forgetful or wrong."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import Client

from rehearsal.embedded import EmbeddedAws
from rehearsal.faults import RESISTS


def template(outputs: dict[str, Any] | None = None, **resources: Any) -> str:
    return json.dumps({"Resources": resources, "Outputs": outputs or {}})


def parameter(value: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}, **more}


def create(client: Client, body: str, name: str = "stack") -> dict[str, Any]:
    client("cloudformation").create_stack(StackName=name, TemplateBody=body)
    return stack(client, name)


def stack(client: Client, name: str = "stack") -> dict[str, Any]:
    found: dict[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return found


def values(client: Client) -> list[str]:
    return sorted(
        client("ssm").get_parameter(Name=p["Name"])["Parameter"]["Value"]
        for p in client("ssm").describe_parameters()["Parameters"]
    )


def change(client: Client, body: str, name: str = "cdk-deploy-change-set", kind: str = "UPDATE") -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_change_set(StackName="stack", ChangeSetName=name, TemplateBody=body, ChangeSetType=kind)
    cloudformation.execute_change_set(StackName="stack", ChangeSetName=name)


def test_an_unknown_type_fails_the_stack_and_is_named(client: Client) -> None:
    made = create(client, template(Good=parameter("x"), Odd={"Type": "AWS::Foo::Bar"}))

    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "AWS::Foo::Bar" in made["StackStatusReason"]
    assert values(client) == []


def test_an_unknown_property_fails_the_stack_and_is_named(client: Client) -> None:
    odd = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Colour": "red"}}

    made = create(client, template(Odd=odd))

    assert made["StackStatusReason"] == "the embedded AWS does not carry out AWS::SSM::Parameter Colour"


def test_a_failed_resource_shows_its_reason_among_the_events(client: Client) -> None:
    create(client, template(Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Not A Name"}}))

    events = client("cloudformation").describe_stack_events(StackName="stack")["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert [event["LogicalResourceId"] for event in failed] == ["Bucket"]
    assert "Not A Name" in failed[0]["ResourceStatusReason"]


def test_outputs_of_a_change_set_reach_other_stacks(client: Client) -> None:
    outputs = {"Out": {"Value": {"Ref": "One"}, "Export": {"Name": "one"}}}
    change(client, template(outputs, One=parameter("first")), kind="CREATE")

    made = create(client, template(Two=parameter({"Fn::ImportValue": "one"})), "other")

    assert made["StackStatus"] == "CREATE_COMPLETE"
    assert values(client)[0] == "first"
    assert any(value.startswith("stack-One-") for value in values(client))


def test_an_import_nobody_exports_fails(client: Client) -> None:
    made = create(client, template(Two=parameter({"Fn::ImportValue": "nothing"})))

    assert "No export named nothing found" in made["StackStatusReason"]


def test_change_sets_of_one_name_belong_to_their_stacks(client: Client) -> None:
    cloudformation = client("cloudformation")
    for name in ("left", "right"):
        cloudformation.create_change_set(
            StackName=name, ChangeSetName="same", ChangeSetType="CREATE", TemplateBody=template(P=parameter(name))
        )

    cloudformation.execute_change_set(StackName="left", ChangeSetName="same")

    assert values(client) == ["left"]
    assert stack(client, "right")["StackStatus"] == "REVIEW_IN_PROGRESS"


def test_a_change_set_executes_once(client: Client) -> None:
    change(client, template(P=parameter("x")), kind="CREATE")

    with pytest.raises(ClientError) as caught:
        client("cloudformation").execute_change_set(StackName="stack", ChangeSetName="cdk-deploy-change-set")

    assert caught.value.response["Error"]["Code"] == "InvalidChangeSetStatus"


def test_an_absent_change_set_has_the_code_that_cdk_waits_for(client: Client) -> None:
    create(client, template(P=parameter("x")))

    with pytest.raises(ClientError) as caught:
        client("cloudformation").describe_change_set(StackName="stack", ChangeSetName="nothing")

    assert caught.value.response["Error"]["Code"] == "ChangeSetNotFound"


def test_a_change_set_without_changes_fails_as_in_aws(client: Client) -> None:
    create(client, template(P=parameter("x")))
    cloudformation = client("cloudformation")

    cloudformation.create_change_set(StackName="stack", ChangeSetName="same", TemplateBody=template(P=parameter("x")))

    described = cloudformation.describe_change_set(StackName="stack", ChangeSetName="same")
    assert described["Status"] == "FAILED"
    assert "didn't contain changes" in described["StatusReason"]


def test_an_update_changes_adds_and_removes(client: Client) -> None:
    create(client, template(Kept=parameter("old"), Gone=parameter("gone")))

    change(client, template(Kept=parameter("new"), Added=parameter("added")))

    assert stack(client)["StackStatus"] == "UPDATE_COMPLETE"
    assert values(client) == ["added", "new"]


def test_a_failed_update_restores_what_was(client: Client) -> None:
    create(client, template(Kept=parameter("old")))

    change(client, template(Added=parameter("added"), Kept=parameter("new"), Odd={"Type": "AWS::Foo::Bar"}))

    made = stack(client)
    assert made["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "AWS::Foo::Bar" in made["StackStatusReason"]
    assert values(client) == ["old"]


def test_a_property_that_cannot_change_makes_a_new_resource_and_removes_the_old(client: Client) -> None:
    def bucket(name: str) -> str:
        return template(Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}})

    create(client, bucket("replaced-old"))

    change(client, bucket("replaced-new"))

    assert [found["Name"] for found in client("s3").list_buckets()["Buckets"]] == ["replaced-new"]


def test_a_stack_that_was_never_made_is_not_updated(client: Client) -> None:
    create(client, template(Odd={"Type": "AWS::Foo::Bar"}))

    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        client("cloudformation").update_stack(StackName="stack", TemplateBody=template(P=parameter("x")))


def stuck(client: Client, aws: EmbeddedAws, account: str, times: int) -> str:
    """A stack whose update failed and whose resource `Old` resists going back; its name."""
    name = f"stack-{account}"  # faults are ordered by name, for all accounts
    create(client, template(Old=parameter("before")), name)
    aws.order_fault(f"{name}/Old", RESISTS, times)
    wrong = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Not A Name"}, "DependsOn": "Old"}
    client("cloudformation").update_stack(StackName=name, TemplateBody=template(Old=parameter("after"), Wrong=wrong))
    return name


def test_a_rollback_that_fails_names_the_resource_and_can_be_continued(
    client: Client, aws: EmbeddedAws, account: str
) -> None:
    name = stuck(client, aws, account, times=2)
    cloudformation = client("cloudformation")

    (resource,) = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    assert stack(client, name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert stack(client, name)["StackStatusReason"].strip() == "The following resource(s) failed to update: [Old]."
    assert (resource["ResourceStatus"], resource["ResourceStatusReason"]) == (
        "UPDATE_FAILED",
        "Old resists, as it was ordered to",
    )
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        cloudformation.update_stack(StackName=name, TemplateBody=template(Old=parameter("third")))
    cloudformation.continue_update_rollback(StackName=name)
    assert stack(client, name)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    cloudformation.continue_update_rollback(StackName=name)
    assert stack(client, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert values(client) == ["before"]


def test_what_resists_can_be_skipped_and_nothing_else(client: Client, aws: EmbeddedAws, account: str) -> None:
    name = stuck(client, aws, account, times=1)
    cloudformation = client("cloudformation")

    with pytest.raises(ClientError, match="Only resources that failed to roll back may be skipped: Wrong did not"):
        cloudformation.continue_update_rollback(StackName=name, ResourcesToSkip=["Wrong"])
    cloudformation.continue_update_rollback(StackName=name, ResourcesToSkip=["Old"])

    assert stack(client, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert values(client) == ["after"]


def test_only_a_rollback_that_failed_can_be_continued(client: Client) -> None:
    create(client, template(P=parameter("x")))

    with pytest.raises(ClientError, match="CREATE_COMPLETE state and can not continue update rollback"):
        client("cloudformation").continue_update_rollback(StackName="stack")


def test_previous_values_of_parameters_that_only_have_a_default_stay_the_default(client: Client) -> None:
    body = json.dumps(
        {
            "Parameters": {"Word": {"Type": "String", "Default": "default"}},
            "Resources": {"P": parameter({"Ref": "Word"})},
        }
    )
    create(client, body)

    client("cloudformation").update_stack(
        StackName="stack",
        TemplateBody=body.replace('"P"', '"Q"'),
        Parameters=[{"ParameterKey": "Word", "UsePreviousValue": True}],
    )

    assert values(client) == ["default"]


def test_no_value_leaves_no_trace_in_lists(client: Client) -> None:
    joined = {"Fn::Join": ["-", ["a", {"Fn::If": ["Never", "b", {"Ref": "AWS::NoValue"}]}, "c"]]}
    body = json.loads(template(P=parameter(joined)))
    body["Conditions"] = {"Never": {"Fn::Equals": ["a", "b"]}}

    create(client, json.dumps(body))

    assert values(client) == ["a-c"]


def test_retained_resources_outlive_their_stack(client: Client) -> None:
    create(client, template(Kept=parameter("kept", DeletionPolicy="Retain"), Gone=parameter("gone")))

    client("cloudformation").delete_stack(StackName="stack")

    assert values(client) == ["kept"]
    with pytest.raises(ClientError, match="does not exist"):
        stack(client)


def test_describing_a_failed_stack_makes_nothing(client: Client) -> None:
    create(client, template(Good=parameter("x"), Odd={"Type": "AWS::Foo::Bar"}))

    resources = client("cloudformation").describe_stack_resources(StackName="stack")["StackResources"]

    assert resources == []
    assert values(client) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Fn::GetAtt": ["Other", "Colour"]}, "no attribute Colour of AWS::SSM::Parameter Other"),
        ({"Ref": "Nobody"}, "Unresolved resource dependencies [Nobody]"),
        ({"Fn::Base64": "x"}, "no function Fn::Base64"),
        ({"Fn::Select": [3, ["a"]]}, "cannot select nonexistent value at index 3"),
    ],
)
def test_what_cannot_be_evaluated_is_named(client: Client, value: Any, reason: str) -> None:
    made = create(client, template(Other=parameter("x"), P=parameter(value)))

    assert reason in made["StackStatusReason"]


def test_an_unknown_operation_is_an_error_that_names_it(client: Client) -> None:
    with pytest.raises(ClientError, match="the embedded AWS has no cloudformation:CreateGeneratedTemplate"):
        client("cloudformation").create_generated_template(GeneratedTemplateName="stack")
    with pytest.raises(ClientError, match="the embedded AWS has no sagemaker:CreateArtifact"):
        client("sagemaker").create_artifact(Source={"SourceUri": "x"}, ArtifactType="x")


def test_a_final_status_is_an_event_that_starts_a_build(client: Client) -> None:
    project = {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Environment": {"ComputeType": "BUILD_GENERAL1_SMALL", "Image": "i", "Type": "LINUX_CONTAINER"},
            "ServiceRole": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/x"},
            "Source": {"Type": "S3", "Location": "b/k", "BuildSpec": "{}"},
        },
    }
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "EventPattern": {"source": ["aws.cloudformation"], "detail": {"stack-id": [{"Ref": "AWS::StackId"}]}},
            "State": "ENABLED",
            "Targets": [{"Id": "t", "Arn": {"Fn::GetAtt": ["Project", "Arn"]}, "RoleArn": "arn:aws:iam::2:role/x"}],
        },
    }

    made = create(client, template(Project=project, Rule=rule))

    assert made["StackStatus"] == "CREATE_COMPLETE", made["StackStatusReason"]
    assert len(client("codebuild").list_builds()["ids"]) == 1
