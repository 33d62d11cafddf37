"""What the delivery of code calls its things: it stands in one account and belongs to no environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.config import Config

DELIVERY = "Delivery"
"""The stack, after the platform's name."""

CHANGES_PREFIX = "changes"
"""In its bucket: for each execution and environment a page that says what would change."""

OBJECT_KEY = "source.zip"
"""In its source bucket: the push, where it comes from no repository."""

RESERVED = "delivery"
"""No environment may have this name while code is delivered: its things would have the same names."""

QUALIFIER = "hnb659fds"
"""Of the CDK's bootstrap, https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html."""


@dataclass(frozen=True)
class DeliveryNames:
    """The physical names of the delivery, and where it stands."""

    platform: str
    account: str
    region: str

    @classmethod
    def of(cls, config: Config) -> DeliveryNames:
        """Where `[delivery]` says, or else where models are trained, or else in the first environment's account."""
        settings, platform = config.platform.delivery, config.platform
        home = config.environment(platform.registry) if platform.registry else config.in_turn[0][0]
        account = settings.account if settings and settings.account else home.account
        region = settings.region if settings and settings.region else home.region
        return cls(platform.name, account, region)

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
    """The roles that deliver code, by ARN: who looks what would change, and who looks whether it works."""

    reviewers: tuple[str, ...]
    verifiers: tuple[str, ...]

    @classmethod
    def of(cls, config: Config) -> Deliverers:
        """Those of the pipeline, where there is one."""
        names = DeliveryNames.of(config)
        if config.platform.delivery is None:
            return cls((), ())
        return cls((names.role_arn(names.reviewer),), (names.role_arn(names.verifier),))


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
