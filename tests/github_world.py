"""Delivery from GitHub out of an account of its own; environments/ as committed have none."""

from __future__ import annotations

from typing import Any

from stacks.config import Config, load
from stacks.settings import Platform

Json = dict[str, Any]

ACCOUNT = "444444444444"
GITHUB: Json = {
    "repository": "example-org/slipway",
    "owner_id": 123456,
    "repository_id": 456789,
    "account": ACCOUNT,
    "region": "eu-west-1",
}
NAMED = "repo:example-org@123456/slipway@456789"
"""How GitHub's tokens name the repository."""


def github_config(**changes: Any) -> Config:
    """environments/ with [github] in platform.toml."""
    config = load()
    table = {**config.platform.model_dump(), "github": {**GITHUB, **changes}}
    return Config(platform=Platform.model_validate(table), environments=config.environments)
