"""The verb that plays the story in a real account, and cleans up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.choice import ModelName, UsageError, console
from commands.rehearse import rehearsal_plan
from stacks.config import Config, load

if TYPE_CHECKING:
    from stacks.settings import Environment

PLATFORM = "accept"
"""A name of its own: nothing that another platform has in the account is touched."""

PATIENCE = 60.0
"""How many times as long as a rehearsal it waits for what AWS begins: images are really built there."""


def acceptance(
    model: ModelName = "flight_delay",
    region: Annotated[str, typer.Option(help="Where it is played; left out, where your credentials point.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave in the account what it made.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is made.")] = False,
) -> None:
    """Deploy to the account of your credentials, train, release, ask; then take all of it away again."""
    import boto3

    from rehearsal.acceptance import FIRST, start
    from rehearsal.target import RealAccount

    session = boto3.Session()
    told = session.client("sts", region_name=region or session.region_name or "us-east-1").get_caller_identity()
    region = region or session.region_name or ""
    if not region:
        raise UsageError("no region: give --region, or set AWS_REGION")
    where = f"account {told['Account']}, {region}, as {told['Arn']}"
    if not yes and not typer.confirm(f"{where}: make the platform {PLATFORM} there, which costs money?"):
        raise UsageError("nothing was made")
    config = _in_one_account(load(), told["Account"], region)
    plan = rehearsal_plan(_trains(config).name, model, config=config, patience=PATIENCE, scenes=(FIRST,))
    with start(RealAccount(told["Account"]), plan, _files(config), PLATFORM, console.print) as run:
        act = run.run(keep=keep)
    (answer,) = run.invocations
    console.print(f"accepted: {where}: {act.version['ModelPackageArn']} answers {answer['probability']:.4f} in staging")
    console.print(f"{len(run.left)} resources are left" if not keep else "everything is left there")


def _in_one_account(config: Config, account: str, region: str) -> Config:
    """The environment that trains and the first one that stages its versions, both there, both disposable."""
    chosen = [_trains(config), *(e for e in config.environments if e.stage == "Staging")][:2]
    there = {"account": account, "region": region, "disposable": True}
    platform = {"name": PLATFORM, "delivery": None, "github": None, "rollout": None}
    return config.model_copy(
        update={
            "platform": config.platform.model_copy(update=platform),
            "environments": tuple(each.model_copy(update=there) for each in chosen),
        }
    )


def _trains(config: Config) -> Environment:
    if config.platform.registry is None:
        raise UsageError("the story is of versions that go on: name the `registry` in platform.toml")
    return config.environment(config.platform.registry)


def _files(config: Config) -> dict[str, dict[str, Any]]:
    """The same as environment files of a fork."""
    nothing = {"delivery": None, "github": None, "rollout": None, "guardrails": None}
    files: dict[str, dict[str, Any]] = {"platform.toml": {"name": PLATFORM, **nothing}}
    for each in config.environments:
        files[f"{each.name}.toml"] = {"account": each.account, "region": each.region, "disposable": True}
    return files
