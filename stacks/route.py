"""How versions come to an environment: from where they are trained, to the registry that it serves them from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from stacks.config import models
from stacks.names import Names

if TYPE_CHECKING:
    from stacks.config import Config
    from stacks.settings import Environment


@dataclass(frozen=True)
class Route:
    """`trains` has the registry in which versions are approved, `holds` the one that what is served is read from.

    Where it `crowns`, what serves is the champion of the environment that trains.
    """

    trains: Names
    holds: Names
    models: tuple[str, ...]
    crowns: bool

    @classmethod
    def of(cls, config: Config, environment: Environment) -> Self:
        trains, holds = (
            Names.of(config.platform, each) for each in (config.registry_of(environment), config.holder_of(environment))
        )
        return cls(trains, holds, tuple(models()), config.crowns(environment))

    @property
    def copies(self) -> bool:
        """Whether a release copies a version before it serves it."""
        return self.trains != self.holds
