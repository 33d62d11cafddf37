"""What Organizations asks of policies and moto does not: size, that the type is enabled, how many a target has.

They are kept and attached here, and forbid nothing: the embedded AWS evaluates no SCP.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.organizations.models import FakePolicy, OrganizationsBackend

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

CHARACTERS = {"SERVICE_CONTROL_POLICY": 5120, "RESOURCE_CONTROL_POLICY": 5120}
MOST_OF_A_TYPE = 5
"""Policies of a type that a root, a unit or an account carries, AWS's own among them."""


def install_policies() -> None:
    """Ask before moto carries it out."""
    for operation, asks in {
        "create_policy": _fits,
        "update_policy": _fits_still,
        "attach_policy": _may_be_carried,
    }.items():
        _ask_before(operation, asks)


def _ask_before(operation: str, asks: Callable[[OrganizationsBackend, dict[str, Any]], None]) -> None:
    carry_out = getattr(OrganizationsBackend, operation)

    def asked(backend: OrganizationsBackend, **request: Any) -> Any:
        asks(backend, request)
        return carry_out(backend, **request)

    setattr(OrganizationsBackend, operation, asked)


def _fits(_backend: OrganizationsBackend, request: dict[str, Any]) -> None:
    _check_size(request["Type"], request["Content"])


def _fits_still(backend: OrganizationsBackend, request: dict[str, Any]) -> None:
    _check_size(_policy(backend, request).type, request.get("Content", ""))


def _check_size(kind: str, content: str) -> None:
    most = CHARACTERS.get(kind)
    if most and len(content) > most:
        raise ServiceError(
            "ConstraintViolationException",
            f"You have exceeded the maximum policy size: {len(content)} characters, allowed are {most}.",
        )


def _may_be_carried(backend: OrganizationsBackend, request: dict[str, Any]) -> None:
    policy, target = _policy(backend, request), request["TargetId"]
    enabled = {one["Type"] for root in backend.ou for one in getattr(root, "policy_types", [])}
    if policy.type not in enabled and not policy.aws_managed:  # those are attached before any type is enabled
        raise ServiceError("PolicyTypeNotEnabledException", f"{policy.type} isn't enabled in the root.")
    places: list[Any] = [*backend.ou, *backend.accounts]
    carried = [
        one for place in places if place.id == target for one in place.attached_policies if one.type == policy.type
    ]
    if policy not in carried and len(carried) >= MOST_OF_A_TYPE:
        raise ServiceError(
            "ConstraintViolationException",
            f"{target} has {len(carried)} policies of type {policy.type}, allowed are {MOST_OF_A_TYPE}.",
        )


def _policy(backend: OrganizationsBackend, request: dict[str, Any]) -> FakePolicy:
    return backend.get_policy_by_id(request["PolicyId"])
