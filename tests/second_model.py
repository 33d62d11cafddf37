"""A copy of the repository with a second model, whose content is what names images and says whose code has changed."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline_code import models
from stacks import content
from stacks.config import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its models are flight_delay and other, which begins as a copy of it."""
    copy = tmp_path / "repository"
    for part in ("pipeline_code", "operations", "requirements"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    folder = copy / "pipeline_code/models"
    shutil.copytree(folder / "flight_delay", folder / "other")
    declared = folder / "other/__init__.py"
    declared.write_text(declared.read_text().replace('name="flight_delay"', 'name="other"'))
    monkeypatch.setattr(content, "ROOT", copy)
    monkeypatch.setattr(models, "__path__", [str(folder)])
    yield copy
    sys.modules.pop("pipeline_code.models.other", None)


def touch(repository: Path, file: str) -> None:
    """Change a file of pipeline_code."""
    with (repository / "pipeline_code" / file).open("a") as changed:
        changed.write("\n# changed\n")
