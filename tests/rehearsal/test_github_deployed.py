"""Roles for jobs on GitHub in the embedded AWS: made, changed and taken back by CloudFormation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError
from embedded import Client
from github_world import github_config

from rehearsal.resources import Place, exists, provider_of
from stacks.github import GitHub

NAME = "slipway-GitHub"
ISSUER = "token.actions.githubusercontent.com"


def template(folder: Path, account: str, **changes: Any) -> str:
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    stack = GitHub(app, NAME, config=github_config(account=account, **changes))
    stack.template_options.metadata = None
    app.synth()
    body: dict[str, Any] = json.loads((folder / f"{NAME}.template.json").read_text())
    del body["Parameters"], body["Rules"]  # of the bootstrap, which the test's account does not have
    return json.dumps(body)


def deploy(client: Client, body: str, verb: str = "create") -> str:
    cloudformation = client("cloudformation")
    getattr(cloudformation, f"{verb}_stack")(StackName=NAME, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    return str(cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"])


def told(client: Client) -> dict[str, str]:
    """The stack's outputs."""
    (stack,) = client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def test_provider_and_roles_are_made_read_back_and_taken_away(client: Client, account: str, tmp_path: Path) -> None:
    body, iam = template(tmp_path, account), client("iam")

    assert deploy(client, body) == "CREATE_COMPLETE"

    place = Place(account, "eu-west-1", client)
    arn = place.arn("iam", f"oidc-provider/{ISSUER}", region=False)
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (ISSUER, ["sts.amazonaws.com"], [])
    assert {"Key": "platform", "Value": "slipway"} in found["Tags"]
    (provider,) = (r for r in json.loads(body)["Resources"].values() if r["Type"] == "AWS::IAM::OIDCProvider")
    assert exists(place, provider["Type"], arn, provider["Properties"])
    kind = provider_of(provider["Type"])
    assert kind.told(place, arn, provider["Properties"]) == {"ClientIdList": ["sts.amazonaws.com"]}
    assert kind.attributes(place, arn, provider["Properties"]) == {"Arn": arn}
    role = iam.get_role(RoleName="slipway-github-prod")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Federated": arn}
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/slipway-github-boundary")
    assert told(client)["RoleOfProd"] == role["Arn"]

    client("cloudformation").delete_stack(StackName=NAME)

    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert not exists(place, provider["Type"], arn, provider["Properties"])
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_role(RoleName="slipway-github-prod")


def test_another_branch_changes_whom_the_roles_trust(client: Client, account: str, tmp_path: Path) -> None:
    deploy(client, template(tmp_path / "before", account))

    assert deploy(client, template(tmp_path / "after", account, branch="trunk"), "update") == "UPDATE_COMPLETE"

    trust = client("iam").get_role(RoleName="slipway-github-dev")["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Condition"]["StringEquals"][f"{ISSUER}:ref"] == "refs/heads/trunk"


def test_an_account_has_one_provider_of_githubs(client: Client, account: str, tmp_path: Path) -> None:
    """So there is `provider = "account"` for one that has it already."""
    client("iam").create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])

    assert deploy(client, template(tmp_path / "made", account)) == "ROLLBACK_COMPLETE"
    client("cloudformation").delete_stack(StackName=NAME)
    assert deploy(client, template(tmp_path / "taken", account, provider="account")) == "CREATE_COMPLETE"
