"""Verbs about what is live: release a version, go back, see what is live and what happened."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.choice import EnvironmentName, ModelName, chosen, console, session_of
from stacks.names import Names, champion_prefix

Version = Annotated[str, typer.Argument(help="The version's number in the registry, or its ARN.")]


def release(version: Version, env: EnvironmentName = "dev", model: ModelName = "flight_delay") -> None:
    """Make an approved version live; the one before it stays if anything is wrong with it."""
    releaser, who = _releaser(env, model)
    entry = releaser.release(version, asked_by=who)
    console.print(f"{entry.version} is live in {env} after {entry.seconds:.0f} s; before it was {entry.previous}")


def rollback(
    version: Annotated[str | None, typer.Argument(help="A version that was live; the one before if left out.")] = None,
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Go back to a version that was live before."""
    releaser, who = _releaser(env, model)
    entry = releaser.rollback(version, asked_by=who)
    console.print(f"{entry.version} is live again in {env} after {entry.seconds:.0f} s; before it was {entry.previous}")


def status(env: EnvironmentName = "dev", model: ModelName = "flight_delay") -> None:
    """Which version is desired, which one the endpoint really serves, and how the last release went."""
    from operations import desired
    from operations.release import told

    releaser, _ = _releaser(env, model)
    wanted = desired.read(releaser.client("ssm"), releaser.place.parameter)
    live = releaser.live()
    console.print(f"desired  {wanted}\nlive     {live}")
    for line in told(releaser.journal.entries()[:1]):
        console.print(f"last     {line}")
    if wanted != live:
        console.print(f"They differ: a release was interrupted. `slipway release {wanted} --env {env}` finishes it.")


def history(env: EnvironmentName = "dev", model: ModelName = "flight_delay") -> None:
    """Every release of a model in an environment, the newest first."""
    from operations.release import told

    releaser, _ = _releaser(env, model)
    for line in told(releaser.journal.entries()):
        console.print(line)


def _releaser(env: str, model: str) -> tuple[Any, str]:
    from operations.release import Releaser

    environment, names = chosen(env, model)
    session = session_of(environment)
    who = session.client("sts").get_caller_identity()["Arn"]
    return Releaser(session.client, release_place(names, model, environment.stage), 2.0, console.print), who


def release_place(names: Names, model: str, stage: str) -> Any:
    """Where a model is served, in plain values."""
    from operations.champion import ChampionPlace
    from operations.release import Place

    return Place(
        model=model,
        environment=names.environment,
        stage=stage,
        group=names.model_package_group(model),
        stack=names.serving_stack(model),
        endpoint=names.endpoint(model),
        parameter=names.version_parameter(model),
        table=names.releases,
        deployer=f"arn:aws:iam::{names.account}:role/{names.serving_deployer}",
        champion=ChampionPlace(names.runs_bucket, champion_prefix(model)),
    )
