"""What a delivery stands on: images as the source at hand gives them, grants to others, the versions that are live."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations import desired
from operations.bootstrap_checks import listed
from operations.findings import asked, code_of, ok, unknown, wrong
from operations.images import Image, ImageError
from operations.release import Releaser
from operations.versions import NO_LIMIT, SCANNED, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.findings import Client, Finding, Grant, Target, Wanted
    from operations.place import Place

MISSING = (
    "ImageNotFoundException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NotFoundException",
    "RepositoryNotFoundException",
    "RepositoryPolicyNotFoundException",
)
"""What services say of an image, a resource or a policy that is not there."""

PRINCIPAL = "aws:principalarn"


def images(target: Target, client: Client) -> Iterator[Finding]:
    """Whether the images of the source at hand are built, and were scanned without what is forbidden."""
    for wanted in target.images:
        yield from asked(_image, target, client, wanted)


def _image(target: Target, client: Client, wanted: Wanted) -> Iterator[Finding]:
    ecr = client("ecr")
    try:
        image = Image.of(wanted.uri)
        named = {"registryId": image.registry, "repositoryName": image.name}
        (found,) = ecr.describe_images(**named, imageIds=[image.given])["imageDetails"]
    except ImageError as error:
        yield wrong(str(error), "an image in Amazon ECR", f"mend {wanted.setting}")
        return
    except ClientError as error:
        if code_of(error) not in MISSING:
            raise
        fix = _how_to_build(target, client, wanted)
        yield wrong(f"{wanted.uri} is not there", "the image of the source at hand", fix)
        return
    digest = found["imageDigest"]
    if target.forbidden == NO_LIMIT:
        yield ok(f"{wanted.uri} is there, no scan is asked for")
        return
    try:
        scan = ecr.describe_image_scan_findings(**named, imageId={"imageDigest": digest})
    except ClientError as error:
        if code_of(error) != "ScanNotFoundException":
            raise
        scan = {"imageScanStatus": {"status": "missing"}}
    again = f"aws ecr start-image-scan --repository-name {image.name} --image-id imageDigest={digest}"
    yield _scanned(wanted, scan, target.forbidden, f"{again} --region {target.region}")


def _how_to_build(target: Target, client: Client, wanted: Wanted) -> str:
    """Its deployment builds it; if that was done already, only the build is to be done again."""
    if not wanted.build:
        return f"push it, or mend {wanted.setting}"
    projects = client("codebuild").batch_get_projects(names=[wanted.build])["projects"]
    variables = [each for project in projects for each in project["environment"].get("environmentVariables", [])]
    if any(each["value"] == wanted.uri for each in variables):
        return f"aws codebuild start-build --project-name {wanted.build} --region {target.region}"
    return f'npx cdk deploy "{wanted.stack}", which builds it'


def _scanned(wanted: Wanted, scan: Mapping[str, Any], forbidden: str, again: str) -> Finding:
    status = scan["imageScanStatus"]["status"]
    expected = f"scanned, no findings from {forbidden} on"
    if status in {"IN_PROGRESS", "PENDING"}:
        return unknown(f"the scan of {wanted.uri} is {status}", expected, "look again when it has ended")
    if status not in SCANNED:
        return wrong(f"the scan of {wanted.uri} is {status}", expected, again)
    counts = scan.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    worse = SEVERITIES[SEVERITIES.index(forbidden) :]
    found = [f"{counts[severity]} {severity}" for severity in worse if counts.get(severity)]
    if not found:
        return ok(f"{wanted.uri} is there, {expected}")
    fix = f"name a mended one in {wanted.setting}" + (f', then npx cdk deploy "{wanted.stack}"' if wanted.build else "")
    return wrong(f"{wanted.uri} has findings: {', '.join(found)}", expected, fix)


def grants(target: Target, client: Client) -> Iterator[Finding]:
    """Whether the resources' own policies let the roles in that fetch and release versions from here."""
    for grant in target.grants:
        yield from asked(_grant, target, client, grant)


def _grant(_: Target, client: Client, grant: Grant) -> Iterator[Finding]:
    try:
        policy = _policy(client, grant)
    except ClientError as error:
        if code_of(error) not in MISSING:
            raise
        policy = {"Statement": []}
    out = [role for role in grant.roles if not lets(policy, role, grant.action, grant.resource)]
    about = f"{grant.kind} {grant.name}"
    if out:
        names = ", ".join(f"{role.split('/')[-1]} of {role.split(':')[4]}" for role in out)
        expected = f"lets {len(grant.roles)} roles do it"
        yield wrong(f"{about} does not let {names} do {grant.action}", expected, grant.fix)
    else:
        yield ok(f"{about} lets {len(grant.roles)} roles do {grant.action}")


def _policy(client: Client, grant: Grant) -> dict[str, Any]:
    if grant.kind == "key":
        kms = client("kms")
        key = kms.describe_key(KeyId=grant.name)["KeyMetadata"]["KeyId"]  # a policy is given by id, not by alias
        text = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    elif grant.kind == "bucket":
        text = client("s3").get_bucket_policy(Bucket=grant.name)["Policy"]
    else:
        text = client("ecr").get_repository_policy(repositoryName=grant.name)["policyText"]
    found: dict[str, Any] = json.loads(text)
    return found


def lets(policy: Mapping[str, Any], role: str, action: str, resource: str) -> bool:
    """Whether a statement names the role, or all of its account, for the action; other conditions are not judged."""
    return any(
        statement["Effect"] == "Allow"
        and _any_like(action, listed(statement.get("Action", [])))
        and _any_like(resource, listed(statement.get("Resource", "*")))
        and _meant(statement, role)
        for statement in listed(policy["Statement"])
    )


def _meant(statement: Mapping[str, Any], role: str) -> bool:
    account = role.split(":")[4]
    named = statement.get("Principal", {})
    principals = listed(named.get("AWS", [])) if isinstance(named, dict) else listed(named)
    if not {"*", account, f"arn:aws:iam::{account}:root", role} & set(principals):
        return False
    conditions = [
        (operator, listed(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
        if key.lower() == PRINCIPAL
    ]
    return all(_any_like(role, values) != ("Not" in operator) for operator, values in conditions)


def _any_like(value: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns)


def versions(target: Target, client: Client) -> Iterator[Finding]:
    """Whether each model's endpoint serves the version that is desired."""
    for place in target.places:
        yield from asked(_version, target, client, place)


def _version(target: Target, client: Client, place: Place) -> Iterator[Finding]:
    try:
        wanted = desired.read(client("ssm"), place.parameter)
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
        yield wrong(f"{place.model}: no parameter {place.parameter}", "a version, or none", target.deploy)
        return
    live = Releaser(client, place).live()
    if live == wanted:
        yield ok(f"{place.model}: {live} is desired and live")
        return
    to_release = live if wanted == desired.NONE else wanted
    fix = f"slipway release {target.name} {place.model} {to_release}"
    yield wrong(f"{place.model}: {live} is live", f"{wanted}, as desired", fix)
