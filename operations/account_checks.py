"""What an account brings: a connection to where the source lies, quotas, stacks that rest as they should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.findings import code_of, ok, unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.findings import Client, Finding, Quota, Target

AVAILABLE = "AVAILABLE"
CONSOLE = "https://console.aws.amazon.com/codesuite/settings/connections"
"""A connection is finished in the console alone.

https://docs.aws.amazon.com/dtconsole/latest/userguide/connections-update.html
"""

AT_REST = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
"""An update that was taken back leaves a stack that works; a creation that was leaves one that can only be deleted.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

IN_PROGRESS = "_IN_PROGRESS"
STUCK, IN_STUDIO = "docs/runbooks/a-release-is-stuck.md, step 5", "docs/runbooks/studio-does-not-go.md"


def connection(target: Target, client: Client) -> Iterator[Finding]:
    """Whether somebody has finished the handshake; until then nothing can fetch source through it."""
    if not target.connection:
        return
    arn, expected = target.connection, f"connection {AVAILABLE}"
    try:
        found = client(arn.split(":")[2]).get_connection(ConnectionArn=arn)["Connection"]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        yield wrong(f"{arn} is not there", expected, f"make one at {CONSOLE}, and name its ARN")
        return
    about = f"{found['ConnectionName']} is {found['ConnectionStatus']}"
    if found["ConnectionStatus"] == AVAILABLE:
        yield ok(about)
    else:
        yield wrong(about, expected, f"finish its handshake at {CONSOLE}: Update pending connection")


def quotas(target: Target, client: Client) -> Iterator[Finding]:
    """Whether as many instances may run at a time as the settings ask for, a line a quota."""
    if not target.quotas:
        return
    service = client("service-quotas")
    allowed = _values(service, "list_service_quotas")
    if any(quota.name not in allowed for quota in target.quotas):
        # The first list leaves out whatever nobody has had raised.
        allowed = {**_values(service, "list_aws_default_service_quotas"), **allowed}
    for quota in target.quotas:
        yield _quota(target, quota, allowed.get(quota.name))


def _quota(target: Target, quota: Quota, told: dict[str, Any] | None) -> Finding:
    expected = f"{quota.needed} for {quota.setting}, with both fleets of a release"
    if told is None:
        return unknown(f"Service Quotas knows no {quota.name!r}", expected, "look for it in the console")
    if told["Value"] >= quota.needed:
        return ok(f"{quota.name}: {told['Value']:g}, needed are {quota.needed}")
    raised = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {told['QuotaCode']} --desired-value {quota.needed} --region {target.region}"
    )
    return wrong(f"{quota.name}: {told['Value']:g}", expected, f"{raised}; or ask for less in {quota.setting}")


def _values(service: Any, operation: str) -> dict[str, dict[str, Any]]:
    pages = service.get_paginator(operation).paginate(ServiceCode="sagemaker")
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}


def stacks(target: Target, client: Client) -> Iterator[Finding]:
    """Whether every stack that is there rests as a deployment leaves it; a line each that does not."""
    if not target.stacks:
        return
    pages = client("cloudformation").get_paginator("describe_stacks").paginate()
    found = [stack for page in pages for stack in page["Stacks"] if stack["StackName"].startswith(target.stacks)]
    if not found:
        yield wrong(f"no stack {target.stacks}* in {target.account} {target.region}", "a deployment", target.deploy)
        return
    others = [stack for stack in found if stack["StackStatus"] not in AT_REST]
    for stack in others:
        yield _unlike(target, stack)
    if not others:
        yield ok(f"{len(found)} stacks are complete")


def _unlike(target: Target, stack: dict[str, Any]) -> Finding:
    name, status = stack["StackName"], stack["StackStatus"]
    about = f"{name} is {status}" + (f": {stack['StackStatusReason']}" if stack.get("StackStatusReason") else "")
    expected = "*_COMPLETE"
    if status.endswith(IN_PROGRESS) and not status.startswith("REVIEW"):
        return unknown(about, expected, "look again when it rests")
    if status == "UPDATE_ROLLBACK_FAILED":
        return wrong(about, expected, STUCK)
    if status == "DELETE_FAILED" and name.startswith(f"{target.stacks}Studio"):
        return wrong(about, expected, IN_STUDIO)
    if status.startswith(("ROLLBACK", "CREATE_FAILED")):
        again = f"aws cloudformation delete-stack --stack-name {name} --region {target.region}"
        return wrong(about, expected, f"read its events, then {again}, then {target.deploy}")
    return wrong(about, expected, f"read its events, mend the cause, then {target.deploy}")
