"""CodeBuild: a project's build specification really runs, as shell, in a clean copy of its source, with its role's keys.

The environment made of the lock of the release pipeline stands for the machine: its commands find that Python and
nothing of this checkout. A project that needs a Docker daemon cannot run here: stand-ins take its images' place.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import io
import os
import threading
import time
import uuid
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from moto.codebuild import responses
from moto.codebuild.responses import CodeBuildResponse

from rehearsal import standins
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.jobs import processes
from rehearsal.paging import page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rehearsal.resources import Place

PHASES = ("install", "pre_build", "build", "post_build")
DESCRIBED = (
    "arn",
    "buildNumber",
    "buildStatus",
    "currentPhase",
    "endTime",
    "environment",
    "id",
    "initiator",
    "logs",
    "phases",
    "projectName",
    "serviceRole",
    "source",
    "startTime",
    "timeoutInMinutes",
)
OVERRIDES = {"sourceTypeOverride": "type", "sourceLocationOverride": "location", "buildspecOverride": "buildspec"}
MINUTES = 60


class SpecError(Exception):
    """A build specification that cannot be run here; names what is not known."""


@dataclass
class Build:
    """One build: what is told of it, and what it said."""

    described: Json
    project: Json
    said: list[str] = field(default_factory=list)
    stopped: bool = False

    def phase(self, name: str, status: str = "SUCCEEDED") -> None:
        self.described["currentPhase"] = name
        self.described["phases"].append({"phaseType": name, "phaseStatus": status, "startTime": clock.now()})

    def end(self, status: str) -> None:
        self.described.update(buildStatus=status, currentPhase="COMPLETED", endTime=clock.now())


class Builds:
    """The operations, by AWS's names; `keys` gives the variables with which a role talks to this server."""

    def __init__(
        self,
        place: Callable[[Caller], Place],
        keys: Callable[[str, str], dict[str, str]],
        folder: Path,
        python: Path,
    ) -> None:
        self.place, self.keys, self.folder, self.python = place, keys, folder, python
        self.builds: defaultdict[Caller, dict[str, Build]] = defaultdict(dict)

    def install(self) -> None:
        install(CodeBuildResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        for check in ("_validate_required_params_source", "_validate_required_params_artifacts"):
            setattr(responses, check, _where_needed(getattr(responses, check)))

    def StartBuild(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["projectName"]
        found = self.place(caller).client("codebuild").batch_get_projects(names=[name])["projects"]
        if not found:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {name}")
        (project,) = found
        number, build_id = len(self.builds[caller]) + 1, f"{name}:{uuid.uuid4()}"
        source = {**project["source"], **{OVERRIDES[key]: request[key] for key in OVERRIDES if key in request}}
        variables = {each["name"]: each for each in project["environment"].get("environmentVariables", [])}
        variables.update({each["name"]: each for each in request.get("environmentVariablesOverride", [])})
        build = Build(
            {
                "id": build_id,
                "arn": self.place(caller).arn("codebuild", f"build/{build_id}"),
                "buildNumber": number,
                "startTime": clock.now(),
                "currentPhase": "QUEUED",
                "buildStatus": "IN_PROGRESS",
                "projectName": name,
                "phases": [],
                "source": source,
                "environment": {**project["environment"], "environmentVariables": list(variables.values())},
                "serviceRole": project["serviceRole"],
                "timeoutInMinutes": project.get("timeoutInMinutes", MINUTES),
                "initiator": caller.role.rsplit("/", 1)[-1] or caller.account,
                "logs": {"groupName": _group(project), "streamName": build_id.split(":")[1]},
            },
            project,
        )
        self.builds[caller][build_id] = build
        threading.Thread(target=self._build, args=(caller, build), daemon=True).start()
        return {"build": self._told(build)}

    def StopBuild(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        build = self._found(caller, request["id"])
        build.stopped = True
        return {"build": self._told(build)}

    def BatchGetBuilds(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self.builds[caller]
        return {
            "builds": [self._told(kept[name]) for name in request["ids"] if name in kept],
            "buildsNotFound": [name for name in request["ids"] if name not in kept],
        }

    def ListBuilds(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return page("ids", list(self.builds[caller]), {}, newest_first=request.get("sortOrder") != "ASCENDING")

    def ListBuildsForProject(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self.builds[caller].items()
        found = [name for name, build in kept if build.described["projectName"] == request["projectName"]]
        return page("ids", found, {}, newest_first=request.get("sortOrder") != "ASCENDING")

    def _found(self, caller: Caller, name: str) -> Build:
        if name not in self.builds[caller]:
            raise ServiceError("ResourceNotFoundException", f"Build cannot be found: {name}")
        return self.builds[caller][name]

    @staticmethod
    def _told(build: Build) -> Json:
        return {key: build.described[key] for key in DESCRIBED if key in build.described}

    def _build(self, caller: Caller, build: Build) -> None:
        place = self.place(caller)
        run = self._stand_in if build.described["environment"].get("privilegedMode") else self._run
        try:
            run(place, build)
        except Exception as error:  # noqa: BLE001 whatever keeps a build from running is its failure
            build.said.append(f"{type(error).__name__}: {error}")
            build.end("FAILED")
        self._log(place, build)

    @staticmethod
    def _stand_in(place: Place, build: Build) -> None:
        """A build of images: they are put by its role, but nothing is built."""
        told = build.described
        build.said.append("There is no Docker daemon in the embedded AWS: no command of this build is run.")
        variables = {each["name"]: each["value"] for each in told["environment"]["environmentVariables"]}
        build.said += standins.push(place.acting_as(told["serviceRole"]), told["source"]["location"], variables)
        build.end("SUCCEEDED")

    def _run(self, place: Place, build: Build) -> None:
        folder = self.folder / uuid.uuid4().hex[:12]
        source = folder / "src"
        _fetch(place.acting_as(build.described["serviceRole"]), build.described["source"], source)
        build.phase("DOWNLOAD_SOURCE")
        spec = _spec(build.described["source"], source)
        variables = self._variables(place, build, spec, folder)
        minutes = float(build.described["timeoutInMinutes"])
        end = time.monotonic() + minutes * MINUTES
        for phase in PHASES:
            commands = spec.get("phases", {}).get(phase, {}).get("commands", [])
            if not commands:
                continue
            build.described["currentPhase"] = phase.upper()
            code = processes.run(
                ["/bin/sh", "-e", "-c", "\n".join(commands)],
                folder=source,
                environment=variables,
                heard=build.said.append,
                seconds=end - time.monotonic(),
                until=lambda: build.stopped,
            )
            if code:
                build.phase(phase.upper(), "FAILED")
                build.said.append(f"phase {phase} ended with exit code {code}")
                build.end("STOPPED" if build.stopped else "FAILED")
                return
            build.phase(phase.upper())
        build.end("SUCCEEDED")

    def _variables(self, place: Place, build: Build, spec: Json, folder: Path) -> Mapping[str, str]:
        """What CodeBuild sets, the specification's, the project's and the caller's variables, and keys of the role."""
        told = build.described
        given = {each["name"]: each["value"] for each in told["environment"]["environmentVariables"]}
        return {
            **self.keys(told["serviceRole"], place.region),
            "PATH": os.pathsep.join([str(self.python.parent), "/usr/bin", "/bin"]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PIP_NO_INDEX": "1",  # the environment was made of the lock; whatever else a build wants is not there
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "AWS_REGION": place.region,
            "AWS_DEFAULT_REGION": place.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CODEBUILD_BUILD_ID": told["id"],
            "CODEBUILD_BUILD_ARN": told["arn"],
            "CODEBUILD_BUILD_NUMBER": str(told["buildNumber"]),
            "CODEBUILD_INITIATOR": told["initiator"],
            "CODEBUILD_SRC_DIR": str(folder / "src"),
            **{name: str(value) for name, value in spec.get("env", {}).get("variables", {}).items()},
            **given,
        }

    @staticmethod
    def _log(place: Place, build: Build) -> None:
        logs, where = place.client("logs"), build.described["logs"]
        for make, given in (
            (logs.create_log_group, {"logGroupName": where["groupName"]}),
            (logs.create_log_stream, {"logGroupName": where["groupName"], "logStreamName": where["streamName"]}),
        ):
            try:
                make(**given)
            except logs.exceptions.ResourceAlreadyExistsException:
                continue
        at = int(time.time() * 1000)
        lines = [{"timestamp": at, "message": line} for line in build.said if line]
        if lines:
            logs.put_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"], logEvents=lines)


def _where_needed(check: Callable[[Json], None]) -> Callable[[Json], None]:
    """Moto wants a place for what CodePipeline brings and takes, too."""

    def checked(given: Json) -> None:
        if given.get("type") not in {"CODEPIPELINE", "NO_SOURCE"}:
            check(given)

    return checked


def _group(project: Json) -> str:
    configured = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    return str(configured.get("groupName") or f"/aws/codebuild/{project['name']}")


def _fetch(place: Place, source: Json, folder: Path) -> None:
    """The source, unpacked where nothing else is."""
    folder.mkdir(parents=True)
    if source["type"] not in {"S3", "CODEPIPELINE"} or not source.get("location"):
        raise SpecError(f"source {source['type']} {source.get('location', '')}: the embedded AWS fetches from S3 only")
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    body = place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)


def _spec(source: Json, folder: Path) -> Json:
    """The build specification: as the project has it, or the file of the source that it names."""
    text = source.get("buildspec") or "buildspec.yml"
    file = folder / text if "\n" not in text and text.endswith((".yml", ".yaml")) else None
    spec: Any = yaml.safe_load(file.read_text() if file else text)
    unknown = set(spec) - {"version", "phases", "env"} | set(spec.get("phases", {})) - set(PHASES)
    if unknown:
        raise SpecError(f"the embedded AWS does not carry out {', '.join(sorted(unknown))} of a build specification")
    found: Json = spec
    return found
