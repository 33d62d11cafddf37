"""What `[rollout]` of platform.toml may say: which organizational units get the account baseline, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from stacks.budget_settings import BudgetSettings  # noqa: TC001 pydantic reads it
from stacks.shapes import Settings

Account = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
Unit = Annotated[str, Field(pattern=r"^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$")]
Percent = Annotated[int, Field(ge=0, le=100)]

LISTS = ("organizational_units", "regions", "only_accounts", "except_accounts", "trusted_accounts")


class RolloutSettings(Settings):
    """Account baseline and CDK bootstrap for every account of these organizational units, and for those that join."""

    management_account: Account = Field(
        description="the organization's management account; StackSets deploy nothing to it", examples=["999999999999"]
    )
    administrator_account: Account | None = Field(
        None, description="the delegated administrator of StackSets that rolls out; left out, the management account"
    )
    organizational_units: tuple[Unit, ...] = Field(
        strict=False,
        json_schema_extra={"minItems": 1},
        description="ids of the units whose accounts get it, with those of the units below; the root's id is all",
        examples=[["ou-ab12-c3d4e5f6"]],
    )
    regions: tuple[Region, ...] = Field(
        strict=False,
        json_schema_extra={"minItems": 1},
        description="where accounts get it; the first holds the stack sets and makes what accounts have once, as roles",
        examples=[["eu-west-1"]],
    )
    only_accounts: tuple[Account, ...] = Field(
        (), strict=False, description="these accounts of the units and no others; needs auto_deployment = false"
    )
    except_accounts: tuple[Account, ...] = Field(
        (), strict=False, description="accounts of the units that get nothing, if they are in them already"
    )
    auto_deployment: bool = Field(True, description="accounts that join the units later get it by themselves")
    retain_stacks_on_account_removal: bool = Field(
        True, description="accounts that leave the units keep what they have; false: it is deleted, keys excepted"
    )
    failure_tolerance_percentage: Percent = Field(
        0, description="in how many accounts of a region it may fail before it stops"
    )
    max_concurrent_percentage: Percent = Field(25, description="in how many accounts of a region it goes on at a time")
    concurrency_mode: Literal["STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"] = Field(
        "STRICT_FAILURE_TOLERANCE",
        description="strict never begins more accounts than may fail, and one; soft begins as many as it may",
    )
    region_concurrency_type: Literal["SEQUENTIAL", "PARALLEL"] = Field(
        "SEQUENTIAL", description="one region after the other, as they are listed, or all at once"
    )
    bootstrap: bool = Field(
        True, description="roll out the CDK bootstrap, too; false: each account is bootstrapped by hand"
    )
    trusted_accounts: tuple[Account, ...] = Field(
        (), strict=False, description="accounts whose roles may deploy by the bootstrap's, such as the delivery's"
    )
    auditor_account: Account | None = Field(
        None, description="the account whose people may look whether guardrails stand, in every account"
    )
    budget: BudgetSettings | None = Field(
        None, description="what a month of each account may cost; left out, accounts get no budget of their own"
    )
    key_rotation_days: int = Field(365, ge=90, le=2560, description="how often KMS renews the key's material")

    @field_validator("organizational_units", "regions")
    @classmethod
    def _at_least_one(cls, listed: tuple[str, ...]) -> tuple[str, ...]:
        if not listed:
            raise ValueError("name at least one")
        return listed

    @field_validator("budget")
    @classmethod
    def _told_by_mail(cls, budget: BudgetSettings | None) -> BudgetSettings | None:
        if budget and (not budget.emails or budget.scope != "account" or budget.anomaly_usd):
            raise ValueError("an account has no topic and no tags yet: give emails, and neither scope nor anomaly_usd")
        return budget

    @property
    def administrator(self) -> str:
        """The account that the stack sets are deployed from."""
        return self.administrator_account or self.management_account

    @property
    def call_as(self) -> Literal["SELF", "DELEGATED_ADMIN"]:
        return "DELEGATED_ADMIN" if self.administrator_account else "SELF"

    @property
    def home(self) -> str:
        """The region of the stack sets, and of what an account has once."""
        return self.regions[0]

    @model_validator(mode="after")
    def _nothing_twice(self) -> RolloutSettings:
        for key in LISTS:
            listed = getattr(self, key)
            twice = sorted({value for value in listed if listed.count(value) > 1})
            if twice:
                raise ValueError(f"{key} names {', '.join(twice)} twice; once is enough")
        both = sorted(set(self.only_accounts) & set(self.except_accounts))
        if both:
            raise ValueError(f"only_accounts and except_accounts both name {', '.join(both)}; keep it in one of them")
        return self

    @model_validator(mode="after")
    def _one_filter(self) -> RolloutSettings:
        if self.only_accounts and self.except_accounts:
            raise ValueError("only_accounts and except_accounts exclude each other; remove one of them")
        if self.only_accounts and self.auto_deployment:
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html
            raise ValueError(
                "only_accounts does not bind automatic deployments: any account that joins gets the baseline; "
                "set auto_deployment = false, or name units that hold these accounts and no others"
            )
        return self

    @model_validator(mode="after")
    def _another_administrator(self) -> RolloutSettings:
        if self.administrator_account == self.management_account:
            raise ValueError(
                "administrator_account is the management account, which needs no delegation; "
                "remove administrator_account"
            )
        return self
