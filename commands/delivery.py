"""Verbs of the delivery: what would change, and whether what was deployed works. Builds run them; people can, too."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import UsageError, console, place_of
from commands.releases import release_place
from stacks.config import load, models
from stacks.delivery_names import CHANGES_PREFIX, DeliveryNames, bootstrap_role, review_stage

if TYPE_CHECKING:
    from operations.changes import Changes
    from stacks.names import Names
    from stacks.settings import Environment

COMPARED = (
    "templates were compared: what comes of SSM parameters is not seen, the reviewer's role is not yours to take on"
)
Where = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="A file of environments/, without .toml.")]
Assembly = Annotated[Path, typer.Option("--app", help="Where `make synth` wrote the templates.")]
Execution = Annotated[str, typer.Option(help="The pipeline's execution whose review this is; builds give it.")]
AsAgreed = Annotated[bool, typer.Option("--as-agreed", help="Whether it is still what was agreed to.")]


def changes(
    env: Where, app: Assembly = Path("cdk.out"), execution: Execution = "", as_agreed: AsAgreed = False
) -> None:
    """What a deployment would change, and which permissions it would widen."""
    environment, names = place_of(env)
    found = _changes(environment, names, app)
    if not execution:
        _print(found)
        return
    review = _review(environment, execution)
    console.print(review.hold(found) if as_agreed else review.open(found))


def verify(env: Where) -> None:
    """Whether an environment works: its stacks, its alarms, what is live, what it answers and how fast."""
    import boto3

    from operations.identity import become
    from operations.verify import Verifier

    environment, names = place_of(env)
    session = boto3.Session(region_name=environment.region)
    acting = become(session, names.role_arn(names.verifier), environment.region)
    places = [release_place(environment, model) for model in models()]
    limits = {model: float(environment.serving.of(model).latency_ms) for model in models()}
    Verifier(cache(acting.client), names.prefix, places, limits, tell=console.print).verify()
    console.print(f"{env} works")


def _changes(environment: Environment, names: Names, app: Path) -> Changes:
    """With roles that can look and make change sets, and not deploy; before the first deployment there is one less."""
    import boto3

    from operations.assembly import stacks_of
    from operations.changes import Describer
    from operations.identity import IdentityError, become

    stacks = stacks_of(app, names.prefix)
    session = boto3.Session(region_name=environment.region)

    lookup = bootstrap_role("lookup", environment.account, environment.region)
    reading = become(session, lookup, environment.region)
    try:
        asking = cache(become(session, names.role_arn(names.reviewer), environment.region).client)
    except IdentityError:
        asking = None
    return Describer(cache(reading.client), asking).describe(environment.name, stacks)


def _review(environment: Environment, execution: str) -> Any:
    import boto3

    from operations.review import Review

    config = load()
    names = DeliveryNames.of(config.platform)
    if names is None:
        raise UsageError("--execution goes with [delivery] in environments/platform.toml, which says nothing of it")
    together = next(turn for turn in config.in_turn if environment in turn)
    return Review(
        client=cache(boto3.Session(region_name=names.region).client),
        pipeline=names.pipeline,
        stage=review_stage([each.name for each in together]),
        execution=execution,
        environment=environment.name,
        bucket=names.bucket,
        prefix=CHANGES_PREFIX,
        topic=names.topic_arn,
        asks=environment.approval,
    )


def _print(found: Changes) -> None:
    for stack in found.changing:
        console.print(f"{stack.stack}{' (new)' if stack.new else ''}")
        for change in stack.changes:
            anew = " anew" if change.replaced == "True" else ""
            because = f" ({', '.join(change.because)})" if change.because else ""
            console.print(f"  {change.action.lower()}{anew} {change.resource} {change.kind}{because}")
    for each in found.widened:
        console.print(f"widens  {each}")
    if found.compared:
        console.print(COMPARED)
    console.print(found.summary)
