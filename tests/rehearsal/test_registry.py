"""The model registry: lifecycle stages are kept, and an update erases nothing it does not name."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import Client

METADATA = {"auc": "0.71", "commit": "abc"}


def register(client: Client, **more: Any) -> str:
    sagemaker = client("sagemaker")
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        sagemaker.create_model_package_group(ModelPackageGroupName="group")
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="group",
        ModelApprovalStatus="PendingManualApproval",
        ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
        CustomerMetadataProperties=METADATA,
        **more,
    )["ModelPackageArn"]
    return str(arn)


def describe(client: Client, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = client("sagemaker").describe_model_package(ModelPackageName=arn)
    return found


def test_versions_count_up(client: Client) -> None:
    arns = [register(client), register(client)]

    assert [arn.rsplit("/", 1)[1] for arn in arns] == ["1", "2"]
    client("sagemaker").delete_model_package(ModelPackageName=arns[1])
    assert register(client).endswith("/3")


def test_lifecycle_and_metadata_come_back(client: Client) -> None:
    version = describe(client, register(client))

    assert version["ModelLifeCycle"] == {"Stage": "Development", "StageStatus": "Passed"}
    assert version["CustomerMetadataProperties"] == METADATA
    assert version["ModelPackageStatus"] == "Completed"


def test_approving_erases_nothing(client: Client) -> None:
    arn = register(client)

    client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    version = describe(client, arn)
    assert version["ModelApprovalStatus"] == "Approved"
    assert version["CustomerMetadataProperties"] == METADATA
    assert version["ModelLifeCycle"]["Stage"] == "Development"


def test_moving_the_stage_leaves_the_approval(client: Client) -> None:
    arn = register(client)
    life = {"Stage": "Staging", "StageStatus": "PendingApproval"}

    client("sagemaker").update_model_package(ModelPackageArn=arn, ModelLifeCycle=life)

    version = describe(client, arn)
    assert version["ModelLifeCycle"] == life
    assert version["ModelApprovalStatus"] == "PendingManualApproval"


def test_metadata_is_added_changed_and_removed_by_name(client: Client) -> None:
    arn = register(client)

    client("sagemaker").update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"auc": "0.72", "new": "x"},
        CustomerMetadataPropertiesToRemove=["commit"],
    )

    assert describe(client, arn)["CustomerMetadataProperties"] == {"auc": "0.72", "new": "x"}


def test_versions_are_listed_by_status_newest_first(client: Client) -> None:
    first, second, third = (register(client) for _ in range(3))
    client("sagemaker").update_model_package(ModelPackageArn=second, ModelApprovalStatus="Approved")

    listed = client("sagemaker").list_model_packages(
        ModelPackageGroupName="group", ModelApprovalStatus="PendingManualApproval"
    )

    assert [v["ModelPackageArn"] for v in listed["ModelPackageSummaryList"]] == [third, first]


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("describe_model_package", {"ModelPackageName": "nobody/1"}, "does not exist"),
        ("create_model_package", {"ModelPackageGroupName": "nobody"}, "model-package-group/nobody does not exist"),
        ("describe_model_package_group", {"ModelPackageGroupName": "nobody"}, "does not exist"),
    ],
)
def test_what_is_not_there_is_a_validation_error_that_names_it(
    client: Client, operation: str, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        getattr(client("sagemaker"), operation)(**arguments)

    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_group_with_versions_is_not_deleted(client: Client) -> None:
    register(client)

    with pytest.raises(ClientError, match="has 1 versions"):
        client("sagemaker").delete_model_package_group(ModelPackageGroupName="group")


def test_a_groups_policy_is_kept(client: Client) -> None:
    sagemaker = client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})

    sagemaker.put_model_package_group_policy(ModelPackageGroupName="group", ResourcePolicy=policy)

    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName="group")["ResourcePolicy"] == policy


def test_a_change_is_an_event(client: Client) -> None:
    queue = client("sqs").create_queue(QueueName="changes")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"]}
    client("events").put_rule(Name="changes", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="changes", Targets=[{"Id": "queue", "Arn": arn}])

    version = register(client)

    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])
    assert event["resources"] == [version]
    assert event["detail"]["ModelApprovalStatus"] == "PendingManualApproval"
