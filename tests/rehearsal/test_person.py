"""People come into a role of theirs as in AWS: let in, tagged, and under the name that the tag says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import aws_iam as iam
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from rehearsal.embedded import KEYS
from rehearsal.person import Person, by_account, by_permission_set
from stacks.persona_settings import Principals
from stacks.persona_trust import ways

if TYPE_CHECKING:
    from embedded import Client

    from rehearsal.embedded import EmbeddedAws

OTHER = "777777777777"
SCIENTISTS = Principals.model_validate({"permission_sets": ["Scientists"], "accounts": [OTHER]})
ADA = "ada@example.com"


@pytest.fixture
def role(client: Client, account: str) -> str:
    """A role of people with the trust that the platform gives it; principals as a template would have them."""
    statements = [
        {**statement.to_statement_json(), "Principal": {"AWS": f"arn:aws:iam::{principal.account_id}:root"}}
        for way in ways(SCIENTISTS, account)
        if isinstance(principal := way.principal, iam.AccountPrincipal)
        for statement in way.statements()
    ]
    assert len(statements) == 4
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    arn: str = client("iam").create_role(RoleName="scientist", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return arn


def who(aws: EmbeddedAws, person: Person) -> str:
    keys = aws.take_on(person)
    return str(aws.client_with(keys, "sts", "eu-west-1").get_caller_identity()["Arn"])


def test_a_person_is_whom_identity_center_says(aws: EmbeddedAws, account: str, role: str) -> None:
    ada = by_permission_set(ADA, "Scientists", role)

    assert who(aws, ada) == f"arn:aws:sts::{account}:assumed-role/scientist/{ADA}"


def test_a_person_can_be_played_in_a_terminal(aws: EmbeddedAws, account: str, role: str) -> None:
    """The variables are what boto3's own session, and with it `slipway`, would read."""
    variables = aws.variables_of(by_permission_set(ADA, "Scientists", role))
    keys = ReadOnlyCredentials(*(variables[name] for name in KEYS))

    arn = aws.client_with(keys, "sts", "eu-west-1").get_caller_identity()["Arn"]

    assert set(variables) == set(KEYS)
    assert arn == f"arn:aws:sts::{account}:assumed-role/scientist/{ADA}"


def test_a_person_comes_from_an_account_that_is_named(aws: EmbeddedAws, account: str, role: str) -> None:
    assert who(aws, by_account(ADA, OTHER, role)) == f"arn:aws:sts::{account}:assumed-role/scientist/{ADA}"


def test_another_permission_set_and_another_account_are_not_let_in(aws: EmbeddedAws, role: str) -> None:
    for person in (by_permission_set(ADA, "Auditors", role), by_account(ADA, "888888888888", role)):
        with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
            aws.take_on(person)


ANOTHER: dict[str, dict[str, Any]] = {
    "another session's name": {"RoleSessionName": "al", "Tags": [{"Key": "user", "Value": ADA}]},
    "another tag": {"RoleSessionName": ADA, "Tags": [{"Key": "user", "Value": "al"}]},
    "both": {"RoleSessionName": "al", "Tags": [{"Key": "user", "Value": "al"}]},
    "none": {"RoleSessionName": ADA},
}


@pytest.mark.parametrize("name", ANOTHER)
def test_nobody_takes_on_another_s_name(aws: EmbeddedAws, role: str, name: str) -> None:
    ada = by_account(ADA, OTHER, role)
    sts = aws.client_with(aws.take_on(replace(ada, role=ada.entry)), "sts", "eu-west-1")  # tagged, and no further

    sts.assume_role(RoleArn=role, RoleSessionName=ADA, Tags=[{"Key": "user", "Value": ADA}])
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        sts.assume_role(RoleArn=role, **ANOTHER[name])


def test_whoever_is_not_tagged_is_nobody(aws: EmbeddedAws, role: str) -> None:
    sts = aws.client("sts", OTHER, "eu-west-1")

    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        sts.assume_role(RoleArn=role, RoleSessionName=ADA, Tags=[{"Key": "user", "Value": ADA}])


@pytest.mark.parametrize(("session", "becomes"), [((), ADA), (({"Key": "user", "Value": "al"},), "al")])
def test_a_role_s_own_tag_says_who_it_is_and_a_session_s_wins(
    aws: EmbeddedAws, account: str, role: str, session: tuple[dict[str, str], ...], becomes: str
) -> None:
    everybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    owned = aws.client("iam", OTHER, "eu-west-1").create_role(
        RoleName=f"owned-{becomes.partition('@')[0]}-{account}",
        AssumeRolePolicyDocument=document,
        Tags=[{"Key": "user", "Value": ADA}],
    )
    keys = aws.client("sts", OTHER, "eu-west-1").assume_role(
        RoleArn=owned["Role"]["Arn"], RoleSessionName="SageMaker", Tags=list(session)
    )["Credentials"]
    ours = ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    sts = aws.client_with(ours, "sts", "eu-west-1")

    taken = sts.assume_role(RoleArn=role, RoleSessionName=becomes, Tags=[{"Key": "user", "Value": becomes}])

    assert taken["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/scientist/{becomes}"
