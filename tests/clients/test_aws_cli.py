"""The AWS CLI, as people have it, drives registry, release pipeline and endpoints of the embedded AWS."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations import probes
from rehearsal.release_acts import Site
from rehearsal.scenes import STAGING
from rehearsal.story import Rehearsal
from stacks.config import ROOT

pytestmark = pytest.mark.long

AWS = ROOT / ".venv-aws/bin/aws"
LONGEST_SECONDS = 120
ROW = "6,315,225,1400,191,12,73.04,78.65,5.7539,0,1016.1,10,2,,0.1668,0.0863,UA,EWR,IAH"

Cli = Callable[..., Any]


@pytest.fixture
def trains(rehearsal: Rehearsal) -> Cli:
    return cli(rehearsal, rehearsal.plan.sites[0])


@pytest.fixture
def staging(rehearsal: Rehearsal) -> Site:
    return next(site for site in rehearsal.plan.sites if site.place.stage == STAGING)


def cli(rehearsal: Rehearsal, site: Site) -> Cli:
    """`aws ...` with the keys of an account; what it prints, read as JSON."""
    environment = rehearsal.aws.environment(site.account, site.region)

    def aws(*words: str) -> Any:
        ran = subprocess.run([AWS, *words], env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout or "null")

    return aws


def executions(trains: Cli, rehearsal: Rehearsal) -> dict[str, str]:
    """The status of each execution of the release pipeline."""
    pipeline = f"{rehearsal.plan.sites[0].stage}-release"
    listed = trains("codepipeline", "list-pipeline-executions", "--pipeline-name", pipeline)
    return {one["pipelineExecutionId"]: one["status"] for one in listed["pipelineExecutionSummaries"]}


def test_a_version_is_approved_released_and_asked(
    rehearsal: Rehearsal, trains: Cli, staging: Site, tmp_path: Path
) -> None:
    serves, endpoint = cli(rehearsal, staging), staging.place.endpoint
    version = rehearsal.versions[0].version["ModelPackageArn"]
    before = executions(trains, rehearsal)

    life = "Stage=Staging,StageStatus=Approved"
    updated = trains(
        *("sagemaker", "update-model-package", "--model-package-arn", version),
        *("--model-life-cycle", life, "--model-approval-status", "Approved"),
    )
    ended = new_ones_ended(trains, rehearsal, before)

    assert updated["ModelPackageArn"] == version
    assert set(ended.values()) == {"Succeeded"}
    told = trains(
        *("codepipeline", "get-pipeline-execution", "--pipeline-name", f"{rehearsal.plan.sites[0].stage}-release"),
        *("--pipeline-execution-id", next(iter(ended))),
    )["pipelineExecution"]
    variables = {one["name"]: one["resolvedValue"] for one in told["variables"]}
    assert (variables["version"], variables["environment"]) == (version, staging.environment)
    serves("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", endpoint)
    described = serves("sagemaker", "describe-endpoint", "--endpoint-name", endpoint)
    assert live(serves, described["EndpointConfigName"]) == version
    answer = tmp_path / "answer.csv"
    (tmp_path / "row.csv").write_text(ROW)
    invoked = serves(
        *("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", endpoint, "--content-type", "text/csv"),
        *("--accept", "text/csv", "--body", f"fileb://{tmp_path / 'row.csv'}", str(answer)),
    )
    assert invoked["InvokedProductionVariant"] == described["ProductionVariants"][0]["VariantName"]
    probability, outcome = answer.read_text().strip().split(",")
    assert 0 < float(probability) < 1
    assert outcome in {"late", "on time"}


def new_ones_ended(trains: Cli, rehearsal: Rehearsal, before: dict[str, str]) -> dict[str, str]:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        new = {one: status for one, status in executions(trains, rehearsal).items() if one not in before}
        if new and "InProgress" not in new.values():
            return new
    raise AssertionError(f"no execution ended within {LONGEST_SECONDS} s")


def live(serves: Cli, configuration: str) -> str:
    described = serves("sagemaker", "describe-endpoint-config", "--endpoint-config-name", configuration)
    model = serves("sagemaker", "describe-model", "--model-name", described["ProductionVariants"][0]["ModelName"])
    return str(model["PrimaryContainer"]["ModelPackageName"])


def test_versions_and_their_metrics_are_listed(rehearsal: Rehearsal, trains: Cli) -> None:
    group = rehearsal.versions[0].version["ModelPackageGroupName"]

    listed = trains("sagemaker", "list-model-packages", "--model-package-group-name", group, "--max-items", "2")

    assert len(listed["ModelPackageSummaryList"]) == 2
    for act in rehearsal.versions:
        arn = act.version["ModelPackageArn"]
        described = trains("sagemaker", "describe-model-package", "--model-package-name", arn)
        assert described["CustomerMetadataProperties"] == act.version["CustomerMetadataProperties"]


def test_what_a_runbook_looks_at_is_there(rehearsal: Rehearsal, staging: Site, trains: Cli) -> None:
    serves, place = cli(rehearsal, staging), staging.place

    (stack,) = serves("cloudformation", "describe-stacks", "--stack-name", place.stack)["Stacks"]
    events = serves("cloudformation", "describe-stack-events", "--stack-name", place.stack)["StackEvents"]
    alarms = serves("cloudwatch", "describe-alarms", "--alarm-name-prefix", place.endpoint)["MetricAlarms"]
    sqs = ("sqs", "--endpoint-url", rehearsal.aws.endpoint)  # version 1 of the CLI has a host of its own for SQS
    queue = trains(*sqs, "get-queue-url", "--queue-name", f"{rehearsal.plan.sites[0].stage}-approvals")["QueueUrl"]
    waiting = trains(*sqs, "get-queue-attributes", "--queue-url", queue, "--attribute-names", "All")["Attributes"]
    said = trains(
        "logs", "filter-log-events", "--log-group-name", f"/aws/codebuild/{rehearsal.plan.sites[0].stage}-release"
    )

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert events[0]["StackName"] == place.stack
    assert {alarm["Namespace"] for alarm in alarms} >= {probes.NAMESPACE}
    assert waiting["ApproximateNumberOfMessages"] == "0"
    assert any("is live in" in event["message"] for event in said["events"])
