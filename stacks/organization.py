"""What only this organization may reach, by the resources' own policies: whatever else a policy allows, nobody outside.

The organization's resource control policies say the same of whole accounts; these hold where there are none, for
topics, which those do not know, and for what goes out by the network's endpoints.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalorgid
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from constructs import IConstruct

USE_OF_A_KEY = ("kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
"""Its use, not its administration: with a mistyped organization a key must still be there to be mended."""

PULLS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage")
TOPIC = ("sns:Publish", "sns:Subscribe")
QUEUE = ("sqs:ReceiveMessage", "sqs:SendMessage")


def keep_within(scope: IConstruct, organization_id: str) -> None:
    """Every bucket, key, repository, topic, queue and endpoint of the network below the scope."""
    for made in scope.node.find_all():
        for kind, kept in KEPT.items():
            if isinstance(made, kind):
                kept(made, organization_id)


def admit(key: kms.Key, organization_id: str) -> None:
    """Let nobody outside the organization use a key."""
    _keep(key, organization_id, USE_OF_A_KEY, ["*"])


def _bucket(bucket: s3.Bucket, organization_id: str) -> None:
    _keep(bucket, organization_id, ["s3:*"], [bucket.bucket_arn, bucket.arn_for_objects("*")])


def _repository(repository: ecr.Repository, organization_id: str) -> None:
    _keep(repository, organization_id, PULLS, None)


def _topic(topic: sns.Topic, organization_id: str) -> None:
    _keep(topic, organization_id, TOPIC, [topic.topic_arn])


def _queue(queue: sqs.Queue, organization_id: str) -> None:
    _keep(queue, organization_id, QUEUE, [queue.queue_arn])


def _endpoint(endpoint: ec2.VpcEndpoint, organization_id: str) -> None:
    endpoint.add_to_policy(_strangers(organization_id, ["*"], ["*"]))


KEPT: dict[type, Callable[[Any, str], None]] = {
    s3.Bucket: _bucket,
    kms.Key: admit,
    ecr.Repository: _repository,
    sns.Topic: _topic,
    sqs.Queue: _queue,
    ec2.VpcEndpoint: _endpoint,
}


def _keep(made: Any, organization_id: str, actions: Sequence[str], resources: Sequence[str] | None) -> None:
    for statement in _outsiders(organization_id, actions, resources):
        made.add_to_resource_policy(statement)


def _outsiders(
    organization_id: str, actions: Sequence[str], resources: Sequence[str] | None
) -> Iterator[iam.PolicyStatement]:
    yield _strangers(organization_id, actions, resources)
    sent = {
        "StringNotEqualsIfExists": {"aws:SourceOrgID": organization_id},
        "Null": {"aws:SourceAccount": "false"},  # a service that names no account comes for nobody in particular
        "Bool": {"aws:PrincipalIsAWSService": "true"},
    }
    yield _deny("NoServiceSentByStrangers", actions, resources, sent)


def _strangers(organization_id: str, actions: Sequence[str], resources: Sequence[str] | None) -> iam.PolicyStatement:
    conditions = {
        "StringNotEqualsIfExists": {"aws:PrincipalOrgID": organization_id},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    }
    return _deny("OnlyThisOrganization", actions, resources, conditions)


def _deny(
    sid: str, actions: Sequence[str], resources: Sequence[str] | None, conditions: dict[str, Any]
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.StarPrincipal()],
        actions=list(actions),
        resources=list(resources) if resources else None,
        conditions=conditions,
    )
