"""What the verbs share: how they print, which environment and model are meant, whose credentials those are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stacks.config import ROOT, load, models
from stacks.names import Names

if TYPE_CHECKING:
    from stacks.settings import Environment

EnvironmentName = Annotated[str, typer.Option("--env", help="Which file of environments/, without .toml.")]
ModelName = Annotated[str, typer.Option("--model", help="Which folder of pipeline_code/models.")]

console = Console(highlight=False, soft_wrap=True)


class UsageError(Exception):
    """What was asked for cannot be done, and what to do instead."""


def chosen(env: str, model: str) -> tuple[Environment, Names]:
    """Settings and names of an environment that trains the model, after both words were found to exist."""
    known_model(model)
    return training_place(env)


def training_place(env: str) -> tuple[Environment, Names]:
    """Settings and names of an environment that trains models; UsageError for one that takes its versions elsewhere."""
    environment, names = place_of(env)
    registry = load().registry_of(environment)
    if registry.name != env:
        raise UsageError(f"{env} trains no models, its versions come from {registry.name}; use --env {registry.name}")
    return environment, names


def place_of(env: str) -> tuple[Environment, Names]:
    """The environment's settings and names, after it was found to exist."""
    config = load()
    environment = config.environment(env)
    return environment, Names.of(config.platform, environment)


def known_model(model: str) -> None:
    """Raise UsageError for a model that is not there."""
    if model not in models():
        raise UsageError(f"no model {model!r}; models are {', '.join(models())} (folders of pipeline_code/models)")


def session_of(environment: Environment) -> Any:
    """A boto3 session that is proven to be of the environment's account, real or rehearsed."""
    about = f"environment {environment.name} is {environment.account}"
    return session_in(environment.account, environment.region, about, f"environments/{environment.name}.toml")


def session_in(account: str, region: str, about: str, settings: str) -> Any:
    """A boto3 session that is proven to be of an account; `settings` names where the account is said."""
    import boto3

    session = boto3.Session(region_name=region)
    found = session.client("sts").get_caller_identity()["Account"]
    if found != account:
        raise UsageError(
            f"your credentials are of account {found}, {about}; "
            f"choose the profile of that account (AWS_PROFILE), or mend {settings}"
        )
    return session


def commit() -> str:
    """The commit of this checkout; synth itself must not depend on git."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # a machine without git can run the platform, too
        return "unknown"
    return done.stdout.strip() or "unknown"
