"""What an environment may cost, and who hears that it costs more."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stacks.shapes import Settings

Percent = Annotated[int, Field(ge=1, le=1000)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class BudgetSettings(Settings):
    """A budget warns and stops nothing: an endpoint that is switched off costs more than it saves.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html
    """

    monthly_usd: int = Field(1000, ge=1, le=100_000_000, description="what a month may cost, in US dollars")
    alert_percents: tuple[Percent, ...] = Field(
        (50, 80, 100),
        strict=False,
        max_length=4,
        description="shares of it at which people are told; they are told too when the month will cost more than all",
    )
    emails: tuple[Email, ...] = Field(
        (),
        strict=False,
        max_length=10,
        description="who is told; left out, everybody of [notices]",
        examples=[["finance@example.com"]],
    )
    scope: Literal["account", "environment"] = Field(
        "account",
        description='what is counted: "account" is all of it; "environment" what bears its tag, once the payer has '
        "activated the tag for cost allocation",
    )
    anomaly_usd: int = Field(
        0, ge=0, le=1_000_000, description="people are told of unusual costs from so many dollars on; 0 tells nobody"
    )
    anomaly_monitor_arn: str | None = Field(
        None,
        pattern=r"^arn:aws:ce::[0-9]{12}:anomalymonitor/[\w-]{1,64}$",
        description="the account's monitor of AWS services, if there is one: no account has two",
    )

    @field_validator("alert_percents")
    @classmethod
    def _each_once(cls, percents: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(percents)) != len(percents):
            raise ValueError("names a share twice; once is enough")
        return percents
