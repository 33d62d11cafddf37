"""What the delivery of code calls its things: it stands in one account and belongs to no environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.settings import Environment, Platform

DELIVERY = "Delivery"
"""The stack, after the platform's name."""

CHANGES_PREFIX = "changes"
"""In its bucket: for each execution and environment a page that says what would change."""

OBJECT_KEY = "source.zip"
"""In its source bucket: the push, where it comes from no repository."""

RESERVED = "delivery"
"""No environment may have this name while code is delivered: its things would have the same names."""

LOOKS_FIRST = "changes"
"""Ends the name of the role, and of the environment on GitHub, of whoever looks before an approval."""

QUALIFIER = "hnb659fds"
"""Of the CDK's bootstrap, https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html."""


@dataclass(frozen=True)
class DeliveryNames:
    """The physical names of the delivery, and where it stands."""

    platform: str
    account: str
    region: str

    @classmethod
    def of(cls, platform: Platform) -> DeliveryNames | None:
        """Where `[delivery]` says; None without it."""
        settings = platform.delivery
        return cls(platform.name, settings.account, settings.region) if settings else None

    @property
    def pipeline(self) -> str:
        return f"{self.platform}-delivery"

    @property
    def stack(self) -> str:
        return f"{self.platform}-{DELIVERY}"

    @property
    def bucket(self) -> str:
        """What the pipeline hands from action to action, and what would change."""
        return f"{self.pipeline}-{self.account}-{self.region}"

    @property
    def cache_bucket(self) -> str:
        """What builds fetched, so that the next ones need not; nothing that is deployed."""
        return f"{self.pipeline}-cache-{self.account}-{self.region}"

    @property
    def source_bucket(self) -> str:
        """Where a push is made that comes from no repository."""
        return f"{self.pipeline}-source-{self.account}-{self.region}"

    @property
    def boundary(self) -> str:
        return f"{self.pipeline}-boundary"

    @property
    def key_alias(self) -> str:
        return f"alias/{self.pipeline}"

    @property
    def notices(self) -> str:
        return f"{self.pipeline}-notices"

    @property
    def reviewer(self) -> str:
        """The role of builds that look what would change."""
        return f"{self.pipeline}-reviewer"

    @property
    def verifier(self) -> str:
        """The role of builds that look whether what was deployed works."""
        return f"{self.pipeline}-verifier"

    @property
    def validation(self) -> str:
        """The project that checks pull requests, and its role."""
        return f"{self.pipeline}-validation"

    @property
    def take_back(self) -> str:
        """The function that takes back what failed in an environment."""
        return f"{self.pipeline}-take-back"

    @property
    def pipeline_arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.pipeline}"

    @property
    def topic_arn(self) -> str:
        return f"arn:aws:sns:{self.region}:{self.account}:{self.notices}"

    def role_arn(self, role: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{role}"


@dataclass(frozen=True)
class Deliverers:
    """The roles that deliver code to an environment, by ARN: who sees what would change, who sees whether it works."""

    reviewers: tuple[str, ...]
    verifiers: tuple[str, ...]

    @classmethod
    def of(cls, platform: Platform, environment: Environment) -> Deliverers:
        """Those of the pipeline and of GitHub's jobs, whichever there are."""
        names, github = DeliveryNames.of(platform), platform.github
        reviewers = [names.role_arn(names.reviewer)] if names else []
        verifiers = [names.role_arn(names.verifier)] if names else []
        if github:
            stem = f"arn:aws:iam::{github.account}:role/{github_role(platform.name, environment.name)}"
            reviewers += [stem, *([f"{stem}-{LOOKS_FIRST}"] if environment.stage == "Production" else [])]
            verifiers.append(stem)
        return cls(tuple(reviewers), tuple(verifiers))


def github_role(platform: str, environment: str) -> str:
    """What jobs of GitHub that are bound to an environment become."""
    return f"{platform}-github-{environment}"


def bootstrap_role(kind: str, account: str, region: str) -> str:
    """A role that `cdk bootstrap` makes: deploy, lookup, file-publishing, cfn-exec."""
    return f"arn:aws:iam::{account}:role/cdk-{QUALIFIER}-{kind}-role-{account}-{region}"


def review_stage(environments: list[str]) -> str:
    """The pipeline's stage in which people see what would change in these environments, and agree."""
    return f"Review-{'-'.join(environments)}"


def deploy_stage(platform: str, environments: list[str]) -> str:
    """The pipeline's stage that deploys to these environments, and looks whether it works.

    Of a wave of one CDK Pipelines makes a stage with that one's own name.
    """
    return f"{platform}-{environments[0]}" if len(environments) == 1 else f"Deploy-{'-'.join(environments)}"
