"""Requests as the organization's policies decide them, by one statement alone or by all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import Question, Simulator
from needs import ORGANIZATION
from refusals import REFUSED, Request

from stacks.config import load
from stacks.denials import Denial, Perimeter, document
from stacks.resource_control import resource_control_denials, resource_control_policies
from stacks.service_control import service_control_denials, service_control_policies

Json = dict[str, Any]


def perimeter() -> Perimeter:
    """Of the platform, if it had an organization."""
    config = load()
    platform = config.platform.model_copy(update={"organization_id": ORGANIZATION})
    return Perimeter.of(platform, config.environments)


def controlled(asked: Question, about: Perimeter) -> Question:
    """The same request where the organization's policies apply."""
    scps, rcps = service_control_policies(about), resource_control_policies(about)
    return replace(asked, scps=tuple(scps.values()), rcps=tuple(rcps.values()))


def statements(about: Perimeter) -> Iterator[tuple[str, Denial]]:
    for kind, documents in (
        ("scp", service_control_denials(about)),
        ("rcp", resource_control_denials(about)),
    ):
        for denials in documents.values():
            yield from ((kind, denial) for denial in denials)


def somebody(request: Request, cloud: Cloud) -> Role:
    """Who asks: a role of the templates by its name, or one that may do everything."""
    found = [role for role in cloud.roles.values() if role.name == request.who]
    arn = found[0].arn if found else f"arn:aws:iam::111111111111:role/{request.who}"
    return Role(request.who, arn, {}, tuple(ADMINISTRATOR.values()))


def asked(request: Request, cloud: Cloud, about: Perimeter, *, only: bool) -> Question:
    """The request under one statement alone, or under none."""
    kind, denial = next((kind, denial) for kind, denial in statements(about) if denial.sid == request.sid)
    policy = document([denial], **({"Principal": "*"} if kind == "rcp" else {}))
    role = somebody(request, cloud)
    context = {"aws:PrincipalArn": role.arn, **request.context}
    return Question(
        role,
        request.action,
        request.resource,
        context,
        request.resource_policy,
        scps=(policy,) if only and kind == "scp" else (),
        rcps=(policy,) if only and kind == "rcp" else (),
        owner="111111111111",
        principal=request.principal,
    )


def let_through(denials: Iterable[tuple[str, Denial]], cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """Requests that should be refused, and that these statements together let pass."""
    about, kept = perimeter(), list(denials)
    scps = tuple(document([denial]) for kind, denial in kept if kind == "scp")
    rcps = tuple(document([denial], Principal="*") for kind, denial in kept if kind == "rcp")
    under = [replace(asked(each, cloud, about, only=False), scps=scps, rcps=rcps) for each in REFUSED]
    for each, may in zip(REFUSED, simulator.may(under), strict=True):
        if may:
            yield f"nothing refuses {each}"
