"""Containers as SageMaker runs them, with whichever tool is there: docker, podman or buildah.

What a person may set: IMAGE_TOOL (one of the three), BASE_IMAGE (what the images are built on), IMAGE_BUILD_FLAGS and
IMAGE_RUN_FLAGS (more flags for the tool, as a shell would split them).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.config import load
from stacks.content import IMAGE_SOURCES, files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ("docker", "podman", "buildah")
TAG = "slipway-image-test"
PORT = 8080
"""Where SageMaker asks; https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html."""

HOW = (
    "nothing was built and nothing is shown. Install one of docker, podman or buildah (Debian, Ubuntu: "
    "`apt-get install buildah`, which needs no daemon), or name the one to use: IMAGE_TOOL=buildah make image-test"
)
LOOPBACK = "127.0.0.1"


class ToolError(Exception):
    """Why no image can be built here, and what to do."""


@dataclass(frozen=True)
class Mount:
    """A folder of this machine as the container sees it."""

    folder: Path
    at: str
    read_only: bool = False

    @property
    def flags(self) -> list[str]:
        return ["--volume", f"{self.folder}:{self.at}{':ro' if self.read_only else ''}"]


def find_tool() -> str:
    """The first tool that is there and answers; raises ToolError with what each of them said."""
    wanted = os.environ.get("IMAGE_TOOL", "")
    if wanted and wanted not in TOOLS:
        raise ToolError(f"IMAGE_TOOL={wanted} is not known; tools are {', '.join(TOOLS)}: {HOW}")
    said = []
    for tool in [wanted] if wanted else TOOLS:
        if not shutil.which(tool):
            said.append(f"{tool} is not installed")
            continue
        asked = subprocess.run([tool, "info"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and "Cannot connect" not in asked.stderr:
            return tool
        last = (asked.stderr or asked.stdout).strip().splitlines()[-1:] or [f"exit code {asked.returncode}"]
        said.append(f"{tool} cannot run here ({last[0]})")
    raise ToolError(f"{'; '.join(said)}: {HOW}")


class Images:
    """Builds the two images and runs them. With buildah, which isolates by chroot, the network is this machine's."""

    def __init__(self, tool: str, folder: Path) -> None:
        self.tool, self.folder = tool, folder
        self.run_flags = shlex.split(os.environ.get("IMAGE_RUN_FLAGS", ""))
        self._buildah = tool == "buildah"

    def build(self, target: str) -> None:
        """From the files that CodeBuild gets, and no others; raises ToolError with the end of what the tool said."""
        context = self.folder / "context"
        for file in files(IMAGE_SOURCES):
            copy = context / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        configured = next(each.image.base_image for each in load().environments if each.image)
        base = os.environ.get("BASE_IMAGE") or configured
        flags = ["--isolation", "chroot", "--layers"] if self._buildah else []
        command = [
            self.tool,
            "build",
            *flags,
            *("--file", str(context / "pipeline_code/Dockerfile"), "--target", target),
            *("--build-arg", f"BASE_IMAGE={base}", "--tag", f"{TAG}:{target}"),
            *shlex.split(os.environ.get("IMAGE_BUILD_FLAGS", "")),
            str(context),
        ]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            said = "\n".join((built.stdout + built.stderr).splitlines()[-15:])
            raise ToolError(
                f"{self.tool} does not build the {target} image on {base}:\n{said}\nIf the base image cannot be pulled "
                "or pip reaches no index, see docs/decisions/image.md for BASE_IMAGE and IMAGE_BUILD_FLAGS"
            )

    def try_it(self) -> None:
        """Raise ToolError if the tool starts no container here, so that this is not taken for a fault of the images."""
        ran = self.run("job", [], [], {})
        if "usage: python -m pipeline_code" not in ran.stderr:
            raise ToolError(
                f"{self.tool} builds the images, but runs no container here: {ran.stderr.strip()[-500:]}\nGive what it "
                "needs in IMAGE_RUN_FLAGS, or take another tool: IMAGE_TOOL=buildah"
            )

    def run(
        self,
        target: str,
        arguments: Sequence[str],
        mounts: Sequence[Mount],
        variables: Mapping[str, str],
        user: str = "0",
    ) -> subprocess.CompletedProcess[str]:
        """A job: no network, as under SageMaker's network isolation (with buildah: this machine's)."""
        command, _ = self._command(target, arguments, mounts, variables, user, network=["--network", "none"])
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def serve(self, mounts: Sequence[Mount]) -> Server:
        """The server, by the one argument that SageMaker gives it."""
        port = _free_port()
        arguments = ["serve", "--host", LOOPBACK, *(["--port", str(port)] if port != PORT else [])]
        if self._buildah:
            command, name = self._command("serve", arguments, mounts, {}, "0", network=[])
        else:
            network = ["--publish", f"{LOOPBACK}:{port}:{PORT}"]
            command, name = self._command("serve", ["serve"], mounts, {}, "0", network=network)
        log = self.folder / f"{name}.log"
        with log.open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        return Server(self.tool, name, port, process, log)

    def _command(
        self,
        target: str,
        arguments: Sequence[str],
        mounts: Sequence[Mount],
        variables: Mapping[str, str],
        user: str,
        *,
        network: Sequence[str],
    ) -> tuple[list[str], str]:
        given = ["--user", user, *(flag for mount in mounts for flag in mount.flags)]
        given += [flag for name, value in variables.items() for flag in ("--env", f"{name}={value}")]
        if not self._buildah:
            name = f"{TAG}-{os.getpid()}-{time.monotonic_ns()}"
            flags = ["--rm", "--name", name, *network, *given, *self.run_flags]
            return [self.tool, "run", *flags, f"{TAG}:{target}", *arguments], name
        name = _said(["buildah", "from", "--pull-never", f"{TAG}:{target}"]).strip()
        # buildah's run knows no entry point.
        described = json.loads(_said(["buildah", "inspect", name]))
        entry = described["OCIv1"]["config"]["Entrypoint"]
        isolated = ["--isolation", "chroot", *given, *self.run_flags]
        return ["buildah", "run", *isolated, name, "--", *entry, *arguments], name

    def close(self) -> None:
        """Containers that buildah made of the images; those of the others are gone when they end."""
        if self._buildah:
            listed = json.loads(_said(["buildah", "containers", "--json"]) or "null") or []
            ours = [one["id"] for one in listed if f"{TAG}:" in one["imagename"]]
            subprocess.run(["buildah", "rm", *ours], capture_output=True, check=False)


@dataclass(frozen=True)
class Server:
    """A container that serves; `port` is this machine's."""

    tool: str
    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def terminate(self) -> None:
        """SIGTERM to the container's first process, as SageMaker sends it."""
        if self.tool == "buildah":
            os.kill(_innermost(self.process.pid), signal.SIGTERM)
        else:
            subprocess.run([self.tool, "kill", "--signal", "TERM", self.name], capture_output=True, check=True)

    def end(self) -> None:
        """Whatever is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _innermost(pid: int) -> int:
    """Below buildah's own processes the first that runs the image's command."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _words(task / "children")]
    for child in children:
        command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        return child if Path(command[0].decode()).name.startswith("python") else _innermost(child)
    raise ToolError(f"process {pid} runs nothing")


def _words(file: Path) -> list[str]:
    return file.read_text().split()


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _free_port() -> int:
    """SageMaker's, unless something of this machine has it."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ToolError("no port is free")
