"""Releases in unusual forms: what fails goes back, a change of mode keeps what is live, steps are watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from serving_site import PREFIX, Close, Site
from test_release_modes import hosted, owned, place

from operations.journal import ROLLED_BACK, SUCCEEDED
from operations.release import Releaser
from operations.serving_stack import ReleaseError
from rehearsal.faults import FAILING

if TYPE_CHECKING:
    from serving_world import Version

    from rehearsal.embedded import EmbeddedAws

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Served:
    """The room of one form, and who releases to it."""

    site: Site
    aws: EmbeddedAws
    form: str
    releaser: Releaser

    def fails(self, version: str) -> str:
        """Release a version whose container fails; returns what was said."""
        self.aws.order_fault(self.releaser.place.endpoint, FAILING)
        with pytest.raises(ReleaseError) as told:
            self.releaser.release(version)
        assert self.releaser.journal.entries()[0].outcome == ROLLED_BACK
        return str(told.value)

    def answers(self, version: Version) -> list[float]:
        endpoint = self.releaser.place.endpoint
        more = {"InferenceComponentName": endpoint} if self.form == "component" else {}
        return self.site.ask(endpoint, version.rows, **more)

    def endpoints(self) -> list[str]:
        return [one["EndpointName"] for one in self.site.client("sagemaker").list_endpoints()["Endpoints"]]


def serve(site: Site, aws: EmbeddedAws, form: str, version: str = "none", **settings: Any) -> Served:
    site.deploy(form, version, **settings)
    return Served(site, aws, form, Releaser(site.client, place(site, form), poll_seconds=0.05))


@pytest.fixture(autouse=True)
def _tables(site: Site) -> None:
    site.serving.tables()


@pytest.mark.parametrize("form", ["serverless", "component", "async"])
def test_in_each_form_a_failing_version_goes_back_to_what_was_before_it(
    site: Site, aws: EmbeddedAws, version: Version, close: Close, form: str
) -> None:
    served = serve(site, aws, form)

    first = served.fails(version.arn)
    assert "was taken back, none is live" in first
    assert (served.releaser.live(), served.endpoints(), hosted(site)) == ("none", [], (set(), set()))

    served.releaser.release(version.arn)
    other = site.serving.register().arn
    second = served.fails(other)
    assert f"{other} was taken back, {version.arn} is live" in second
    assert served.releaser.live() == version.arn
    if form != "async":  # which answers into a bucket, as its release has seen
        assert close(served.answers(version))

    assert served.releaser.release(other).outcome == SUCCEEDED
    assert (served.releaser.live(), hosted(site)) == (other, owned(site))


@pytest.mark.parametrize("form", ["serverless", "component", "async", "batch"])
def test_in_each_form_one_command_goes_back(site: Site, aws: EmbeddedAws, version: Version, form: str) -> None:
    served = serve(site, aws, form)
    served.releaser.release(version.arn)
    served.releaser.release(site.serving.register().arn)

    entry = served.releaser.rollback()

    assert (entry.outcome, entry.version, served.releaser.live()) == (SUCCEEDED, version.arn, version.arn)
    assert hosted(site) == owned(site)


def test_a_change_of_mode_serves_the_same_version_at_another_endpoint(
    site: Site, aws: EmbeddedAws, version: Version, close: Close
) -> None:
    before = serve(site, aws, "realtime")
    before.releaser.release(version.arn)

    after = serve(site, aws, "serverless", version.arn)

    assert close(after.answers(version))
    assert after.endpoints() == [f"{PREFIX}-flight-delay-serverless"]
    assert after.releaser.live() == version.arn
    assert before.releaser.live() == "none"
    with pytest.raises(ClientError, match=f"Endpoint {PREFIX}-flight-delay of account"):
        before.answers(version)
    other = site.serving.register().arn
    assert after.releaser.release(other).outcome == SUCCEEDED
    assert (after.releaser.live(), hosted(site)) == (other, owned(site))
    assert after.releaser.rollback().version == version.arn  # what was live before the change is known after it


def test_a_release_goes_over_in_equal_steps_each_watched(
    site: Site, aws: EmbeddedAws, version: Version, close: Close
) -> None:
    served = serve(site, aws, "realtime", shifting="linear", step_percent=25, bake_minutes=5)
    served.releaser.release(version.arn)
    other = site.serving.register()
    before = aws.clock()["simulated_seconds"]

    assert served.releaser.release(other.arn).outcome == SUCCEEDED

    assert aws.clock()["simulated_seconds"] - before == 4 * 300
    assert (served.releaser.live(), close(served.answers(other))) == (other.arn, True)
    assert f"{other.arn} is live" in served.fails(site.serving.register().arn)
    assert served.releaser.live() == other.arn
    assert close(served.answers(other))
