"""CodeBuild: a project's build specification really runs, as shell, in a clean copy of its source, in its role's name.

The environment made of the lock of the release pipeline stands for the machine: its commands find that Python and
nothing of this checkout. A project that needs a Docker daemon cannot run here: stand-ins take its images' place.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moto.codebuild import responses
from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse

from rehearsal import events, standins
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.build_source import PHASES, check_variables, fetch, log, overridden, spec
from rehearsal.clock import clock
from rehearsal.jobs import processes
from rehearsal.paging import lower_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rehearsal.resources import Place

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


@dataclass
class Build:
    """One build: what is told of it, and what it said."""

    described: Json
    project: Json
    said: list[str] = field(default_factory=list)
    stopped: bool = False

    def phase(self, name: str, status: str = "SUCCEEDED", because: str = "") -> None:
        """One phase has ended, and why so."""
        contexts = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": because}] if because else []
        ended = {"phaseType": name, "phaseStatus": status, "endTime": clock.now(), "contexts": contexts}
        self.described.update(currentPhase=name, phases=[*self.described["phases"], ended])
        if because:
            self.said.append(because)

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
        self.numbers: defaultdict[tuple[Caller, str], Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def install(self) -> None:
        install(CodeBuildResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        for check in ("_validate_required_params_source", "_validate_required_params_artifacts"):
            setattr(responses, check, _where_needed(getattr(responses, check)))

    def UpdateProject(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        """What is not named stays as it was; a build that runs keeps what it began with."""
        kept, name = codebuild_backends[caller.account][caller.region].codebuild_projects, request["name"]
        if name not in kept:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {name}")
        kept[name].project_metadata.update(request)
        return {"project": self.place(caller).client("codebuild").batch_get_projects(names=[name])["projects"][0]}

    def StartBuild(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["projectName"]
        found = self.place(caller).client("codebuild").batch_get_projects(names=[name])["projects"]
        if not found:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {name}")
        (project,) = found
        check_variables([*project["environment"].get("environmentVariables", []), *overridden(request)])
        build_id = f"{name}:{uuid.uuid4()}"
        source = {**project["source"], **{OVERRIDES[key]: request[key] for key in OVERRIDES if key in request}}
        variables = {each["name"]: each for each in project["environment"].get("environmentVariables", [])}
        variables.update({each["name"]: each for each in overridden(request)})
        build = Build(
            {
                "id": build_id,
                "arn": self.place(caller).arn("codebuild", f"build/{build_id}"),
                "buildNumber": next(self.numbers[caller, name]),
                "startTime": clock.now(),
                "currentPhase": "QUEUED",
                "buildStatus": "IN_PROGRESS",
                "projectName": name,
                "phases": [],
                "source": source,
                "environment": {**project["environment"], "environmentVariables": list(variables.values())},
                "serviceRole": project["serviceRole"],
                "timeoutInMinutes": project.get("timeoutInMinutes") or MINUTES,
                "initiator": caller.role.rsplit("/", 1)[-1] or caller.account,
                "logs": {"groupName": _group(project), "streamName": build_id.split(":")[1]},
            },
            project,
        )
        self.builds[caller][build_id] = build
        announce(self.place(caller), build.described)
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
        return lower_page("ids", list(self.builds[caller]), request)

    def ListBuildsForProject(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = list(self.builds[caller].items())
        found = [name for name, build in kept if build.described["projectName"] == request["projectName"]]
        return lower_page("ids", found, request)

    def _found(self, caller: Caller, name: str) -> Build:
        if name not in self.builds[caller]:
            raise ServiceError("ResourceNotFoundException", f"Build cannot be found: {name}")
        return self.builds[caller][name]

    @staticmethod
    def _told(build: Build) -> Json:
        return {key: build.described[key] for key in DESCRIBED if key in build.described}

    def _build(self, caller: Caller, build: Build) -> None:
        """Whoever sees that a build has ended finds its log."""
        place, folder = self.place(caller), self.folder / uuid.uuid4().hex[:12]
        run = _stand_in if build.described["environment"].get("privilegedMode") else self._run
        try:
            status = run(place, build, folder)
        except Exception as error:  # noqa: BLE001 whatever keeps a build from running is its failure
            build.said.append(f"{type(error).__name__}: {error}")
            status = "FAILED"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            log(place, build.described["logs"], build.said)
        finally:
            build.end(status)
            announce(place, build.described)

    def _run(self, place: Place, build: Build, folder: Path) -> str:
        """Phase by phase; returns the build's status. After a build that failed, what follows it still runs."""
        source = folder / "src"
        fetch(place.acting_as(build.described["serviceRole"]), build.described["source"], source)
        build.phase("DOWNLOAD_SOURCE")
        wanted = spec(build.described["source"], source)
        variables = self._variables(place, build, wanted, folder)
        end, status = time.monotonic() + float(build.described["timeoutInMinutes"]) * MINUTES, "SUCCEEDED"
        for phase in PHASES:
            commands = wanted.get("phases", {}).get(phase, {}).get("commands", [])
            if not commands:
                continue
            build.described["currentPhase"] = phase.upper()
            told = {**variables, "CODEBUILD_BUILD_SUCCEEDING": str(int(status == "SUCCEEDED"))}
            code = processes.run(
                ["/bin/sh", "-e", "-c", "\n".join(commands)],
                folder=source,
                environment=told,
                heard=build.said.append,
                seconds=end - time.monotonic(),
                until=lambda: build.stopped,
            )
            if not code:
                build.phase(phase.upper())
                continue
            status = "STOPPED" if build.stopped else "TIMED_OUT" if time.monotonic() >= end else "FAILED"
            build.phase(phase.upper(), status, f"phase {phase} ended with exit code {code}")
            if phase != "build" or status != "FAILED":
                break
        return status

    def _variables(self, place: Place, build: Build, wanted: Json, folder: Path) -> Mapping[str, str]:
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
            **{name: str(value) for name, value in wanted.get("env", {}).get("variables", {}).items()},
            **given,
        }


def announce(place: Place, told: Json) -> None:
    """A build's state has changed: https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html."""
    detail = {
        "build-status": told["buildStatus"],
        "project-name": told["projectName"],
        "build-id": told["arn"],
        "current-phase": told["currentPhase"],
        "version": "1",
    }
    events.send(place, "aws.codebuild", "CodeBuild Build State Change", detail, [told["arn"]])


def _where_needed(check: Callable[[Json], None]) -> Callable[[Json], None]:
    """Moto wants a place for what CodePipeline brings and takes, too."""

    def checked(given: Json) -> None:
        if given.get("type") not in {"CODEPIPELINE", "NO_SOURCE"}:
            check(given)

    return checked


def _group(project: Json) -> str:
    configured = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    return str(configured.get("groupName") or f"/aws/codebuild/{project['name']}")


def _stand_in(place: Place, build: Build, _folder: Path) -> str:
    """A build of images: they are put by its role, but nothing is built."""
    told = build.described
    build.said.append("There is no Docker daemon in the embedded AWS: no command of this build is run.")
    variables = {each["name"]: each["value"] for each in told["environment"]["environmentVariables"]}
    build.said += standins.push(place.acting_as(told["serviceRole"]), told["source"]["location"], variables)
    return "SUCCEEDED"
