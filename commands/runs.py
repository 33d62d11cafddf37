"""Verbs about runs of the training pipeline: ask for one, retry it, stop it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.choice import EnvironmentName, ModelName, UsageError, chosen, console, session_of


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
    from operations.requests import ask_for_run

    environment, names = chosen(env, model)
    session = session_of(environment)
    answer = ask_for_run(
        session.client("lambda"),
        names.requests,
        session.get_credentials().get_frozen_credentials(),
        {
            "model": model,
            "period": period,
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

    environment, names = chosen(env, model)
    session = session_of(environment)
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
