"""The story in a real account: deployed, trained, approved, released and asked, then taken away again.

It is the rehearsed story's own code; what only an embedded AWS can be told (faults, time, load) is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from rehearsal.background import Background
from rehearsal.cdk import Cdk
from rehearsal.cleaning import clean
from rehearsal.fork import fork
from rehearsal.phases import phase
from rehearsal.release_acts import ReleaseActs
from rehearsal.scenes import STAGING, Scene
from rehearsal.story import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from rehearsal.act import Act
    from rehearsal.embedded import EmbeddedAws
    from rehearsal.plan import Plan
    from rehearsal.target import RealAccount

PREFIX = "slipway-acceptance-"
FIRST = Scene("arrival", "2013-04", history=("2013-01", "2013-02", "2013-03"), ships=STAGING)
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"


class AcceptanceError(Exception):
    """Why an account was not accepted."""


@dataclass
class Acceptance:
    """One run; `tree` is the platform's fork whose environments are all of the account."""

    aws: RealAccount
    plan: Plan
    platform: str
    tree: Path
    state: Path
    tell: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def run(self, *, keep: bool) -> Act:
        """Play, and clean up whatever happened; `keep` leaves everything as it is."""
        try:
            return self._play()
        finally:
            if not keep:
                with self._phase("clean up"):
                    self._clean()

    def _play(self) -> Act:
        self._bootstrap()
        with self._phase("cdk deploy"):
            self._cdk().run("deploy", "--require-approval", "never", "--concurrency", "4", *self._stages)
        target = cast("EmbeddedAws", self.aws)  # as far as these parts of the story ask it
        story = Rehearsal(
            target, self.plan, self.tell, self.state, time.monotonic(), Background(lambda: None), self.seconds
        )
        act = story.play(FIRST)
        acting = ReleaseActs(target, self.tree, self.plan.sites, self.tell, patience=self.plan.patience)
        with self._phase("release"):
            acting.ship_to(act.version["ModelPackageArn"], STAGING)
        for site in self.plan.sites:
            self._verify(site.environment)
        self.invocations = acting.invocations
        return act

    @property
    def _stages(self) -> list[str]:
        return [f"{site.stage}/*" for site in self.plan.sites]

    def _bootstrap(self) -> None:
        """Only where there is none: what somebody has made is theirs."""
        account, region = self.plan.account, self.plan.region
        try:
            self.aws.client("ssm", account, region).get_parameter(Name=BOOTSTRAP)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            with self._phase("cdk bootstrap"):
                self._cdk(self.state).run("bootstrap", f"aws://{account}/{region}")

    def _verify(self, environment: str) -> None:
        """The very command a person runs."""
        ran = subprocess.run(
            [sys.executable, "cli.py", "verify", environment],
            cwd=self.tree,
            env=self.aws.environment(self.plan.account, self.plan.region),
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise AcceptanceError(f"slipway verify {environment}:\n{ran.stdout}{ran.stderr}")
        self.tell(f"  {environment} works")

    def _clean(self) -> None:
        def client(service: str) -> Any:
            return self.aws.client(service, self.plan.account, self.plan.region)

        stages = [site.stage for site in self.plan.sites]
        self.left = clean(client, stages, self.platform, lambda: self._cdk().run("destroy", "--force", *self._stages))
        for each in self.left:
            self.tell(f"  left: {each}")

    def _cdk(self, folder: Path | None = None) -> Cdk:
        environment = self.aws.environment(self.plan.account, self.plan.region)
        return Cdk(self.tree, folder or self.tree, environment, self.state / "cdk.log")

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return phase(self.tell, self.seconds, name)


@contextmanager
def start(
    aws: RealAccount, plan: Plan, files: Mapping[str, dict[str, Any]], platform: str, tell: Callable[[str], None]
) -> Iterator[Acceptance]:
    """A run ready to begin, in a fork that is gone when it has ended."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        state = Path(made)
        tree = fork(plan.root, state / "fork", files)
        yield Acceptance(aws, replace(plan, root=tree), platform, tree, state, tell)
