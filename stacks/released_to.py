"""Who releases the versions of an environment that trains: the other environments' roles, by name, beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from stacks.config import models
from stacks.names import Names
from stacks.promotion_settings import style_of

if TYPE_CHECKING:
    from stacks.config import Config
    from stacks.settings import Environment


@dataclass(frozen=True)
class ReleasedTo:
    """The other environments that release this one's versions; `crowning` are those whose version is the champion.

    Where they are `copying`, their releasers fetch whole versions, and nobody else of theirs reads anything.
    """

    environments: tuple[Names, ...]
    crowning: tuple[Names, ...]
    models: tuple[str, ...]
    organization_id: str | None
    copying: bool

    @classmethod
    def of(cls, config: Config, registry: Environment) -> Self:
        """Those of an environment that trains, itself not among them."""
        others = [each for each in config.released_from(registry) if each.name != registry.name]
        return cls(
            environments=tuple(Names.of(config.platform, each) for each in others),
            crowning=tuple(Names.of(config.platform, each) for each in others if config.crowns(each)),
            models=tuple(models()),
            organization_id=config.platform.organization_id,
            copying=style_of(config.platform) == "copy",
        )

    @property
    def releasers(self) -> list[str]:
        """Who checks a version and makes it live."""
        return [names.role_arn(names.releaser) for names in self.environments]

    @property
    def checkers(self) -> list[str]:
        """Who compares a version with its record: before a release, and after a deployment."""
        return [*self.releasers, *(names.role_arn(names.verifier) for names in self._serving_from_here)]

    @property
    def deployers(self) -> list[str]:
        """Who makes models of versions, in CloudFormation's name."""
        return [names.role_arn(names.serving_deployer) for names in self._serving_from_here]

    @property
    def crowners(self) -> list[str]:
        """Who says which version is the champion."""
        return [names.role_arn(names.releaser) for names in self.crowning]

    def endpoints(self, model: str | None = None) -> list[str]:
        """Who fetches image and artifact to serve them."""
        models = [model] if model else self.models
        return [names.role_arn(names.endpoint_role(each)) for names in self._serving_from_here for each in models]

    @property
    def pullers(self) -> list[str]:
        """Who fetches images: to serve them, or to copy them."""
        return self.releasers if self.copying else self.endpoints()

    @property
    def _serving_from_here(self) -> tuple[Names, ...]:
        return () if self.copying else self.environments
