"""Stack sets as AWS documents them: they really make stacks in the accounts of an organization's units."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import ACCOUNTS, REGION
from organization_world import HERE, NAMES, STACK_SETS, World, organization, parameter, template, wait

from rehearsal.embedded import EmbeddedAws


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def world(aws: EmbeddedAws, account: str) -> World:
    return organization(aws, account)


def test_every_account_of_a_unit_and_below_gets_the_stack(world: World) -> None:
    unit = world.unit("ml")
    below = world.unit("dev", unit)
    inside, deeper, outside = world.account(unit), world.account(below), world.account(world.unit("other"))
    name = world.make()

    ended = world.roll_out(name, unit)

    assert ended["Status"] == "SUCCEEDED"
    assert [world.value(each) for each in (inside, deeper, outside)] == [inside, deeper, None]
    for account in (inside, deeper):
        found = world.instances(name)[account, REGION]
        assert (found["Status"], found["OrganizationalUnitId"]) == ("CURRENT", unit)
        (stack,) = world.client("cloudformation", account).describe_stacks()["Stacks"]
        assert (stack["StackId"], stack["StackStatus"]) == (found["StackId"], "CREATE_COMPLETE")
        assert stack["StackName"].startswith(f"StackSet-{name}-")


def test_the_management_account_gets_none(world: World) -> None:
    name = world.make()
    member = world.account()

    world.roll_out(name, world.root)

    assert world.value(member) == member
    assert world.value(world.management) is None
    assert (world.management, REGION) not in world.instances(name)


def test_an_unknown_unit_fails_the_operation_as_in_aws(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    name = world.make()

    ended = world.roll_out(name, unit, "ou-none-00000000")

    assert ended["Status"] == "FAILED"
    assert ended["StatusReason"] == "Target organizational unit could not be found"
    assert world.value(account) is None


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"OrganizationalUnitIds": ["ou-WRONG"]}, r"Value '\[ou-WRONG\]' at 'deploymentTargets.organizationalUnitIds'"),
        (
            {"OrganizationalUnitIds": ["r-abcd"], "Accounts": ["123"], "AccountFilterType": "INTERSECTION"},
            r"Value '\[123\]' at 'deploymentTargets.accounts'",
        ),
        ({"Accounts": ["123456789012"]}, "can only have OrganizationalUnit as target"),
        ({"OrganizationalUnitIds": ["r-abcd"], "Accounts": ["123456789012"]}, "AccountFilterType should be specified"),
        (
            {"OrganizationalUnitIds": ["r-abcd"], "Accounts": ["123456789012"], "AccountFilterType": "UNION"},
            "UNION is not supported",
        ),
    ],
)
def test_targets_of_a_wrong_form_are_refused(world: World, targets: dict[str, Any], message: str) -> None:
    name = world.make()

    with pytest.raises(ClientError, match=message) as caught:
        world.client("cloudformation").create_stack_instances(
            StackSetName=name, DeploymentTargets=targets, Regions=[REGION]
        )

    assert code(caught) == "ValidationError"


def test_accounts_are_filtered_and_strangers_stay_out(world: World) -> None:
    unit = world.unit("ml")
    one, two, stranger = world.account(unit), world.account(unit), str(next(ACCOUNTS))
    only, but = world.make(), world.make(template(But=parameter("/but")))

    world.roll_out(only, unit, targets={"Accounts": [one, stranger], "AccountFilterType": "INTERSECTION"})
    world.roll_out(but, unit, targets={"Accounts": [one], "AccountFilterType": "DIFFERENCE"})

    assert [world.value(each) for each in (one, two, stranger)] == [one, None, None]
    assert [world.value(each, "/but") for each in (one, two)] == [None, "here"]
    with pytest.raises(ClientError) as caught:
        world.client("cloudformation").describe_stack_instance(
            StackSetName=only, StackInstanceAccount=stranger, StackInstanceRegion=REGION
        )
    assert code(caught) == "StackInstanceNotFoundException"


def spoil(world: World, account: str, name: str = "/here") -> None:
    """Something is in the way of the stack in this account."""
    world.client("ssm", account).put_parameter(Name=name, Type="String", Value="in the way")


def test_a_failure_is_told_with_resource_and_reason_and_stops_the_rest(world: World) -> None:
    unit = world.unit("ml")
    first, second, third = (world.account(unit) for _ in range(3))
    spoil(world, second)
    name = world.make()

    ended = world.roll_out(name, unit)

    assert ended["Status"] == "FAILED"
    assert ended["StatusDetails"]["FailedStackInstancesCount"] == 1
    found = world.instances(name)
    assert [world.status(name, each) for each in (first, second, third)] == ["SUCCEEDED", "FAILED", "CANCELLED"]
    assert [found[each, REGION]["Status"] for each in (first, second, third)] == ["CURRENT", "OUTDATED", "OUTDATED"]
    reason = found[second, REGION]["StatusReason"]
    assert reason.startswith("ResourceLogicalId:Here, ResourceType:AWS::SSM::Parameter, ResourceStatusReason:")
    assert "already exists" in reason
    assert found[third, REGION]["StatusReason"] == "Cancelled since failure tolerance has exceeded"
    results = world.client("cloudformation").list_stack_set_operation_results(
        StackSetName=name, OperationId=ended["OperationId"]
    )["Summaries"]
    assert {each["Account"]: each["Status"] for each in results} == {
        first: "SUCCEEDED",
        second: "FAILED",
        third: "CANCELLED",
    }


@pytest.mark.parametrize(
    ("preferences", "others"),
    [
        ({"FailureToleranceCount": 1}, "SUCCEEDED"),
        ({"FailureTolerancePercentage": 34}, "SUCCEEDED"),  # of three accounts, rounded down: one
        ({"FailureTolerancePercentage": 33}, "CANCELLED"),  # none
    ],
)
def test_as_many_failures_as_are_tolerated_stop_nothing(world: World, preferences: dict[str, int], others: str) -> None:
    unit = world.unit("ml")
    first, second, third = (world.account(unit) for _ in range(3))
    spoil(world, first)
    name = world.make()

    ended = world.roll_out(name, unit, OperationPreferences=preferences)

    assert ended["Status"] == ("SUCCEEDED" if others == "SUCCEEDED" else "FAILED")
    assert [world.status(name, each) for each in (first, second, third)] == ["FAILED", others, others]


def test_a_region_with_too_many_failures_is_the_last_one(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    spoil(world, account)
    name, regions = world.make(), ["eu-central-1", REGION]

    ended = world.roll_out(name, unit, regions=regions, OperationPreferences={"RegionOrder": [REGION, "eu-central-1"]})

    assert ended["Status"] == "FAILED"
    assert world.status(name, account) == "FAILED"
    assert world.status(name, account, "eu-central-1") == "CANCELLED"
    assert world.value(account, region="eu-central-1") is None


def test_what_failed_is_made_when_nothing_is_in_its_way_anymore(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    spoil(world, account)
    name = world.make()
    world.roll_out(name, unit)
    world.client("ssm", account).delete_parameter(Name="/here")

    ended = world.roll_out(name, unit)

    assert ended["Status"] == "SUCCEEDED"
    assert (world.value(account), world.instances(name)[account, REGION]["Status"]) == (account, "CURRENT")


def test_an_update_goes_to_all_instances(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    body = json.dumps(
        {
            "Parameters": {"Word": {"Type": "String", "Default": "old"}},
            "Resources": {"Here": parameter("/here", {"Ref": "Word"})},
        }
    )
    name = world.make(body)
    world.roll_out(name, unit)

    begun = world.client("cloudformation").update_stack_set(
        StackSetName=name,
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Word", "ParameterValue": "new"}],
    )

    assert world.ended(name, begun["OperationId"])["Status"] == "SUCCEEDED"
    assert world.value(account) == "new"


def test_an_account_that_joins_gets_it_and_loses_it_when_it_leaves(world: World) -> None:
    unit, other = world.unit("ml"), world.unit("other")
    name = world.make(AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False})
    assert world.roll_out(name, unit)["Status"] == "SUCCEEDED"  # nobody is there yet

    account = world.account(unit)
    wait(lambda: world.status(name, account), lambda status: status == "SUCCEEDED")
    assert world.value(account) == account

    world.move(account, unit, other)
    wait(lambda: world.instances(name), lambda instances: not instances)
    assert world.value(account) is None
    actions = world.client("cloudformation").list_stack_set_operations(StackSetName=name)["Summaries"]
    assert [each["Action"] for each in actions] == ["DELETE", "CREATE", "CREATE"]


def test_what_an_account_keeps_when_it_leaves_is_said_beforehand(world: World) -> None:
    unit, other = world.unit("ml"), world.unit("other")
    account = world.account(unit)
    name = world.make(AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": True})
    world.roll_out(name, unit)

    world.move(account, unit, other)

    wait(lambda: world.instances(name), lambda instances: not instances)
    assert world.value(account) == account


def test_without_automatic_deployment_who_joins_gets_nothing(world: World) -> None:
    unit = world.unit("ml")
    quiet, heard = world.make(), world.make(template(Heard=parameter("/heard")), AutoDeployment={"Enabled": True})
    world.roll_out(quiet, unit)
    world.roll_out(heard, unit)

    account = world.account(unit)

    wait(lambda: world.status(heard, account), lambda status: status == "SUCCEEDED")
    assert world.status(quiet, account) is None
    assert world.value(account) is None


def needing(first: str) -> str:
    """A template that needs what another one made: it reads its export."""
    return template(After=parameter("/after", {"Fn::ImportValue": first}))


def exporting(name: str) -> str:
    return json.dumps(
        {
            "Resources": {"Here": parameter("/here")},
            "Outputs": {"Out": {"Value": "made before", "Export": {"Name": name}}},
        }
    )


def arn(world: World, name: str) -> str:
    return str(world.client("cloudformation").describe_stack_set(StackSetName=name)["StackSet"]["StackSetARN"])


def test_what_another_stack_set_needs_is_deployed_first(world: World) -> None:
    unit = world.unit("ml")
    later = world.make(needing("first"), AutoDeployment={"Enabled": True})
    first = world.make(exporting("first"), AutoDeployment={"Enabled": True})
    world.client("cloudformation").update_stack_set(
        StackSetName=later, UsePreviousTemplate=True, AutoDeployment={"Enabled": True, "DependsOn": [arn(world, first)]}
    )
    world.roll_out(first, unit)
    wait(lambda: operations(world, later), lambda statuses: "RUNNING" not in statuses)
    world.roll_out(later, unit)

    account = world.account(unit)

    wait(lambda: world.status(later, account), lambda status: status in {"SUCCEEDED", "FAILED"})
    assert world.value(account, "/after") == "made before"


def test_what_needs_something_that_failed_is_not_begun(world: World) -> None:
    unit = world.unit("ml")
    first = world.make(AutoDeployment={"Enabled": True})
    later = world.make(
        template(After=parameter("/after")), AutoDeployment={"Enabled": True, "DependsOn": [arn(world, first)]}
    )
    world.roll_out(first, unit)
    world.roll_out(later, unit)
    account = world.account()
    spoil(world, account)

    world.move(account, world.root, unit)

    wait(lambda: operations(world, later), lambda statuses: statuses[0] not in {"QUEUED", "RUNNING"})
    assert operations(world, later)[0] == "FAILED"
    assert world.value(account, "/after") is None


def operations(world: World, name: str) -> list[str]:
    found = world.client("cloudformation").list_stack_set_operations(StackSetName=name)["Summaries"]
    return [each["Status"] for each in found]


def test_a_suspended_account_is_passed_over(world: World) -> None:
    unit = world.unit("ml")
    suspended, active = world.account(unit), world.account(unit)
    world.client("organizations").close_account(AccountId=suspended)
    name = world.make()

    assert world.roll_out(name, unit)["Status"] == "SUCCEEDED"

    assert world.status(name, suspended) == "SKIPPED_SUSPENDED_ACCOUNT"
    assert (world.value(suspended), world.value(active)) == (None, active)


def test_instances_are_taken_back_and_only_an_empty_stack_set_is_deleted(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    name = world.make()
    world.roll_out(name, unit)
    cloudformation = world.client("cloudformation")
    with pytest.raises(ClientError) as caught:
        cloudformation.delete_stack_set(StackSetName=name)
    assert code(caught) == "StackSetNotEmptyException"

    begun = cloudformation.delete_stack_instances(
        StackSetName=name,
        DeploymentTargets={"OrganizationalUnitIds": [unit]},
        Regions=[REGION],
        RetainStacks=False,
    )
    assert world.ended(name, begun["OperationId"])["Status"] == "SUCCEEDED"
    cloudformation.delete_stack_set(StackSetName=name)

    assert world.value(account) is None
    with pytest.raises(ClientError) as caught:
        cloudformation.describe_stack_set(StackSetName=name)
    assert code(caught) == "StackSetNotFoundException"


def test_a_unit_that_has_no_instances_is_refused_where_it_is_taken_back(world: World) -> None:
    unit, other = world.unit("ml"), world.unit("other")
    name = world.make()
    world.roll_out(name, unit)

    with pytest.raises(ClientError, match=f"Organizational unit {other} not found in StackSet"):
        world.client("cloudformation").delete_stack_instances(
            StackSetName=name,
            DeploymentTargets={"OrganizationalUnitIds": [other]},
            Regions=[REGION],
            RetainStacks=False,
        )


def test_drift_names_resource_and_property(world: World) -> None:
    unit = world.unit("ml")
    same, changed, gone = (world.account(unit) for _ in range(3))
    name = world.make()
    world.roll_out(name, unit)
    world.client("ssm", changed).put_parameter(Name="/here", Type="String", Value="else", Overwrite=True)
    world.client("ssm", gone).delete_parameter(Name="/here")

    begun = world.client("cloudformation").detect_stack_set_drift(StackSetName=name)
    ended = world.ended(name, begun["OperationId"])

    details = ended["StackSetDriftDetectionDetails"]
    assert (details["DriftStatus"], details["DriftDetectionStatus"]) == ("DRIFTED", "COMPLETED")
    assert (details["DriftedStackInstancesCount"], details["InSyncStackInstancesCount"]) == (2, 1)
    found = world.instances(name)
    assert [found[each, REGION]["DriftStatus"] for each in (same, changed, gone)] == ["IN_SYNC", "DRIFTED", "DRIFTED"]

    def resource(account: str) -> dict[str, Any]:
        (told,) = world.client("cloudformation").list_stack_instance_resource_drifts(
            StackSetName=name,
            StackInstanceAccount=account,
            StackInstanceRegion=REGION,
            OperationId=begun["OperationId"],
        )["Summaries"]
        return dict(told)

    assert resource(changed)["StackResourceDriftStatus"] == "MODIFIED"
    assert resource(changed)["PropertyDifferences"] == [
        {"PropertyPath": "/Value", "ExpectedValue": changed, "ActualValue": "else", "DifferenceType": "NOT_EQUAL"}
    ]
    assert resource(gone)["StackResourceDriftStatus"] == "DELETED"


def test_only_an_organizations_administrators_roll_out(world: World) -> None:
    member = world.account()
    request = {
        "StackSetName": "mine",
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": False},
        "TemplateBody": HERE,
    }

    with pytest.raises(ClientError, match="You must be the management account or delegated admin account"):
        world.client("cloudformation", member).create_stack_set(**request)
    with pytest.raises(ClientError, match="Account used is not a delegated administrator"):
        world.client("cloudformation", member).create_stack_set(**request, CallAs="DELEGATED_ADMIN")


def test_a_delegated_administrator_rolls_out_for_the_management_account(world: World) -> None:
    unit = world.unit("ml")
    administrator, account = world.account(), world.account(unit)
    world.client("organizations").register_delegated_administrator(AccountId=administrator, ServicePrincipal=STACK_SETS)
    cloudformation, acting = world.client("cloudformation", administrator), {"CallAs": "DELEGATED_ADMIN"}

    cloudformation.create_stack_set(
        StackSetName="theirs",
        PermissionModel="SERVICE_MANAGED",
        AutoDeployment={"Enabled": False},
        TemplateBody=HERE,
        **acting,
    )
    begun = cloudformation.create_stack_instances(
        StackSetName="theirs", DeploymentTargets={"OrganizationalUnitIds": [unit]}, Regions=[REGION], **acting
    )

    assert world.ended("theirs", begun["OperationId"])["Status"] == "SUCCEEDED"  # as the management account sees it
    assert world.value(account) == account
    told = world.client("organizations", administrator).list_accounts_for_parent(ParentId=unit)["Accounts"]
    assert [each["Id"] for each in told] == [account]


def test_trusted_access_must_be_on(aws: EmbeddedAws, account: str) -> None:
    world = World(aws, account)
    world.client("organizations").create_organization(FeatureSet="ALL")
    assert world.client("cloudformation").describe_organizations_access()["Status"] == "DISABLED"

    with pytest.raises(ClientError, match="You must enable organizations access"):
        world.make()

    world.client("cloudformation").activate_organizations_access()
    assert world.client("cloudformation").describe_organizations_access()["Status"] == "ENABLED"
    world.make()


def test_a_template_too_long_to_be_given_inline_comes_from_a_bucket(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    long = template(Here=parameter("/here"), **{f"P{n}": parameter(f"/{n}", "x" * 2000) for n in range(26)})
    with pytest.raises(ClientError, match="less than or equal to 51200"):
        world.make(long)

    bucket = f"templates-{world.management}"
    world.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    world.client("s3").put_object(Bucket=bucket, Key="long.json", Body=long.encode())
    url = f"https://s3.{REGION}.amazonaws.com/{bucket}/long.json"
    name = next(NAMES)
    world.client("cloudformation").create_stack_set(
        StackSetName=name, PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": False}, TemplateURL=url
    )

    assert world.roll_out(name, unit)["Status"] == "SUCCEEDED"
    assert world.value(account, "/25") == "x" * 2000


def test_iam_resources_need_the_capability(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    policy = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "guard", "AssumeRolePolicyDocument": policy}}
    name = next(NAMES)
    world.client("cloudformation").create_stack_set(
        StackSetName=name,
        PermissionModel="SERVICE_MANAGED",
        AutoDeployment={"Enabled": False},
        TemplateBody=template(Role=role),
    )

    world.roll_out(name, unit)

    assert world.instances(name)[account, REGION]["StatusReason"] == "Requires capabilities : [CAPABILITY_NAMED_IAM]"


def test_parameters_are_those_of_the_template(world: World) -> None:
    unknown = [{"ParameterKey": "Nothing", "ParameterValue": "x"}]
    with pytest.raises(ClientError, match=r"Parameters: \[Nothing\] do not exist in the template"):
        world.make(Parameters=unknown)

    asking = json.dumps({"Parameters": {"Word": {"Type": "String"}}, "Resources": {"Here": parameter("/here")}})
    with pytest.raises(ClientError, match=r"Parameters: \[Word\] must have values"):
        world.make(asking)


def stack_set(name: str, unit: str, body: str = HERE, **more: Any) -> dict[str, Any]:
    """A stack set as a resource."""
    return {
        "Type": "AWS::CloudFormation::StackSet",
        "Properties": {
            "StackSetName": name,
            "PermissionModel": "SERVICE_MANAGED",
            "AutoDeployment": {"Enabled": False},
            "TemplateBody": body,
            "StackInstancesGroup": [{"DeploymentTargets": {"OrganizationalUnitIds": [unit]}, "Regions": [REGION]}],
            **more,
        },
    }


def test_a_template_rolls_out_changes_and_takes_back(world: World) -> None:
    unit, other = world.unit("ml"), world.unit("other")
    account, elsewhere = world.account(unit), world.account(other)
    cloudformation, name = world.client("cloudformation"), next(NAMES)
    cloudformation.create_stack(StackName="rollout", TemplateBody=template(Set=stack_set(name, unit)))
    assert world.value(account) == account

    changed = template(Set=stack_set(name, other, template(Here=parameter("/here", "new"))))
    cloudformation.update_stack(StackName="rollout", TemplateBody=changed)
    status = wait(
        lambda: cloudformation.describe_stacks(StackName="rollout")["Stacks"][0]["StackStatus"],
        lambda found: not found.endswith("IN_PROGRESS"),
    )
    assert status == "UPDATE_COMPLETE"
    assert (world.value(account), world.value(elsewhere)) == (None, "new")

    cloudformation.delete_stack(StackName="rollout")
    assert world.value(elsewhere) is None
    assert cloudformation.list_stack_sets(Status="ACTIVE")["Summaries"] == []


def test_a_roll_out_that_fails_fails_its_resource_and_leaves_nothing(world: World) -> None:
    unit = world.unit("ml")
    account = world.account(unit)
    spoil(world, account)
    cloudformation = world.client("cloudformation")

    cloudformation.create_stack(StackName="rollout", TemplateBody=template(Set=stack_set("unlucky", unit)))

    (stack,) = cloudformation.describe_stacks(StackName="rollout")["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "was unexpectedly stopped or failed" in stack["StackStatusReason"]
    assert account in stack["StackStatusReason"]
    assert cloudformation.list_stack_sets(Status="ACTIVE")["Summaries"] == []
