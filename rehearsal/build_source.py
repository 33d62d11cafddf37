"""What a build is made of: its source, its specification, its variables, and the log it leaves."""

from __future__ import annotations

import io
import time
import zipfile
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal.api import Json, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rehearsal.resources import Place

PHASES = ("install", "pre_build", "build", "post_build")
LOG_BATCH = 500


class SpecError(Exception):
    """A build specification that cannot be run here; names what is not known."""


def log(place: Place, where: Json, said: Sequence[str]) -> None:
    """Write what a build said to the log it names."""
    logs = place.client("logs")
    stream = {"logGroupName": where["groupName"], "logStreamName": where["streamName"]}
    for make, given in (
        (logs.create_log_group, {"logGroupName": where["groupName"]}),
        (logs.create_log_stream, stream),
    ):
        try:
            make(**given)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
    at = int(time.time() * 1000)
    lines = [{"timestamp": at, "message": line} for line in said if line]
    for begin in range(0, len(lines), LOG_BATCH):
        logs.put_log_events(**stream, logEvents=lines[begin : begin + LOG_BATCH])


def overridden(request: Json) -> list[Json]:
    """The variables that the caller of StartBuild gives."""
    found: list[Json] = request.get("environmentVariablesOverride", [])
    return found


def check_variables(variables: list[Json]) -> None:
    """Refuse what would have to be looked up elsewhere."""
    kinds = sorted({each.get("type", "PLAINTEXT") for each in variables} - {"PLAINTEXT"})
    if kinds:
        raise ServiceError(
            "InvalidInputException", f"the embedded AWS knows variables of type PLAINTEXT only, not {', '.join(kinds)}"
        )


def fetch(place: Place, source: Json, folder: Path) -> None:
    """The source, unpacked where nothing else is."""
    folder.mkdir(parents=True)
    if source["type"] not in {"S3", "CODEPIPELINE"} or not source.get("location"):
        raise SpecError(f"source {source['type']} {source.get('location', '')}: the embedded AWS fetches from S3 only")
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    body = place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)


def spec(source: Json, folder: Path) -> Json:
    """The build specification: as the project has it, or the file of the source that it names."""
    text = source.get("buildspec") or "buildspec.yml"
    file = folder / text if "\n" not in text and text.endswith((".yml", ".yaml")) else None
    spec: Any = yaml.safe_load(file.read_text() if file else text)
    phases = spec.get("phases", {})
    unknown = set(spec) - {"version", "phases", "env"} | set(phases) - set(PHASES)
    unknown |= {f"env/{name}" for name in set(spec.get("env", {})) - {"variables"}}
    unknown |= {f"{phase}/{key}" for phase in phases for key in set(phases[phase]) - {"commands", "runtime-versions"}}
    if unknown:
        raise SpecError(f"the embedded AWS does not carry out {', '.join(sorted(unknown))} of a build specification")
    found: Json = spec
    return found
