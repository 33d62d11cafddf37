"""What a rehearsal is of: plain values of one model and of the environments that train and serve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.scenes import STORY, Scene

if TYPE_CHECKING:
    from pathlib import Path

    from operations.champion import ChampionPlace
    from rehearsal.person import Person
    from rehearsal.release_acts import Site


@dataclass(frozen=True)
class Plan:
    """Plain values of one model, the environment that trains it, those that serve it, the first of which trains.

    `asker` is who asks for a run by hand; `patience` multiplies how long anything is waited for.
    """

    root: Path
    account: str
    region: str
    model: str
    pipeline: str
    starter: str
    requests: str
    asker: Person
    notices: str
    data_bucket: str
    periods_prefix: str
    champion: ChampionPlace
    commit: str
    sites: tuple[Site, ...]
    organization: str | None = None
    method: str = "direct"
    validate: bool = False
    patience: float = 1.0
    scenes: tuple[Scene, ...] = STORY
