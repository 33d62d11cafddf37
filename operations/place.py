"""Where a model is served: plain values of one environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.champion import ChampionPlace


COPY_OF = "copy_of"
"""What a copy, and its record, call the ARN of the version that was copied."""


@dataclass(frozen=True)
class Copying:
    """Where versions are copied from: `group` and bucket of `records` of the environment that trains.

    And where to: below the S3 URI `artifacts`, and into `images`, a repository's URI.
    """

    group: str
    records: str
    artifacts: str
    images: str


@dataclass(frozen=True)
class Place:
    """The names that the templates gave, and what the environment asks of versions.

    `form` is how the model is served; `records` is the bucket of provenance records, `requests` the S3
    URI under which a queue takes requests, `shadow` the parameter that names the version in the shadow, if any may be.
    `copying` says where versions come from that are served as copies; `group` and `records` are then those of copies.
    Where it `crowns`, what serves is the champion: what the next training has to beat.
    """

    model: str
    environment: str
    stage: str
    group: str
    stack: str
    endpoint: str
    parameter: str
    table: str
    deployer: str
    champion: ChampionPlace
    notices: str
    records: str
    forbidden_findings: str = "CRITICAL"
    form: str = "realtime"
    requests: str = ""
    shadow: str = ""
    platform: str = "slipway"
    crowns: bool = False
    copying: Copying | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What every resource of the model's stack carries."""
        return {"platform": self.platform, "environment": self.environment, "model": self.model}
