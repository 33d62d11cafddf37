"""Whether an environment works: everything that does not is told, at once, and what works is no reason to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from engine_world import World
from real_jobs import Real
from serving_world import Serving

from operations import desired
from operations.release import Releaser
from operations.verify import Verifier, VerifyError
from rehearsal.embedded import EmbeddedAws
from rehearsal.faults import FAILING

PREFIX = "world"


@pytest.fixture
def serving(world: World, real: Real) -> Serving:
    """A version is live."""
    made = Serving(world, real)
    made.deploy()
    made.register()
    Releaser(world.client, made.place, poll_seconds=0.05).release("1")
    stack(world, f"{PREFIX}-Room")
    return made


def stack(world: World, name: str, **properties: Any) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": properties}}}
    world.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def verify(serving: Serving, latency_ms: float = 0, tell: Callable[[str], None] = lambda _: None) -> None:
    Verifier(serving.world.client, PREFIX, [serving.place], {"m": latency_ms}, tell=tell).verify()


def test_what_answers_as_its_trainer_did_works(serving: Serving) -> None:
    told: list[str] = []

    verify(serving, tell=told.append)

    assert told == ["1 stacks at rest", f"m: {serving.arn('1')} answers"]


def test_where_nothing_was_released_yet_there_is_nothing_to_ask(world: World, real: Real) -> None:
    serving = Serving(world, real)
    serving.deploy()
    stack(world, f"{PREFIX}-Room")
    told: list[str] = []

    verify(serving, tell=told.append)

    assert told[-1] == "m: nothing was released here yet"


def test_an_endpoint_that_errs_does_not_work(serving: Serving, aws: EmbeddedAws) -> None:
    aws.order_fault(serving.place.endpoint, FAILING, 1)
    serving.register()
    with pytest.raises(Exception, match="taken back"):
        Releaser(serving.world.client, serving.place, poll_seconds=0.05).release("2")
    # What was taken back is gone; the endpoint itself is removed from under the version that is desired.
    serving.sagemaker.delete_endpoint(EndpointName=serving.place.endpoint)

    with pytest.raises(VerifyError, match=rf"none is live, desired is {serving.arn('1')}; `slipway release dev m"):
        verify(serving)


def test_what_is_live_and_not_desired_is_told_with_the_command_that_ends_it(serving: Serving) -> None:
    second = serving.register().arn
    desired.write(serving.world.client("ssm"), serving.place.parameter, second)

    with pytest.raises(VerifyError, match=rf"desired is {second}; `slipway release dev m {second}` finishes it"):
        verify(serving)


def test_a_version_that_was_changed_under_the_endpoint_is_told(serving: Serving) -> None:
    version = serving.sagemaker.describe_model_package(ModelPackageName=serving.arn("1"))
    uri = version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    serving.put(uri.removeprefix(f"s3://{serving.world.bucket}/"), b"another artifact")

    with pytest.raises(VerifyError, match="is not what was registered"):
        verify(serving)


def test_answers_that_come_too_late_are_told_and_others_are_not(serving: Serving) -> None:
    with pytest.raises(VerifyError, match=r"every second answer takes more than .* ms, latency_ms is 0.001"):
        verify(serving, latency_ms=0.001)

    verify(serving, latency_ms=60_000)


def test_a_stack_that_failed_is_told_with_its_reason(serving: Serving) -> None:
    stack(serving.world, f"{PREFIX}-Broken", Nonsense=True)

    with pytest.raises(VerifyError, match=rf"stack {PREFIX}-Broken is ROLLBACK_COMPLETE: .*Nonsense"):
        verify(serving)


def test_an_environment_that_is_not_there_is_told(serving: Serving) -> None:
    nowhere = Verifier(serving.world.client, "nowhere", [], {})

    with pytest.raises(VerifyError, match=r"no stack nowhere-\*; deploy the environment first"):
        nowhere.verify()


@pytest.mark.parametrize(("actions", "counts"), [([], True), (["arn:aws:autoscaling:x:1:scalingPolicy:p"], False)])
def test_a_raised_alarm_is_told_but_for_those_of_scaling(serving: Serving, actions: list[str], counts: bool) -> None:
    alarm = {"AlarmName": f"{PREFIX}-unheard", "AlarmActions": actions}
    cloudwatch = serving.world.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        **alarm,
        MetricName="x",
        Namespace="y",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    verify(serving)  # it has nothing to say yet
    cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="because")

    if counts:
        with pytest.raises(VerifyError, match=f"alarm {PREFIX}-unheard is raised: because"):
            verify(serving)
    else:
        verify(serving)
