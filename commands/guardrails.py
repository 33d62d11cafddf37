"""Verbs about what the organization forbids in the platform's accounts."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import console
from stacks.config import load
from stacks.denials import Perimeter
from stacks.resource_control import resource_control_denials, resource_control_policies
from stacks.service_control import service_control_denials, service_control_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.denials import Denial

app = typer.Typer(no_args_is_help=True, help="What the organization forbids in the platform's accounts.")


@app.callback()
def guardrails() -> None:
    """What the organization forbids in the platform's accounts."""


@app.command()
def write(folder: Annotated[Path, typer.Argument(help="Where the documents go; made if it is not there.")]) -> None:
    """Write the service and resource control policies, one JSON each, with their reasons in README.md."""
    config = load()
    about = Perimeter.of(config.platform, config.environments)
    folder.mkdir(parents=True, exist_ok=True)
    policies = {
        **{f"scp-{name}": policy for name, policy in service_control_policies(about).items()},
        **{f"rcp-{name}": policy for name, policy in resource_control_policies(about).items()},
    }
    for name, policy in policies.items():
        (folder / f"{name}.json").write_text(f"{json.dumps(policy, indent=2)}\n")
    (folder / "README.md").write_text(_reasons(about))
    console.print(f"{len(policies)} policies and README.md in {folder}/")
    if not about.organization_id:
        console.print("no resource control policies: they name the organization; set organization_id in platform.toml")


def _reasons(about: Perimeter) -> str:
    lines = [f"# What the organization forbids in the accounts of {about.platform}", ""]
    kinds: dict[str, Any] = {
        "scp": service_control_denials(about),
        "rcp": resource_control_denials(about),
    }
    for kind, documents in kinds.items():
        for name, denials in documents.items():
            lines += [f"## {kind}-{name}.json", "", "| statement | why |", "|---|---|", *_rows(denials), ""]
    return "\n".join(lines)


def _rows(denials: Sequence[Denial]) -> list[str]:
    return [f"| {denial.sid} | {denial.because} |" for denial in denials]
