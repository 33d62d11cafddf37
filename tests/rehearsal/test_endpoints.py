"""Endpoints of the embedded AWS: they serve what was trained, shift traffic, and go back when an alarm says so."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from botocore.exceptions import ClientError
from real_jobs import Real
from serving_world import Serving

CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
            "WaitIntervalInSeconds": 300,
        }
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "failing"}]},
}


@pytest.fixture(scope="module")
def lines(real: Real) -> list[str]:
    names = json.loads((real.model / "features.json").read_text())["features"]
    rows = pl.read_parquet(real.dataset / "test.parquet").select(names).head(300)
    return rows.write_csv(include_header=False).splitlines()


def expected(real: Real, count: int) -> Any:
    from pipeline_code.predictor import Predictor

    rows = pl.read_parquet(real.dataset / "test.parquet").head(count)
    return Predictor.load(real.model).predict(rows.to_dict(as_series=False))


def test_an_endpoint_answers_as_the_trainer_would(serving: Serving, real: Real, lines: list[str]) -> None:
    config = serving.config()

    found = serving.create(config)

    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)
    assert found["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    probabilities = np.array([one["probability"] for one in serving.ask("\n".join(lines))])
    assert np.max(np.abs(probabilities - expected(real, 300))) <= 1e-6


def test_a_containers_refusal_is_a_model_error(serving: Serving) -> None:
    serving.create(serving.config())

    with pytest.raises(ClientError) as refused:
        serving.ask("1,2,3")

    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert refused.value.response["OriginalStatusCode"] == 400
    assert "19 columns" in refused.value.response["OriginalMessage"]


def test_a_version_that_was_never_packaged_fails_with_its_last_words(serving: Serving) -> None:
    found = serving.create(serving.config("unpackaged.tar.gz"))

    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    assert "serve a version that the step `package` has made" in found["FailureReason"]


def test_what_does_not_exist_is_named(serving: Serving) -> None:
    with pytest.raises(ClientError, match='Could not find endpoint configuration "none"'):
        serving.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="none")
    with pytest.raises(ClientError, match='Could not find endpoint "live"'):
        serving.sagemaker.describe_endpoint(EndpointName="live")
    with pytest.raises(ClientError, match="Endpoint live of account"):
        serving.ask("1")


def test_an_update_goes_over_in_steps_and_the_bake_is_skipped(serving: Serving, lines: list[str]) -> None:
    serving.create(serving.config())
    new = serving.config()

    serving.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=new, DeploymentConfig=CANARY)
    asked = 0
    while serving.sagemaker.describe_endpoint(EndpointName="live")["EndpointStatus"] == "Updating":
        serving.ask(lines[0])
        asked += 1

    found = serving.settled()
    assert found["EndpointConfigName"] != new  # the alarm it names does not exist: nothing would watch the new fleet
    assert "alarm failing does not exist" in found["FailureReason"]
    assert asked


def alarm(serving: Serving, config: str) -> None:
    serving.world.client("cloudwatch").put_metric_alarm(
        AlarmName="failing",
        Namespace="AWS/SageMaker",
        MetricName="Invocation4XXErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": "live"},
            {"Name": "VariantName", "Value": "main"},
            {"Name": "EndpointConfigName", "Value": config},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=2,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )


@pytest.mark.parametrize("bad", [False, True], ids=["quiet", "failing"])
def test_an_alarm_on_the_new_fleet_takes_the_traffic_back(serving: Serving, lines: list[str], bad: bool) -> None:
    old = serving.config()
    serving.create(old)
    new = serving.config()
    alarm(serving, new)

    serving.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=new, DeploymentConfig=CANARY)
    while serving.sagemaker.describe_endpoint(EndpointName="live")["EndpointStatus"] == "Updating":
        if bad:
            with pytest.raises(ClientError):
                serving.ask("1,2,3")
        serving.ask(lines[0])

    found = serving.settled()
    assert found["EndpointConfigName"] == (old if bad else new)
    if bad:
        assert "alarm failing is in ALARM: Invocation4XXErrors Sum is" in found["FailureReason"]
    assert serving.ask(lines[0])


def test_alarms_that_the_role_may_not_look_at_take_the_update_back(serving: Serving) -> None:
    serving.may(["cloudwatch:GetMetricData"])
    old = serving.config()
    serving.create(old)
    new = serving.config()
    alarm(serving, new)

    serving.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=new, DeploymentConfig=CANARY)

    found = serving.settled()
    assert found["EndpointConfigName"] == old
    missing = f"{serving.world.role} is not authorized to perform: cloudwatch:DescribeAlarms on resource: arn:aws:"
    assert missing in found["FailureReason"]


def test_what_people_set_is_retained_and_refused_where_nobody_can_have_it(serving: Serving) -> None:
    serving.create(serving.config())

    def set_(variant: str, count: int) -> None:
        change = {"VariantName": variant, "DesiredInstanceCount": count, "DesiredWeight": 0.5}
        serving.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=[change]
        )

    set_("main", 3)
    before = serving.settled()["ProductionVariants"][0]
    assert (before["CurrentInstanceCount"], before["DesiredInstanceCount"], before["CurrentWeight"]) == (3, 3, 0.5)
    with pytest.raises(ClientError, match="DesiredInstanceCount of main must be at least 1"):
        set_("main", 0)
    with pytest.raises(ClientError, match='variant name "other" was not found'):
        set_("other", 3)

    new = serving.config()
    weight = [{"VariantPropertyType": "DesiredWeight"}]
    serving.sagemaker.update_endpoint(
        EndpointName="live",
        EndpointConfigName=new,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=weight,
    )

    found = serving.settled()
    after = found["ProductionVariants"][0]
    assert (found["EndpointConfigName"], after["DesiredInstanceCount"], after["DesiredWeight"]) == (new, 3, 1.0)
