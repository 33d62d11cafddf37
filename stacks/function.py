"""Small Lambda functions whose code is operations/: what runs on a laptop against an account runs there too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from stacks import source
from stacks.config import ROOT
from stacks.content import content_hash
from stacks.network import RETENTION
from stacks.permissions import accept_inline_policy, acknowledge, allow

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

SOURCES = ("operations",)

OUTSIDE = {
    "NIST.800.53.R5::NIST.800.53.R5-LambdaInsideVPC": (
        "It calls AWS's public APIs only and sees no data; a VPC would take an endpoint for each of them."
    ),
    "NIST.800.53.R5::NIST.800.53.R5-LambdaConcurrency": (
        "A reservation would take from the account's pool, which new accounts have too little of to give; "
        "the table of turns keeps runs apart whatever the concurrency."
    ),
}


@dataclass(frozen=True)
class Shared:
    """What the functions of a room have in common; events they fail on go to `failures` after Lambda's own retries.

    `failures` is a topic, or a queue where they can be taken up again.
    """

    key: kms.IKey
    failures: Any
    settings: str
    log_days: int
    removal: cdk.RemovalPolicy


def function(
    scope: cdk.Stack, id: str, *, name: str, does: str, handler: str, role: iam.Role, shared: Shared
) -> functions.Function:
    """A function of operations/, its log group and what its role needs for it."""
    group = logs.LogGroup(
        scope,
        f"{id}Logs",
        log_group_name=f"/aws/lambda/{name}",
        encryption_key=shared.key,
        retention=RETENTION[shared.log_days],
        removal_policy=shared.removal,
    )
    allow(role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
    queue = shared.failures if isinstance(shared.failures, sqs.Queue) else None
    made = functions.Function(
        scope,
        id,
        function_name=name,
        description=does,
        runtime=functions.Runtime.PYTHON_3_14,
        architecture=functions.Architecture.ARM_64,
        handler=handler,
        code=functions.Code.from_asset(str(ROOT), **source.asset_options(SOURCES, content_hash(SOURCES))),
        role=role.without_policy_updates(),
        environment={"SLIPWAY_SETTINGS": shared.settings},
        environment_encryption=shared.key,
        dead_letter_queue=queue,
        dead_letter_topic=None if queue else shared.failures,
        memory_size=256,
        timeout=cdk.Duration.seconds(60),
        log_group=group,
    )
    acknowledge(made, OUTSIDE)
    return made


def function_role(scope: cdk.Stack, id: str, *, key: kms.IKey) -> iam.Role:
    """A role that Lambda takes on; the key is for its settings, its topic and the buckets it reads."""
    role = iam.Role(scope, id, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    accept_inline_policy(role)
    allow(role, "Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
    return role
