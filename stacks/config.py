"""The only reader of environments/: TOML in, frozen settings out, every mistake reported at once."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "environments"

LogDays = Literal[30, 90, 180, 365, 731, 1827]
Days = Annotated[int, Field(ge=1, le=3653)]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", examples=["ml.m5.xlarge"])]


S = TypeVar("S", bound="Settings")


class ConfigError(Exception):
    """All mistakes of all files, one line each."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class Settings(BaseModel):
    """Frozen and strict: an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GovernanceSettings(Settings):
    owner: Literal["stack", "baseline"] = Field(
        "stack", description='"stack" makes key and boundary; "baseline" takes those the account baseline made'
    )
    key_arn: str | None = Field(
        None,
        pattern=r"^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$",
        description='the baseline\'s key, needed with owner = "baseline" only',
        examples=["arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"],
    )
    key_rotation_days: int = Field(365, ge=90, le=2560, description="how often KMS renews the key's material")

    @model_validator(mode="after")
    def _key_of_the_owner(self) -> GovernanceSettings:
        if (self.owner == "baseline") != (self.key_arn is not None):
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
    base_image: str = Field(min_length=3, description="what the job image is built on; needs Python 3.11 or newer")
    image_uri: str | None = Field(
        None,
        pattern=r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9._/-]+[:@][A-Za-z0-9._:-]+$",
        description="a ready image instead of one built here",
        examples=["111111111111.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1.4.2"],
    )


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


class JobOverride(Settings):
    """What one step needs otherwise; a key left out keeps the value of [training]."""

    instance_type: InstanceType | None = Field(None, description="instance type of this step's job")
    volume_gb: int | None = Field(None, ge=1, le=16384, description="size of this step's encrypted volume")
    timeout_minutes: int | None = Field(
        None, ge=1, le=40320, description="after this the step's job is stopped and fails"
    )


class TrainingSettings(JobSettings):
    steps: dict[str, JobOverride] = Field(default_factory=dict, description="one table per step that differs")

    @field_validator("steps")
    @classmethod
    def _known_steps(cls, steps: dict[str, JobOverride]) -> dict[str, JobOverride]:
        known = _files("pipeline_code/steps")
        unknown = sorted(set(steps) - set(known))
        if unknown:
            raise ValueError(f"no such step: {', '.join(unknown)}; steps are {', '.join(known)}")
        return steps

    def job(self, step: str) -> JobSettings:
        """The settings of one step's job: those of [training] with the step's own over them."""
        override = self.steps.get(step, JobOverride())
        return JobSettings(
            instance_type=override.instance_type or self.instance_type,
            volume_gb=override.volume_gb or self.volume_gb,
            timeout_minutes=override.timeout_minutes or self.timeout_minutes,
        )


class RegistrySettings(Settings):
    reader_accounts: tuple[AccountId, ...] = Field(
        (),
        strict=False,
        description="other accounts that may read versions and their artifacts",
        examples=[["222222222222"]],
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
    governance: GovernanceSettings
    network: NetworkSettings
    image: ImageSettings
    data: DataSettings
    training: TrainingSettings
    registry: RegistrySettings

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
    organization_id: str | None = Field(
        None,
        pattern=r"^o-[a-z0-9]{10,32}$",
        description="accounts of this organization may pull the job image",
        examples=["o-a1b2c3d4e5"],
    )
    tags: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]{0,126}$")], Annotated[str, Field(min_length=1, max_length=256)]
    ] = Field(default_factory=dict, description="tags on every resource")


class Config(Settings):
    platform: Platform
    environments: tuple[Environment, ...]

    def environment(self, name: str) -> Environment:
        for environment in self.environments:
            if environment.name == name:
                return environment
        known = ", ".join(e.name for e in self.environments)
        raise ConfigError([f"no environment {name!r}; environments are {known} (one TOML file each in environments/)"])


def models() -> list[str]:
    """The models of this platform: the folders of pipeline_code/models."""
    return sorted(p.parent.name for p in (ROOT / "pipeline_code/models").glob("*/__init__.py"))


def load(folder: Path = ENVIRONMENTS) -> Config:
    """Read every TOML file of the folder; raise ConfigError with all mistakes of all of them."""
    mistakes: list[str] = []
    files = sorted(folder.glob("*.toml"))
    platform = _read(folder / "platform.toml", Platform, {}, mistakes)
    environments = [
        _read(file, Environment, {"name": file.stem}, mistakes) for file in files if file.name != "platform.toml"
    ]
    if not environments:
        mistakes.append(f"{folder}: no environment; add one TOML file per environment, such as dev.toml")
    if mistakes or platform is None:
        raise ConfigError(mistakes)
    return Config(platform=platform, environments=tuple(e for e in environments if e))


def _read(file: Path, kind: type[S], given: dict[str, Any], mistakes: list[str]) -> S | None:
    where = f"{file.parent.name}/{file.name}"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return kind.model_validate({**table, **given})
    except FileNotFoundError:
        mistakes.append(f"{where}: file missing; every platform needs it")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{where}: not valid TOML: {error}")
    except ValidationError as error:
        mistakes += [_explain(where, kind, dict(found)) for found in error.errors()]
    return None


def _explain(where: str, kind: type[Settings], error: dict[str, Any]) -> str:
    """One mistake as a line: file, key, value given, what is allowed, the fix."""
    *parents, key = error["loc"] or ("",)
    dotted = ".".join(str(part) for part in error["loc"]) or "file"
    owner = _settings_at(kind, parents)
    if error["type"] == "extra_forbidden":
        return f"{where}: {dotted} = {error['input']!r}: no such key{_suggestion(str(key), owner)}"
    field = owner.model_fields.get(str(key)) if owner else None
    about = f" ({field.description}{_example(field.examples)})" if field and field.description else ""
    if error["type"] == "missing":
        return f"{where}: {dotted}: missing; add it{about}"
    if isinstance(error["input"], dict):
        return f"{where}: {dotted}: {_message(error)}{about}"
    return f"{where}: {dotted} = {error['input']!r}: {_message(error)}{about}"


def _message(error: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _example(examples: list[Any] | None) -> str:
    return f"; for example {examples[0]!r}" if examples else ""


def _settings_at(kind: type[Settings], path: list[Any]) -> type[Settings] | None:
    """The settings class that owns a key; None below a free table or list."""
    current: type[Settings] | None = kind
    for part in path:
        field = current.model_fields.get(str(part)) if current else None
        nested = field.annotation if field else None
        if field and current is TrainingSettings:
            return JobOverride
        current = nested if isinstance(nested, type) and issubclass(nested, Settings) else None
    return current


def _suggestion(key: str, owner: type[Settings] | None) -> str:
    if owner is None:
        return "; remove it"
    keys = [name for name in owner.model_fields if name != "name" or owner is Platform]
    close = difflib.get_close_matches(key, keys, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{meant} Keys here are {', '.join(keys)}" if meant else f"; keys here are {', '.join(keys)}"


def _files(folder: str) -> list[str]:
    return sorted(p.stem for p in (ROOT / folder).glob("*.py") if p.stem != "__init__")
