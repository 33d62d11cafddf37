"""A build at work: its sources unpacked, its phases run in one shell's state, its artifacts taken away.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal import standins
from rehearsal.build_artifacts import upload
from rehearsal.build_source import PHASES, exported, fetch, spec
from rehearsal.clock import clock
from rehearsal.jobs import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rehearsal.api import Json
    from rehearsal.build_machine import Machine
    from rehearsal.resources import Place

MINUTES = 60
SHELL = ("/bin/sh", "-e", "-c")
EXPORT_SECONDS = 10


@dataclass
class Build:
    """One build: what is told of it, what it takes and is to leave, and what it said."""

    described: Json
    project: Json
    others: list[Json] = field(default_factory=list)
    artifacts: list[Json] = field(default_factory=list)
    key: str | None = None
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


@dataclass(frozen=True)
class Run:
    """A build in its folder, on its machine; `keys` gives the variables with which its role talks to this server."""

    place: Place
    build: Build
    folder: Path
    machine: Machine
    keys: Callable[[str, str], dict[str, str]]

    @property
    def source(self) -> Path:
        return self.folder / "src"

    @property
    def state(self) -> Path:
        """What the shell of one phase leaves for that of the next: CodeBuild has one shell for all."""
        return self.folder / "state"

    def run(self) -> str:
        """Phase by phase; returns the build's status. After a build that failed, what follows it still runs."""
        told = self.build.described
        acting = self.place.acting_as(told["serviceRole"])
        fetch(acting, told["source"], self.source)
        others = {
            each["sourceIdentifier"]: self.folder / f"src-{each['sourceIdentifier']}" for each in self.build.others
        }
        for each in self.build.others:
            fetch(acting, each, others[each["sourceIdentifier"]])
        variables = self.machine.prepare(self.folder, [self.source, *others.values()])
        self.build.phase("DOWNLOAD_SOURCE")
        wanted = spec(told["source"], self.source)
        variables |= {f"CODEBUILD_SRC_DIR_{name}": str(folder) for name, folder in others.items()}
        variables = self._variables(variables, wanted)
        status = self._phases(wanted, variables)
        values = {name: self._value(name, variables) for name in exported(wanted)}
        told["exportedEnvironmentVariables"] = [{"name": name, "value": value} for name, value in values.items()]
        if status == "SUCCEEDED":
            upload(acting, self.build.artifacts, wanted, self.source, self.build.key)
            self.build.phase("UPLOAD_ARTIFACTS")
        return status

    def _phases(self, wanted: Json, variables: Mapping[str, str]) -> str:
        build, status = self.build, "SUCCEEDED"
        end = time.monotonic() + float(build.described["timeoutInMinutes"]) * MINUTES
        for phase in PHASES:
            commands = wanted.get("phases", {}).get(phase, {}).get("commands", [])
            if not commands:
                continue
            build.described["currentPhase"] = phase.upper()
            code = processes.run(
                [*SHELL, self._script(commands, succeeding=status == "SUCCEEDED")],
                folder=self.source,
                environment=variables,
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

    def _script(self, commands: str | list[str], *, succeeding: bool) -> str:
        """The commands, in the folder and with the variables that those before them left."""
        state = shlex.quote(str(self.state))
        return "\n".join(
            [
                f'if [ -f {state} ]; then . {state}; cd "$PWD"; fi',
                f"trap 'export -p > {state}' EXIT" if "'" not in state else "",
                f"export CODEBUILD_BUILD_SUCCEEDING={int(succeeding)}",
                *([commands] if isinstance(commands, str) else commands),
            ]
        )

    def _value(self, name: str, variables: Mapping[str, str]) -> str:
        """A variable as the phases left it."""
        state, said = shlex.quote(str(self.state)), list[str]()
        processes.run(
            [*SHELL, f'if [ -f {state} ]; then . {state}; fi; printf "%s" "${{{name}-}}"'],
            folder=self.source,
            environment=variables,
            heard=said.append,
            seconds=EXPORT_SECONDS,
            until=lambda: False,
        )
        return "\n".join(said)

    def _variables(self, machine: Mapping[str, str], wanted: Json) -> dict[str, str]:
        """What CodeBuild sets, the specification's, the project's and the caller's variables, and keys of the role."""
        told, region = self.build.described, self.place.region
        given = {each["name"]: each["value"] for each in told["environment"]["environmentVariables"]}
        return {
            **self.keys(told["serviceRole"], region),
            **machine,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CODEBUILD_BUILD_ID": told["id"],
            "CODEBUILD_BUILD_ARN": told["arn"],
            "CODEBUILD_BUILD_NUMBER": str(told["buildNumber"]),
            "CODEBUILD_INITIATOR": told["initiator"],
            "CODEBUILD_SRC_DIR": str(self.source),
            **{name: str(value) for name, value in wanted.get("env", {}).get("variables", {}).items()},
            **given,
        }


def stand_in(run: Run) -> str:
    """A build of images: they are put by its role, but nothing is built."""
    told, build = run.build.described, run.build
    build.said.append("There is no Docker daemon in the embedded AWS: no command of this build is run.")
    variables = {each["name"]: each["value"] for each in told["environment"]["environmentVariables"]}
    build.said += standins.push(run.place.acting_as(told["serviceRole"]), told["source"]["location"], variables)
    return "SUCCEEDED"
