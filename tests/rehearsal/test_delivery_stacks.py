"""CodePipeline's action for CloudFormation: stacks of other accounts, in the name of a role there."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import ACCOUNTS, REGION, Client
from pipeline_world import Delivery, Json, action, build, spec, stage

from rehearsal.embedded import EmbeddedAws


def template(value: str, name: str = "setting") -> str:
    properties = {"Name": name, "Type": "String", "Value": value}
    return json.dumps(
        {
            "Parameters": {"Word": {"Type": "String", "Default": "none"}},
            "Resources": {"Setting": {"Type": "AWS::SSM::Parameter", "Properties": properties}},
            "Outputs": {"Name": {"Value": {"Ref": "Setting"}}, "Word": {"Value": {"Ref": "Word"}}},
        }
    )


def lets_in(account: str) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


@dataclass(frozen=True)
class Target:
    """Another account, with a role that trusts the pipeline's and one that trusts somebody else."""

    client: Client
    role: str
    deaf: str

    def stack(self) -> Json:
        found: Json = self.client("cloudformation").describe_stacks(StackName="app")["Stacks"][0]
        return found

    def value(self) -> str:
        return str(self.client("ssm").get_parameter(Name="setting")["Parameter"]["Value"])

    def deploy(self, name: str, mode: str, role: str = "", **more: str) -> Json:
        given = {"ActionMode": mode, "StackName": "app", **more}
        if mode != "CHANGE_SET_EXECUTE":
            given["TemplatePath"] = "Source::app.json"
        if mode.startswith("CHANGE_SET"):
            given["ChangeSetName"] = "next"
        return action(
            name,
            "CloudFormation",
            takes="Source",
            configuration=given,
            roleArn=role or self.role,
            runOrder=2 if mode == "CHANGE_SET_EXECUTE" else 1,
            namespace=name.lower(),
        )

    def by_change_set(self) -> Json:
        """As CDK Pipelines has it: prepare, then deploy."""
        return stage(
            "Deploy", self.deploy("Prepare", "CHANGE_SET_REPLACE"), self.deploy("Deploy", "CHANGE_SET_EXECUTE")
        )


@pytest.fixture
def target(aws: EmbeddedAws, delivery: Delivery) -> Target:
    account = str(next(ACCOUNTS))

    def client(service: str) -> Any:
        return aws.client(service, account, REGION)

    roles = [
        client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=lets_in(trusted))["Role"]["Arn"]
        for name, trusted in (("deploys", delivery.account), ("deaf", "999999999999"))
    ]
    allowed = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "s3:GetObject"}
    policy = {"Statement": [{**allowed, "Resource": f"arn:aws:s3:::{delivery.store}/*"}]}
    delivery.client("s3").put_bucket_policy(Bucket=delivery.store, Policy=json.dumps(policy))
    return Target(client, *roles)


def test_a_stack_of_another_account_is_made_and_changed_in_its_role_s_name(delivery: Delivery, target: Target) -> None:
    delivery.push({"app.json": template("one")})
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE")))

    assert delivery.run() == ("Succeeded", "")
    assert (target.value(), target.stack()["StackStatus"]) == ("one", "CREATE_COMPLETE")
    delivery.push({"app.json": template("two")})
    assert delivery.run() == ("Succeeded", "")
    assert (target.value(), target.stack()["StackStatus"]) == ("two", "UPDATE_COMPLETE")
    with pytest.raises(ClientError, match="does not exist"):
        delivery.client("cloudformation").describe_stacks(StackName="app")


def test_a_change_set_is_prepared_and_then_executed(delivery: Delivery, target: Target) -> None:
    delivery.declare(target.by_change_set())
    for value, status in (("one", "CREATE_COMPLETE"), ("two", "UPDATE_COMPLETE")):
        delivery.push({"app.json": template(value)})
        assert delivery.run() == ("Succeeded", "")
        assert (target.value(), target.stack()["StackStatus"]) == (value, status)


def test_a_change_set_that_was_prepared_changes_nothing_until_it_is_executed(
    delivery: Delivery, target: Target
) -> None:
    delivery.push({"app.json": template("one")})
    prepare = target.deploy("Prepare", "CHANGE_SET_REPLACE")
    delivery.declare(stage("Prepare", prepare))

    for _ in range(2):
        assert delivery.run() == ("Succeeded", "")

    assert target.stack()["StackStatus"] == "REVIEW_IN_PROGRESS"
    change_set = target.client("cloudformation").describe_change_set(StackName="app", ChangeSetName="next")
    assert (change_set["Status"], len(change_set["Changes"])) == ("CREATE_COMPLETE", 1)


@pytest.mark.parametrize("mode", ["CREATE_UPDATE", "CHANGE_SET"])
def test_where_nothing_is_to_change_the_action_succeeds_and_knows_the_outputs(
    delivery: Delivery, target: Target, mode: str
) -> None:
    delivery.push({"app.json": template("one")})
    delivery.project("tells", spec('echo "$NAME"'))
    deploy = target.by_change_set() if mode == "CHANGE_SET" else stage("Deploy", target.deploy("Deploy", mode))
    delivery.declare(deploy, stage("Tell", build("Tell", "tells", variables={"NAME": "#{deploy.Name}"})))

    assert [delivery.run() for _ in range(2)] == [("Succeeded", "")] * 2

    assert target.stack()["StackStatus"] == "CREATE_COMPLETE"
    assert target.client("cloudformation").list_change_sets(StackName="app")["Summaries"] == []
    assert delivery.said("tells") == ["setting", "setting"]
    told = delivery.actions(delivery.executions()[0]["pipelineExecutionId"])[-2]["output"]["executionResult"]
    no_changes = {"CREATE_UPDATE": "No updates are to be performed.", "CHANGE_SET": "There are no changes to execute."}
    assert told["externalExecutionSummary"] == no_changes[mode]


def test_a_role_that_trusts_somebody_else_deploys_nothing(delivery: Delivery, target: Target) -> None:
    delivery.push({"app.json": template("one")})
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE", target.deaf)))

    status, summary = delivery.run()

    assert status == "Failed"
    assert "Deploy: An error occurred (AccessDenied)" in summary
    assert target.deaf in summary
    assert target.client("cloudformation").describe_stacks()["Stacks"] == []


def test_an_artifact_that_the_account_may_not_read_is_named(delivery: Delivery, target: Target) -> None:
    delivery.push({"app.json": template("one")})
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE")))
    delivery.client("s3").delete_bucket_policy(Bucket=delivery.store)

    status, summary = delivery.run()

    assert status == "Failed"
    assert summary.startswith(f"Deploy: artifact Source, {delivery.store}/line/Source/")
    assert "AccessDenied" in summary


@pytest.mark.parametrize("by_change_set", [True, False])
def test_a_stack_that_fails_fails_the_action_with_its_reason(
    delivery: Delivery, target: Target, by_change_set: bool
) -> None:
    target.client("ssm").put_parameter(Name="setting", Value="there before", Type="String")
    delivery.push({"app.json": template("one")})
    deploy = target.by_change_set() if by_change_set else stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE"))
    delivery.declare(deploy)

    status, summary = delivery.run()

    assert status == "Failed"
    assert summary.startswith("Deploy: stack app is in ROLLBACK_COMPLETE: Setting: ")
    assert "already exists" in summary


def test_a_template_gets_the_parameters_of_its_configuration_and_of_the_action(
    delivery: Delivery, target: Target
) -> None:
    told = {"Parameters": {"Word": "of the file"}, "Tags": {"team": "ml"}}
    delivery.push({"app.json": template("one"), "told.json": json.dumps(told)})
    configured = {"TemplateConfiguration": "Source::told.json"}
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE", **configured)))
    assert delivery.run() == ("Succeeded", "")
    assert {"OutputKey": "Word", "OutputValue": "of the file"} in target.stack()["Outputs"]
    assert target.stack()["Tags"] == [{"Key": "team", "Value": "ml"}]

    overridden = {**configured, "ParameterOverrides": json.dumps({"Word": "of the action"})}
    delivery.update(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE", **overridden)))

    assert delivery.run() == ("Succeeded", "")
    assert {"OutputKey": "Word", "OutputValue": "of the action"} in target.stack()["Outputs"]


def test_a_file_that_the_artifact_has_not_is_named(delivery: Delivery, target: Target) -> None:
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE")))

    assert delivery.run() == ("Failed", "Deploy: artifact Source has no file app.json")


def test_a_stack_may_be_taken_away_and_one_that_is_not_there_is_no_failure(delivery: Delivery, target: Target) -> None:
    delivery.push({"app.json": template("one")})
    delivery.declare(stage("Deploy", target.deploy("Deploy", "CREATE_UPDATE")))
    assert delivery.run() == ("Succeeded", "")
    delivery.update(stage("Remove", target.deploy("Remove", "DELETE_ONLY")))

    assert [delivery.run() for _ in range(2)] == [("Succeeded", "")] * 2

    with pytest.raises(ClientError, match="does not exist"):
        target.stack()
