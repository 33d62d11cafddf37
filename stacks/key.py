"""The customer managed key, made for an environment and for the account baseline alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.readers import Readers


@dataclass(frozen=True)
class KeyPlace:
    """Where a key is, and what it is called there."""

    alias: str
    account: str
    region: str
    purpose: str


def make_key(scope: Construct, place: KeyPlace, *, rotation_days: int, removal: cdk.RemovalPolicy) -> kms.Key:
    """The key with the services in its policy that encrypt without a role of ours."""
    key = kms.Key(
        scope,
        "Key",
        alias=place.alias,
        description=f"Data, models, volumes and logs of {place.purpose}",
        enable_key_rotation=True,
        rotation_period=cdk.Duration.days(rotation_days),
        removal_policy=removal,
    )
    for statement in _services(place):
        key.add_to_resource_policy(statement)
    return key


def opened_to(readers: Readers) -> list[iam.PolicyStatement]:
    """Let other environments' roles read what the key of one that trains encrypts."""
    if not readers.environments:
        return []
    who = [*readers.checkers, *readers.endpoints()]
    made = [readers.let("ReadVersions", who, ["kms:Decrypt"], ["*"])]
    if readers.crowning:
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        made.append(readers.let("MakeChampion", readers.crowners, actions, ["*"]))
    return made


def _services(place: KeyPlace) -> list[iam.PolicyStatement]:
    ours = {"StringEquals": {"aws:SourceAccount": place.account}}
    groups = f"arn:aws:logs:{place.region}:{place.account}:log-group:*"
    return [
        # CloudWatch Logs encrypts with the caller's key only if the key's own policy names the service:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{place.region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            resources=["*"],  # in a key policy, "*" is this key
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        ),
        # The same goes for alarms that tell an encrypted topic:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],  # in a key policy, "*" is this key
            conditions=ours,
        ),
        # And for events that a rule could not deliver, which go to an encrypted queue:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-dlq-cmkey.html
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],  # in a key policy, "*" is this key
            conditions=ours,
        ),
        # And for budgets that tell an encrypted topic:
        # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in ("budgets", "costalerts")],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],  # in a key policy, "*" is this key
            conditions=ours,
        ),
    ]
