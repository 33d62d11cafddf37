"""The rehearsed story, with change sets and validation on: what `make rehearse` promises, read top to bottom."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

import cli
from operations.champion import current_champion, make_champion
from operations.executions import Outcome, follow_execution, last_log_lines, start_execution
from rehearsal import coverage, session
from rehearsal.facts import Facts, facts, tables
from rehearsal.story import Rehearsal


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    plan = cli.rehearsal_plan("dev", "flight_delay", method="change-set", validate=True)
    with session.start(plan, tell=lambda _: None) as running:
        running.run()
        calls = (running.aws.state / "calls.json").read_text()
        (running.state / "calls-of-the-story.json").write_text(calls)  # before the tests below call, too
        yield running


@pytest.fixture(scope="module")
def found(rehearsal: Rehearsal) -> Facts:
    return facts(rehearsal)


def client(rehearsal: Rehearsal, service: str) -> Any:
    return rehearsal.aws.client(service, rehearsal.plan.account, rehearsal.plan.region)


def test_every_stack_is_deployed_and_every_resource_read_back(found: Facts) -> None:
    resources = found["resources"]

    assert len(found["stacks"]) == 6
    assert resources["declared"] > 40
    assert resources["declared"] == resources["created"] + len(resources["recorded_only"])


def test_what_was_deployed_is_private_and_encrypted(rehearsal: Rehearsal) -> None:
    s3 = client(rehearsal, "s3")

    for bucket in (rehearsal.plan.data_bucket, rehearsal.plan.champion.bucket):
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_every_deployed_role_carries_the_boundary(rehearsal: Rehearsal) -> None:
    iam = client(rehearsal, "iam")
    pages = iam.get_paginator("list_roles").paginate()
    names = [role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith("slipway-dev")]

    assert len(names) >= 5
    for name in names:
        boundary = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        assert boundary.endswith(":policy/slipway-dev-boundary")


def test_the_deployment_started_the_image_build(rehearsal: Rehearsal) -> None:
    assert client(rehearsal, "codebuild").list_builds()["ids"]


def test_both_trainings_ran_every_step(found: Facts) -> None:
    steps = [(step["period"], step["name"], step["status"]) for step in found["steps"]]

    names = ["Prepare", "Train", "Evaluate", "Gate", "Record", "Register"]
    assert steps == [(period, name, "Succeeded") for period in ("2013-04", "2013-06") for name in names]


def test_the_figures_are_honest(found: Facts) -> None:
    """Higher than these, and a feature knows the future."""
    april, june = (version["metrics"] for version in found["versions"])

    assert 0.69 < april["auc"] < 0.73
    assert 0.75 < june["auc"] < 0.79
    assert april["log_loss"] < april["log_loss_constant"]
    assert june["log_loss"] < june["log_loss_constant"]


def test_cancelled_and_diverted_flights_and_bad_rows_are_counted(found: Facts) -> None:
    data = found["data"]

    assert data["excluded"]["cancelled"] > data["excluded"]["diverted"] > 0
    assert data["by_reason"] == {"weather: wind_speed: above 253": 1}
    assert data["quarantined"] == 1
    assert len(data["sha256"]) == 64


def test_a_version_is_pending_and_carries_metrics_and_provenance(rehearsal: Rehearsal) -> None:
    act = rehearsal.acts[-1]
    metadata = act.version["CustomerMetadataProperties"]

    assert act.version["ModelLifeCycle"] == {"Stage": "Development", "StageStatus": "Passed"}
    assert act.version["ModelApprovalStatus"] == "PendingManualApproval"
    assert float(metadata["auc"]) == pytest.approx(act.evaluation["metrics"]["auc"], abs=1e-4)
    assert metadata["period"] == "2013-06"
    assert metadata["execution"] == act.outcome.arn
    record = read_json(rehearsal, metadata["provenance"])
    assert record["artifact"]["sha256"] == metadata["model_sha256"]
    assert record["commit"] == metadata["commit"] == rehearsal.plan.commit


def read_json(rehearsal: Rehearsal, uri: str) -> dict[str, Any]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found: dict[str, Any] = json.loads(client(rehearsal, "s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


def test_the_second_version_was_compared_with_the_champion(rehearsal: Rehearsal, found: Facts) -> None:
    first, second = found["versions"]

    assert first["compared_with"] == {"version": "none"}
    assert second["compared_with"]["version"] == first["arn"] == found["champion"]
    assert second["metrics"]["auc"] > second["compared_with"]["auc"]
    assert current_champion(client(rehearsal, "s3"), rehearsal.plan.champion) == first["arn"]


def test_the_report_is_there(rehearsal: Rehearsal) -> None:
    uri = rehearsal.acts[-1].version["CustomerMetadataProperties"]["report"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    html = client(rehearsal, "s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    assert "<svg" in html
    assert "cancelled" in html


def test_nobody_deletes_a_provenance_record(rehearsal: Rehearsal) -> None:
    uri = rehearsal.acts[0].version["CustomerMetadataProperties"]["provenance"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
        client(rehearsal, "s3").delete_object(Bucket=bucket, Key=key)


def test_jobs_log_to_cloudwatch(rehearsal: Rehearsal) -> None:
    train = next(step for step in rehearsal.acts[0].outcome.steps if step.name == "Train")

    assert last_log_lines(client(rehearsal, "logs"), train)


def test_the_tables_can_be_printed(found: Facts) -> None:
    printed = Console(width=80, soft_wrap=True, record=True, file=io.StringIO())
    for table in tables(found):
        printed.print(table)

    text = printed.export_text()
    assert found["version"]["arn"] in text
    assert "Development/Passed" in text
    assert "not proved" in text


def test_the_product_calls_what_the_coverage_list_says(rehearsal: Rehearsal) -> None:
    recorded = json.loads((rehearsal.state / "calls-of-the-story.json").read_text())
    listed = coverage.load()

    unlisted = {s: sorted(set(calls) - set(listed.get(s, []))) for s, calls in recorded.items()}
    assert {service: calls for service, calls in unlisted.items() if calls} == {}


# What follows changes the world the tests above looked at.


def outcome_of(rehearsal: Rehearsal, period: str) -> Outcome:
    sagemaker = client(rehearsal, "sagemaker")
    arn = start_execution(
        sagemaker, pipeline=rehearsal.plan.pipeline, period=period, token=f"test-of-{period}" + "0" * 32
    )
    *_, last = follow_execution(sagemaker, arn, every_seconds=0.1)
    assert isinstance(last, Outcome)
    return last


def test_a_period_without_data_fails_with_its_reason_and_registers_nothing(rehearsal: Rehearsal) -> None:
    outcome = outcome_of(rehearsal, "2013-09")

    assert outcome.status == "Failed"
    assert outcome.version_arn is None
    assert "2013-09" in outcome.failure
    (failed,) = [step for step in outcome.steps if step.status == "Failed"]
    assert failed.name == "Prepare"
    assert any("2013-09" in line for line in last_log_lines(client(rehearsal, "logs"), failed))


def test_a_version_that_is_not_better_proven_is_refused_by_name_and_amount(rehearsal: Rehearsal) -> None:
    """The first period again, against a champion that has already learned from its test days."""
    newest = rehearsal.acts[-1].version["ModelPackageArn"]
    s3, sagemaker = client(rehearsal, "s3"), client(rehearsal, "sagemaker")
    make_champion(s3, sagemaker, rehearsal.plan.champion, newest)

    outcome = outcome_of(rehearsal, "2013-04")

    assert outcome.status == "Failed"
    assert outcome.version_arn is None
    assert [step.name for step in outcome.steps][-2:] == ["Gate", "Refused"]
    assert "champion" in outcome.failure


def test_an_artifact_that_changed_after_training_cannot_become_champion(rehearsal: Rehearsal) -> None:
    version = rehearsal.acts[0].version
    uri = version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3, sagemaker = client(rehearsal, "s3"), client(rehearsal, "sagemaker")
    s3.put_object(Bucket=bucket, Key=key, Body=b"another model")

    with pytest.raises(Exception, match="the artifact changed after training"):
        make_champion(s3, sagemaker, rehearsal.plan.champion, version["ModelPackageArn"])
