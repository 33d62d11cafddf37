"""`slipway ...`: one short function per verb."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path  # noqa: TC003 typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stacks.config import ROOT, ConfigError, load, models
from stacks.names import Names, champion_prefix, periods_prefix

if TYPE_CHECKING:
    from stacks.settings import Environment

EnvironmentName = Annotated[str, typer.Option("--env", help="Which file of environments/, without .toml.")]
ModelName = Annotated[str, typer.Option("--model", help="Which folder of pipeline_code/models.")]

STOPPED = 130
"""How a shell reports a command that Ctrl-C ended."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


class UsageError(Exception):
    """What was asked for cannot be done, and what to do instead."""


@app.command()
def check() -> None:
    """Check every environment file; report all mistakes at once."""
    config = load()
    names = ", ".join(e.name for e in config.environments)
    console.print(
        f"{len(config.environments)} environments ({names}), {len(models())} models ({', '.join(models())}): ok"
    )


@app.command()
def synth(env: EnvironmentName = "dev") -> None:
    """Write the CloudFormation templates of an environment to cdk.out, offline."""
    from rehearsal.cdk import node

    load().environment(env)
    command = [str(node()), str(ROOT / "node_modules/aws-cdk/bin/cdk"), "synth", "--quiet"]
    done = subprocess.run([*command, "--context", f"environment={env}", *_commit_context()], cwd=ROOT, check=False)
    raise typer.Exit(done.returncode)


@app.command()
def rehearse(
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the embedded AWS up until Ctrl-C.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the facts of the run to this file.")] = None,
) -> None:
    """Deploy the platform to an embedded AWS and train a real model: no account, no Docker."""
    from rehearsal import facts as results
    from rehearsal import session

    plan = rehearsal_plan(env, model)
    with session.start(plan, tell=console.print) as rehearsal:
        rehearsal.run()
        found = results.facts(rehearsal)
        if json_file:
            json_file.write_text(json.dumps(found, indent=1) + "\n")
        for table in results.tables(found):
            console.print(table)
        if keep:
            _keep(rehearsal.environment)


@app.command()
def data(
    period: Annotated[str, typer.Argument(help="The month, such as 2013-04.")],
    paths: Annotated[list[Path], typer.Argument(help="The period's files, or the folder that holds them.")],
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Upload a period's files to the data bucket; the manifest that completes it goes last."""
    from operations.periods import upload_period

    environment, names = _environment(env, model)
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    upload = upload_period(
        _session(environment).client("s3"),
        bucket=names.data_bucket,
        prefix=periods_prefix(model),
        period=period,
        files=files,
    )
    console.print(f"{len(upload.files)} files, {upload.size:,} bytes: {upload.uri}")


@app.command()
def train(
    period: Annotated[str, typer.Argument(help="The month to test on; all earlier ones train.")],
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Start the deployed training pipeline and follow it to its version."""
    from operations import executions
    from operations.champion import ChampionPlace, ensure_champion_record

    environment, names = _environment(env, model)
    session = _session(environment)
    sagemaker = session.client("sagemaker")
    ensure_champion_record(session.client("s3"), ChampionPlace(names.runs_bucket, champion_prefix(model)))
    arn = executions.start_execution(
        sagemaker, pipeline=names.pipeline(model), period=period, token=f"manual-{uuid.uuid4()}"
    )
    console.print(arn)
    for news in executions.follow_execution(sagemaker, arn, every_seconds=2):
        if isinstance(news, executions.Outcome):
            _conclude(news, session.client("logs"))
        else:
            console.print(f"{news.name:<10} {news.status}" + (f"  {news.seconds:.0f} s" if news.seconds else ""))


def _conclude(outcome: Any, logs: Any) -> None:
    from operations.executions import last_log_lines

    if outcome.status == "Succeeded":
        console.print(f"registered {outcome.version_arn}")
        return
    lines = [f"{outcome.status}: {outcome.failure}"]
    for step in outcome.steps:
        if step.status == "Failed":
            lines += [f"{step.name}: {step.failure}", *last_log_lines(logs, step)]
    raise UsageError("\n".join(lines))


def _environment(env: str, model: str) -> tuple[Environment, Names]:
    config = load()
    if model not in models():
        raise UsageError(f"no model {model!r}; models are {', '.join(models())} (folders of pipeline_code/models)")
    environment = config.environment(env)
    return environment, Names.of(config.platform, environment)


def _session(environment: Environment) -> Any:
    """A boto3 session that is proven to be of the environment's account, real or rehearsed."""
    import boto3

    session = boto3.Session(region_name=environment.region)
    account = session.client("sts").get_caller_identity()["Account"]
    if account != environment.account:
        raise UsageError(
            f"your credentials are of account {account}, environment {environment.name} is {environment.account}; "
            "choose the profile of that account (AWS_PROFILE), or mend environments/"
            f"{environment.name}.toml"
        )
    return session


def rehearsal_plan(env: str, model: str, **how: Any) -> Any:
    """What the rehearsal of an environment and a model needs to know; `how` changes the way it is told."""
    from operations.champion import ChampionPlace
    from rehearsal.story import Plan

    environment, names = _environment(env, model)
    return Plan(
        root=ROOT,
        environment=env,
        account=environment.account,
        region=environment.region,
        stage=names.prefix,
        model=model,
        pipeline=names.pipeline(model),
        data_bucket=names.data_bucket,
        periods_prefix=periods_prefix(model),
        champion=ChampionPlace(names.runs_bucket, champion_prefix(model)),
        commit=_commit(),
        **how,
    )


def _keep(environment: dict[str, str]) -> None:
    """Print what `aws`, boto3 and `cdk` need to talk to the embedded AWS, and hold it until Ctrl-C."""
    console.print("\nThe embedded AWS stays up. In another terminal:\n", style="bold")
    for name, value in sorted(environment.items()):
        if name.startswith(("AWS_", "CDK_")):
            console.print(f"export {name}={value}")
    console.print("\nCtrl-C ends it.", style="bold")
    import signal

    signal.pause()


def _commit() -> str:
    """The commit of this checkout; synth itself must not depend on git."""
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _commit_context() -> list[str]:
    return ["--context", f"commit={_commit()}"]


def main() -> None:
    """Run a verb; every foreseen failure is its message on stderr, never a traceback."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == STOPPED:
            _fail("stopped", code=STOPPED)
        raise
    except Exception as error:
        if not _foreseen(error):
            raise
        _fail(str(error))


def _foreseen(error: Exception) -> bool:
    """Errors that say themselves what is wrong: our own, and those of AWS calls."""
    own = type(error).__module__.split(".")[0] in {"stacks", "operations", "rehearsal", "cli", "__main__"}
    return own or type(error).__module__.startswith("botocore") or isinstance(error, ConfigError)


def _fail(message: str, code: int = 1) -> None:
    for line in message.splitlines():
        print(f"slipway: {line}", file=sys.stderr)  # noqa: T201 rich would wrap what people copy
    sys.exit(code)


if __name__ == "__main__":
    main()
