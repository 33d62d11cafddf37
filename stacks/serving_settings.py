"""What [serving] of an environment may say, for all models and for single ones."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_code.models import names as model_names
from stacks.shapes import InstanceType, LogDays, Settings

Instances = Annotated[int, Field(ge=1, le=100)]
Cron = Annotated[str, Field(pattern=r"^cron\([^()]+\)$", examples=["cron(0 19 ? * MON-FRI *)"])]
Capture = Literal["sagemaker", "server", "off"]
Shifting = Literal["canary", "linear"]
Exemption = Annotated[str, Field(min_length=10, max_length=256)]
MemoryMb = Literal[1024, 2048, 3072, 4096, 5120, 6144]
TIMEZONE = Field("UTC", min_length=3, description="the times' zone, a name of the IANA", examples=["Europe/Berlin"])


class OffHours(Settings):
    """When endpoints run on as few instances as their mode can.

    https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html
    """

    begin: Cron = Field(description="from then on there are as few instances as can be")
    end: Cron = Field(description="from then on there are min_instances to max_instances again")
    timezone: str = TIMEZONE


class Schedule(Settings):
    """From a time on, other limits for scaling, such as before a sale begins."""

    at: Cron = Field(description="when the limits change")
    min_instances: Instances = Field(description="fewest instances from then on")
    max_instances: Instances = Field(description="most instances from then on")
    timezone: str = TIMEZONE

    @model_validator(mode="after")
    def _most_are_not_below_fewest(self) -> Schedule:
        _in_order(self.min_instances, self.max_instances)
        return self


class ServingOverride(Settings):
    """What one model's endpoint needs otherwise; a key left out keeps the value of [serving]."""

    instance_type: InstanceType | None = Field(None, description="instance type of this endpoint")
    min_instances: Instances | None = Field(None, description="fewest instances; a canary needs two")
    max_instances: Instances | None = Field(None, description="most instances")
    requests_per_second: float | None = Field(None, gt=0, le=100_000, description="what one instance bears")
    safety_factor: float | None = Field(None, gt=0, le=1, description="share of it at which another instance is added")
    step_instances: int | None = Field(None, ge=0, le=20, description="instances added at once; 0 adds none")
    backlog: float | None = Field(None, gt=0, le=10_000, description="requests an async instance may have waiting")
    schedules: tuple[Schedule, ...] | None = Field(
        None, strict=False, description="other limits from certain times on; [] for none"
    )
    off_hours: OffHours | Literal["none"] | None = Field(
        None, description='when few instances are enough; "none" for a model that has no such hours'
    )
    scale_to_zero: bool | None = Field(None, description="without requests there is no instance")
    memory_mb: MemoryMb | None = Field(None, description="memory of a serverless endpoint, or of a copy")
    concurrency: int | None = Field(None, ge=1, le=200, description="requests a serverless endpoint answers at a time")
    shifting: Shifting | None = Field(None, description="how the traffic goes over to a new version")
    canary_percent: int | None = Field(
        None, ge=0, le=50, description="share of the traffic a new version gets at first"
    )
    step_percent: int | None = Field(None, ge=10, le=50, description="share of the traffic that goes over in a step")
    bake_minutes: int | None = Field(None, ge=1, le=60, description="how long each share of the traffic is watched")
    latency_ms: int | None = Field(None, ge=1, le=60_000, description="slower than this, and a version goes back")
    quiet_minutes: int | None = Field(None, ge=0, le=1440, description="without a request for so long, people are told")
    capture: Capture | None = Field(None, description="who keeps a share of the requests")
    capture_percent: int | None = Field(None, ge=0, le=100, description="share of requests kept; 0 keeps none")
    vpc: bool | None = Field(None, description="false: the mode joins no VPC, and vpc_exempt says why that is right")
    vpc_exempt: Exemption | None = Field(None, description="why this model may be served outside the VPC")
    network_isolation: bool | None = Field(
        None, description="false: the container reaches the network, and you know it"
    )

    @property
    def without_hours(self) -> dict[str, None]:
        """A TOML file has no word for nothing."""
        return {"off_hours": None} if self.off_hours == "none" else {}


class ServingSettings(Settings):
    """What endpoints run on, how they grow, and how a release goes over."""

    instance_type: InstanceType = Field("ml.c5.large", description="instance type of the endpoint")
    min_instances: Instances = Field(2, description="fewest instances; a canary needs two")
    max_instances: Instances = Field(4, description="most instances")
    requests_per_second: float = Field(
        100.0, gt=0, le=100_000, description="what one instance bears, measured by a load test of this model"
    )
    safety_factor: float = Field(
        0.5, gt=0, le=1, description="share of requests_per_second at which another instance is added"
    )
    step_instances: int = Field(
        0, ge=0, le=20, description="instances added at once when each bears all it can; 0 adds none"
    )
    backlog: float = Field(5.0, gt=0, le=10_000, description="requests an async instance may have waiting")
    schedules: tuple[Schedule, ...] = Field((), strict=False, description="other limits from certain times on")
    off_hours: OffHours | None = Field(None, description="when few instances are enough; not in production")
    scale_to_zero: bool = Field(False, description="without requests there is no instance; not in production")
    memory_mb: MemoryMb = Field(2048, description="memory of a serverless endpoint, or of a copy that scales to zero")
    concurrency: int = Field(20, ge=1, le=200, description="requests a serverless endpoint answers at a time")
    shifting: Shifting = Field(
        "canary",
        description='how the traffic goes over to a new version: "canary" in two steps, or all at once with '
        'canary_percent = 0; "linear" in equal steps',
    )
    canary_percent: int = Field(
        10, ge=0, le=50, description="share of the traffic a new version gets at first; 0 gives it all at once"
    )
    step_percent: int = Field(
        25, ge=10, le=50, description='share of the traffic that goes over in each step of shifting = "linear"'
    )
    bake_minutes: int = Field(
        10, ge=1, le=60, description="how long a new version is watched with each share of the traffic that it gets"
    )
    latency_ms: int = Field(200, ge=1, le=60_000, description="slower than this for 1 in 20 requests, and it goes back")
    quiet_minutes: int = Field(
        60, ge=0, le=1440, description="without a request for so long, people are told; 0 tells nobody"
    )
    capture: Capture = Field(
        "sagemaker", description='who keeps a share of the requests for monitoring; "server" needs the network'
    )
    capture_percent: int = Field(20, ge=0, le=100, description="share of requests kept for monitoring; 0 keeps none")
    vpc: bool = Field(True, description="false only for models whose mode joins no VPC, with vpc_exempt")
    vpc_exempt: Exemption | None = Field(
        None,
        description="why models may be served outside the VPC; goes with vpc = false",
        examples=["serverless; its requests hold no personal data"],
    )
    network_isolation: bool = Field(
        True, description="false only for modes that have none, and for capture by the server"
    )
    forbidden_findings: Literal["CRITICAL", "HIGH", "none"] = Field(
        "CRITICAL",
        description="a version whose image has findings of this severity or worse is refused; none asks for no scan",
    )
    log_retention_days: LogDays = Field(90, description="how long logs of releases are kept")
    models: dict[str, ServingOverride] = Field(default_factory=dict, description="one table per model that differs")

    @field_validator("models")
    @classmethod
    def _known_models(cls, models: dict[str, ServingOverride]) -> dict[str, ServingOverride]:
        known = model_names()
        unknown = sorted(set(models) - set(known))
        if unknown:
            raise ValueError(f"no such model: {', '.join(unknown)}; models are {', '.join(known)}")
        return models

    @model_validator(mode="after")
    def _most_are_not_below_fewest(self) -> ServingSettings:
        _in_order(self.min_instances, self.max_instances)
        return self

    def of(self, model: str) -> ServingSettings:
        """One model's settings: those of [serving] with the model's own over them."""
        override = self.models.get(model, ServingOverride())
        own = {name: value for name, value in override if value is not None}
        return self.model_copy(update={**own, **override.without_hours, "models": {}})

    @property
    def bakes(self) -> int:
        """How often a release is watched for `bake_minutes`: with each share of the traffic that the new fleet gets."""
        if self.shifting == "linear":
            return math.ceil(100 / self.step_percent)
        return 2 if self.canary_percent else 1

    @property
    def captured(self) -> bool:
        return self.capture != "off" and self.capture_percent > 0


def _in_order(fewest: int, most: int) -> None:
    if most < fewest:
        raise ValueError(f"max_instances = {most} is below min_instances = {fewest}")
