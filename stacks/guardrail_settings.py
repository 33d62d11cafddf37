"""What the organization forbids in the platform's accounts, and from which account it says so."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from stacks.shapes import Settings

Target = Annotated[str, Field(pattern=r"^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|[0-9]{12})$")]
RolePattern = Annotated[str, Field(pattern=r"^arn:aws:iam::([0-9]{12}|\*):role/[\w+=,.@/*-]{1,128}$")]
Service = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]

FORBIDDEN = ("amplify", "apprunner", "cloud9", "elasticbeanstalk", "gamelift", "lightsail")
"""Services that run code or keep data past the VPC and the keys, and that no room uses."""


class GuardrailsSettings(Settings):
    """Without an account nothing is deployed: `slipway guardrails write` gives the documents to whoever may."""

    account: str | None = Field(
        None,
        pattern=r"^[0-9]{12}$",
        description="the organization's management account, or the one that policies are delegated to",
        examples=["999999999999"],
    )
    region: str = Field(
        "us-east-1",
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$",
        description="where its stack stands; policies know no region",
    )
    targets: tuple[Target, ...] = Field(
        (),
        strict=False,
        description="root, organizational units or accounts the policies are attached to",
        examples=[["ou-ab12-11111111"]],
    )
    exempt_roles: tuple[RolePattern, ...] = Field(
        (),
        strict=False,
        description="roles the organization itself administers accounts with; boundary and logs are theirs to change",
        examples=[["arn:aws:iam::*:role/AWSControlTowerExecution"]],
    )
    forbidden_services: tuple[Service, ...] = Field(
        FORBIDDEN, strict=False, description="services nobody may use, as IAM's actions spell them"
    )

    @model_validator(mode="after")
    def _account_and_targets(self) -> GuardrailsSettings:
        if (self.account is None) != (not self.targets):
            raise ValueError("account and targets belong together: give both, or remove both")
        twice = sorted({one for one in self.targets if self.targets.count(one) > 1})
        if twice:
            raise ValueError(f"targets names {', '.join(twice)} twice; once is enough")
        return self
