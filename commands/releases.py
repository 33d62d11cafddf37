"""Verbs about what is live: release a version, go back, see what is live and what happened, take up what was missed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import UsageError, console, known_model, place_of, session_of, training_place
from stacks.config import load
from stacks.names import Names, asynchronous_prefix, champion_prefix, runs_prefix
from stacks.route import Route

if TYPE_CHECKING:
    from stacks.config import Config
    from stacks.settings import Environment

Where = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="A file of environments/, without .toml.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A folder of pipeline_code/models.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Its number in the registry, or its ARN.")]
Approval = Annotated[int, typer.Option(help="Number of the approval that asks; the release pipeline gives it.")]
Wait = Annotated[int, typer.Option(help="Minutes to wait for another release of the model to end.")]


def release(env: Where, model: Model, version: Version, approval: Approval = 0, wait: Wait = 0) -> None:
    """Make an approved version live; the one before it stays if anything is wrong with it."""
    from operations.journal import Asked

    releaser, who = _releaser(env, model)
    asked = Asked("event" if approval else "command", who, approval)
    entry = releaser.release(version, asked, wait_seconds=wait * 60)
    console.print(f"{entry.version} is live in {env} after {entry.seconds:.0f} s; before it was {entry.previous}")


def rollback(
    env: Where,
    model: Model,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="One that was live; the one before if left out.")
    ] = None,
) -> None:
    """Go back to a version that was live before."""
    from operations.journal import Asked

    releaser, who = _releaser(env, model)
    entry = releaser.rollback(version, Asked("rollback", who))
    console.print(f"{entry.version} is live again in {env} after {entry.seconds:.0f} s; before it was {entry.previous}")


def copy(env: Where, model: Model, version: Version) -> None:
    """Bring an approved version to an environment that serves copies, without serving it, for its shadow."""
    releaser, _ = _releaser(env, model)
    if releaser.place.copying is None:
        raise UsageError(f"{env} serves versions from where they are trained; copies are for promote = 'copy'")
    console.print(releaser.copy(version))


def status(env: Where, model: Model) -> None:
    """Which version is desired, which one the endpoint really serves, and how the last release went."""
    from operations import desired
    from operations.journal import told

    releaser, _ = _releaser(env, model)
    wanted = desired.read(releaser.client("ssm"), releaser.place.parameter)
    live = releaser.live()
    console.print(f"desired  {wanted}\nlive     {live}")
    for line in told(releaser.journal.entries()[:1]):
        console.print(f"last     {line}")
    if wanted != live:
        console.print(f"They differ: a release was interrupted. `slipway release {env} {model} {wanted}` finishes it.")


def history(env: Where, model: Model) -> None:
    """Every release of a model in an environment, the newest first."""
    from operations.journal import told

    releaser, _ = _releaser(env, model)
    for line in told(releaser.journal.entries()):
        console.print(line)


def replay(env: Where) -> None:
    """Hear approvals again that could not be heard: what waits in the queue of the environment that trains."""
    from operations import approvals

    environment, names = training_place(env)
    session = session_of(environment)
    done = approvals.replay(
        session.client("sqs"), session.client("lambda"), queue=names.approvals, function=names.approvals
    )
    for told in done:
        console.print(f"{told['outcome']}: {told.get('because') or told['releases'] or 'nothing newer to release'}")
    console.print(f"{len(done)} events were heard; the queue is empty")


def _releaser(env: str, model: str) -> tuple[Any, str]:
    """The releaser, acting as the environment's releaser role, and who asked for it."""
    import boto3

    from operations.identity import become
    from operations.release import Releaser

    environment, names = place_of(env)
    known_model(model)
    session = boto3.Session(region_name=environment.region)
    who = session.client("sts").get_caller_identity()["Arn"]
    acting = become(session, names.role_arn(names.releaser), environment.region)
    # A release asks several services at every look, for up to two hours; to make a client takes longer than to ask.
    return Releaser(cache(acting.client), release_place(environment, model), tell=console.print), who


def release_place(environment: Environment, model: str, config: Config | None = None) -> Any:
    """Where a model is served, in plain values."""
    from operations.champion import ChampionPlace
    from operations.place import Place

    config = config or load()
    names, route = Names.of(config.platform, environment), Route.of(config, environment)
    return Place(
        model=model,
        environment=names.environment,
        stage=environment.stage,
        group=route.holds.group_arn(model),
        stack=names.serving_stack(model),
        endpoint=names.endpoint(model),
        parameter=names.version_parameter(model),
        table=names.releases,
        deployer=names.role_arn(names.serving_deployer),
        champion=ChampionPlace(route.trains.runs_bucket, champion_prefix(model)),
        notices=names.topic_arn,
        records=route.holds.provenance_bucket,
        forbidden_findings=environment.serving.forbidden_findings,
        form=names.form(model),
        requests=f"s3://{names.data_bucket}/{asynchronous_prefix(model)}/requests",
        shadow=names.shadow_parameter(model),
        platform=names.platform,
        crowns=route.crowns,
        copying=_copying(route, model) if route.copies else None,
    )


def _copying(route: Route, model: str) -> Any:
    """Where a version is copied from, and where to."""
    from operations.place import Copying

    holds = route.holds
    return Copying(
        group=route.trains.group_arn(model),
        records=route.trains.provenance_bucket,
        artifacts=f"s3://{holds.runs_bucket}/{runs_prefix(model)}",
        images=f"{holds.account}.dkr.ecr.{holds.region}.amazonaws.com/{holds.repository}",
    )
