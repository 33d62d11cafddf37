"""The verb that needs no account: the whole platform on this machine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path  # noqa: TC003 typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import EnvironmentName, ModelName, UsageError, chosen, commit, console
from commands.releases import release_place
from stacks.config import ROOT, load
from stacks.names import Names, champion_prefix, periods_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.config import Config
    from stacks.settings import Environment


ASKER = "ada@example.com"
"""Whom the rehearsal plays when a person asks for a run."""


def rehearse(
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the embedded AWS up until Ctrl-C.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the facts of the run to this file.")] = None,
) -> None:
    """Deploy the platform to an embedded AWS, train, release, roll back: no account, no Docker."""
    from rehearsal import facts as results
    from rehearsal import session

    if json_file:
        writable(json_file)
    plan = rehearsal_plan(env, model)
    with session.start(plan, tell=console.print) as rehearsal:
        rehearsal.run()
        found = results.facts(rehearsal)
        for table in results.tables(found):
            console.print(table)
        if json_file:
            json_file.write_text(json.dumps(found, indent=1) + "\n")
        if keep:
            _keep(rehearsal.environment, {**rehearsal.environment, **rehearsal.aws.variables_of(plan.asker)})


def writable(file: Path) -> None:
    """Half a minute of work must not end in a path that never could be written."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        reason = "is a folder" if file.is_dir() else f"lies in {file.parent}, which is no folder"
        raise UsageError(f"--json {file} {reason}; name a file in a folder that exists")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise UsageError(f"--json {file} may not be written by you; name another file")


def rehearsal_plan(env: str, model: str, config: Config | None = None, **how: Any) -> Any:
    """What the rehearsal of an environment and a model needs to know; `how` changes the way it is told.

    With `config`, as if environments/ said so.
    """
    from operations.champion import ChampionPlace
    from rehearsal.plan import Plan
    from rehearsal.scenes import STORY

    if config is None:
        chosen(env, model)
    config = config or load()
    environment = config.environment(env)
    names = Names.of(config.platform, environment)
    served = tuple(sites(environment, model, config))
    lacking = {scene.ships for scene in how.get("scenes", STORY)} - {"", *(site.place.stage for site in served)}
    if lacking:
        raise UsageError(
            f"no environment of stage {' or '.join(sorted(lacking))} takes versions of {env}, and the story releases "
            f'to both: say registry = "{env}" in environments/platform.toml to rehearse it'
        )
    return Plan(
        root=ROOT,
        account=environment.account,
        region=environment.region,
        model=model,
        pipeline=names.pipeline(model),
        starter=names.starter,
        requests=names.requests,
        asker=asker(environment, names),
        notices=names.notices,
        data_bucket=names.data_bucket,
        periods_prefix=periods_prefix(model),
        champion=ChampionPlace(names.runs_bucket, champion_prefix(model)),
        commit=commit(),
        sites=served,
        organization=config.platform.organization_id,
        **how,
    )


def asker(environment: Environment, names: Names) -> Any:
    """Who asks for runs by hand: somebody whom the environment lets into a role that may."""
    from rehearsal.person import by_account, by_permission_set

    personas = environment.personas
    for persona, given in (("data_scientist", personas.data_scientist), ("ml_engineer", personas.ml_engineer)):
        role = names.role_arn(names.persona(persona))
        if given and given.permission_sets:
            return by_permission_set(ASKER, given.permission_sets[0], role)
        if given and given.accounts:
            return by_account(ASKER, given.accounts[0], role)
    raise UsageError(
        f"nobody may ask for a run in {environment.name}: give data_scientist or ml_engineer of [personas] in "
        f"environments/{environment.name}.toml permission_sets or accounts; the rehearsal plays no identity provider"
    )


def sites(trains: Environment, model: str, config: Config) -> Iterator[Any]:
    """Where the model is served: where it is trained first, then where its versions go."""
    from rehearsal.release_acts import Site

    others = [e for e in config.released_from(trains) if e.name != trains.name]
    for environment in [trains, *others]:
        names = Names.of(config.platform, environment)
        yield Site(environment.account, environment.region, names.prefix, release_place(environment, model, config))


def _keep(environment: dict[str, str], person: dict[str, str]) -> None:
    """Print what `aws`, boto3 and `cdk` need to talk to the embedded AWS, and hold it until Ctrl-C."""
    console.print("\nThe embedded AWS stays up. In another terminal:\n", style="bold")
    for name, value in sorted(environment.items()):
        if name.startswith(("AWS_", "CDK_", "NO_PROXY")):
            console.print(f"export {name}={value}")
    console.print(f"\nRuns are asked for by people; to be {ASKER}:\n", style="bold")
    for name, value in sorted(person.items()):
        if value != environment.get(name):
            console.print(f"export {name}={value}")
    console.print("\nCtrl-C ends it.", style="bold")
    signal.pause()
