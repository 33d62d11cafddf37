"""An environment's platform that names its organization, and what outsiders reach of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from iam_deployed import Cloud
from iam_simulator import Question, Simulator
from needs import ORGANIZATION
from trust import OPEN, USES, of, uses

from stacks.config import ROOT, Config, load
from stacks.settings import Platform
from stacks.stage import EnvironmentStage

Json = dict[str, Any]

IN, OUT = {"aws:PrincipalOrgID": ORGANIZATION}, {"aws:PrincipalOrgID": "o-zzzzzzzzzz"}
KEPT = set(USES) - {"sagemaker"}
"""What has a policy that can shut outsiders out; a registry's names roles, and lets in nobody else."""


def synthesized(folder: Path) -> Path:
    """All environments of a platform that names its organization."""
    config = load()
    shared = Platform.model_validate({**config.platform.model_dump(), "organization_id": ORGANIZATION})
    changed = Config(platform=shared, environments=config.environments)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(folder), context=context, builtin_cloud_formation_validation=False)
    for environment in changed.environments:
        EnvironmentStage(app, config=changed, environment=environment, commit="abc")
    app.synth()
    return folder


def asked(cloud: Cloud, context: Json, *, principal: str | None = None) -> list[Question]:
    """Every use of everything that keeps outsiders out, by somebody whom a further statement lets do anything."""
    found = uses(cloud, {"aws:SecureTransport": "true", **context}, OPEN, principal=principal)
    return [one for one in found if one.resource.split(":")[2] in KEPT]


def outsiders(within: Cloud, simulator: Simulator) -> Iterator[str]:
    """What somebody of another organization, or of none, may do where a policy lets everybody in by mistake."""
    for context in (OUT, {}):
        questions = asked(within, context)
        yield from (f"an outsider may {each}" for each in of(questions, simulator.may(questions)))
