"""The real stage of one environment, synthesized with another mode, settings, or a shadow of its one model."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from pipeline_code.models import flight_delay
from stacks.config import ROOT, load
from stacks.settings import Environment
from stacks.stage import EnvironmentStage

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODEL = "flight_delay"
CONFIG = load()
"""Read before a test changes the model."""

SERVERLESS = {
    "vpc": False,
    "vpc_exempt": "serverless joins none",
    "network_isolation": False,
    "capture": "off",
    "canary_percent": 0,
}
AT_ONCE = {"capture": "off", "canary_percent": 0}
NEEDS: dict[str, dict[str, Any]] = {
    "realtime": {},
    "shadow": {},
    "server": {"capture": "server", "network_isolation": False},
    "component": {**AT_ONCE, "scale_to_zero": True},
    "serverless": SERVERLESS,
    "async": {"capture": "off"},
    "batch": AT_ONCE,
}
"""What [serving] must say for each way of serving."""

MODES = {"component": "realtime", "shadow": "realtime", "server": "realtime"}


def use(patch: pytest.MonkeyPatch, kind: str) -> None:
    """Let the model's file say how it is served."""
    mode: Any = MODES.get(kind, kind)
    model = dataclasses.replace(flight_delay.MODEL, serving=mode, shadow=kind == "shadow")
    patch.setattr(flight_delay, "MODEL", model)


def environment(kind: str, name: str = "dev", **serving: Any) -> Environment:
    """An environment of environments/ whose [serving] fits the kind."""
    table = CONFIG.environment(name).model_dump()
    table["serving"] = {**table["serving"], **NEEDS[kind], **serving}
    return Environment.model_validate(table)


def synthesize(folder: Path, made: Environment) -> dict[str, dict[str, Any]]:
    """Templates of the environment by room."""
    config = CONFIG
    others = tuple(made if e.name == made.name else e for e in config.environments)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(folder), context=context, builtin_cloud_formation_validation=False)
    EnvironmentStage(app, config=config.model_copy(update={"environments": others}), environment=made, commit="abc")
    app.synth()
    return {
        file.name.split(".")[0].removeprefix(f"slipway{made.name}")[:-8]: json.loads(file.read_text())
        for file in sorted(folder.rglob("*.template.json"))
    }


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Properties of the resources of a type."""
    return [one.get("Properties", {}) for one in template["Resources"].values() if one["Type"] == kind]
