"""The CDK's bootstrap of an account: is it there and new enough, what limits it, and whose roles it trusts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.findings import asked, code_of, ok, unknown, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from operations.findings import Client, Finding, Target

QUALIFIER = "hnb659fds"
VERSION = f"/cdk-bootstrap/{QUALIFIER}/version"
DEPLOYING, LOOKING, EXECUTING = ("deploy-role", "file-publishing-role"), "lookup-role", "cfn-exec-role"

EXECUTION_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
"""With --trust the CDK wants it named; it is what it gives without."""

NEWEST = re.compile(r"\n  BootstrapVersion:\n.*?\n    Value: '(\d+)'", re.DOTALL)
ACCOUNT = re.compile(r"\b\d{12}\b")


def newest_version(template: Path) -> int | None:
    """The version that the CDK CLI's own template makes."""
    found = NEWEST.search(template.read_text()) if template.is_file() else None
    return int(found[1]) if found else None


def required_version(assembly: Path, stage: str, library: str) -> int | None:
    """The version that the synthesized stacks of a stage ask for; None without them, or if another library made them.

    https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
    """
    tree, manifest = assembly / "tree.json", assembly / f"assembly-{stage}" / "manifest.json"
    if not (tree.is_file() and manifest.is_file()):
        return None
    if json.loads(tree.read_text())["tree"].get("constructInfo", {}).get("version") != library:
        return None
    artifacts = json.loads(manifest.read_text())["artifacts"].values()
    return max((each.get("properties", {}).get("requiresBootstrapStackVersion", 0) for each in artifacts), default=None)


def role_name(part: str, account: str, region: str) -> str:
    return f"cdk-{QUALIFIER}-{part}-{account}-{region}"


def how_to_bootstrap(target: Target, deploys: Sequence[str] = (), looks: Sequence[str] = ()) -> str:
    """The command; whoever is trusted already is to be named, too: a list that is given takes the old one's place."""
    if target.bootstrap.rolled_out:
        named = sorted({*deploys, *looks})
        first = f"name {', '.join(named)} in trusted_accounts of [rollout] in platform.toml, then " if named else ""
        return f'{first}npx cdk deploy "*-rollout/*" with credentials of the account that rolls out'
    words = ["npx cdk bootstrap", f"aws://{target.account}/{target.region}"]
    words += [f"--trust {account}" for account in deploys]
    words += [f"--trust-for-lookup {account}" for account in looks]
    words += [f"--cloudformation-execution-policies {EXECUTION_POLICY}"] if deploys else []
    return " ".join(words)


def bootstrap(target: Target, client: Client) -> Iterator[Finding]:
    """Whether it is there, new enough for the templates at hand, and limited where the roll-out limits it."""
    yield from asked(_version, target, client)
    if target.bootstrap.boundary:
        yield from asked(_limit, target, client)


def trust(target: Target, client: Client) -> Iterator[Finding]:
    """Whether the roles that a deployment takes on let the delivery's account in."""
    if not target.trusts:
        return
    for part in (*DEPLOYING, LOOKING):
        yield from asked(_trusted, target, client, part)


def _version(target: Target, client: Client) -> Iterator[Finding]:
    told, delivery = target.bootstrap, [target.trusts] if target.trusts else []
    least, fix = told.required or told.newest or "any", how_to_bootstrap(target, delivery, delivery)
    try:
        found = int(client("ssm").get_parameter(Name=VERSION)["Parameter"]["Value"])
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
        yield wrong(f"{target.account} is not bootstrapped in {target.region}", f"version {least} at least", fix)
        return
    if told.required is not None and found < told.required:
        yield wrong(f"version {found}", f"version {told.required} at least, by the templates in cdk.out", fix)
    elif told.required is None and (told.newest is None or found < told.newest):
        yield unknown(f"version {found}", "what the templates ask for, which is not known here", told.to_know)
    else:
        yield ok(
            f"version {found}, " + (f"needed is {least}" if told.required else "as new as the CDK CLI here makes it")
        )


def _limit(target: Target, client: Client) -> Iterator[Finding]:
    name, role = target.bootstrap.boundary, _role(target, client, EXECUTING)
    found = str((role or {}).get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "none"))
    about = f"{role_name(EXECUTING, target.account, target.region)} {'is not there' if role is None else ''}".strip()
    if found.endswith(f":policy/{name}"):
        yield ok(f"{about} is limited by {name}")
    else:
        yield wrong(f"{about}, limited by {found}", f"limited by {name}", how_to_bootstrap(target))


def _trusted(target: Target, client: Client, part: str) -> Iterator[Finding]:
    name, role = role_name(part, target.account, target.region), _role(target, client, part)
    expected = f"lets {target.trusts} in"
    if role is None:
        yield wrong(f"{name} is not there", expected, how_to_bootstrap(target, [target.trusts], [target.trusts]))
        return
    found = let_in(role["AssumeRolePolicyDocument"])
    if target.trusts in found:
        yield ok(f"{name} lets {target.trusts} in")
        return
    also = {part: sorted({target.trusts, *_others(target, client, part)}) for part in (DEPLOYING[0], LOOKING)}
    fix = how_to_bootstrap(target, also[DEPLOYING[0]], also[LOOKING])
    yield wrong(f"{name} lets {', '.join(sorted(found)) or 'nobody'} in", expected, fix)


def _others(target: Target, client: Client, part: str) -> set[str]:
    """The other accounts that a role lets in already."""
    role = _role(target, client, part)
    return let_in(role["AssumeRolePolicyDocument"]) - {target.account} if role else set()


def let_in(document: Mapping[str, Any]) -> set[str]:
    """The accounts whose roles a trust policy lets assume the role."""
    found: set[str] = set()
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow" and "sts:AssumeRole" in listed(statement["Action"]):
            principals = statement["Principal"]
            named = listed(principals.get("AWS", [])) if isinstance(principals, dict) else []
            found |= {account for name in named for account in ACCOUNT.findall(name)}
    return found


def listed(value: Any) -> list[Any]:
    """What a policy may say as a list or, if it is one, by itself."""
    return value if isinstance(value, list) else [value]


def _role(target: Target, client: Client, part: str) -> dict[str, Any] | None:
    try:
        role = client("iam").get_role(RoleName=role_name(part, target.account, target.region))["Role"]
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return None
        raise
    found: dict[str, Any] = role
    return found
