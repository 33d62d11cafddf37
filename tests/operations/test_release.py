"""Releases against the embedded AWS: one truth afterwards, whatever happens in between."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from engine_world import World
from real_jobs import Real
from serving_world import Serving, Version

from operations import desired
from operations.champion import current_champion
from operations.journal import FAILED, LEASE_SECONDS, ROLLED_BACK, SUCCEEDED, Journal
from operations.release import Releaser
from operations.serving_stack import ReleaseError
from operations.versions import VersionError
from rehearsal.embedded import EmbeddedAws
from rehearsal.faults import CRITICAL_FINDING, FAILING, RESISTS, SLOW


class KilledError(BaseException):
    """The process is no more."""


ALL = "all"
TIMES = 3
"""Of an operation that is called again and again, as while a stack is waited for: calls at which it is killed."""


class Mortal:
    """Clients that end the process at the nth call of an operation, or of all; every call is counted."""

    def __init__(self, serving: Serving, dies_at: tuple[str, int] | None = None) -> None:
        self.serving, self.dies_at = serving, dies_at
        self.calls: Counter[str] = Counter()

    def __call__(self, service: str) -> Any:
        client = self.serving.world.client(service)

        def count(model: Any, **_: Any) -> None:
            self.calls[ALL] += 1
            self.calls[model.name] += 1
            if self.dies_at in {(ALL, self.calls[ALL]), (model.name, self.calls[model.name])}:
                raise KilledError

        client.meta.events.register_first("before-call", count, unique_id="mortal")
        return client

    def over(self) -> None:
        for service in ("ssm", "sagemaker", "s3", "dynamodb", "cloudformation", "sagemaker-runtime", "cloudwatch"):
            self.serving.world.client(service).meta.events.unregister("before-call", unique_id="mortal")


@pytest.fixture
def serving(world: World, real: Real) -> Serving:
    made = Serving(world, real)
    made.deploy()
    return made


def releaser(serving: Serving, client: Any = None) -> Releaser:
    return Releaser(client or serving.world.client, serving.place, poll_seconds=0.05)


def truth(serving: Serving) -> tuple[str, str]:
    """What is desired, and what is live."""
    return desired.read(serving.world.client("ssm"), serving.place.parameter), releaser(serving).live()


def leftovers(serving: Serving) -> list[str]:
    """Configurations and models that serve nothing."""
    sagemaker = serving.sagemaker
    live = sagemaker.describe_endpoint(EndpointName=serving.place.endpoint)["EndpointConfigName"]
    config = sagemaker.describe_endpoint_config(EndpointConfigName=live)
    used = {live, *(variant["ModelName"] for variant in config["ProductionVariants"])}
    found = [one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]]
    found += [one["ModelName"] for one in sagemaker.list_models()["Models"]]
    return sorted(set(found) - used)


def test_releases_follow_each_other_and_go_back(serving: Serving) -> None:
    first, second = serving.register(), serving.register()

    heard: list[str] = []
    releases = replace(releaser(serving), tell=heard.append)
    assert releases.live() == "none"
    assert releases.release("1").outcome == SUCCEEDED
    assert truth(serving) == (first.arn, first.arn)
    assert [line.split()[0] for line in heard] == ["checking", "updating", "comparing"]
    assert releases.release("2").previous == first.arn
    assert truth(serving) == (second.arn, second.arn)
    assert releases.rollback().version == first.arn
    assert truth(serving) == (first.arn, first.arn)
    assert releases.rollback("2").cause == "rollback"
    assert leftovers(serving) == []
    assert [(e.number, e.outcome) for e in releases.journal.entries()] == [(n, SUCCEEDED) for n in (4, 3, 2, 1)]


def test_a_release_that_is_live_already_changes_nothing(serving: Serving) -> None:
    version = serving.register()
    releaser(serving).release("1")
    config = serving.sagemaker.describe_endpoint(EndpointName=serving.place.endpoint)["EndpointConfigName"]

    assert releaser(serving).release("1").outcome == SUCCEEDED

    assert truth(serving) == (version.arn, version.arn)
    assert serving.sagemaker.describe_endpoint(EndpointName=serving.place.endpoint)["EndpointConfigName"] == config


@pytest.mark.parametrize("fault", [FAILING, SLOW])
def test_a_version_that_fails_or_is_slow_is_taken_back_by_its_alarm(
    serving: Serving, aws: EmbeddedAws, fault: str
) -> None:
    good, bad = serving.register(), serving.register()
    releaser(serving).release("1")
    aws.order_fault(serving.place.endpoint, fault)

    with pytest.raises(ReleaseError, match="is in ALARM"):
        releaser(serving).release("2")

    assert truth(serving) == (good.arn, good.arn)
    newest = releaser(serving).journal.entries()[0]
    assert (newest.version, newest.previous, newest.outcome) == (bad.arn, good.arn, ROLLED_BACK)


def test_a_first_version_that_fails_its_smoke_test_leaves_no_endpoint(serving: Serving, aws: EmbeddedAws) -> None:
    serving.register()
    aws.order_fault(serving.place.endpoint, FAILING)

    with pytest.raises(ReleaseError, match="none is live: smoke test"):
        releaser(serving).release("1")

    assert truth(serving) == ("none", "none")


def test_a_first_version_that_never_serves_leaves_no_endpoint(serving: Serving) -> None:
    serving.register(key="unpackaged.tar.gz")

    with pytest.raises(VersionError, match=r"the artifact has no serving\.json"):
        releaser(serving).release("1")

    assert truth(serving) == ("none", "none")


def test_what_is_not_approved_or_was_changed_is_refused_and_told(serving: Serving) -> None:
    version = serving.register()
    serving.sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Rejected")

    with pytest.raises(VersionError, match="Rejected"):
        releaser(serving).release("1")

    assert truth(serving) == ("none", "none")
    assert releaser(serving).journal.entries()[0].outcome == "refused"


def test_a_swapped_artifact_is_refused_and_the_live_version_stays(serving: Serving) -> None:
    good = serving.register()
    releaser(serving).release("1")
    swapped = serving.register()
    serving.replace_artifact(swapped)

    with pytest.raises(VersionError, match="is not what was registered"):
        releaser(serving).release("2")

    assert truth(serving) == (good.arn, good.arn)


def test_a_version_whose_image_was_pushed_anew_is_refused_and_goes_back_nowhere(serving: Serving) -> None:
    """A tag may be deleted and pushed again, by whoever may push: what was tried is then not what would serve."""
    serving.register()
    second = serving.register()
    releaser(serving).release("1")
    releaser(serving).release("2")
    recorded = serving.digest
    serving.change_source()
    ecr = serving.world.client("ecr")
    ecr.batch_delete_image(repositoryName=serving.repository, imageIds=[{"imageTag": "1"}])

    with pytest.raises(VersionError, match=f"is {serving.digest} now, recorded is {recorded}; it was pushed anew"):
        releaser(serving).rollback()

    assert truth(serving) == (second.arn, second.arn)


def test_an_image_with_a_critical_finding_is_refused_but_does_not_bar_the_way_back(
    serving: Serving, aws: EmbeddedAws
) -> None:
    first, second = serving.register(), serving.register()
    releaser(serving).release("1")
    releaser(serving).release("2")
    aws.order_fault(serving.repository, CRITICAL_FINDING)
    serving.world.client("ecr").start_image_scan(repositoryName=serving.repository, imageId={"imageTag": "1"})

    assert releaser(serving).rollback().version == first.arn
    serving.register()
    with pytest.raises(VersionError, match="findings of severity 1 CRITICAL"):
        releaser(serving).release("3")

    assert truth(serving) == (first.arn, first.arn)
    newest = releaser(serving).journal.entries()[0]
    assert (newest.outcome, newest.previous) == ("refused", first.arn)
    assert second.arn in [entry.version for entry in releaser(serving).journal.entries()]


def approve(serving: Serving, version: Version, stage: str) -> None:
    """As SageMaker Studio does."""
    life = {"Stage": stage, "StageStatus": "Approved"}
    serving.sagemaker.update_model_package(
        ModelPackageArn=version.arn, ModelApprovalStatus="Approved", ModelLifeCycle=life
    )


def test_production_takes_what_was_approved_for_it_and_crowns_it(serving: Serving) -> None:
    first, second = serving.register(), serving.register()
    production = replace(releaser(serving), place=replace(serving.place, stage="Production", crowns=True))
    place = serving.place.champion

    with pytest.raises(VersionError, match="takes versions from Production/Approved"):
        production.release("1")
    approve(serving, first, "Staging")
    with pytest.raises(VersionError, match="is Staging/Approved, Approved"):
        production.release("1")
    assert current_champion(serving.s3, place) == "none"

    approve(serving, first, "Production")
    approve(serving, second, "Production")
    production.release("1")
    assert current_champion(serving.s3, place) == first.arn
    production.release("2")
    assert current_champion(serving.s3, place) == second.arn
    production.rollback()
    assert current_champion(serving.s3, place) == first.arn


def test_elsewhere_nobody_is_crowned(serving: Serving) -> None:
    serving.register()

    releaser(serving).release("1")

    assert current_champion(serving.s3, serving.place.champion) == "none"


def test_nothing_to_go_back_to_is_said(serving: Serving) -> None:
    serving.register()

    with pytest.raises(ReleaseError, match="no earlier version that is not rejected was live in dev; live were none"):
        releaser(serving).rollback()
    with pytest.raises(ReleaseError, match="1 was live in dev"):
        releaser(serving).rollback("1")


def converges(serving: Serving, dies_at: tuple[str, int]) -> bool:
    """Kill a release of version 2 at a call, release it again; whether it was killed at all."""
    mortal = Mortal(serving, dies_at)
    killed = False
    try:
        releaser(serving, mortal).release("2")
    except KilledError:
        killed = True
    finally:
        mortal.over()
    table = Journal(serving.world.client("dynamodb"), serving.place.table, serving.place.model)
    serving.let_lease_run_out(table, LEASE_SECONDS)
    assert releaser(serving).release("2").outcome == SUCCEEDED
    assert truth(serving) == (serving.arn("2"), serving.arn("2"))
    assert leftovers(serving) == []
    return killed


@pytest.mark.parametrize("dies_at", [12, 24])
def test_killed_and_run_again_it_ends_in_one_truth(serving: Serving, dies_at: int) -> None:
    serving.register()
    serving.register()
    releaser(serving).release("1")

    assert converges(serving, (ALL, dies_at))


@pytest.mark.long
def test_killed_at_every_call_it_ends_in_one_truth(serving: Serving) -> None:
    serving.register()
    serving.register()
    releaser(serving).release("1")
    whole = Mortal(serving)
    releaser(serving, whole).release("2")
    whole.over()

    killed = 0
    for operation in sorted(set(whole.calls) - {ALL}):
        for nth in range(1, min(whole.calls[operation], TIMES) + 1):
            releaser(serving).release("1")
            killed += converges(serving, (operation, nth))

    assert killed > 20


def stuck(serving: Serving, aws: EmbeddedAws, times: int) -> None:
    """Version 1 is live; the update to version 2 fails, and what it changed resists going back so many times."""
    serving.register()
    serving.register()
    releaser(serving).release("1")
    aws.order_fault(serving.place.endpoint, FAILING)
    aws.order_fault(f"{serving.place.stack}/Topic", RESISTS, times)


def stack_status(serving: Serving) -> str:
    stacks = serving.world.client("cloudformation").describe_stacks(StackName=serving.place.stack)["Stacks"]
    return str(stacks[0]["StackStatus"])


def test_a_rollback_that_fails_is_continued_by_the_release_itself(serving: Serving, aws: EmbeddedAws) -> None:
    stuck(serving, aws, times=1)
    heard: list[str] = []

    with pytest.raises(ReleaseError, match="was taken back"):
        replace(releaser(serving), tell=heard.append).release("2")

    assert "serving is UPDATE_ROLLBACK_FAILED; continuing its rollback" in heard
    assert stack_status(serving) == "UPDATE_ROLLBACK_COMPLETE"
    assert truth(serving) == (serving.arn("1"), serving.arn("1"))


def test_a_stack_that_was_left_stuck_is_mended_and_released(serving: Serving, aws: EmbeddedAws) -> None:
    stuck(serving, aws, times=2)
    with pytest.raises(ReleaseError, match="UPDATE_ROLLBACK_FAILED and stays so"):
        releaser(serving).release("2")
    assert stack_status(serving) == "UPDATE_ROLLBACK_FAILED"
    assert truth(serving) == (serving.arn("1"), serving.arn("1"))  # a deployment now would bring nothing else about
    assert releaser(serving).journal.entries()[0].outcome == FAILED

    assert releaser(serving).release("2").outcome == SUCCEEDED

    assert truth(serving) == (serving.arn("2"), serving.arn("2"))


def test_a_stack_that_stays_stuck_is_told_with_the_way_out(serving: Serving, aws: EmbeddedAws) -> None:
    stuck(serving, aws, times=2)

    with pytest.raises(ReleaseError) as told:
        releaser(serving).release("2")

    assert "Topic (AWS::SNS::Topic): Topic resists, as it was ordered to" in str(told.value)
    assert str(told.value).endswith(
        "aws cloudformation continue-update-rollback --region eu-west-1 --stack-name serving "
        f"--role-arn {serving.place.deployer} --resources-to-skip Topic"
    )


def test_desired_versions_are_made_once(serving: Serving) -> None:
    ssm = serving.world.client("ssm")
    desired.write(ssm, "/a/version", "x")

    desired.make(ssm, "/a/version")
    desired.make(ssm, "/b/version")

    assert (desired.read(ssm, "/a/version"), desired.read(ssm, "/b/version")) == ("x", "none")


def test_the_endpoint_of_a_version_answers_as_its_trainer(serving: Serving) -> None:
    version: Version = serving.register()
    releaser(serving).release("1")

    answer = serving.runtime.invoke_endpoint(
        EndpointName=serving.place.endpoint, Body=version.rows[0].encode(), ContentType="text/csv"
    )
    assert float(answer["Body"].read().split(b",")[0]) == pytest.approx(version.probabilities[0], abs=1e-6)
    with pytest.raises(ClientError):
        serving.runtime.invoke_endpoint(EndpointName=serving.place.endpoint, Body=b"1", ContentType="text/csv")
    assert json.loads((serving.real.package / "package.json").read_text())["difference"] <= 1e-6
