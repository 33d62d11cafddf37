"""Who stands inside the VPC, and which of AWS's services each must reach from there: the one place that says so.

Interface endpoints cost by the hour, so one stands only for a tenant that needs it. Jobs and models are in the VPC and
are no tenants of endpoints: SageMaker pulls their images and writes their logs from its own network, and what they ask
themselves is S3, by the free gateway. Functions and builds run outside.

Studio's own needs: https://docs.aws.amazon.com/sagemaker/latest/dg/studio-updated-and-internet-access.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stacks.settings import Environment

GATEWAYS = ("dynamodb", "s3")
"""Services with a gateway, which costs nothing."""

STUDIO = {
    "sagemaker.api": "Studio does not start without it",
    "sagemaker.runtime": "Studio does not start without it",
    "sts": "which session a notebook has, asked by `slipway` and the SDKs",
}
PEOPLE: dict[str, dict[str, str]] = {
    "approver": {
        "logs": "what jobs wrote",
        "s3": "reports, records",
    },
    "data_scientist": {
        "lambda": "to ask for a run",
        "logs": "what jobs and endpoints wrote",
        "s3": "periods, reports, records",
    },
    "ml_engineer": {
        "dynamodb": "the journal of releases",
        "lambda": "to ask for a run",
        "logs": "what jobs and endpoints wrote",
        "monitoring": "how endpoints do",
        "s3": "periods, reports, records",
    },
}
"""By persona: what their roles may ask beside SageMaker; a test holds it against what those roles may do."""


@dataclass(frozen=True)
class Tenant:
    """Something inside the VPC: its name, and each service it needs with the reason."""

    name: str
    services: Mapping[str, str]


def tenants_of(environment: Environment) -> list[Tenant]:
    """Everything of an environment that stands inside its VPC."""
    found = [Tenant("jobs", {"s3": "data, models, reports"}), Tenant("endpoints", {"s3": "what capture keeps"})]
    if environment.studio:
        found.append(Tenant("studio", STUDIO))
        found += [Tenant(f"studio's {persona}", PEOPLE[persona]) for persona in environment.studio.personas]
    return found


def needed(tenants: Iterable[Tenant]) -> list[str]:
    """The services that an endpoint must stand for, gateways among them; each once."""
    return sorted({service for tenant in tenants for service in tenant.services})
