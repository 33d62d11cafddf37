"""Verbs about the platform itself: its configuration and its templates."""

from __future__ import annotations

import gc
import json
import os
import runpy
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from commands.choice import EnvironmentName, UsageError, commit, console
from stacks.config import ROOT, load, models

if TYPE_CHECKING:
    from pathlib import Path


def check(
    ask_aws: Annotated[
        bool, typer.Option("--ask-aws", help="Ask AWS, too, whether the units of the roll-out exist.")
    ] = False,
) -> None:
    """Check every environment file; report all mistakes at once."""
    config = load()
    if ask_aws:
        from commands.rollout import refuse_missing_units

        refuse_missing_units()
    names = ", ".join(e.name for e in config.environments)
    console.print(
        f"{len(config.environments)} environments ({names}), {len(models())} models ({', '.join(models())}): ok"
    )


def synth(
    env: EnvironmentName = "dev",
    validate: Annotated[bool, typer.Option("--validate", help="Check the templates, as `cdk deploy` will.")] = False,
) -> None:
    """Write the CloudFormation templates of an environment to cdk.out, offline."""
    load().environment(env)
    out = synthesize(env, validate=validate)
    (stage,) = out.glob(f"*-{env}/manifest.json")
    artifacts = json.loads(stage.read_text())["artifacts"].values()
    stacks = [artifact for artifact in artifacts if artifact["type"] == "aws:cloudformation:stack"]
    console.print(f"{len(stacks)} stacks in {out.name}/")


def synthesize(chosen: str, *, validate: bool = False) -> Path:
    """Write the templates of an environment, or of the roll-out, and nothing else; the folder they are in."""
    from rehearsal.cdk import app_variables

    settings = json.loads((ROOT / "cdk.json").read_text())
    out: Path = ROOT / settings["output"]
    # What the CDK CLI does for a synth is to start the app with these; it takes itself a second for that.
    os.environ.update(
        app_variables(ROOT),
        CDK_OUTDIR=str(out),
        CDK_CONTEXT_JSON=json.dumps({**settings["context"], "environment": chosen, "commit": commit()}),
        CDK_VALIDATION=str(validate).lower(),
    )
    gc.disable()  # a synth makes many objects and ends; to look for dead ones among them costs a tenth of its time
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    if validate:
        refuse_violations(out)
    return out


def refuse_violations(assembly: Path) -> None:
    """Raise UsageError naming each rule that the assembly's validation found broken, and where."""
    report = json.loads((assembly / "validation-report.json").read_text())
    found = [violation for plugin in report["pluginReports"] for violation in plugin["violations"]]
    if found:
        places = [
            f"  {violation['ruleName']}: {construct['constructPath']}"
            for violation in found
            for construct in violation["violatingConstructs"]
        ]
        raise UsageError(
            "\n".join([f"{len(found)} rules are broken; cdk.out/validation-report.json has more", *places])
        )


def schema(
    kind: Annotated[Literal["environment", "platform"], typer.Argument(help="Of which file.")] = "environment",
) -> None:
    """Print the JSON Schema of environments/*.toml, for editors that complete and check them."""
    from stacks.schema import json_schema

    # As it is, not wrapped to the terminal: it goes into a file.
    typer.echo(json.dumps(json_schema(kind), indent=2))
