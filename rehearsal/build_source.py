"""What a build is made of: its sources, its specification, its variables, and the log it leaves."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal import archive
from rehearsal.api import Json, ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rehearsal.resources import Place

PHASES = ("install", "pre_build", "build", "post_build")
ENVIRONMENT = frozenset({"variables", "exported-variables"})
ARTIFACTS = frozenset({"base-directory", "files", "secondary-artifacts"})
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LOG_BATCH = 500
GIT_HOSTS = frozenset({"BITBUCKET", "CODECOMMIT", "GITHUB", "GITHUB_ENTERPRISE", "GITLAB", "GITLAB_SELF_MANAGED"})
NO_GIT_HOST = (
    "the embedded AWS has no connection to a Git host; "
    '`[delivery.source] provider = "s3"` rehearses it with a source in S3'
)


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


def check_source(project: str, source: Json) -> None:
    """What a Git host has is recorded in the project, and cannot be fetched."""
    if source["type"] in GIT_HOSTS:
        where = f"project {project} builds {source['type']} {source.get('location', '')}"
        raise ServiceError("InvalidInputException", f"{where}: {NO_GIT_HOST}, or give the build a source of its own")


def fetch(place: Place, source: Json, folder: Path) -> None:
    """The source, unpacked where nothing else is."""
    folder.mkdir(parents=True)
    if source["type"] == "NO_SOURCE":
        return
    if source["type"] not in {"S3", "CODEPIPELINE"} or not source.get("location"):
        raise SpecError(f"source {source['type']} {source.get('location', '')}: the embedded AWS fetches from S3 only")
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    archive.unpack(place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(), folder)


def spec(source: Json, folder: Path) -> Json:
    """The build specification: as the project has it, or the file of the source that it names.

    What it would cache is fetched anew here, so `cache` is heard and changes nothing.
    """
    text = source.get("buildspec") or "buildspec.yml"
    file = folder / text if "\n" not in text and text.endswith((".yml", ".yaml")) else None
    if file and not file.is_file():
        raise SpecError(f"build specification {text}: the source has no such file")
    spec: Any = yaml.safe_load(file.read_text() if file else text)
    unknown = _unknown(spec)
    if unknown:
        raise SpecError(f"the embedded AWS does not carry out {', '.join(sorted(unknown))} of a build specification")
    strange = [name for name in exported(spec) if not VARIABLE.fullmatch(name)]
    if strange:
        raise SpecError(f"exported-variables {', '.join(strange)}: a variable's name is {VARIABLE.pattern}")
    found: Json = spec
    return found


def _unknown(spec: Json) -> set[str]:
    phases, artifacts = spec.get("phases", {}), spec.get("artifacts", {})
    unknown = set(spec) - {"version", "phases", "env", "artifacts", "cache"} | set(phases) - set(PHASES)
    unknown |= {f"env/{name}" for name in set(spec.get("env", {})) - ENVIRONMENT}
    unknown |= {f"{phase}/{key}" for phase in phases for key in set(phases[phase]) - {"commands", "runtime-versions"}}
    unknown |= {f"artifacts/{name}" for name in set(artifacts) - ARTIFACTS}
    for name, each in artifacts.get("secondary-artifacts", {}).items():
        unknown |= {f"artifacts/secondary-artifacts/{name}/{key}" for key in set(each) - {"base-directory", "files"}}
    return unknown


def exported(spec: Json) -> list[str]:
    """The variables that a build tells of when it has ended."""
    found: list[str] = spec.get("env", {}).get("exported-variables", [])
    return found
