"""What is examined before a delivery, and what is found: plain values, and how a question that is refused ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from operations.place import Place

OK: Literal["ok"] = "ok"
WRONG: Literal["wrong"] = "wrong"
UNKNOWN: Literal["unknown"] = "unknown"

DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")

Client = Callable[[str], Any]


class NotReachedError(Exception):
    """An account that the caller's credentials do not reach, so that nothing of it can be known."""


NO_ANSWER = (BotoCoreError, ClientError, OSError, ResponseParserError)
"""What stands for an answer that there is none."""


@dataclass(frozen=True)
class Finding:
    """One line: what was found and, unless that is in order, what is expected and how to get there."""

    status: Literal["ok", "wrong", "unknown"]
    found: str
    expected: str = ""
    fix: str = ""
    check: str = ""
    about: str = ""


def ok(found: str) -> Finding:
    return Finding(OK, found)


def wrong(found: str, expected: str, fix: str) -> Finding:
    return Finding(WRONG, found, expected, fix)


def unknown(found: str, expected: str = "", fix: str = "") -> Finding:
    return Finding(UNKNOWN, found, expected, fix)


@dataclass(frozen=True)
class Bootstrap:
    """What is expected of the CDK's bootstrap.

    `newest` is the version that `cdk bootstrap` makes here, `required` the one that the templates at hand ask for; None
    says that it cannot be known here, and `to_know` how it can. `boundary` names the policy that limits its roles; with
    `rolled_out` a stack set made it, and nobody does by hand.
    """

    newest: int | None
    required: int | None = None
    to_know: str = ""
    boundary: str = ""
    rolled_out: bool = False


@dataclass(frozen=True)
class Quota:
    """So many at a time, by the quota's name, and the setting that asks for them."""

    name: str
    needed: int
    setting: str


@dataclass(frozen=True)
class Wanted:
    """An image that is to be there; `build` names the project that builds it and `stack` the project's, if we do."""

    uri: str
    setting: str
    build: str = ""
    stack: str = ""


@dataclass(frozen=True)
class Grant:
    """Roles that a resource's own policy has to let do one thing; `fix` brings the policy back."""

    kind: Literal["key", "bucket", "repository"]
    name: str
    action: str
    resource: str
    roles: tuple[str, ...]
    fix: str


@dataclass(frozen=True)
class Target:
    """An account and region that a delivery needs, and what is expected of it; what it lacks is not looked at.

    `trusts` is the account whose roles are to deploy here, `connection` the ARN of one to where the source lies.
    `stacks` is how the names of its stacks begin, `deploy` makes them; `forbidden` is from where on no image may have
    findings.
    """

    name: str
    account: str
    region: str
    bootstrap: Bootstrap
    trusts: str = ""
    connection: str = ""
    stacks: str = ""
    deploy: str = ""
    forbidden: str = "none"
    quotas: tuple[Quota, ...] = ()
    images: tuple[Wanted, ...] = ()
    grants: tuple[Grant, ...] = ()
    places: tuple[Place, ...] = ()


def asked(question: Callable[..., Iterator[Finding]], *given: Any) -> Iterator[Finding]:
    """The findings of a question; where there is no answer, the finding says that, and the next question is asked."""
    try:
        yield from question(*given)
    except NO_ANSWER as error:
        yield unknown(str(error), fix=_whom_to_ask(error))


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _whom_to_ask(error: Exception) -> str:
    if isinstance(error, ClientError) and code_of(error) in DENIED:
        return "use credentials that may read there, or let whoever has them look"
    return "look again; if it stays, look in the console"
