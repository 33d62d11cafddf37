"""Everything of the cloud that a pipeline definition names. Strings may be CDK tokens: they are never parsed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class JobResources:
    """What one step's job runs on and may do. With `spot_wait_seconds` it runs on spot, waiting that long for it."""

    role_arn: str
    instance_type: str
    volume_gb: int
    timeout_seconds: int
    spot_wait_seconds: int | None = None


@dataclass(frozen=True)
class Patience:
    """How long a run bears with AWS: scarce capacity and reached limits in minutes, its own faults in attempts.

    `cache_days` is how long a step's results may stand for those of the same step with the same inputs; 0 is never.
    """

    capacity_minutes: int = 240
    fault_attempts: int = 3
    cache_days: int = 30


@dataclass(frozen=True)
class Surroundings:
    """`inputs` holds the URI of each external artifact, of the listing its prefix.

    `tags` are those of the jobs, and say whose cost they are.
    `runs_uri`, `temporary_uri` and `provenance_uri` are prefixes below which each execution gets a folder of its own.
    """

    image_uri: str
    serve_image_uri: str
    commit: str
    jobs: Mapping[str, JobResources]
    inputs: Mapping[str, str]
    runs_uri: str
    temporary_uri: str
    provenance_uri: str
    kms_key_id: str
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    model_package_group: str
    patience: Patience = Patience()
    tags: Mapping[str, str] = field(default_factory=dict)
