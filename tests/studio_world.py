"""Studio of three people, one of each persona that works there; environments/ as committed have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import Assembly, synthesize

from stacks.config import Config, load
from stacks.settings import Environment, Platform

Json = dict[str, Any]

USERS: list[Json] = [
    {"name": "bo", "persona": "data_scientist"},
    {"name": "cy@example.com", "persona": "ml_engineer", "instance_type": "ml.m5.large", "volume_gb": 50},
    {"name": "di", "persona": "approver"},
]
STUDIO: Json = {"users": USERS, "instance_types": ["ml.t3.medium", "ml.m5.large"]}


def studio_config(studio: Json | None = None, platform: Json | None = None, **sections: Any) -> Config:
    """environments/ with [studio] in dev, and other sections of dev changed."""
    config = load()
    table = config.environment("dev").model_dump()
    for section, change in sections.items():
        table[section] = {**table[section], **change} if isinstance(change, dict) else change
    dev = Environment.model_validate({**table, "studio": studio or STUDIO})
    shared = Platform.model_validate({**config.platform.model_dump(), **(platform or {})})
    return Config(platform=shared, environments=tuple(dev if e.name == "dev" else e for e in config.environments))


def with_studio(folder: Path, *, nag: bool = False, config: Config | None = None) -> Assembly:
    return synthesize(folder, nag=nag, config=config or studio_config())
