"""Verbs about SageMaker Studio: clear it, so that it can be taken away."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.choice import console, place_of, session_of

app = typer.Typer(no_args_is_help=True, help="SageMaker Studio of an environment: clear.")


@app.callback()
def studio() -> None:
    """SageMaker Studio of an environment."""


@app.command("clear")
def clear(
    env: Annotated[str, typer.Argument(help="Which file of environments/, without .toml.")],
    every: Annotated[float, typer.Option(help="Seconds between looks at what is going away.")] = 5,
) -> None:
    """End every application and remove what was made by hand; files on volumes of spaces that stay are kept."""
    from operations.studio import clear

    environment, names = place_of(env)
    keep = [user.profile for user in environment.studio.users] if environment.studio else []
    done = clear(session_of(environment).client("sagemaker"), names.studio, keep, every_seconds=every)
    for line in done:
        console.print(f"ended: {line}")
    if not done:
        console.print(f"nothing runs in {names.studio}, and nothing was made by hand")
