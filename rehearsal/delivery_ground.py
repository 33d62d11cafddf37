"""What the story of delivery stands on: accounts that trust the one that delivers, and its one stack."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal import guard
from rehearsal.background import Background
from rehearsal.cdk import Cdk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.embedded import EmbeddedAws
    from rehearsal.release_acts import Site

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
SHOWN = 80
"""Of a command that was killed, so many of its last characters."""

PROCESSES = Path("/proc")
"""Where the kernel says which process runs in which folder; not every system has it."""

Where = tuple[str, str]
"""An account and a region."""


@dataclass(frozen=True)
class Ground:
    """The real CDK CLI, in the folder of one rehearsal."""

    aws: EmbeddedAws
    root: Path
    state: Path

    def bootstrap(self, home: Where, sites: Sequence[Site]) -> None:
        """The account that delivers first; the others trust it."""
        self._cdk("bootstrap", home).run("bootstrap", f"aws://{home[0]}/{home[1]}")
        for work in [Background(partial(self._trusting, home[0], site)) for site in sites]:
            work.wait()

    def _trusting(self, delivers: str, site: Site) -> None:
        trust = ["--trust", delivers, "--trust-for-lookup", delivers]
        policies = ["--cloudformation-execution-policies", ADMINISTRATOR]
        cdk = self._cdk(f"bootstrap-{site.environment}", (site.account, site.region))
        cdk.run("bootstrap", *trust, *policies, f"aws://{site.account}/{site.region}")

    def synth(self, tree: Path) -> None:
        """The templates of everything, as the tree has it."""
        cdk = Cdk(self.root, tree, guard.clean(os.environ), self.state / "cdk-synth.log")
        cdk.run("synth", "--quiet", "--output", str(self.state / "cdk.out"), "--no-validation")

    def deploy(self, home: Where, stack: str) -> None:
        """The one stack that people deploy by hand."""
        how = ["--require-approval", "never", "--method", "direct"]
        self._cdk("deploy", home).run("deploy", "--app", str(self.state / "cdk.out"), stack, *how)

    def _cdk(self, name: str, where: Where) -> Cdk:
        return Cdk(self.root, self.state, self.aws.environment(*where), self.state / f"cdk-{name}.log")


def kill(arguments: str, within: Path) -> str:
    """Kill the first process that was started with these arguments in this folder; its command, or nothing."""
    wanted = arguments.replace(" ", "\0").encode()
    for process in PROCESSES.glob("[0-9]*"):
        try:
            command, folder = (process / "cmdline").read_bytes(), (process / "cwd").resolve()
        except OSError:
            continue
        if wanted in command and folder.is_relative_to(within.resolve()):
            os.kill(int(process.name), signal.SIGKILL)
            return command.replace(b"\0", b" ").decode(errors="replace").strip()[-SHOWN:]
    return ""
