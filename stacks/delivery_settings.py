"""What `[delivery]` may say: of platform.toml where the code comes from and who is told, of an environment its turn."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stacks.shapes import LogDays, Settings

CONNECTED = ("github", "gitlab", "bitbucket")
"""Hosts that CodePipeline reads through a connection."""

DEFAULT_CHECKS = ("make test", "make rehearse")
ORDER = {"Development": 1, "Staging": 2, "Production": 3}
"""An environment's turn by its stage, where it says none itself."""

Command = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\n\r#]+$")]
Glob = Annotated[str, Field(min_length=1, max_length=255)]


class SourceSettings(Settings):
    """Where a push is made, and which pushes count."""

    provider: Literal["github", "gitlab", "bitbucket", "codecommit", "s3"] = Field(
        description="the host of the repository; s3 takes a zip file of it", examples=["github"]
    )
    repository: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
        description="owner/name at the host, or the name in CodeCommit",
        examples=["my-team/slipway"],
    )
    branch: str = Field(
        "main", pattern=r"^[A-Za-z0-9_./-]+$", description="whose pushes are delivered; others are validated"
    )
    paths: tuple[Glob, ...] = Field(
        (), strict=False, description="a push that changes none of these files delivers nothing; left out, every push"
    )
    connection_arn: str | None = Field(
        None,
        pattern=r"^arn:aws:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/[0-9a-f-]{36}$",
        description="the connection to the host, made and confirmed once in the console",
        examples=["arn:aws:codeconnections:eu-west-1:111111111111:connection/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"],
    )

    @property
    def is_connected(self) -> bool:
        return self.provider in CONNECTED

    @model_validator(mode="after")
    def _what_the_host_needs(self) -> SourceSettings:
        if self.is_connected != (self.connection_arn is not None):
            needs = "needs a connection_arn" if self.is_connected else "takes no connection_arn; remove it"
            raise ValueError(f"provider {self.provider} {needs}")
        if (self.provider == "s3") == (self.repository is not None):
            needs = "takes no repository; remove it" if self.repository else "needs a repository"
            raise ValueError(f"provider {self.provider} {needs}")
        if self.paths and not self.is_connected:
            raise ValueError(f"provider {self.provider} knows no paths; remove them, or use {', '.join(CONNECTED)}")
        return self


class PackagesSettings(Settings):
    """A CodeArtifact repository that packages come from, for networks that are closed to the rest of the world."""

    domain: str = Field(pattern=r"^[a-z][a-z0-9-]{0,48}[a-z0-9]$", description="the domain", examples=["ml"])
    domain_owner: str = Field(pattern=r"^[0-9]{12}$", description="its account", examples=["111111111111"])
    python: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,99}$",
        description="the repository of Python packages",
        examples=["pypi-store"],
    )
    npm: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,99}$",
        description="the repository of npm packages",
        examples=["npm-store"],
    )


class ChatSettings(Settings):
    """A channel that is told beside those who get mail; the workspace is authorized once, in the console.

    https://docs.aws.amazon.com/chatbot/latest/adminguide/slack-setup.html
    """

    workspace_id: str = Field(pattern=r"^T[A-Z0-9]{2,20}$", description="the Slack workspace", examples=["T0123456789"])
    channel_id: str = Field(pattern=r"^[A-Z0-9]{9,30}$", description="the Slack channel", examples=["C0123456789"])


class DeliverySettings(Settings):
    """A pipeline that delivers code through every environment; left out, people deploy by hand."""

    account: str = Field(
        pattern=r"^[0-9]{12}$",
        description="the delivery account, where the pipeline stands; it is no environment's",
        examples=["444444444444"],
    )
    region: str = Field(
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="where the pipeline stands", examples=["eu-west-1"]
    )
    source: SourceSettings = Field(description="where a push is made")
    checks: tuple[Command, ...] = Field(
        DEFAULT_CHECKS,
        strict=False,
        description="what has to succeed before anything is deployed, each a command, beside each other",
    )
    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...] = Field(
        (), strict=False, description="who is told of failures, and asked to approve", examples=[["ml@example.com"]]
    )
    chat: ChatSettings | None = Field(None, description="a Slack channel that is told, too")
    packages: PackagesSettings | None = Field(
        None, description="where packages come from in a closed network; left out, from the public indexes"
    )
    log_retention_days: LogDays = Field(365, description="how long logs of builds are kept")
    artifact_retention_days: int = Field(
        90, ge=7, le=3653, description="how long what the pipeline hands on can be gone back to"
    )

    @field_validator("checks")
    @classmethod
    def _each_once(cls, checks: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({check for check in checks if checks.count(check) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is named twice; once is enough")
        return checks


class TurnSettings(Settings):
    """When code comes to an environment, and who must agree."""

    order: int | None = Field(
        None,
        ge=1,
        le=20,
        description="its turn: environments with one number are deployed beside each other; left out, by its stage",
    )
    approval: Literal["always", "permissions", "never"] | None = Field(
        None,
        description='"permissions" asks a person only where a change widens what somebody may do; '
        'left out, "always" in production and "permissions" elsewhere',
    )
