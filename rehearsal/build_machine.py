"""The machine of a build: the checkout's own installation stands for it, so that nothing is downloaded.

A source that has a Makefile is the whole platform. It finds the environments that `make setup` made in the checkout,
and only if both have the same locks: nothing that a build does may change them, and nothing else may be in them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal import cdk
from rehearsal.jobs import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIMULATOR = "tests/governance/simulator"
LOCKS = ("pyproject.toml", "package.json", "package-lock.json", ".npmrc", f"{SIMULATOR}/package-lock.json")
ENVIRONMENT = ".venv"
LINKED = (
    ".venv-job",
    ".venv-serve",
    ".venv-release",
    ".venv-aws",
    ".tools",
    "node_modules",
    f"{SIMULATOR}/node_modules",
)
MADE = (ENVIRONMENT, ".tools/uv", *LINKED)
MAKE_SECONDS = 60
SETTINGS = {
    "LANG": "C.UTF-8",
    "NO_PROXY": "localhost,127.0.0.1",
    "PIP_NO_INDEX": "1",  # the environments were made of the locks; whatever else a build wants is not there
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
COMMAND = """\
#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys
sys.path.insert(0, {source!r})
from {module} import {function}
sys.exit({function}())
"""
"""A command of the project: of this source, though the environment was made for the checkout."""


class MachineError(Exception):
    """The checkout's installation is not that of the source; says what to do."""


@dataclass(frozen=True)
class Machine:
    """What the checkout `root` has, for builds in folders of their own."""

    root: Path

    def prepare(self, folder: Path, sources: Sequence[Path]) -> dict[str, str]:
        """Link what the sources need, and return the variables of the machine."""
        platforms = [source for source in sources if (source / "Makefile").is_file()]
        for source in platforms:
            self._install(source)
        own = folder / "bin"
        own.mkdir()
        _write_command(own / "npm", self._npm(own))
        # A machine's own Python has pip, and what a build's lock put there; the platform's Makefile uses its own.
        pythons = [self.root / ".venv-release", *(platform / ENVIRONMENT for platform in platforms[:1])]
        found = [own, cdk.node().parent, *(python / "bin" for python in pythons), Path("/usr/bin"), Path("/bin")]
        return {
            **SETTINGS,
            **cdk.app_variables(self.root),
            "PATH": os.pathsep.join(map(str, found)),
            "HOME": str(folder),
        }

    def _npm(self, own: Path) -> str:
        """Without its own folder among the modules: names in it are those of the standard library, too."""
        script, real = Path(__file__).with_name("npm.py"), cdk.node().with_name("npm")
        told = [sys.executable, "-P", script, self.root / "node_modules", own, real]
        return f'#!/bin/sh\nexec {shlex.join(map(str, told))} "$@"\n'

    def _install(self, source: Path) -> None:
        self._compare(source)
        if not os.path.lexists(source / ENVIRONMENT):
            self._lend_environment(source)
        for name in LINKED:
            there = self.root / name
            if there.is_dir() and not os.path.lexists(source / name):
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).symlink_to(there.resolve())
        self._ask_make(source)

    def _compare(self, source: Path) -> None:
        """The same locks, byte for byte; they are then as old as the checkout's, too, which is what make looks at."""
        for name in sorted({*LOCKS, *_requirements(source), *_requirements(self.root)}):
            ours, theirs = self.root / name, source / name
            if not ours.is_file() and not theirs.is_file():
                continue
            if not theirs.is_file() or not ours.is_file() or ours.read_bytes() != theirs.read_bytes():
                raise MachineError(
                    f"{name} of the source is not that of {self.root}, whose installation stands for the build's "
                    "machine; it takes `make setup` in a checkout of that source, and the rehearsal there"
                )
            shutil.copystat(ours, theirs)

    def _lend_environment(self, source: Path) -> None:
        """The environment by links, but for the project's own commands, which are the source's."""
        theirs, ours = self.root / ENVIRONMENT, source / ENVIRONMENT
        (ours / "bin").mkdir(parents=True)
        for folder in (Path(), Path("bin")):
            for entry in (theirs / folder).iterdir():
                if not os.path.lexists(ours / folder / entry.name):
                    (ours / folder / entry.name).symlink_to(entry.absolute())
        told = tomllib.loads((source / "pyproject.toml").read_text())["project"].get("scripts", {})
        for name, place in told.items():
            module, _, function = place.partition(":")
            command, python = ours / "bin" / name, shlex.quote(str(ours / "bin/python"))
            command.unlink(missing_ok=True)
            text = COMMAND.format(python=python, source=str(source), module=module, function=function)
            _write_command(command, text)

    def _ask_make(self, source: Path) -> None:
        """What the links lead to must not look out of date: make would write into the checkout."""
        made = [f"{name}/.ready" for name in MADE if (source / name / ".ready").exists()]
        make = shutil.which("make", path="/usr/bin:/bin")
        if make is None or not made:
            return
        stale = [name for name in made if _make_would(make, source, name)]
        if stale:
            raise MachineError(
                f"{', '.join(stale)} of {self.root} is older than what it was made of; run `make setup` there"
            )


def _make_would(make: str, source: Path, target: str) -> bool:
    code = processes.run(
        [make, "--question", target],
        folder=source,
        environment={"PATH": "/usr/bin:/bin"},
        heard=lambda _: None,
        seconds=MAKE_SECONDS,
        until=lambda: False,
    )
    return code != 0


def _requirements(folder: Path) -> Iterator[str]:
    return (file.relative_to(folder).as_posix() for file in folder.glob("requirements/*.txt"))


def _write_command(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)
