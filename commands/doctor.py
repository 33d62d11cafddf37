"""The verb that looks whether all that a delivery needs is in order."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from commands.choice import UsageError, console
from commands.examined import delivery_target, environment_target, here
from stacks.config import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from operations.findings import Finding, Target

ACCOUNT = re.compile(r"\d{12}")
CONNECTION = re.compile(r"arn:aws:(codeconnections|codestar-connections):([a-z0-9-]+):(\d{12}):connection/[a-f0-9-]+")


def doctor(
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="[ENVIRONMENT]...", help="Files of environments/; all if left out.")
    ] = None,
    *,
    delivery: Annotated[
        str, typer.Option(help="The account that deliveries come from; left out, that of [delivery].")
    ] = "",
    connection: Annotated[
        str, typer.Option(help="The connection to where the source lies; left out, that of [delivery].")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, for machines.")] = False,
) -> None:
    """Look whether tools, accounts and what is deployed are in order; say the fix for what is not. Changes nothing."""
    findings = _shown(_found(targets(environments or [], delivery, connection)), as_json=as_json)
    if any(finding.status == "wrong" for finding in findings):
        raise typer.Exit(1)


def targets(chosen: list[str], delivery: str, connection: str) -> list[Target]:
    """The environments that are named, or all; before them the delivery's account, if it is known."""
    config = load()
    settings = config.platform.delivery
    if settings and not connection and not delivery:
        delivery, connection = settings.account, settings.source.connection_arn or ""
    known = CONNECTION.fullmatch(connection)
    if delivery and not ACCOUNT.fullmatch(delivery):
        raise UsageError(f"--delivery {delivery}: an account has 12 digits, such as 444444444444")
    if connection and not known:
        example = "arn:aws:codeconnections:eu-west-1:444444444444:connection/0f1e2d3c-..."
        raise UsageError(f"--connection {connection}: no ARN of a connection; give one such as {example}")
    if known and delivery not in {"", known[3]}:
        raise UsageError(
            f"--connection is of account {known[3]}, --delivery is {delivery}; name a connection of its own"
        )
    named = [config.environment(name) for name in chosen] or list(config.environments)
    account, region = delivery or (known[3] if known else ""), known[2] if known else named[0].region
    first = [delivery_target(account, region, connection)] if account else []
    return [*first, *(environment_target(config, each, account) for each in named)]


def _found(looked_at: Iterable[Target]) -> Iterator[Finding]:
    from operations.doctor import examine, examine_tools

    yield from examine_tools(here())
    for target in looked_at:
        yield from examine(target)


def _shown(findings: Iterator[Finding], *, as_json: bool) -> list[Finding]:
    """Each as soon as it is known; as JSON all at the end."""
    if as_json:
        found = list(findings)
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=1))
        return found
    found = []
    for finding in findings:
        found.append(finding)
        console.print(_line(finding), markup=False)
    counts = [f"{sum(each.status == status for each in found)} {status}" for status in ("ok", "wrong", "unknown")]
    console.print(", ".join(counts))
    return found


def _line(finding: Finding) -> str:
    """One line: whatever is told in several is told in one."""
    expected = f"; expected: {finding.expected}" if finding.expected and finding.status != "ok" else ""
    fix = f"; fix: {finding.fix}" if finding.fix else ""
    told = " ".join(f"{finding.found}{expected}{fix}".split())
    return f"{finding.status:<7}  {finding.about:<8}  {finding.check:<11}  {told}"
