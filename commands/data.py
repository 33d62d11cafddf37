"""Verbs about a period's files: upload them, check them before, correct what was set aside."""

from __future__ import annotations

import subprocess
from pathlib import Path  # noqa: TC003 typer reads annotations at run time
from typing import Annotated

import typer

from commands.choice import EnvironmentName, ModelName, UsageError, chosen, console, known_model, session_of
from stacks.config import ROOT, contract_versions
from stacks.names import periods_prefix

Month = Annotated[str, typer.Argument(help="The month, such as 2013-04.")]

app = typer.Typer(no_args_is_help=True, help="A period's files: upload, check, correct.")


@app.command("upload")
def upload(
    period: Month,
    paths: Annotated[list[Path], typer.Argument(help="The period's files, or the folder that holds them.")],
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
    history: Annotated[bool, typer.Option("--history", help="Its arrival starts no run.")] = False,
) -> None:
    """Upload a period's files to the data bucket; the manifest that completes it goes last and starts a run."""
    from operations.periods import upload_period

    environment, names = chosen(env, model)
    upload = upload_period(
        session_of(environment).client("s3"),
        bucket=names.data_bucket,
        prefix=periods_prefix(model),
        period=period,
        files=_listed(paths),
        starts=not history,
        contract=contract_versions(model),
    )
    console.print(f"{len(upload.files)} files, {upload.size:,} bytes: {upload.uri}")


@app.command("check")
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files of one period, or the folder that holds them.")],
    period: Annotated[str, typer.Option(help="The month they are of, such as 2013-04.")],
    model: ModelName = "flight_delay",
) -> None:
    """Run the data contract on files of this machine: what a run would set aside, and what would stop it."""
    known_model(model)
    python = ROOT / ".venv-job/bin/python"
    if not python.exists():
        raise UsageError("the job's packages are not installed; run `make setup`")
    command = [str(python), "-m", "pipeline_code.check_files", "--model", model, "--period", period]
    done = subprocess.run([*command, "--", *map(str, _listed(paths))], cwd=ROOT, check=False)
    raise typer.Exit(done.returncode)


@app.command("correct")
def correct(
    period: Month,
    paths: Annotated[
        list[Path], typer.Argument(help="Corrected quarantine files, named as their source: weather.csv.")
    ],
    env: EnvironmentName = "dev",
    model: ModelName = "flight_delay",
) -> None:
    """Hand corrected rows of the quarantine back; the next run takes them in place of the rows they name."""
    from operations.periods import correct_period

    environment, names = chosen(env, model)
    upload = correct_period(
        session_of(environment).client("s3"),
        bucket=names.data_bucket,
        prefix=periods_prefix(model),
        period=period,
        files=_listed(paths),
    )
    console.print(f"{', '.join(upload.files)}: {upload.uri}")


def _listed(paths: list[Path]) -> list[Path]:
    """Files as they were named, folders as what they hold; absolute, because other processes read them too."""
    return [file.absolute() for path in paths for file in (_inside(path) if path.is_dir() else [path])]


def _inside(folder: Path) -> list[Path]:
    """A folder's files; a manifest of an earlier download and hidden files are no data."""
    return [file for file in sorted(folder.iterdir()) if not file.name.startswith((".", "_"))]
