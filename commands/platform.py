"""Verbs about the platform itself: its configuration and its templates."""

from __future__ import annotations

import json
import os
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
    os.environ["PATH"] = f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # The CLI would only start the app, in a second; what the app needs of it is the context.
    import aws_cdk as cdk

    from app import build

    settings = json.loads((ROOT / "cdk.json").read_text())
    context = {**settings["context"], "environment": env, "commit": commit()}
    out = ROOT / settings["output"]
    build(cdk.App(outdir=str(out), context=context, builtin_cloud_formation_validation=validate)).synth()
    stacks = sorted(file.name.removesuffix(".template.json") for file in out.glob(f"*-{env}/*.template.json"))
    console.print(f"{len(stacks)} stacks in {settings['output']}/")


def schema(
    kind: Annotated[Literal["environment", "platform"], typer.Argument(help="Of which file.")] = "environment",
) -> None:
    """Print the JSON Schema of environments/*.toml, for editors that complete and check them."""
    from stacks.schema import json_schema

    # As it is, not wrapped to the terminal: it goes into a file.
    typer.echo(json.dumps(json_schema(kind), indent=2))
