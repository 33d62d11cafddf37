"""Verbs about the platform itself: its configuration and its templates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Annotated, Literal

import typer

from commands.choice import EnvironmentName, commit, console
from stacks.config import ROOT, load, models


def check() -> None:
    """Check every environment file; report all mistakes at once."""
    config = load()
    names = ", ".join(e.name for e in config.environments)
    console.print(
        f"{len(config.environments)} environments ({names}), {len(models())} models ({', '.join(models())}): ok"
    )


def synth(
    env: EnvironmentName = "dev",
    validate: Annotated[bool, typer.Option("--validate", help="Check the templates, as `cdk deploy` will.")] = False,
) -> None:
    """Write the CloudFormation templates of an environment to cdk.out, offline."""
    from rehearsal.cdk import node

    load().environment(env)
    settings = json.loads((ROOT / "cdk.json").read_text())
    out = ROOT / settings["output"]
    # As the CDK CLI would start the app, which is all it does for a synth; it takes itself a second for that.
    variables = {
        "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CDK_OUTDIR": str(out),
        "CDK_CONTEXT_JSON": json.dumps({**settings["context"], "environment": env, "commit": commit()}),
        "CDK_VALIDATION": str(validate).lower(),
    }
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **variables}, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    stacks = sorted(out.glob(f"*-{env}/*.template.json"))
    console.print(f"{len(stacks)} stacks in {settings['output']}/")


def schema(
    kind: Annotated[Literal["environment", "platform"], typer.Argument(help="Of which file.")] = "environment",
) -> None:
    """Print the JSON Schema of environments/*.toml, for editors that complete and check them."""
    from stacks.schema import json_schema

    # As it is, not wrapped to the terminal: it goes into a file.
    typer.echo(json.dumps(json_schema(kind), indent=2))
