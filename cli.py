"""`slipway ...`: one short function per verb."""

from __future__ import annotations

import json
import subprocess
import sys
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
    history: Annotated[bool, typer.Option("--history", help="Its arrival starts no run.")] = False,
) -> None:
    """Upload a period's files to the data bucket; the manifest that completes it goes last and starts a run."""
    from operations.periods import upload_period

    environment, names = _environment(env, model)
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    upload = upload_period(
        _session(environment).client("s3"),
        bucket=names.data_bucket,
        prefix=periods_prefix(model),
        period=period,
        files=files,
        starts=not history,
    )
    console.print(f"{len(upload.files)} files, {upload.size:,} bytes: {upload.uri}")


@app.command()
def train(
    period: Annotated[str | None, typer.Argument(help="The month to test on; the latest if left out.")] = None,
    *,
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
    given: Annotated[list[str] | None, typer.Option("--set", help="A hyperparameter, such as eta=0.05.")] = None,
    steps: Annotated[str | None, typer.Option(help="Only these steps, such as Train,Evaluate,Gate.")] = None,
    source: Annotated[str | None, typer.Option("--from", help="The execution that steps left out come from.")] = None,
) -> None:
    """Ask for a run of the deployed pipeline and follow it to its version."""
    from operations.requests import ask_starter

    environment, names = _environment(env, model)
    session = _session(environment)
    answer = ask_starter(
        session.client("lambda"),
        names.starter,
        {
            "model": model,
            "period": period,
            "started_by": session.client("sts").get_caller_identity()["Arn"],
            "parameters": _assignments(given or []),
            "steps": steps.split(",") if steps else [],
            "source": source,
        },
    )
    console.print(f"{answer.outcome}: period {answer.period}, {answer.execution}")
    if answer.outcome == "waits":
        console.print("It begins when that run ends; a later request would take its place.")
        return
    _follow(session, answer.execution)


@app.command()
def retry(
    execution: Annotated[
        str | None, typer.Argument(help="The execution's ARN; the latest that failed if left out.")
    ] = None,
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Run a failed or stopped run again, from the steps that did not succeed."""
    from operations.executions import retry_execution

    session, arn = _execution(env, model, execution, "Failed", "Stopped")
    retry_execution(session.client("sagemaker"), arn)
    _follow(session, arn)


@app.command()
def stop(
    execution: Annotated[str | None, typer.Argument(help="The execution's ARN; the one that runs if left out.")] = None,
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Stop a run and the jobs it started; nothing is registered, and `slipway retry` takes it up again."""
    from operations.executions import Outcome, follow_execution, stop_execution

    session, arn = _execution(env, model, execution, "Executing")
    sagemaker = session.client("sagemaker")
    stop_execution(sagemaker, arn)
    for news in follow_execution(sagemaker, arn, every_seconds=1):
        if isinstance(news, Outcome):
            console.print(f"{news.status}: {arn}")


def _execution(env: str, model: str, arn: str | None, *statuses: str) -> tuple[Any, str]:
    """A session, and the execution that was named or the latest of these statuses."""
    from operations.executions import latest_execution

    environment, names = _environment(env, model)
    session = _session(environment)
    found = arn or latest_execution(session.client("sagemaker"), names.pipeline(model), *statuses)
    if found is None:
        raise UsageError(f"no run of {names.pipeline(model)} is {' or '.join(statuses)}; name one by its ARN")
    return session, found


def _assignments(given: list[str]) -> dict[str, str]:
    wrong = [text for text in given if not text.partition("=")[2]]
    if wrong:
        raise UsageError(f"--set {', '.join(wrong)}: give name=value, such as eta=0.05")
    return {text.partition("=")[0]: text.partition("=")[2] for text in given}


def _follow(session: Any, arn: str) -> None:
    from operations.telling import tell_run

    for line in tell_run(session.client("sagemaker"), session.client("logs"), arn):
        console.print(line)


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
        starter=names.starter,
        notices=names.notices,
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
