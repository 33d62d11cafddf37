"""Verbs about the platform itself: its configuration and its templates."""

from __future__ import annotations

import json
import subprocess
from typing import Annotated, Literal

import typer

from commands.choice import EnvironmentName, commit_context, console
from stacks.config import ROOT, load, models


def check() -> None:
    """Check every environment file; report all mistakes at once."""
    config = load()
    names = ", ".join(e.name for e in config.environments)
    console.print(
        f"{len(config.environments)} environments ({names}), {len(models())} models ({', '.join(models())}): ok"
    )


def synth(env: EnvironmentName = "dev") -> None:
    """Write the CloudFormation templates of an environment to cdk.out, offline."""
    from rehearsal.cdk import node

    load().environment(env)
    command = [str(node()), str(ROOT / "node_modules/aws-cdk/bin/cdk"), "synth", "--quiet"]
    done = subprocess.run([*command, "--context", f"environment={env}", *commit_context()], cwd=ROOT, check=False)
    raise typer.Exit(done.returncode)


def schema(
    kind: Annotated[Literal["environment", "platform"], typer.Argument(help="Of which file.")] = "environment",
) -> None:
    """Print the JSON Schema of environments/*.toml, for editors that complete and check them."""
    from stacks.schema import json_schema

    # As it is, not wrapped to the terminal: it goes into a file.
    typer.echo(json.dumps(json_schema(kind), indent=2))
