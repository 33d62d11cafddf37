"""Whether a change lets somebody do more: statements that allow, trust and policies, compared template by template.

It errs on the side of asking. A statement counts as new unless one that is deployed says the same and allows no less.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]

DOCUMENTS = {
    "AWS::CodeArtifact::Domain": ("PermissionsPolicyDocument",),
    "AWS::ECR::Repository": ("RepositoryPolicyText",),
    "AWS::Events::EventBusPolicy": ("Statement",),
    "AWS::IAM::ManagedPolicy": ("PolicyDocument",),
    "AWS::IAM::Policy": ("PolicyDocument",),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument",),
    "AWS::KMS::Key": ("KeyPolicy",),
    "AWS::S3::BucketPolicy": ("PolicyDocument",),
    "AWS::SNS::TopicPolicy": ("PolicyDocument",),
    "AWS::SQS::QueuePolicy": ("PolicyDocument",),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupPolicy",),
    "AWS::SecretsManager::ResourcePolicy": ("ResourcePolicy",),
}
"""Types that carry policies, and in which properties."""

ASSET = re.compile(r"\b[0-9a-f]{32,64}\.(zip|json)\b")
"""What a deployment brings with it is named by its content; to read the new one instead of the old one is no more."""

WHOLE = {
    "AWS::EC2::SecurityGroup": ("SecurityGroupEgress", "SecurityGroupIngress"),
    "AWS::EC2::SecurityGroupEgress": ("",),
    "AWS::EC2::SecurityGroupIngress": ("",),
    "AWS::IAM::OIDCProvider": ("",),
    "AWS::Lambda::Permission": ("",),
}
"""Types of which each rule is a permission by itself; "" is the resource as a whole."""


@dataclass(frozen=True)
class Widened:
    """One thing that would be allowed and is not yet: the resource's logical id, its type, and what it would say."""

    resource: str
    kind: str
    says: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.kind}): {self.says}"


def widened(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Widened]:
    """What the template `after` allows beyond `before`; an empty `before` is a stack that is not there yet."""
    old, new = before.get("Resources", {}), after.get("Resources", {})
    found = []
    for name, resource in new.items():
        kind = resource["Type"]
        was = old.get(name, {}) if old.get(name, {}).get("Type") == kind else {}
        found += [
            Widened(name, kind, says) for says in _more(kind, was.get("Properties", {}), resource.get("Properties", {}))
        ]
    return found


def _more(kind: str, was: Json, now: Json) -> Iterator[str]:
    yield from _statements(kind, was, now)
    for part in WHOLE.get(kind, ()):
        old, new = _rules(was, part), _rules(now, part)
        yield from (f"allows {_told(rule)}" for rule in new if rule not in old)
    if kind == "AWS::IAM::Role":
        yield from (
            f"gets {_told(arn)}"
            for arn in _list(now, "ManagedPolicyArns")
            if arn not in _list(was, "ManagedPolicyArns")
        )
    limit = now.get("PermissionsBoundary")
    if "PermissionsBoundary" in was and was["PermissionsBoundary"] != limit:
        yield f"has {_told(limit or 'no boundary')} instead of {_told(was['PermissionsBoundary'])}"
    if kind == "AWS::IAM::Policy" and was:
        yield from (f"is given to {_told(role)}" for role in _list(now, "Roles") if role not in _list(was, "Roles"))


def _statements(kind: str, was: Json, now: Json) -> Iterator[str]:
    old = [statement for document in _documents(kind, was) for statement in _of(document)]
    new = [statement for document in _documents(kind, now) for statement in _of(document)]
    for statement in new:
        if statement.get("Effect") == "Allow" and not any(_covers(each, statement) for each in old):
            yield f"allows {_told({key: value for key, value in statement.items() if key not in {'Effect', 'Sid'}})}"
    for statement in old:
        if statement.get("Effect") == "Deny" and not any(_same(each, statement) for each in new):
            yield f"denies no longer {_told({k: v for k, v in statement.items() if k not in {'Effect', 'Sid'}})}"


def _documents(kind: str, properties: Json) -> list[Any]:
    found = [properties[name] for name in DOCUMENTS.get(kind, ()) if name in properties]
    return [
        *found,
        *(policy.get("PolicyDocument", {}) for policy in properties.get("Policies", []) if kind == "AWS::IAM::Role"),
    ]


def _of(document: Any) -> list[Json]:
    """The statements of a policy document, or the one that stands there by itself."""
    if not isinstance(document, dict):
        return []
    stated = document.get("Statement", document if "Effect" in document else [])
    return [each for each in (stated if isinstance(stated, list) else [stated]) if isinstance(each, dict)]


def _covers(old: Json, new: Json) -> bool:
    """Whether a deployed statement allows all that the new one does: the same, with no more actions or resources."""
    if old.get("Effect") != "Allow":
        return False
    for key in {*old, *new} - {"Sid", "Effect"}:
        if key in {"Action", "Resource"}:
            if key not in old or key not in new:
                return False
            had = [_compared(each) for each in _listed(old[key])]
            if "*" not in _listed(old[key]) and any(_compared(each) not in had for each in _listed(new[key])):
                return False
        elif old.get(key) != new.get(key):
            return False
    return True


def _same(one: Json, other: Json) -> bool:
    return {k: v for k, v in one.items() if k != "Sid"} == {k: v for k, v in other.items() if k != "Sid"}


def _rules(properties: Json, part: str) -> list[Any]:
    return [properties] if not part and properties else _list(properties, part) if part else []


def _list(properties: Json, name: str) -> list[Any]:
    return _listed(properties.get(name, []))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _compared(value: Any) -> str:
    return ASSET.sub("<asset>", _told(value))


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
