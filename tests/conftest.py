"""What several tests share: each distinct configuration is synthesized once a session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

import app
from stacks import rules
from stacks.config import ROOT, Config, load

pytest_plugins = [
    "embedded",
    "engine_world",
    "governed",
    "pipeline_world",
    "real_jobs",
    "rehearsed",
    "second_model",
    "serving_world",
    "serving_site",
]

Template = dict[str, Any]

OF_THE_STORY = ("tests/rehearsal/test_story.py", "tests/docs/test_notebook.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Beside each other (`-n`) run files, not tests: those of a file share what they made, and the story runs once."""
    from xdist.scheduler import LoadScopeScheduling  # not in every environment that runs tests

    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _world
    return scheduling


def _world(test: str) -> str:
    file = test.split("::", 1)[0]
    return "story" if file in OF_THE_STORY else file


@dataclass(frozen=True)
class Assembly:
    """A synthesized app: its folder, its templates by stack name, and what validation said."""

    folder: Path
    templates: dict[str, Template]
    report: dict[str, Any]

    def resources(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"{stack}/{name}", resource)
            for stack, template in self.templates.items()
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        ]


def synthesize(
    folder: Path, context: dict[str, Any] | None = None, *, nag: bool = False, config: Config | None = None
) -> Assembly:
    """Synthesize the real app with the context of cdk.json; `nag` adds validation and both rule packs.

    With `config`, as if environments/ said so.
    """
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]
    cdk_app = cdk.App(
        outdir=str(folder), context={**settings, **(context or {})}, builtin_cloud_formation_validation=nag
    )
    if nag:
        import cdk_nag  # not in every environment that runs tests

        cdk.Validations.of(cdk_app).add_plugins(
            rules.plugin(load().platform),
            cdk_nag.AwsSolutionsChecks(cdk_app, verbose=True),
            cdk_nag.NIST80053R5Checks(cdk_app, verbose=True),
        )
    with pytest.MonkeyPatch.context() as changed:
        if config:
            changed.setattr(app, "load", lambda: config)
        app.build(cdk_app).synth()
    report = folder / "validation-report.json"
    return Assembly(
        folder,
        {file.name.split(".")[0]: json.loads(file.read_text()) for file in sorted(folder.rglob("*.template.json"))},
        json.loads(report.read_text()) if report.exists() else {},
    )


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """All environments, without validation: what most tests look at."""
    return synthesize(tmp_path_factory.mktemp("assembly") / "cdk.out")


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """A copy of environments/ that a test may spoil."""
    folder = tmp_path / "environments"
    folder.mkdir()
    for file in (ROOT / "environments").glob("*.toml"):
        (folder / file.name).write_text(file.read_text())
    return folder
