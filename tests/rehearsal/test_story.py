"""The rehearsed story, with change sets and validation on: what `make rehearse` promises, read top to bottom."""

import csv
import io
import json
import operator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from operations.champion import current_champion, make_champion
from operations.executions import Outcome, follow_execution, last_log_lines
from operations.periods import correct_period, upload_period
from operations.proof import prove
from operations.requests import ask_for_run
from operations.starter import RequestError
from rehearsal import coverage, sample
from rehearsal.facts import Facts, facts, tables
from rehearsal.story import Rehearsal


@pytest.fixture(scope="module")
def found(rehearsal: Rehearsal) -> Facts:
    return facts(rehearsal)


def client(rehearsal: Rehearsal, service: str) -> Any:
    return rehearsal.aws.client(service, rehearsal.plan.account, rehearsal.plan.region)


def test_every_stack_is_deployed_and_every_resource_read_back(found: Facts) -> None:
    resources = found["resources"]

    assert len(found["stacks"]) == 29
    assert resources["declared"] > 180
    assert resources["declared"] == resources["created"] + len(resources["recorded_only"]) + len(resources["waiting"])
    assert {one["stack"] for one in resources["waiting"]} == {
        "slipway-dev-ServingFlightDelay"
    }  # nothing released there


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


def test_every_training_ran_every_step(found: Facts) -> None:
    names = ["Prepare", "Train", "Evaluate", "Gate", "Package", "Record", "Register"]

    for run in found["runs"][:3]:
        steps = [(step["name"], step["status"]) for step in found["steps"] if step["run"] == run["title"]]
        assert steps == [(name, "Succeeded") for name in names]


def test_runs_were_started_by_what_starts_them_in_life(rehearsal: Rehearsal, found: Facts) -> None:
    assert [run["reason"] for run in found["runs"]] == ["arrival", "schedule", "manual", "arrival"]
    assert [version["reason"] for version in found["versions"]] == ["arrival", "schedule", "manual"]
    asked = [act.version["CustomerMetadataProperties"]["started_by"] for act in rehearsal.versions]
    ada = f"arn:aws:sts::{rehearsal.plan.account}:assumed-role/slipway-dev-data-scientist/ada@example.com"
    assert asked == ["s3", "scheduler", ada]
    assert len(executions(rehearsal)) == 4  # history that was filled in started none


def test_a_version_and_its_record_say_whose_it_is(rehearsal: Rehearsal, found: Facts) -> None:
    """A person's own is that person's, as STS says; what arrivals and schedules made is the model's owner's."""
    authors = ["owner@example.com", "owner@example.com", "ada@example.com"]

    assert [version["author"] for version in found["versions"]] == authors
    records = [read_json(rehearsal, version["provenance"]) for version in found["versions"]]
    assert [record["author"] for record in records] == authors


def executions(rehearsal: Rehearsal) -> list[str]:
    listed = client(rehearsal, "sagemaker").list_pipeline_executions(PipelineName=rehearsal.plan.pipeline)
    return [found["PipelineExecutionArn"] for found in listed["PipelineExecutionSummaries"]]


def step(found: Facts, run: str, name: str) -> Facts:
    (one,) = (step for step in found["steps"] if (step["run"], step["name"]) == (run, name))
    return dict(one)


def test_the_same_data_is_prepared_once(found: Facts) -> None:
    assert step(found, "2013-06, manual", "Prepare")["cached"]
    assert not step(found, "2013-06, manual", "Train")["cached"]  # another max_depth
    assert not step(found, "2013-06, schedule", "Prepare")["cached"]


def test_scarce_capacity_is_waited_for_in_simulated_time(found: Facts) -> None:
    evaluate = step(found, "2013-06, manual", "Evaluate")

    assert evaluate["attempts"] == 2
    assert evaluate["simulated_seconds"] == 60
    assert found["simulated_seconds"] > 60


def test_an_interrupted_spot_training_went_on_from_its_checkpoint(rehearsal: Rehearsal) -> None:
    train = next(step for step in rehearsal.acts[1].outcome.steps if step.name == "Train")
    job = train.metadata["TrainingJob"]["Arn"].rsplit("/", 1)[1]

    described = client(rehearsal, "sagemaker").describe_training_job(TrainingJobName=job)

    passed = [transition["Status"] for transition in described["SecondaryStatusTransitions"]]
    assert "Interrupted" in passed
    assert any("going on from checkpoint" in line for line in last_log_lines(client(rehearsal, "logs"), train))


def test_a_person_s_parameters_reach_the_model_and_its_card(rehearsal: Rehearsal) -> None:
    version = rehearsal.versions[-1].version
    card = json.loads(version["ModelCard"]["ModelCardContent"])

    record = read_json(rehearsal, version["CustomerMetadataProperties"]["provenance"])
    assert record["training"]["hyperparameters"]["max_depth"] == 5
    details = card["training_details"]["training_job_details"]
    assert {"name": "max_depth", "value": "5"} in details["hyper_parameters"]
    (auc,) = (m for m in card["evaluation_details"][0]["metric_groups"][0]["metric_data"] if m["name"] == "auc")
    assert auc["value"] == pytest.approx(rehearsal.versions[-1].evaluation["metrics"]["auc"], abs=1e-4)


def test_people_are_told_which_step_failed_why_and_what_its_log_says(found: Facts) -> None:
    notice = found["runs"][3]["notice"]

    assert found["runs"][3]["status"] == "Failed"
    assert notice["subject"] == "slipway-dev-flight-delay: failed in Prepare"
    assert "2013-07/flights.csv: no rows; upload the whole file" in notice["message"]
    assert "arrival, asked by s3" in notice["message"]
    assert f"slipway retry {found['runs'][3]['execution']}" in notice["message"]


def test_the_figures_are_honest(found: Facts) -> None:
    """Higher than these, and a feature knows the future."""
    april, june, _ = (version["metrics"] for version in found["versions"])

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
    act = rehearsal.versions[1]
    metadata = act.version["CustomerMetadataProperties"]

    assert act.version["ModelLifeCycle"] == {"Stage": "Development", "StageStatus": "Passed"}
    assert act.version["ModelApprovalStatus"] == "PendingManualApproval"
    assert float(metadata["auc"]) == pytest.approx(act.evaluation["metrics"]["auc"], abs=1e-4)
    assert metadata["period"] == "2013-06"
    assert metadata["execution"] == act.outcome.arn
    record = read_json(rehearsal, metadata["provenance"])
    assert record["artifact"]["sha256"] == metadata["model_sha256"]
    assert record["commit"] == metadata["commit"] == rehearsal.plan.commit
    assert record["serve_image_digest"] == image_digest(rehearsal, record["serve_image_uri"])


def image_digest(rehearsal: Rehearsal, uri: str) -> str:
    repository, tag = uri.partition("/")[2].split(":")
    asked = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    (found,) = client(rehearsal, "ecr").describe_images(**asked)["imageDetails"]
    return str(found["imageDigest"])


def read_json(rehearsal: Rehearsal, uri: str) -> dict[str, Any]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found: dict[str, Any] = json.loads(client(rehearsal, "s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


def test_the_second_version_was_compared_with_the_champion(rehearsal: Rehearsal, found: Facts) -> None:
    first, second, _ = found["versions"]

    assert first["compared_with"] == {"version": "none"}
    assert second["compared_with"]["version"] == first["arn"] == found["champion"]
    assert second["metrics"]["auc"] > second["compared_with"]["auc"]
    assert current_champion(client(rehearsal, "s3"), rehearsal.plan.champion) == first["arn"]


def test_the_report_is_there(rehearsal: Rehearsal) -> None:
    uri = rehearsal.versions[-1].version["CustomerMetadataProperties"]["report"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    html = client(rehearsal, "s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()

    assert "<svg" in html
    assert "cancelled" in html


def test_nobody_deletes_a_provenance_record(rehearsal: Rehearsal) -> None:
    uri = rehearsal.versions[0].version["CustomerMetadataProperties"]["provenance"]
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
    assert "Development/Passed, PendingManualApproval, author ada@example.com" in text
    assert "not proved" in text


def test_approvals_release_where_the_stage_says_and_a_bad_version_comes_back(found: Facts) -> None:
    first, second, third = (version["arn"] for version in found["versions"])
    told = [(r["environment"], r["version"], r["cause"], r["outcome"], r["from"], r["to"]) for r in found["releases"]]

    assert told == [
        ("staging", first, "event", "succeeded", "none", first),
        ("prod", first, "event", "succeeded", "none", first),
        ("staging", second, "event", "succeeded", first, second),
        ("prod", second, "event", "succeeded", first, second),
        ("staging", third, "event", "succeeded", second, third),
        ("prod", third, "alarm", "rolled back", second, second),
        ("prod", first, "command", "succeeded", second, first),
    ]
    assert "is in ALARM: Invocation5XXErrors" in found["releases"][5]["because"]
    assert all(release["simulated_seconds"] == 1200 for release in found["releases"][2:5])  # two bakes of ten minutes


def test_production_grows_with_its_load_and_shrinks_without_it(found: Facts) -> None:
    name = "slipway-prod-flight-delay"
    out, back = found["scaling"]

    assert (out["endpoint"], out["from"], out["to"]) == (name, 2, 4)
    assert (back["endpoint"], back["from"], back["to"]) == (name, 4, 2)
    alarm = f"monitor alarm TargetTracking-endpoint/{name}/variant/main-Alarm"
    assert out["cause"].startswith(f"{alarm}High-")
    assert back["cause"].startswith(f"{alarm}Low-")
    assert {out["cause"][-21:], back["cause"][-21:]} == {"triggered policy load"}


def test_people_are_told_that_a_version_was_taken_back(found: Facts) -> None:
    notice = found["release_notice"]

    assert notice["subject"] == "flight_delay: version 3 is not live in prod"
    assert "is in ALARM: Invocation5XXErrors" in notice["message"]
    assert "slipway history prod flight_delay" in notice["message"]


def test_every_release_by_an_approval_was_a_run_of_the_pipeline(rehearsal: Rehearsal, found: Facts) -> None:
    """Asking starts none; each approval starts one; the one that was taken back has failed."""
    codepipeline = client(rehearsal, "codepipeline")
    name = "slipway-dev-release"
    runs = [
        codepipeline.get_pipeline_execution(pipelineName=name, pipelineExecutionId=each)
        for each in reversed(rehearsal.acting.runs)
    ]
    variables = [{v["name"]: v["resolvedValue"] for v in run["pipelineExecution"]["variables"]} for run in runs]
    by_event = [release for release in found["releases"] if release["asked"] == "event"]

    asked = {(v["environment"], v["version"], v["model"]) for v in variables}
    assert asked == {(r["environment"], r["version"], "flight_delay") for r in by_event}
    assert len(runs) == len(by_event) == 6
    assert sorted(v["approval"] for v in variables) == ["1", "1", "2", "2", "3", "3"]
    failed = [v["environment"] for v, run in zip(variables, runs, strict=True) if run_status(run) == "Failed"]
    assert failed == ["prod"]


def run_status(run: Any) -> str:
    return str(run["pipelineExecution"]["status"])


def test_who_released_is_in_the_journal(rehearsal: Rehearsal) -> None:
    staging, prod = rehearsal.plan.sites[-1], rehearsal.plan.sites[-2]
    by_event = rehearsal.acting.releaser(staging).journal.entries()[0]
    by_command = rehearsal.acting.releaser(prod).journal.entries()[0]

    assert "assumed-role/slipway-dev-release-builder/" in by_event.asked_by
    assert by_command.asked_by.startswith(f"arn:aws:sts::{prod.account}:")


def test_what_production_serves_is_the_champion(rehearsal: Rehearsal, found: Facts) -> None:
    assert found["champion"] == found["versions"][0]["arn"]  # when the second training began
    assert current_champion(client(rehearsal, "s3"), rehearsal.plan.champion) == found["releases"][-1]["to"]


def test_the_live_version_answers_as_it_was_trained(found: Facts) -> None:
    assert [one["version"] for one in found["invocations"]] == [one["to"] for one in found["releases"]]
    for one in found["invocations"]:
        assert one["status"] == 200
        assert one["probability"] == pytest.approx(one["expected"], abs=1e-6)


CHANGES: dict[str, tuple[str, str, Any]] = {
    "descriptions": ("AWS::CloudWatch::Alarm", "AlarmDescription", "otherwise"),
    "capture": ("AWS::SageMaker::EndpointConfig", "DataCaptureConfig.InitialSamplingPercentage", 50),
    "what makes the parameters": ("Custom::", "Changed", "otherwise"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_deployment_of_infrastructure_changes_what_is_live(rehearsal: Rehearsal, change: str) -> None:
    """A new template of the room is deployed: the desired version is fetched anew, and stays, on whatever endpoint."""
    site = next(site for site in rehearsal.plan.sites if site.environment == "prod")
    cloudformation, ssm, sagemaker = (
        rehearsal.aws.client(service, site.account, site.region) for service in ("cloudformation", "ssm", "sagemaker")
    )
    before = sagemaker.describe_endpoint(EndpointName=site.place.endpoint)
    kind, path, value = CHANGES[change]
    stack = f"{site.stage}-Releases" if kind == "Custom::" else site.place.stack

    template = cloudformation.get_template(StackName=stack)["TemplateBody"]
    changed = [one["Properties"] for one in template["Resources"].values() if one["Type"].startswith(kind)]
    *outer, last = path.split(".")
    for properties in changed:
        reduce(operator.getitem, outer, properties)[last] = value
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})

    live, after = rehearsal.acting.releases[-1].live, sagemaker.describe_endpoint(EndpointName=site.place.endpoint)
    assert changed
    assert ssm.get_parameter(Name=site.place.parameter)["Parameter"]["Value"] == live
    assert rehearsal.acting.releaser(site).live() == live
    assert (after["EndpointConfigName"] != before["EndpointConfigName"]) == (change == "capture")
    if change == "capture":
        assert after["DataCaptureConfig"]["CurrentSamplingPercentage"] == value


def test_the_product_calls_what_the_coverage_list_says(rehearsal: Rehearsal) -> None:
    recorded = json.loads((rehearsal.state / "calls-of-the-story.json").read_text())
    listed = coverage.load()

    unlisted = {s: sorted(set(calls) - set(listed.get(s, []))) for s, calls in recorded.items()}
    assert {service: calls for service, calls in unlisted.items() if calls} == {}


# What follows changes the world the tests above looked at.


def outcome_of(rehearsal: Rehearsal, period: str, **request: Any) -> Outcome:
    answer = rehearsal.ask(period=period, **request)
    *_, last = follow_execution(client(rehearsal, "sagemaker"), answer.execution, every_seconds=0.1)
    assert isinstance(last, Outcome)
    return last


def test_whoever_is_in_no_role_of_people_starts_nothing(rehearsal: Rehearsal) -> None:
    """An administrator of the account too: of such a role whoever takes it on chooses the session's name."""
    before = executions(rehearsal)
    functions = client(rehearsal, "lambda")
    keys = functions._request_signer._credentials

    with pytest.raises(RequestError, match="OrganizationAccountAccessRole/rehearsal is nobody who may ask for runs"):
        ask_for_run(functions, rehearsal.plan.requests, keys, {"model": "flight_delay"})

    assert executions(rehearsal) == before


def test_nobody_puts_their_name_on_anothers_model(rehearsal: Rehearsal) -> None:
    before = executions(rehearsal)
    scheduled = next(act for act in rehearsal.acts if act.scene.reason == "schedule")

    with pytest.raises(RequestError, match=r"trained a model of owner@example\.com, who stays its author"):
        rehearsal.ask(period="2013-06", steps=["Package", "Record", "Register"], source=scheduled.outcome.arn)

    assert executions(rehearsal) == before


def test_a_request_that_comes_again_starts_nothing_anew(rehearsal: Rehearsal) -> None:
    """Whoever has heard a request with its proof may send it once more."""
    keys = rehearsal.aws.take_on(rehearsal.plan.asker)
    asked = {"model": "flight_delay", "period": "2013-04", "token": "once"}
    event = json.dumps({"ask": asked, "proof": prove(keys, rehearsal.plan.region, asked)})

    def send() -> dict[str, Any]:
        answer = client(rehearsal, "lambda").invoke(FunctionName=rehearsal.plan.requests, Payload=event)
        return dict(json.loads(answer["Payload"].read()))

    first = send()
    before = executions(rehearsal)
    list(follow_execution(client(rehearsal, "sagemaker"), first["execution"], every_seconds=0.1))

    assert first["outcome"] == "started"
    assert send()["outcome"] == "seen"
    assert executions(rehearsal) == before


def test_changed_data_is_prepared_again(rehearsal: Rehearsal) -> None:
    outcome = outcome_of(rehearsal, "2013-06", parameters={"max_depth": "5"})
    assert [step.name for step in outcome.steps if step.cached] == ["Prepare", "Train"]

    rehearsal.upload(("2013-06",))  # the same bytes under new versions: another manifest, so other data
    outcome = outcome_of(rehearsal, "2013-06", parameters={"max_depth": "5"})

    assert outcome.status == "Succeeded", outcome.failure
    assert [step.name for step in outcome.steps if step.cached] == []


def written(rehearsal: Rehearsal, outcome: Outcome, step: str, artifact: str, file: str) -> bytes:
    """A file that a step of a run wrote."""
    (metadata,) = [found.metadata for found in outcome.steps if found.name == step]
    job = metadata["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
    described = client(rehearsal, "sagemaker").describe_processing_job(ProcessingJobName=job)
    outputs = {o["OutputName"]: o["S3Output"]["S3Uri"] for o in described["ProcessingOutputConfig"]["Outputs"]}
    bucket, _, prefix = outputs[artifact].removeprefix("s3://").partition("/")
    body: bytes = client(rehearsal, "s3").get_object(Bucket=bucket, Key=f"{prefix}/{file}")["Body"].read()
    return body


def test_a_row_that_was_set_aside_is_corrected_and_taken(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """From the quarantine of a run, through a person's hands, into the next run."""
    quarantine = written(rehearsal, rehearsal.acts[0].outcome, "Prepare", "quarantine", "weather.csv").decode()
    assert "wind_speed: above 253" in quarantine
    (row,) = csv.DictReader(quarantine.splitlines())
    period = row["file"].split("/")[0]
    row["wind_speed"] = "10.4"
    with (tmp_path / "weather.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerow(row)
    before = executions(rehearsal)

    correct_period(
        client(rehearsal, "s3"),
        bucket=rehearsal.plan.data_bucket,
        prefix=rehearsal.plan.periods_prefix,
        period=period,
        files=[tmp_path / "weather.csv"],
    )
    outcome = outcome_of(rehearsal, "2013-06", parameters={"max_depth": "5"})

    assert outcome.status == "Succeeded", outcome.failure
    snapshot = json.loads(written(rehearsal, outcome, "Prepare", "snapshot", "snapshot.json"))
    assert snapshot["corrected"] == 1
    assert snapshot["quarantined"] == {"total": 0, "by_reason": {}}
    assert len(executions(rehearsal)) == len(before) + 1  # the correction of history asked for none


def test_a_file_that_came_late_is_read_and_its_repeated_rows_are_set_aside(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    files = sample.write_period(tmp_path / "2013-06", "2013-06")
    flights = next(file for file in files if file.name == "flights.csv")
    header, *rows = flights.read_text().splitlines()
    flights.write_text("\n".join([header, *rows[:-500]]) + "\n")
    late = flights.with_name("flights-2.csv")
    late.write_text("\n".join([header, *rows[-510:]]) + "\n")
    upload_period(
        client(rehearsal, "s3"),
        bucket=rehearsal.plan.data_bucket,
        prefix=rehearsal.plan.periods_prefix,
        period="2013-06",
        files=[*files, late],
        starts=False,
    )

    outcome = outcome_of(rehearsal, "2013-06", parameters={"max_depth": "5"})

    assert outcome.status == "Succeeded", outcome.failure
    snapshot = json.loads(written(rehearsal, outcome, "Prepare", "snapshot", "snapshot.json"))
    reasons = snapshot["quarantined"]["by_reason"]
    assert [count for reason, count in reasons.items() if reason.startswith("flights: ")] == [10]
    assert sum(snapshot["rows"].values()) == sum(rehearsal.acts[2].snapshot["rows"].values())
    (found,) = [finding for finding in snapshot["drift"] if finding["kind"] == "repeated"]
    assert found["detail"] == "10 rows repeat 2013-06/flights.csv"


def test_a_period_nobody_uploaded_is_refused_before_anything_starts(rehearsal: Rehearsal) -> None:
    before = executions(rehearsal)

    with pytest.raises(RequestError, match=r"period 2013-09: no _READY\.json below .*; upload the period first"):
        outcome_of(rehearsal, "2013-09")

    assert executions(rehearsal) == before


def test_parameters_out_of_range_are_refused_all_at_once(rehearsal: Rehearsal) -> None:
    with pytest.raises(RequestError) as caught:
        outcome_of(rehearsal, "2013-06", parameters={"eta": "7", "max_depth": "deep", "Period": "2013-01"})

    first, second, third = str(caught.value).splitlines()
    assert first == "parameter eta is '7'; give a number from 0.001 to 1"
    assert second == "parameter max_depth is 'deep'; give a number from 1 to 16"
    assert third.startswith("parameter 'Period' cannot be set; those that can are alpha, colsample_bytree, ")


def test_data_that_is_too_bad_registers_nothing(rehearsal: Rehearsal) -> None:
    outcome = outcome_of(rehearsal, "2013-07")

    assert outcome.status == "Failed"
    assert outcome.version_arn is None
    (failed,) = [step for step in outcome.steps if step.status == "Failed"]
    assert failed.name == "Prepare"
    assert any("2013-07/flights.csv: no rows" in line for line in last_log_lines(client(rehearsal, "logs"), failed))


def test_a_version_that_is_not_better_proven_is_refused_by_name_and_amount(rehearsal: Rehearsal) -> None:
    """The first period again, against a champion that has already learned from its test days."""
    newest = rehearsal.versions[-1].version["ModelPackageArn"]
    s3, sagemaker = client(rehearsal, "s3"), client(rehearsal, "sagemaker")
    make_champion(s3, sagemaker, rehearsal.plan.champion, newest)

    outcome = outcome_of(rehearsal, "2013-04")

    assert outcome.status == "Failed"
    assert outcome.version_arn is None
    assert [step.name for step in outcome.steps][-2:] == ["Gate", "Refused"]
    assert "champion" in outcome.failure


def test_an_artifact_that_changed_after_training_cannot_become_champion(rehearsal: Rehearsal) -> None:
    version = rehearsal.versions[0].version
    uri = version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3, sagemaker = client(rehearsal, "s3"), client(rehearsal, "sagemaker")
    s3.put_object(Bucket=bucket, Key=key, Body=b"another model")

    with pytest.raises(Exception, match="the artifact changed after training"):
        make_champion(s3, sagemaker, rehearsal.plan.champion, version["ModelPackageArn"])
