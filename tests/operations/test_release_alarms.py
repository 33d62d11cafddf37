"""Alarms of the real serving room: they judge the new fleet alone, and bar the way back from no version that fails."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from serving_modes import MODEL
from serving_site import PREFIX, STACK, Site
from serving_world import Version

from operations import probes
from operations.journal import ROLLED_BACK, SUCCEEDED
from operations.release import Releaser
from operations.serving_stack import ReleaseError
from rehearsal import release_acts
from rehearsal.embedded import EmbeddedAws
from rehearsal.facts import of_release
from rehearsal.faults import CLAIMS, FAILING, ODD, SLOW

ENDPOINT = f"{PREFIX}-flight-delay"


@dataclass(frozen=True)
class Released:
    """A real serving room in which a first version was released."""

    site: Site
    aws: EmbeddedAws
    releaser: Releaser

    def release_failing(self, version: str, fault: str, patch: pytest.MonkeyPatch) -> None:
        """Make a version live whose fleet begins to fail; nobody has looked, and no alarm was there to see it."""
        self.aws.order_fault(ENDPOINT, fault)
        with patch.context() as blind:
            blind.setattr(probes, "probing", lambda *_, **__: None)
            blind.setattr(probes, "smoke", lambda *_: None)
            self.releaser.release(version)

    def cause(self) -> str:
        """What the facts of a rehearsal say of the newest release."""
        entry = self.releaser.journal.entries()[0]
        told = of_release(release_acts.Released("", "dev", entry, self.releaser.live(), 1.0, 0.0))
        return str(told["cause"])

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Those that take back, by the last but the configuration's part of their names."""
        found = self.site.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{ENDPOINT}-")["MetricAlarms"]
        config = self.site.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
        stem = f"{ENDPOINT}-"
        return {
            one["AlarmName"].removeprefix(stem).removesuffix(f"-{config}"): one
            for one in found
            if one["AlarmName"].endswith(config)
        }


@pytest.fixture
def released(site: Site, version: Version, aws: EmbeddedAws) -> Released:
    site.serving.build()
    site.serving.tables()
    site.deploy("realtime", "none")
    place = dataclasses.replace(
        site.serving.place, stack=STACK, endpoint=ENDPOINT, parameter=f"/slipway/dev/{MODEL}/version"
    )
    made = Released(site, aws, Releaser(site.client, place, poll_seconds=0.05))
    made.releaser.release(version.arn)
    return made


@pytest.mark.long
@pytest.mark.parametrize("ahead", [0, 600], ids=["at once", "after a wait"])
@pytest.mark.parametrize(("fault", "metric"), [(FAILING, "Invocation5XXErrors Sum"), (ODD, "FailedProbes Sum")])
def test_probes_alone_take_a_failing_version_of_a_quiet_endpoint_back(
    released: Released, version: Version, fault: str, metric: str, ahead: int
) -> None:
    new = released.site.serving.register()
    if ahead:
        released.aws.skip(ahead, "somebody had lunch")
    released.aws.order_fault(ENDPOINT, fault)

    with pytest.raises(ReleaseError, match=f"is in ALARM: {metric} is"):
        released.releaser.release(new.arn)

    assert released.releaser.live() == version.arn
    assert released.releaser.journal.entries()[0].outcome == ROLLED_BACK


@pytest.mark.long
@pytest.mark.parametrize(("fault", "ahead"), [(FAILING, 0), (FAILING, 600), (ODD, 600), (SLOW, 0)])
def test_from_a_version_that_fails_there_is_a_way_back_and_a_way_on(
    released: Released, version: Version, monkeypatch: pytest.MonkeyPatch, fault: str, ahead: int
) -> None:
    bad, good = released.site.serving.register(), released.site.serving.register()
    released.release_failing(bad.arn, fault, monkeypatch)
    if ahead:
        released.aws.skip(ahead, "nobody noticed")

    assert released.releaser.rollback().outcome == SUCCEEDED
    assert released.releaser.live() == version.arn
    released.release_failing(bad.arn, fault, monkeypatch)
    assert released.releaser.release(good.arn).outcome == SUCCEEDED
    assert released.releaser.live() == good.arn


@pytest.mark.long
def test_an_alarm_that_was_just_raised_does_not_keep_the_bad_version(
    released: Released, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smoke test finds what the bake did not, and CloudWatch has raised the alarms of the new fleet meanwhile."""
    new = released.site.serving.register()

    def smoke(*_: Any) -> str:
        for alarm in released.alarms().values():
            released.site.client("cloudwatch").set_alarm_state(
                AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="five answers were errors"
            )
        return "smoke test: five answers were errors"

    monkeypatch.setattr(probes, "smoke", smoke)

    with pytest.raises(ReleaseError, match=f"was taken back, {version.arn} is live: smoke test"):
        released.releaser.release(new.arn)

    assert released.releaser.live() == version.arn
    assert released.cause() == "smoke"
    assert {alarm["StateValue"] for alarm in released.alarms().values()} == {"OK"}


@pytest.mark.long
def test_a_stack_that_claims_success_is_not_believed(released: Released, version: Version) -> None:
    """The other ending of a failed update: the endpoint went back, CloudFormation says that all is as the template."""
    new = released.site.serving.register()
    released.aws.order_fault(ENDPOINT, FAILING)
    released.aws.order_fault(f"{ENDPOINT}/update", CLAIMS)
    heard: list[str] = []

    with pytest.raises(ReleaseError, match=f"was taken back, {version.arn} is live: the endpoint serves {version.arn}"):
        dataclasses.replace(released.releaser, tell=heard.append).release(new.arn)

    assert released.site.stacks()[0]["StackStatus"] == "UPDATE_COMPLETE"
    assert "is in ALARM: Invocation5XXErrors" in next(line for line in heard if line.startswith("taking it back"))
    assert released.releaser.live() == version.arn
    assert released.cause() == "alarm"
    assert released.releaser.release(new.arn).outcome == SUCCEEDED
    assert released.releaser.live() == new.arn


@pytest.mark.long
def test_each_alarm_is_of_the_fleet_that_it_watches(released: Released) -> None:
    before, config = released.alarms(), released.releaser.live()

    released.site.deploy("realtime", config, capture_percent=50)

    after = released.alarms()
    assert set(before) == set(after) == {"errors", "slow", "probes"}
    for name, alarm in after.items():
        named = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert named["EndpointName"] == ENDPOINT
        assert alarm["AlarmName"].endswith(named["EndpointConfigName"])
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmName"] != before[name]["AlarmName"]
    left = released.site.client("cloudwatch").describe_alarms(
        AlarmNames=[alarm["AlarmName"] for alarm in before.values()]
    )
    assert left["MetricAlarms"] == []
