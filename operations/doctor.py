"""Looks whether all that a delivery needs is in order, and says of each finding how to mend it. Reads, changes nothing.

A check is a function that yields findings, and a line in CHECKS; whatever it cannot find out is a finding, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NoReturn

from operations import account_checks, bootstrap_checks, delivery_checks
from operations.findings import NO_ANSWER, Client, Finding, NotReachedError, Target, asked, ok, unknown, wrong
from operations.identity import IdentityError, become
from operations.tool_checks import Here, tools

Check = Callable[[Target, Client], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "bootstrap": bootstrap_checks.bootstrap,
    "trust": bootstrap_checks.trust,
    "connection": account_checks.connection,
    "quotas": account_checks.quotas,
    "stacks": account_checks.stacks,
    "images": delivery_checks.images,
    "grants": delivery_checks.grants,
    "versions": delivery_checks.versions,
}
"""What is looked at in an account, in this order; of what a target lacks, a check says nothing."""

CREDENTIALS = "credentials"


@dataclass(frozen=True)
class Reached:
    """How an account is reached, and clients there; they raise NotReachedError if it is not."""

    finding: Finding
    client: Client


def examine_tools(here: Here) -> Iterator[Finding]:
    """The tools of this machine."""
    yield from (replace(finding, check="tools", about="here") for finding in tools(here))


def examine(target: Target) -> Iterator[Finding]:
    """Every check of an account, with the caller's credentials; all of them, whatever the first ones find."""
    reached = reach(target)
    yield replace(reached.finding, check=CREDENTIALS, about=target.name)
    yield from look(target, reached.client)


def look(target: Target, client: Client) -> Iterator[Finding]:
    """Every check of an account that is reached."""
    clients = cache(client)
    for name, check in CHECKS.items():
        yield from (replace(finding, check=name, about=target.name) for finding in _looked(check, target, clients))


def _looked(check: Check, target: Target, client: Client) -> Iterator[Finding]:
    try:
        yield from asked(check, target, client)
    except NotReachedError as error:
        yield unknown(str(error), fix=f"see {CREDENTIALS}")


def reach(target: Target) -> Reached:
    """The account itself if the credentials are of it, else through the role that the bootstrap made for looking."""
    import boto3

    name = bootstrap_checks.role_name(bootstrap_checks.LOOKING, target.account, target.region)
    expected = f"credentials of {target.account}, or of an account that may become {name}"
    try:
        session = boto3.Session(region_name=target.region)
        who = session.client("sts").get_caller_identity()
    except NO_ANSWER as error:
        fix = f"aws sso login, or the profile of {target.account} (AWS_PROFILE)"
        return Reached(wrong(f"no credentials: {error}", expected, fix), _nobody(target))
    if who["Account"] == target.account:
        return Reached(ok(f"{who['Arn']}, of the account itself"), session.client)
    return _through(session, target, who)


def _through(session: Any, target: Target, who: dict[str, str]) -> Reached:
    name = bootstrap_checks.role_name(bootstrap_checks.LOOKING, target.account, target.region)
    try:
        acting = become(session, f"arn:aws:iam::{target.account}:role/{name}", target.region)
    except (IdentityError, *NO_ANSWER) as error:
        lets = bootstrap_checks.how_to_bootstrap(target, looks=[who["Account"]])
        fix = f"the profile of {target.account} (AWS_PROFILE); or, with it: {lets}"
        expected = f"credentials of {target.account}, or a role that lets {who['Account']} look"
        return Reached(wrong(str(error), expected, fix), _nobody(target))
    return Reached(ok(f"{who['Arn']} through {name}"), acting.client)


def _nobody(target: Target) -> Client:
    def refuse(_: str) -> NoReturn:
        raise NotReachedError(f"not looked at: {target.account} is not reached")

    return refuse
