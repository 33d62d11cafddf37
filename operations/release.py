"""Releases: an approved version becomes live in an environment, or the one before it stays.

The desired version is written first, then the serving stack is updated with the template it has; the endpoint shifts
traffic by itself and goes back by its alarms. Nothing is believed but the endpoint: what it serves is read back through
configuration and model to the version's ARN, and its answers are compared with the trainer's. Killed at any call, the
next release finds the journal open, takes the lease when it has run out, and ends in one truth.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations import desired, stuck, versions
from operations.champion import make_champion
from operations.journal import REFUSED, ROLLED_BACK, SUCCEEDED, Asked, BusyError, Entry, Journal, Lease
from operations.notices import release_notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.champion import ChampionPlace
    from operations.versions import Checked

CROWNING = "Production"
"""What serves here is the champion: what the next training has to beat."""

MISSING = "Could not find"
COLLECTED_ENTRIES = 20
"""How far back in the journal leftovers are looked for."""

BY_COMMAND, BY_ROLLBACK = Asked(), Asked("rollback")
NO_UPDATES = "No updates are to be performed"
TOLERANCE = 1e-6
POLL_SECONDS, LONGEST_POLL_SECONDS, SLOWER = 0.2, 1.0, 1.2
BUSY_SECONDS = 5.0
PROBES_A_POLL = 3
PROBE_NAMESPACE, PROBE_METRIC = "Slipway/Releases", "FailedProbes"
IN_PROGRESS = "_IN_PROGRESS"


class ReleaseError(Exception):
    """Why there was no release, or why it was taken back; what is live is what was live before."""


@dataclass(frozen=True)
class Place:
    """Where a model is served: plain values of one environment."""

    model: str
    environment: str
    stage: str
    group: str
    stack: str
    endpoint: str
    parameter: str
    table: str
    deployer: str
    champion: ChampionPlace
    notices: str
    forbidden_findings: str = "CRITICAL"


@dataclass(frozen=True)
class Releaser:
    """`client(service)` gives boto3 clients of the serving account; the stack is asked at first often, then less so.

    `tell` hears of what begins.
    """

    client: Callable[[str], Any]
    place: Place
    poll_seconds: float = POLL_SECONDS
    tell: Callable[[str], None] = lambda _: None

    @property
    def journal(self) -> Journal:
        return Journal(self.client("dynamodb"), self.place.table, self.place.model)

    def release(self, version: str, asked: Asked = BY_COMMAND, *, wait_seconds: float = 0) -> Entry:
        """Make a version live, by its number or ARN. Raises ReleaseError or VersionError; then nothing has changed.

        An approval that a newer one, or its own release, has overtaken changes nothing either. Where another release
        of the model is under way, this one waits for up to `wait_seconds`, then raises BusyError.
        """
        arn = versions.arn_of(self.client("sagemaker"), self.place.group, version)
        with self._people_hear(arn), self._lease(wait_seconds) as lease:
            overtaken = self._overtaken(asked)
            if overtaken:
                if overtaken.version == arn == self.live():
                    return overtaken
                refused = self.journal.begin(arn, self.live(), asked)
                because = f"approval {asked.approval} was overtaken by {overtaken.approval}, which {overtaken.outcome}"
                self.journal.end(refused, REFUSED, because, 0.0)
                raise ReleaseError(f"{arn} is not released: {because}; approve it anew if you want it")
            return self._release(lease, arn, asked)

    def rollback(self, version: str | None = None, asked: Asked = BY_ROLLBACK) -> Entry:
        """Go back to a version that was live before; by default to the last one that was not the present one."""
        with self._people_hear(version or "before"), self.journal.lease() as lease:
            live, before = self.live(), self._were_live()
            wanted = [arn for arn in before if arn != live]
            if version is not None:
                arn = versions.arn_of(self.client("sagemaker"), self.place.group, version)
                wanted = [arn] if arn in before else []
            if not wanted:
                raise ReleaseError(
                    f"{version or 'no other version'} was live in {self.place.environment}; live there were "
                    f"{', '.join(before) or 'none'}; use `slipway release` for a version that was not"
                )
            return self._release(lease, wanted[0], asked)

    @contextmanager
    def _people_hear(self, version: str) -> Iterator[None]:
        """Whoever approved a version sees no command's output: what was refused or taken back is told."""
        try:
            yield
        except (ReleaseError, versions.VersionError) as error:
            subject, message = release_notice(self.place.environment, self.place.model, version, str(error))
            self.client("sns").publish(TopicArn=self.place.notices, Subject=subject, Message=message)
            raise

    def _lease(self, wait_seconds: float) -> Lease:
        end = time.monotonic() + wait_seconds
        while True:
            lease = self.journal.lease()
            try:
                return lease.take()
            except BusyError as error:
                if time.monotonic() >= end:
                    raise
                self.tell(f"waiting: {error}")
                time.sleep(min(BUSY_SECONDS, wait_seconds))

    def _overtaken(self, asked: Asked) -> Entry | None:
        """The release of this approval or of a newer one, if it has ended."""
        done = [e for e in self.journal.entries() if e.outcome in {SUCCEEDED, ROLLED_BACK} and e.approval]
        newest = max(done, key=lambda entry: entry.approval, default=None)
        return newest if newest and 0 < asked.approval <= newest.approval else None

    def live(self) -> str:
        """The version the endpoint really serves, read back through its configuration and model; `none` without one."""
        sagemaker, name = self.client("sagemaker"), self._configuration()
        if not name:
            return desired.NONE
        config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
        return str(model["PrimaryContainer"]["ModelPackageName"])

    def _configuration(self) -> str:
        """The name of the configuration that the endpoint serves; empty without an endpoint."""
        try:
            endpoint = self.client("sagemaker").describe_endpoint(EndpointName=self.place.endpoint)
        except ClientError as error:
            if MISSING in str(error):
                return ""
            raise
        return str(endpoint["EndpointConfigName"])

    def _collect(self) -> None:
        """Remove configurations and models that releases have replaced; CloudFormation keeps them until then."""
        sagemaker, live = self.client("sagemaker"), self._configuration()
        for name in {entry.replaced for entry in self.journal.entries()[:COLLECTED_ENTRIES]} - {live, ""}:
            try:
                config = sagemaker.describe_endpoint_config(EndpointConfigName=name)
            except ClientError as error:
                if MISSING in str(error):
                    continue  # collected before
                raise
            sagemaker.delete_endpoint_config(EndpointConfigName=name)
            for variant in config["ProductionVariants"]:
                sagemaker.delete_model(ModelName=variant["ModelName"])

    def _were_live(self) -> list[str]:
        """Versions that were live here, the latest first, each once."""
        done = [entry.version for entry in self.journal.entries() if entry.outcome == SUCCEEDED]
        return list(dict.fromkeys(version for version in done if version != desired.NONE))

    def _release(self, lease: Lease, arn: str, asked: Asked) -> Entry:
        begun = time.monotonic()
        self._settle(lease)
        self.tell(f"checking {arn} against its record")
        checked = self._checked(arn, asked)
        previous = self.live()
        entry = self.journal.begin(arn, previous, asked, self._configuration())
        desired.write(self.client("ssm"), self.place.parameter, arn)
        self.tell(f"updating {self.place.stack}; it goes over in steps and is probed meanwhile")
        failure = self._update(lease, checked) or self._prove(checked)
        if failure is None:
            self._collect()
            if self.place.stage == CROWNING:
                make_champion(self.client("s3"), self.client("sagemaker"), self.place.champion, arn)
            return self.journal.end(entry, SUCCEEDED, "", time.monotonic() - begun)
        self.tell(f"taking it back: {failure}")
        self._take_back(lease, previous)
        self.journal.end(entry, ROLLED_BACK, failure, time.monotonic() - begun)
        raise ReleaseError(f"{arn} was taken back, {previous} is live: {failure}")

    def _checked(self, arn: str, asked: Asked) -> Checked:
        package = self.client("sagemaker").describe_model_package(ModelPackageName=arn)
        try:
            again = arn in self._were_live()
            versions.check_stage(package, self.place.stage, again=again)
            checked = versions.check_content(package, lambda: self.client("s3"))
            versions.check_image(checked, self.client("ecr"), self.place.forbidden_findings, again=again)
        except versions.VersionError as error:
            refused = self.journal.begin(arn, self.live(), asked)
            self.journal.end(refused, REFUSED, str(error), 0.0)
            raise
        return checked

    def _update(self, lease: Lease, checked: Checked | None = None) -> str | None:
        """Update the serving stack with the template it has, probing the while; returns why it went back."""
        cloudformation = self.client("cloudformation")
        try:
            cloudformation.update_stack(
                StackName=self.place.stack,
                UsePreviousTemplate=True,
                Parameters=[{"ParameterKey": "Version", "UsePreviousValue": True}],
                Capabilities=["CAPABILITY_NAMED_IAM"],
                RoleARN=self.place.deployer,
            )
        except ClientError as error:
            if NO_UPDATES in str(error):
                return None  # a release that was killed after it had updated the stack
            raise
        stack = self._settle(lease, checked)
        if stack["StackStatus"] in {"UPDATE_COMPLETE", "CREATE_COMPLETE"}:
            return None
        return str(stack.get("StackStatusReason") or stack["StackStatus"])

    def _settle(self, lease: Lease, checked: Checked | None = None) -> dict[str, Any]:
        """Wait until nothing of the stack is in progress; with a version at hand, ask its endpoint the while."""
        cloudformation, pause, continued = self.client("cloudformation"), self.poll_seconds, False
        while True:
            (stack,) = cloudformation.describe_stacks(StackName=self.place.stack)["Stacks"]
            status = stack["StackStatus"]
            if status == stuck.STUCK:
                if continued:
                    raise ReleaseError(stuck.why(cloudformation, stack, self.place.deployer))
                self.tell(f"{self.place.stack} is {status}; continuing its rollback")
                cloudformation.continue_update_rollback(StackName=self.place.stack, RoleARN=self.place.deployer)
                continued = True
                continue
            if not status.endswith(IN_PROGRESS) or status.startswith("REVIEW"):
                found: dict[str, Any] = stack
                return found
            lease.renew()
            if checked:
                self._probe(checked)
            time.sleep(pause)
            pause = min(pause * SLOWER, LONGEST_POLL_SECONDS)

    def _probe(self, checked: Checked) -> None:
        """Ask the endpoint as a user would; what fails is told in the metric that an alarm of the release watches."""
        runtime, failed = self.client("sagemaker-runtime"), 0
        for row in checked.rows[:PROBES_A_POLL]:
            try:
                self._ask(runtime, row)
            except ClientError as error:
                failed += error.response["Error"]["Code"] == "ModelError"  # else there is no endpoint yet
        if failed:
            self.client("cloudwatch").put_metric_data(
                Namespace=PROBE_NAMESPACE,
                MetricData=[
                    {
                        "MetricName": PROBE_METRIC,
                        "Value": failed,
                        "Dimensions": [{"Name": "EndpointName", "Value": self.place.endpoint}],
                    }
                ],
            )

    def _ask(self, runtime: Any, row: str) -> float:
        answer = runtime.invoke_endpoint(
            EndpointName=self.place.endpoint, Body=row.encode(), ContentType="text/csv", Accept="application/json"
        )
        return float(json.loads(answer["Body"].read())["predictions"][0]["probability"])

    def _prove(self, checked: Checked) -> str | None:
        """What is wrong with the endpoint, although its stack is complete; None if it serves the version."""
        endpoint = self.client("sagemaker").describe_endpoint(EndpointName=self.place.endpoint)
        if endpoint["EndpointStatus"] != "InService":
            return f"the endpoint is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}"
        self.tell("comparing the endpoint's answers with the trainer's")
        live = self.live()
        if live != checked.arn:
            return f"the endpoint serves {live}"
        runtime = self.client("sagemaker-runtime")
        try:
            found = [self._ask(runtime, row) for row in checked.rows]
        except (ClientError, ValueError, KeyError) as error:
            return f"smoke test: {error}"
        off = max(abs(ours - theirs) for ours, theirs in zip(found, checked.probabilities, strict=True))
        return f"smoke test: answers are {off:.2g} off the trainer's" if off > TOLERANCE else None

    def _take_back(self, lease: Lease, previous: str) -> None:
        """The desired state says again what is live; where the stack did not go back by itself, it is updated."""
        desired.write(self.client("ssm"), self.place.parameter, previous)
        if self.live() != previous:
            self._update(lease)


def told(entries: list[Entry]) -> Iterator[str]:
    """The journal for people, a line a release."""
    for entry in entries:
        name = entry.version.rsplit("/", 1)[-1]
        because = f": {entry.because}" if entry.because else ""
        yield f"{entry.began}  {entry.number:>4}  version {name:<6} {entry.outcome} ({entry.cause}){because}"
