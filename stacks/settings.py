"""What environments/ may say: frozen shapes with limits, defaults and a sentence for every key."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline_code.steps import names as step_names
from pipeline_code.steps import training_names
from stacks.budget_settings import BudgetSettings
from stacks.delivery_settings import ORDER, DeliverySettings, TurnSettings
from stacks.github_settings import GitHubSettings  # noqa: TC001 pydantic reads it
from stacks.guardrail_settings import GuardrailsSettings
from stacks.persona_settings import PersonasSettings
from stacks.promotion_settings import Promote  # noqa: TC001 pydantic reads it
from stacks.rollout_settings import RolloutSettings  # noqa: TC001 pydantic reads it
from stacks.run_settings import NoticesSettings, TriggersSettings  # noqa: TC001 pydantic reads it
from stacks.serving_settings import ServingSettings  # noqa: TC001 pydantic reads it
from stacks.shapes import InstanceType, LogDays, Settings
from stacks.studio_settings import StudioSettings  # noqa: TC001 pydantic reads it

Days = Annotated[int, Field(ge=1, le=3653)]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]


class GovernanceSettings(Settings):
    owner: Literal["stack", "baseline"] = Field(
        "stack", description='"stack" makes key and boundary; "baseline" takes those the account baseline made'
    )
    key_arn: str | None = Field(
        None,
        pattern=r"^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$",
        description="the key of a baseline that another team made; that of [rollout] is known by name",
        examples=["arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"],
    )
    key_rotation_days: int = Field(365, ge=90, le=2560, description="how often KMS renews the key's material")

    @model_validator(mode="after")
    def _key_of_the_owner(self) -> GovernanceSettings:
        if self.owner == "stack" and self.key_arn is not None:
            raise ValueError('key_arn goes with owner = "baseline": give both, or neither')
        return self


class NetworkSettings(Settings):
    cidr: str | None = Field(
        None,
        description="address range of the VPC to make, a private IPv4 block from /16 to /24",
        examples=["10.10.0.0/16"],
    )
    availability_zones: int = Field(2, ge=2, le=3, description="in how many zones jobs may run")
    flow_log_retention_days: LogDays = Field(90, description="how long rejected and accepted flows are kept")
    vpc_id: str | None = Field(
        None,
        pattern=r"^vpc-[0-9a-f]{8,17}$",
        description="an existing VPC instead of a new one",
        examples=["vpc-0a1b2c3d4e5f60718"],
    )
    subnet_ids: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        (), strict=False, description="private subnets of that VPC with a route to S3"
    )

    @field_validator("cidr")
    @classmethod
    def _private_block(cls, cidr: str | None) -> str | None:
        if cidr is None:
            return None
        try:
            block = ipaddress.IPv4Network(cidr)
        except ValueError as error:
            raise ValueError(f"not an IPv4 block ({error})") from None
        if not block.is_private or not 16 <= block.prefixlen <= 24:  # noqa: PLR2004 VPC and subnet limits of EC2
            raise ValueError("must be a private IPv4 block from /16 to /24")
        return cidr

    @model_validator(mode="after")
    def _one_network(self) -> NetworkSettings:
        if (self.cidr is None) == (self.vpc_id is None):
            raise ValueError("give either cidr (a new VPC) or vpc_id with subnet_ids (an existing one)")
        if (self.vpc_id is None) != (not self.subnet_ids):
            raise ValueError("vpc_id and subnet_ids belong together: give both, or remove both")
        return self


class ImageSettings(Settings):
    build_log_retention_days: LogDays = Field(90, description="how long logs of image builds are kept")
    base_image: str = Field(min_length=3, description="what the images are built on; needs Python 3.11 or newer")
    image_uri: str | None = Field(
        None,
        pattern=r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9._/-]+[:@][A-Za-z0-9._:-]+$",
        description="a ready image instead of one built here",
        examples=["111111111111.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1.4.2"],
    )
    serve_image_uri: str | None = Field(
        None,
        pattern=r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9._/-]+[:@][A-Za-z0-9._:-]+$",
        description="a ready image of the server instead of one built here; goes with image_uri",
        examples=["111111111111.dkr.ecr.eu-west-1.amazonaws.com/ml/serve:1.4.2"],
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> ImageSettings:
        if (self.image_uri is None) != (self.serve_image_uri is None):
            raise ValueError("image_uri and serve_image_uri go together; give both, or none to build both here")
        return self


class DataSettings(Settings):
    noncurrent_retention_days: Days = Field(90, description="how long overwritten and deleted objects can be restored")
    run_retention_days: Days = Field(
        180, description="how long datasets of pipeline runs are kept; models, reports and records stay"
    )
    access_log_retention_days: Days = Field(365, description="how long the buckets' access logs are kept")


class JobSettings(Settings):
    instance_type: InstanceType = Field("ml.m5.large", description="instance type of the job")
    volume_gb: int = Field(30, ge=1, le=16384, description="size of the job's encrypted volume")
    timeout_minutes: int = Field(60, ge=1, le=40320, description="after this the job is stopped and fails")


class JobNeeds(JobSettings):
    """What one step's job gets in the end."""

    spot_wait_minutes: int | None = None


class JobOverride(Settings):
    """What one step needs otherwise; a key left out keeps the value of [training]."""

    instance_type: InstanceType | None = Field(None, description="instance type of this step's job")
    volume_gb: int | None = Field(None, ge=1, le=16384, description="size of this step's encrypted volume")
    timeout_minutes: int | None = Field(
        None, ge=1, le=40320, description="after this the step's job is stopped and fails"
    )
    spot_wait_minutes: int | None = Field(
        None, ge=1, le=40320, description="run on spot capacity and wait this long for it; training steps only"
    )


class TrainingSettings(JobSettings):
    capacity_retry_minutes: int = Field(
        240, ge=1, le=14400, description="how long a step waits for scarce capacity or a reached limit"
    )
    fault_retries: int = Field(3, ge=0, le=20, description="how often a step is tried again after a fault of AWS's own")
    cache_days: int = Field(
        30, ge=0, le=365, description="how long results stand for the same step with the same inputs; 0 is never"
    )
    steps: dict[str, JobOverride] = Field(default_factory=dict, description="one table per step that differs")

    @field_validator("steps")
    @classmethod
    def _known_steps(cls, steps: dict[str, JobOverride]) -> dict[str, JobOverride]:
        known = step_names()
        unknown = sorted(set(steps) - set(known))
        if unknown:
            raise ValueError(f"no such step: {', '.join(unknown)}; steps are {', '.join(known)}")
        return steps

    @field_validator("steps")
    @classmethod
    def _spot_for_training(cls, steps: dict[str, JobOverride]) -> dict[str, JobOverride]:
        wrong = sorted(name for name, job in steps.items() if job.spot_wait_minutes and name not in training_names())
        if wrong:
            known = ", ".join(training_names())
            raise ValueError(f"{', '.join(wrong)} cannot run on spot capacity; training steps can: {known}")
        return steps

    def job(self, step: str) -> JobNeeds:
        """The settings of one step's job: those of [training] with the step's own over them."""
        override = self.steps.get(step, JobOverride())
        return JobNeeds(
            instance_type=override.instance_type or self.instance_type,
            volume_gb=override.volume_gb or self.volume_gb,
            timeout_minutes=override.timeout_minutes or self.timeout_minutes,
            spot_wait_minutes=override.spot_wait_minutes,
        )


class Environment(Settings):
    """One account and region the platform is deployed to; `name` is the file's name."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9]{1,11}$", description="the file's name: 2 to 12 lower-case letters and digits"
    )
    account: str = Field(
        pattern=r"^[0-9]{12}$", description="AWS account id, 12 digits in quotes", examples=["111111111111"]
    )
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="AWS region", examples=["eu-west-1"])
    stage: Literal["Development", "Staging", "Production"] = Field(description="which versions may be released here")
    disposable: bool = Field(False, description="true: destroying a stack deletes its data too")
    governance: GovernanceSettings = Field(description="key and permissions boundary")
    network: NetworkSettings = Field(description="where jobs run")
    notices: NoticesSettings = Field(description="who is told of failures")
    budget: BudgetSettings = Field(
        default_factory=BudgetSettings, description="what a month may cost, and who hears that it costs more"
    )
    data: DataSettings = Field(description="how long data is kept")
    image: ImageSettings | None = Field(None, description="the images of jobs and endpoints; where models are trained")
    training: TrainingSettings | None = Field(
        None, description="what the jobs of the pipeline run on; where models are trained"
    )
    triggers: TriggersSettings | None = Field(None, description="what starts runs; where models are trained")
    serving: ServingSettings = Field(description="what endpoints run on, and how a release goes over")
    personas: PersonasSettings = Field(
        default_factory=PersonasSettings, description="who may take on the roles of people; who is left out has none"
    )
    studio: StudioSettings | None = Field(
        None, description="SageMaker Studio for people who write code here; left out, there is none"
    )

    delivery: TurnSettings = Field(default_factory=TurnSettings, description="when code comes here, and who must agree")

    @property
    def turn(self) -> int:
        """Environments are delivered to in the order of these numbers."""
        return self.delivery.order or ORDER[self.stage]

    @property
    def approval(self) -> str:
        """Whether a person agrees before code comes here: always, never, or where it widens permissions."""
        return self.delivery.approval or ("always" if self.stage == "Production" else "permissions")

    @model_validator(mode="after")
    def _cache_outlives_no_data(self) -> Environment:
        if self.training and self.training.cache_days >= self.data.run_retention_days:
            raise ValueError(
                f"training.cache_days = {self.training.cache_days} must be below data.run_retention_days = "
                f"{self.data.run_retention_days}, or a cached step hands on what is deleted"
            )
        return self

    @model_validator(mode="after")
    def _studio_has_roles(self) -> Environment:
        lacking = list(self.studio.without_role(self.personas)) if self.studio else []
        if lacking:
            raise ValueError("; ".join(lacking))
        return self

    @model_validator(mode="after")
    def _production_keeps_data(self) -> Environment:
        if self.stage == "Production" and self.disposable:
            raise ValueError('disposable = true contradicts stage = "Production"; remove one of them')
        return self


class Platform(Settings):
    """What all environments share."""

    name: str = Field(
        "slipway", pattern=r"^[a-z][a-z0-9]{1,11}$", description="first part of every name the platform gives"
    )
    registry: str | None = Field(
        None,
        description="the environment that trains, and whose versions all others release; "
        "left out, each environment trains for itself",
        examples=["dev"],
    )
    promote: Promote = None
    organization_id: str | None = Field(
        None,
        pattern=r"^o-[a-z0-9]{10,32}$",
        description="what environments share is shared within this organization only",
        examples=["o-a1b2c3d4e5"],
    )
    instance_types: tuple[InstanceType, ...] = Field(
        (),
        strict=False,
        description="what jobs, endpoints and Studio may run on, everywhere; left out, on anything",
        examples=[["ml.m5.large", "ml.c5.large"]],
    )
    guardrails: GuardrailsSettings = Field(
        default_factory=GuardrailsSettings, description="what the organization forbids in the platform's accounts"
    )
    delivery: DeliverySettings | None = Field(
        None, description="a pipeline that delivers code through every environment; left out, people deploy by hand"
    )
    rollout: RolloutSettings | None = Field(
        None, description="the account baseline for whole organizational units; left out, nothing is rolled out"
    )
    github: GitHubSettings | None = Field(
        None, description="who delivers the platform from GitHub; left out, nobody does"
    )
    tags: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]{0,126}$")], Annotated[str, Field(min_length=1, max_length=256)]
    ] = Field(default_factory=dict, description="tags on every resource")
