"""What a synth made, as CDK writes it: the stacks of an environment, where each is deployed, and its template.

https://docs.aws.amazon.com/cdk/v2/guide/deploy.html, "cloud assembly"
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

STACK = "aws:cloudformation:stack"


class AssemblyError(Exception):
    """There is no assembly where one was looked for, or it lacks what was asked for."""


@dataclass(frozen=True)
class Synthesized:
    """One stack of an assembly; `address` is where its template is uploaded to, as bucket and key."""

    name: str
    account: str
    region: str
    template: str
    address: tuple[str, str]

    @property
    def parsed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.template)
        return found

    @property
    def compact(self) -> str:
        return json.dumps(self.parsed, separators=(",", ":"))


def stacks_of(assembly: Path, stage: str) -> list[Synthesized]:
    """The stacks of a stage, by their names; raises AssemblyError naming what is missing and how it is made."""
    folder = assembly / f"assembly-{stage}"
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise AssemblyError(f"{assembly} has no stage {stage}; make it with `make synth`")
    artifacts = json.loads(manifest.read_text())["artifacts"].values()
    found = [_read(folder, artifact) for artifact in artifacts if artifact["type"] == STACK]
    return sorted(found, key=lambda stack: stack.name)


def _read(folder: Path, artifact: dict[str, Any]) -> Synthesized:
    told = artifact["properties"]
    account, region = artifact["environment"].removeprefix("aws://").split("/")
    bucket, _, key = told["stackTemplateAssetObjectUrl"].removeprefix("s3://").partition("/")
    return Synthesized(
        told["stackName"], account, region, (folder / told["templateFile"]).read_text(encoding="utf-8"), (bucket, key)
    )
