"""Releases: an approved version becomes live in an environment, or the one before it stays.

The desired version is written first, then the serving stack is updated with the template it has; the endpoint shifts
traffic by itself and goes back by its alarms. Nothing is believed but the endpoint: what it serves is read back through
configuration and model to the version's ARN, and its answers are compared with the trainer's. Killed at any call, the
next release takes the lease when it has run out, closes what the journal has open, and ends in one truth.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations import copies, desired, probes, versions
from operations.asking import Served
from operations.champion import crown
from operations.journal import (
    BEGAN,
    FAILED,
    INTERRUPTED,
    REFUSED,
    ROLLED_BACK,
    SUCCEEDED,
    Asked,
    BusyError,
    Entry,
    Journal,
    Lease,
)
from operations.leftovers import collect, found
from operations.notices import release_notice
from operations.serving_stack import POLL_SECONDS, ReleaseError, ServingStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.place import Place
    from operations.versions import Checked

BACK = "rollback"
COMMAND, ROLLBACK = Asked(), Asked(BACK)

BUSY_SECONDS = 5.0


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
    def stack(self) -> ServingStack:
        return ServingStack(self.client, self.place, self.poll_seconds, self.tell)

    @property
    def _served(self) -> Served:
        return Served.of(self.client, self.place)

    @property
    def journal(self) -> Journal:
        return Journal(self.client("dynamodb"), self.place.table, self.place.model)

    def release(self, version: str, asked: Asked = COMMAND, *, wait_seconds: float = 0) -> Entry:
        """Make a version live, by its number or ARN. Raises ReleaseError or VersionError; then nothing has changed.

        An approval that a newer one, or its own release, has overtaken changes nothing either. Where another release
        of the model is under way, this one waits for up to `wait_seconds`, then raises BusyError.
        """
        arn = copies.named(self.client, self.place, version)
        with self._people_hear(arn), self._lease(wait_seconds) as lease:
            self._recover(lease)
            overtaken = self._overtaken(asked)
            if overtaken:
                if overtaken.is_of(arn) and overtaken.version == self.live():
                    return overtaken
                because = f"approval {asked.approval} was overtaken by {overtaken.approval}, which {overtaken.outcome}"
                self._refuse(lease, arn, asked, because)
                raise ReleaseError(f"{arn} is not released: {because}; approve it anew if you want it")
            return self._release(lease, arn, asked)

    def rollback(self, version: str | None = None, asked: Asked = ROLLBACK) -> Entry:
        """Go back to a version that was live before; by default to the one before the present one."""
        with self._people_hear(version or "before"), self.journal.lease() as lease:
            self._recover(lease)
            wanted = self._way_back(version)
            if not wanted:
                raise ReleaseError(
                    f"{version or 'no earlier version that is not rejected'} was live in {self.place.environment}; "
                    f"live were {', '.join(self._were_live()) or 'none'}; name one of them, or use `slipway release`"
                )
            return self._release(lease, wanted[0], asked)

    def copy(self, version: str) -> str:
        """Bring a version here without serving it, so that it can stand in the shadow; its ARN here."""
        arn = copies.named(self.client, self.place, version)
        with self.journal.lease() as lease:
            return copies.checked(self.client, self.place, arn, again=False, renew=lease.renew).arn

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
        end, told_so = time.monotonic() + wait_seconds, False
        while True:
            lease = self.journal.lease()
            try:
                return lease.take()
            except BusyError as error:
                if time.monotonic() >= end:
                    raise
                if not told_so:
                    self.tell(f"waiting: {error}")
                told_so = True
                time.sleep(min(BUSY_SECONDS, wait_seconds))

    def _overtaken(self, asked: Asked) -> Entry | None:
        """The release of this approval or of a newer one, if it has ended."""
        done = [e for e in self.journal.entries() if e.outcome in {SUCCEEDED, ROLLED_BACK} and e.approval]
        newest = max(done, key=lambda entry: entry.approval, default=None)
        return newest if newest and 0 < asked.approval <= newest.approval else None

    def live(self) -> str:
        """The version that is really served, read back through configuration and model; `none` without one."""
        sagemaker, served = self.client("sagemaker"), self._served
        name = self._configuration() if served.answers else ""
        config = sagemaker.describe_endpoint_config(EndpointConfigName=name) if name else {}
        behind = served.model(config) if config or not served.answers else ""
        if not behind:
            return desired.NONE
        return str(sagemaker.describe_model(ModelName=behind)["PrimaryContainer"]["ModelPackageName"])

    def _configuration(self) -> str:
        """The name of the configuration that the endpoint serves; empty without an endpoint."""
        endpoint = found(self.client("sagemaker").describe_endpoint, EndpointName=self.place.endpoint)
        return str(endpoint["EndpointConfigName"]) if endpoint else ""

    def _recover(self, lease: Lease) -> None:
        """Let the stack come to rest, say as desired what is live, and close what killed releases left open."""
        self.stack.settle(lease)
        live, ssm = self.live(), self.client("ssm")
        if desired.read(ssm, self.place.parameter) != live:
            lease.renew()
            desired.write(ssm, self.place.parameter, live)
        for entry in self.journal.entries():
            if entry.outcome == BEGAN:
                self.journal.end(entry, INTERRUPTED, f"it ended before it was done; then {live} was live", 0.0)

    def _proven(self, live: str) -> str:
        """Where to go back to: what is live, unless its release did not live to see whether it serves well."""
        newest = next((entry for entry in self.journal.entries() if entry.outcome != REFUSED), None)
        unproven = newest and newest.version == live and newest.outcome in {INTERRUPTED, FAILED}
        return newest.previous if newest and unproven else live

    def _refuse(self, lease: Lease, arn: str, asked: Asked, because: str) -> None:
        """Write down why nothing is released; what a killed release left unproven does not stay either."""
        live = self.live()
        self.journal.end(self.journal.begin(arn, live, asked), REFUSED, because, 0.0)
        proven = self._proven(live)
        if proven != live:
            self._take_back(lease, proven, went_over=True)

    def _were_live(self) -> list[str]:
        """Versions that were live here, the latest first, each once."""
        return list(dict.fromkeys(entry.version for entry in self.journal.entries() if self._was_live(entry)))

    @staticmethod
    def _was_live(entry: Entry) -> bool:
        return entry.outcome == SUCCEEDED and entry.version != desired.NONE

    def _way_back(self, version: str | None) -> list[str]:
        """The version that is named if it was live, or those to go back to by themselves, the first the best.

        What was live when the present one was released, what was live when that one was, and so on, without those that
        are rejected: to go back twice goes back by two, and never to a version that was left by going back.
        """
        sagemaker, live = self.client("sagemaker"), self.live()
        if version is not None:
            return [entry.version for entry in self.journal.entries() if self._was_live(entry) and entry.is_of(version)]
        done = [entry for entry in self.journal.entries() if entry.outcome == SUCCEEDED and entry.cause != BACK]
        previous = {e.version: e.previous for e in reversed(done) if e.version != e.previous}  # of its latest release
        way = list(dict.fromkeys([live, self._proven(live)]))
        while previous.get(way[-1], desired.NONE) not in {desired.NONE, *way}:
            way.append(previous[way[-1]])
        way = way if len(way) > 1 or live in previous else self._were_live()
        return [arn for arn in way if arn not in {live, desired.NONE} and versions.may_return(sagemaker, arn)]

    def _release(self, lease: Lease, arn: str, asked: Asked) -> Entry:
        begun = time.monotonic()
        self.tell(f"checking {arn} against its record")
        checked = self._checked(lease, arn, asked)
        arn = checked.arn
        previous = self._proven(self.live())
        lease.renew()
        entry = self.journal.begin(arn, previous, asked, checked.copy_of)
        desired.write(self.client("ssm"), self.place.parameter, arn)
        self.tell(f"updating {self.place.stack}; it goes over in steps and is probed meanwhile")
        failure = self._go_over(lease, entry, checked)
        went_over = failure is None
        failure = failure or self._prove(lease, checked)
        lease.renew()
        if failure is None:
            if self.place.crowns:
                crown(self.client, self.place.champion, checked, self.tell)
            ended = self.journal.end(entry, SUCCEEDED, "", time.monotonic() - begun)
            collect(self.client, self.place, self.tell)
            return ended
        self.tell(f"taking it back: {failure}")
        live, stays = self._take_back(lease, previous, went_over=went_over)
        lease.renew()
        if live != previous:
            self.journal.end(entry, FAILED, f"{failure}; taking it back: {stays}", time.monotonic() - begun)
            raise ReleaseError(f"{arn} failed: {failure}. {previous} could not be put back, {live} is live: {stays}")
        self.journal.end(entry, ROLLED_BACK, failure, time.monotonic() - begun)
        raise ReleaseError(f"{arn} was taken back, {previous} is live: {failure}")

    def _go_over(self, lease: Lease, entry: Entry, checked: Checked) -> str | None:
        """Update the stack; one that sticks leaves no unproved version as desired, for a deployment to bring about."""
        begun, new = time.monotonic(), checked.arn not in self._were_live()
        try:
            return self.stack.update(lease, probes.probing(self._served, checked, lease.renew, new=new))
        except ReleaseError as error:
            lease.renew()
            desired.write(self.client("ssm"), self.place.parameter, self.live())
            self.journal.end(entry, FAILED, str(error), time.monotonic() - begun)
            raise

    def _checked(self, lease: Lease, arn: str, asked: Asked) -> Checked:
        again = any(entry.is_of(arn) for entry in self.journal.entries() if self._was_live(entry))
        try:
            checked = copies.checked(self.client, self.place, arn, again=again, renew=lease.renew)
            versions.check_shadow(self.client, self.place, again=again)
        except versions.VersionError as error:
            self._refuse(lease, arn, asked, str(error))
            raise
        return checked

    def _prove(self, lease: Lease, checked: Checked) -> str | None:
        """What is wrong with the endpoint, although its stack is complete; None if it serves the version."""
        if not self._served.answers:
            return None if self.live() == checked.arn else f"the model is {self.live()}"
        endpoint = found(self.client("sagemaker").describe_endpoint, EndpointName=self.place.endpoint)
        if not endpoint or endpoint["EndpointStatus"] != "InService":
            told = endpoint or {"EndpointStatus": "not there"}
            return f"the endpoint is {told['EndpointStatus']}: {told.get('FailureReason', 'no reason given')}"
        self.tell("comparing the endpoint's answers with the trainer's")
        live = self.live()
        if live != checked.arn:
            return f"the endpoint serves {live}: {endpoint.get('FailureReason', 'no reason given')}"
        package = self.client("sagemaker").describe_model_package(ModelPackageName=checked.arn)
        try:
            content = versions.check_content(package, lambda: self.client("s3"), self.place.records)
            versions.check_image(content, self.client("ecr"), versions.NO_LIMIT)
        except versions.VersionError as error:
            return f"it was changed while it was released: {error}"
        return probes.smoke(self._served, checked, lease.renew)

    def _take_back(self, lease: Lease, previous: str, *, went_over: bool) -> tuple[str, str]:
        """The desired state says again what was live; a stack that did not go back by itself is updated.

        One that went over believes in the new configuration, even if the endpoint has gone back on its own. Returns
        what is live then, which is what is desired, and why it is not `previous` if it is not.
        """
        lease.renew()
        desired.write(self.client("ssm"), self.place.parameter, previous)
        failure = self.stack.update(lease) if went_over or self.live() != previous else None
        live = self.live()
        if live != previous:
            lease.renew()
            desired.write(self.client("ssm"), self.place.parameter, live)
        return live, failure or "the stack was updated, its endpoint was not"
