"""What roles may do, read back from the AWS they stand in: their policies, their boundary, what lies above them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]

KINDS = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")


@dataclass(frozen=True)
class Held:
    """A role as it stands; policies by name, tags by key."""

    arn: str
    policies: Mapping[str, Json]
    boundary_arn: str | None = None
    boundary: Json | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[1]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True)
class Above:
    """The organization's policies over an account, by name; AWS's own, which allow all, left out."""

    service: Mapping[str, Json] = field(default_factory=dict)
    resource: Mapping[str, Json] = field(default_factory=dict)


def held(iam: Any, name: str) -> Held:
    """The role of this name, with every policy it has."""
    role = iam.get_role(RoleName=name)["Role"]
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
    policies = dict(_policies(iam, name))
    return Held(role["Arn"], policies, boundary, _managed(iam, boundary) if boundary else None, tags)


def above(organizations: Any, account: str) -> Above:
    """What an account carries, and every unit it is in, up to the root."""
    targets = [account]
    while parents := organizations.list_parents(ChildId=targets[-1])["Parents"]:
        targets.append(parents[0]["Id"])
        if parents[0]["Type"] == "ROOT":
            break
    service, resource = (
        {
            each["Name"]: json.loads(organizations.describe_policy(PolicyId=each["Id"])["Policy"]["Content"])
            for target in targets
            for each in organizations.list_policies_for_target(TargetId=target, Filter=kind)["Policies"]
            if not each["AwsManaged"]
        }
        for kind in KINDS
    )
    return Above(service, resource)


def _policies(iam: Any, role: str) -> Iterator[tuple[str, Json]]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield name, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            yield policy["PolicyName"], _managed(iam, policy["PolicyArn"])


def _managed(iam: Any, arn: str) -> Json:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Json = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return document
