"""CodeBuild: a project's build specification really runs, as shell, in a clean copy of its source, in its role's name.

What was installed in this checkout stands for the machine, as build_machine.py has it: for the release pipeline the
environment of its lock and nothing else. A project that needs a Docker daemon cannot run here: stand-ins take its
images' place.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import itertools
import shutil
import threading
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING

from moto.codebuild.responses import CodeBuildResponse

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.build_projects import BuildProjects
from rehearsal.build_run import MINUTES, Build, Run, stand_in
from rehearsal.build_source import check_source, check_variables, log, overridden
from rehearsal.clock import clock
from rehearsal.paging import lower_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rehearsal.build_machine import Machine
    from rehearsal.resources import Place

DESCRIBED = (
    "arn",
    "buildNumber",
    "buildStatus",
    "currentPhase",
    "endTime",
    "environment",
    "exportedEnvironmentVariables",
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


class Builds:
    """The operations, by AWS's names; `keys` gives the variables with which a role talks to this server."""

    def __init__(
        self,
        place: Callable[[Caller], Place],
        keys: Callable[[str, str], dict[str, str]],
        folder: Path,
        machine: Machine,
    ) -> None:
        self.place, self.keys, self.folder, self.machine = place, keys, folder, machine
        self.builds: defaultdict[Caller, dict[str, Build]] = defaultdict(dict)
        self.numbers: defaultdict[tuple[Caller, str], Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def install(self) -> None:
        install(CodeBuildResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        BuildProjects(self.place).install()

    def StartBuild(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["projectName"]
        found = self.place(caller).client("codebuild").batch_get_projects(names=[name])["projects"]
        if not found:
            raise ServiceError("ResourceNotFoundException", f"Project cannot be found: {name}")
        (project,) = found
        check_variables([*project["environment"].get("environmentVariables", []), *overridden(request)])
        source = {**project["source"], **{OVERRIDES[key]: request[key] for key in OVERRIDES if key in request}}
        check_source(name, source)
        build = Build(
            self._described(caller, project, {**request, "source": source}, f"{name}:{uuid.uuid4()}"),
            project,
            request.get("secondarySourcesOverride", project.get("secondarySources", [])),
            [
                request.get("artifactsOverride", project["artifacts"]),
                *request.get("secondaryArtifactsOverride", project.get("secondaryArtifacts", [])),
            ],
            request.get("encryptionKeyOverride", project.get("encryptionKey")),
        )
        self.builds[caller][build.described["id"]] = build
        announce(self.place(caller), build.described)
        threading.Thread(target=self._build, args=(caller, build), daemon=True).start()
        return {"build": self._told(build)}

    def _described(self, caller: Caller, project: Json, request: Json, build_id: str) -> Json:
        """What is told of a build as it begins."""
        name = project["name"]
        variables = {each["name"]: each for each in project["environment"].get("environmentVariables", [])}
        variables.update({each["name"]: each for each in overridden(request)})
        return {
            "id": build_id,
            "arn": self.place(caller).arn("codebuild", f"build/{build_id}"),
            "buildNumber": next(self.numbers[caller, name]),
            "startTime": clock.now(),
            "currentPhase": "QUEUED",
            "buildStatus": "IN_PROGRESS",
            "projectName": name,
            "phases": [],
            "source": request["source"],
            "environment": {**project["environment"], "environmentVariables": list(variables.values())},
            "serviceRole": project["serviceRole"],
            "timeoutInMinutes": project.get("timeoutInMinutes") or MINUTES,
            "initiator": caller.role.rsplit("/", 1)[-1] or caller.account,
            "logs": {"groupName": _group(project), "streamName": build_id.split(":")[1]},
        }

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
        run = Run(place, build, folder, self.machine, self.keys)
        try:
            status = stand_in(run) if build.described["environment"].get("privilegedMode") else run.run()
        except Exception as error:  # noqa: BLE001 whatever keeps a build from running is its failure
            build.said.append(f"{type(error).__name__}: {error}")
            status = "FAILED"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            log(place, build.described["logs"], build.said)
        finally:
            build.end(status)
            announce(place, build.described)


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


def _group(project: Json) -> str:
    configured = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    return str(configured.get("groupName") or f"/aws/codebuild/{project['name']}")
