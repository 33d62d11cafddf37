"""One door for every request: once, one run a model at a time, the latest waits, a start that breaks loses nothing."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations import handlers
from operations.champion import ChampionPlace
from operations.images import Image, ImageError
from operations.listings import DataPlace
from operations.periods import PeriodError
from operations.starter import ModelPlace, RequestError, Starter
from operations.turns import START_SECONDS, TurnTable

if TYPE_CHECKING:
    from embedded import Client

DIGEST = f"sha256:{'0' * 64}"
PIPELINE = "slipway-dev-flight-delay"
ARN = f"arn:aws:sagemaker:eu-west-1:111111111111:pipeline/{PIPELINE}/execution/"


@dataclass
class FakePipelines:
    """SageMaker's pipelines: starts what is asked for, once for each token."""

    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    breaks: int = 0

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        if self.breaks:
            self.breaks -= 1
            raise ConnectionError("the line is dead")
        token = request["ClientRequestToken"]
        if token not in self.started:
            self.started[token] = request
            self.states[self.arn(token)] = "Executing"
        return {"PipelineExecutionArn": self.arn(token)}

    def arn(self, token: str) -> str:
        return f"{ARN}{list(self.started).index(token)}"

    def describe_pipeline_execution(self, **request: Any) -> dict[str, str]:
        return {"PipelineExecutionStatus": self.states[request["PipelineExecutionArn"]]}

    def get_paginator(self, _operation: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if "PipelineExecutionArn" in request:
            if request["PipelineExecutionArn"] not in self.states:
                told = {"Error": {"Code": "ResourceNotFound", "Message": "there is no such execution"}}
                raise ClientError(told, "ListPipelineParametersForExecution")
            number = list(self.states).index(request["PipelineExecutionArn"])
            return [{"PipelineParameters": list(self.started.values())[number]["PipelineParameters"]}]
        found = [
            {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, status in self.states.items()
        ]
        return [{"PipelineExecutionSummaries": found[::-1]}]

    @property
    def periods(self) -> list[str]:
        """What was started, in order."""
        given = [{p["Name"]: p["Value"] for p in request["PipelineParameters"]} for request in self.started.values()]
        return [values["Period"] for values in given]


@dataclass(frozen=True)
class Desk:
    """A starter over real S3 and DynamoDB APIs and fake pipelines."""

    starter: Starter
    pipelines: FakePipelines
    client: Client

    def ask(self, token: str, period: str | None = None, **more: Any) -> Any:
        asked = {"model": "flight_delay", "reason": "manual", "author": "me", "token": token, "period": period}
        return self.starter.ask({**asked, **more})

    def end(self, number: int, status: str = "Succeeded") -> Any:
        self.pipelines.states[f"{ARN}{number}"] = status
        return self.starter.ended(f"{ARN}{number}")

    def upload(self, period: str, **manifest: Any) -> None:
        body = json.dumps({"files": {}, **manifest}).encode()
        key = f"periods/flight_delay/{period}/_READY.json"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    @property
    def bucket(self) -> str:
        return self.starter.models["flight_delay"].data.bucket


@pytest.fixture
def desk(client: Client, account: str) -> Desk:
    bucket = f"data-{account}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("dynamodb").create_table(
        TableName="turns",
        KeySchema=[{"AttributeName": "model", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "model", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    pipelines = FakePipelines()
    place = ModelPlace(
        PIPELINE,
        DataPlace(bucket, "periods/flight_delay", "listings/flight_delay"),
        ChampionPlace(bucket, "champion/flight_delay"),
        "owner@example.com",
    )
    table = TurnTable(client("dynamodb"), "turns")
    starter = Starter(pipelines, client("s3"), table, {"flight_delay": place}, lambda: DIGEST, {"eta": (0.001, 1)})
    made = Desk(starter, pipelines, client)
    for period in ("2013-01", "2013-02", "2013-03"):
        made.upload(period)
    return made


def test_a_request_starts_the_latest_period_with_its_listing_and_its_reason(desk: Desk) -> None:
    answer = desk.ask("one", started_by="me", parameters={"eta": "0.05"})

    (request,) = desk.pipelines.started.values()
    given = {p["Name"]: p["Value"] for p in request["PipelineParameters"]}
    assert (answer.outcome, answer.period, answer.execution) == ("started", "2013-03", f"{ARN}0")
    assert (given["Period"], given["Reason"], given["StartedBy"], given["eta"]) == ("2013-03", "manual", "me", "0.05")
    key = f"listings/flight_delay/{given['Listing']}/listing.json"
    body = desk.client("s3").get_object(Bucket=desk.bucket, Key=key)
    listed = json.loads(body["Body"].read())
    assert (listed["period"], sorted(listed["manifests"])) == ("2013-03", ["2013-01", "2013-02", "2013-03"])


def authors(desk: Desk) -> list[str]:
    given = [{p["Name"]: p["Value"] for p in r["PipelineParameters"]} for r in desk.pipelines.started.values()]
    return [str(values["Author"]) for values in given]


def test_a_run_by_hand_is_whoever_asked_s_and_any_other_the_owner_s(desk: Desk) -> None:
    desk.ask("one", author="bo")
    desk.ask("two", author="cy")
    desk.end(0)  # what waited keeps its author
    desk.end(1)
    handlers.route(arrival("periods/flight_delay/2013-02/_READY.json"), desk.starter)
    desk.end(2)
    desk.ask("four", reason="drift", author=None)

    assert authors(desk) == ["bo", "cy", "owner@example.com", "owner@example.com"]


@pytest.mark.parametrize(("reason", "author"), [("manual", None), ("manual", ""), ("drift", "bo"), ("arrival", "bo")])
def test_an_author_goes_with_a_run_by_hand_and_with_no_other(desk: Desk, reason: str, author: str | None) -> None:
    with pytest.raises(RequestError, match=f"author {author!r}; a run by hand has one, of any other it is the owner"):
        desk.ask("one", reason=reason, author=author)

    assert desk.pipelines.started == {}


def test_a_run_is_bound_to_what_the_servers_image_is_when_it_starts(desk: Desk) -> None:
    contents = iter(["sha256:1", "sha256:2"])
    later = replace(desk, starter=replace(desk.starter, image_digest=lambda: next(contents)))
    later.ask("one", "2013-01")
    later.ask("two", "2013-02")
    later.end(0)

    given = [{p["Name"]: p["Value"] for p in r["PipelineParameters"]} for r in desk.pipelines.started.values()]
    assert [(values["Period"], values["ServeImageDigest"]) for values in given] == [
        ("2013-01", "sha256:1"),
        ("2013-02", "sha256:2"),
    ]


def test_without_the_servers_image_nothing_starts_and_nothing_waits(desk: Desk, client: Client, account: str) -> None:
    image = Image.of(f"{account}.dkr.ecr.eu-west-1.amazonaws.com/images:tag-serve")
    client("ecr").create_repository(repositoryName="images")
    early = replace(desk, starter=replace(desk.starter, image_digest=lambda: image.digest(client("ecr"))))

    with pytest.raises(ImageError, match="there is no such image; see the image's build in CodeBuild"):
        early.ask("one")

    assert desk.pipelines.started == {}
    assert desk.ask("one").outcome == "started"


def test_the_same_data_has_the_same_listing_and_other_data_another(desk: Desk) -> None:
    def listing() -> str:
        request = list(desk.pipelines.started.values())[-1]
        return {p["Name"]: str(p["Value"]) for p in request["PipelineParameters"]}["Listing"]

    desk.ask("one")
    first = listing()
    desk.end(0)
    desk.ask("two")
    again = listing()
    desk.end(1)
    desk.upload("2013-02", changed=True)
    desk.ask("three")

    assert first == again
    assert listing() != first


def test_the_same_request_is_carried_out_once(desk: Desk) -> None:
    outcomes = [desk.ask("one").outcome for _ in range(3)]
    desk.end(0)

    assert outcomes == ["started", "seen", "seen"]
    assert desk.ask("one").outcome == "seen"
    assert len(desk.pipelines.started) == 1


def test_one_run_at_a_time_and_the_latest_request_waits(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    assert desk.ask("two", "2013-02").outcome == "waits"
    assert desk.ask("three", "2013-03").outcome == "waits"
    assert desk.pipelines.periods == ["2013-01"]

    next_answer = desk.end(0)

    assert next_answer.outcome == "started"
    assert desk.pipelines.periods == ["2013-01", "2013-03"]  # the second request was dropped for the third
    assert desk.end(1) is None
    assert desk.ask("four").outcome == "started"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_run_that_failed_passes_the_turn_on(desk: Desk, status: str) -> None:
    desk.ask("one", "2013-01")
    desk.ask("two", "2013-02")

    desk.end(0, status)

    assert desk.pipelines.periods == ["2013-01", "2013-02"]


def test_an_end_nobody_heard_of_blocks_nothing(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    desk.pipelines.states[f"{ARN}0"] = "Succeeded"

    assert desk.ask("two", "2013-02").outcome == "started"


def test_an_end_that_is_told_twice_or_late_ends_nothing_else(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    desk.end(0)
    desk.ask("two", "2013-02")

    assert desk.end(0) is None
    assert desk.ask("three", "2013-03").outcome == "waits"


def test_a_run_started_past_the_door_has_its_turn_too(desk: Desk) -> None:
    desk.pipelines.started["studio"] = {"PipelineParameters": [{"Name": "Period", "Value": "2012-12"}]}
    desk.pipelines.states[f"{ARN}0"] = "Executing"

    assert desk.ask("one").outcome == "waits"
    assert desk.end(0).outcome == "started"


def test_a_start_that_breaks_gives_the_turn_back_and_can_be_asked_again(desk: Desk) -> None:
    desk.pipelines.breaks = 1
    with pytest.raises(ConnectionError):
        desk.ask("one")

    assert desk.ask("one").outcome == "started"


def test_a_start_that_was_broken_off_is_carried_out_by_whoever_asks_next(desk: Desk) -> None:
    """The function was ended between taking the turn and starting the run."""
    asked = {"model": "flight_delay", "reason": "manual", "author": "me", "token": "lost", "period": "2013-01"}
    desk.starter.table.change("flight_delay", lambda turns: turns.take(asked, now=0))
    late = replace(desk, starter=replace(desk.starter, now=lambda: START_SECONDS + 1.0))

    assert late.ask("two", "2013-02").outcome == "waits"
    assert late.pipelines.periods == ["2013-01"]


def test_many_at_once_start_one(desk: Desk) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(desk.ask(f"t{n}").outcome)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["started", *["waits"] * 5]
    assert len(desk.pipelines.started) == 1


def test_everything_wrong_with_a_request_is_said_at_once(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        desk.starter.ask({"model": "x", "reason": "whim", "parameters": {"eta": 2, "depth": 1}})

    assert str(caught.value).splitlines() == [
        "model 'x'; models are flight_delay",
        "reason 'whim'; reasons are manual, schedule, arrival, code, drift",
        "no token; give one that is the same whenever the request is the same",
        "parameter eta is 2; give a number from 0.001 to 1",
        "parameter 'depth' cannot be set; those that can are eta",
    ]


def test_a_period_that_is_not_there_is_refused_and_blocks_nothing(desk: Desk) -> None:
    with pytest.raises(PeriodError, match=r"period 2014-01: no _READY\.json .* Complete before it: 2013-01, 2013-02"):
        desk.ask("one", "2014-01")

    assert desk.ask("two").outcome == "started"


def arrival(key: str, version: str = "v1") -> dict[str, Any]:
    return {"detail-type": "Object Created", "detail": {"object": {"key": key, "version-id": version, "etag": "e"}}}


def test_an_arrival_starts_a_run_on_all_that_is_there(desk: Desk) -> None:
    told = handlers.route(arrival("periods/flight_delay/2013-02/_READY.json"), desk.starter)

    assert (told["outcome"], told["period"]) == ("started", "2013-03")


def test_an_arrival_that_is_told_twice_starts_once(desk: Desk) -> None:
    event = arrival("periods/flight_delay/2013-02/_READY.json")

    assert [handlers.route(event, desk.starter)["outcome"] for _ in range(2)] == ["started", "seen"]


@pytest.mark.parametrize("key", ["periods/other/2013-02/_READY.json", "periods/flight_delay/2013-02/flights.csv"])
def test_other_objects_start_nothing(desk: Desk, key: str) -> None:
    assert handlers.route(arrival(key), desk.starter) == {"outcome": "ignored"}


def test_history_that_is_filled_in_starts_nothing(desk: Desk) -> None:
    desk.upload("2013-04", starts=False)

    assert handlers.route(arrival("periods/flight_delay/2013-04/_READY.json"), desk.starter) == {"outcome": "ignored"}
    assert desk.pipelines.started == {}


def test_the_end_of_another_pipeline_is_not_ours(desk: Desk) -> None:
    event = {
        "detail-type": handlers.ENDED_EVENT,
        "detail": {"pipelineExecutionArn": "arn:aws:sagemaker:eu-west-1:1:pipeline/other/execution/1"},
    }

    assert handlers.route(event, desk.starter) == {"outcome": "ignored"}


@pytest.mark.parametrize(
    ("author", "steps", "refused"),
    [
        (
            "al",
            ("Package", "Register"),
            "trained a model of me, who stays its author; let step Train run again",
        ),
        ("al", ("Train", "Evaluate"), ""),
        ("Me", ("Package", "Register"), ""),
    ],
)
def test_a_model_stays_whose_training_it_was(desk: Desk, author: str, steps: tuple[str, ...], refused: str) -> None:
    """Or two people could each ask for the end of the other's run, and each approve what they trained."""
    desk.upload("2013-04")
    source = desk.ask("one").execution
    desk.end(0)

    if refused:
        with pytest.raises(RequestError, match=refused):
            desk.ask("two", author=author, steps=steps, source=source)
        assert len(desk.pipelines.started) == 1
    else:
        assert desk.ask("two", author=author, steps=steps, source=source).outcome == "started"


def test_a_source_that_is_none_is_named(desk: Desk) -> None:
    desk.upload("2013-04")

    with pytest.raises(RequestError, match="source nothing: there is no such execution"):
        desk.ask("one", steps=("Register",), source="nothing")


SOURCE = "/slipway/dev/flight_delay/source"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})


@dataclass
class Yard:
    """The images' build: whether it has pushed what the starter asks for."""

    pushed: bool = False
    looks: int = 0
    pushed_at_look: int = 0

    def unbuilt(self) -> bool:
        self.looks += 1
        self.pushed = self.pushed or self.looks == self.pushed_at_look
        return not self.pushed


def at(desk: Desk, yard: Yard) -> Desk:
    """The desk where the image is what the yard has, and the model's code is told of."""

    def digest() -> str:
        if yard.pushed:
            return DIGEST
        raise ImageError("there is no such image")

    place = replace(desk.starter.models["flight_delay"], source=SOURCE)
    starter = replace(
        desk.starter,
        models={"flight_delay": place, "other": replace(place, pipeline="slipway-dev-other", source="/other/source")},
        image_digest=digest,
        unbuilt=yard.unbuilt,
        ssm=desk.client("ssm"),
    )
    return replace(desk, starter=starter)


def deploy(desk: Desk, content: str, name: str = SOURCE) -> None:
    """As CloudFormation does at the end of a deployment."""
    desk.client("ssm").put_parameter(Name=name, Type="String", Value=content, Overwrite=True)


def change(name: str = SOURCE) -> dict[str, Any]:
    return {"detail-type": handlers.CHANGED_EVENT, "detail": {"name": name, "operation": "Update", "type": "String"}}


def build(status: str = "SUCCEEDED") -> dict[str, Any]:
    return {"detail-type": handlers.BUILT_EVENT, "detail": {"build-id": "arn:build/images:1", "build-status": status}}


def reasons(desk: Desk) -> list[str]:
    given = [{p["Name"]: p["Value"] for p in r["PipelineParameters"]} for r in desk.pipelines.started.values()]
    return [str(values["Reason"]) for values in given]


def hear(desk: Desk, *events: dict[str, Any]) -> list[str]:
    return [str(handlers.route(event, desk.starter)["outcome"]) for event in events]


def test_changed_code_starts_its_model_on_the_latest_period_once(desk: Desk) -> None:
    built = at(desk, Yard(pushed=True))
    deploy(built, "one")
    deploy(built, "two")

    assert hear(built, change(), change(), change("/other/version")) == ["started", "seen", "ignored"]
    assert (reasons(built), built.pipelines.periods, authors(built)) == (["code"], ["2013-03"], ["owner@example.com"])


def test_code_that_is_taken_back_is_changed_code(desk: Desk) -> None:
    built = at(desk, Yard(pushed=True))
    deploy(built, "one")
    for number, content in enumerate(("two", "one", "two")):
        deploy(built, content)
        assert hear(built, change()) == ["started"]
        built.end(number)


def test_a_parameter_that_is_written_anew_with_the_same_content_starts_nothing(desk: Desk) -> None:
    """For its tags or its description; or it is new, and there was no code before."""
    built = at(desk, Yard(pushed=True))
    deploy(built, "one")
    assert hear(built, change()) == ["ignored"]
    deploy(built, "one")

    assert hear(built, change()) == ["ignored"]
    assert built.pipelines.started == {}


def test_changed_code_of_a_model_without_a_period_is_no_mistake(desk: Desk) -> None:
    """Its first period starts its first run, on that code."""
    built = at(desk, Yard(pushed=True))
    for period in ("2013-01", "2013-02", "2013-03"):
        key = f"periods/flight_delay/{period}/_READY.json"
        built.client("s3").delete_object(Bucket=built.bucket, Key=key)
    deploy(built, "one")
    deploy(built, "two")

    assert hear(built, change()) == ["ignored"]
    built.upload("2013-04")
    assert hear(built, arrival("periods/flight_delay/2013-04/_READY.json")) == ["started"]


def test_code_deployed_before_its_image_is_built_is_trained_when_it_is(desk: Desk) -> None:
    yard = Yard()
    early = at(desk, yard)
    deploy(early, "one")
    deploy(early, "two")
    assert hear(early, change(), change()) == ["waits", "seen"]
    assert early.pipelines.started == {}

    yard.pushed = True

    assert hear(early, build(), build()) == ["heard", "ignored"]
    assert reasons(early) == ["code"]
    assert hear(early, change()) == ["seen"]


def test_code_deployed_after_its_image_is_built_is_trained_at_once(desk: Desk) -> None:
    late = at(desk, Yard(pushed=True))
    deploy(late, "one")
    assert hear(late, build()) == ["ignored"]
    deploy(late, "two")

    assert hear(late, change()) == ["started"]


@pytest.mark.parametrize("look", [2, 3])
def test_an_image_that_is_pushed_while_it_is_looked_for_is_waited_for_by_nobody(desk: Desk, look: int) -> None:
    """Its build's end may be told before it is known that a request waits for it."""
    late = at(desk, Yard(pushed_at_look=look))
    deploy(late, "one")
    deploy(late, "two")

    assert hear(late, change()) == ["started"]


def test_whatever_nobody_waits_for_the_answer_of_waits_for_the_image_and_the_latest_begins(desk: Desk) -> None:
    yard = Yard()
    early = at(desk, yard)
    assert early.ask("due", "2013-01", reason="schedule", author=None).outcome == "waits"
    assert hear(early, arrival("periods/flight_delay/2013-03/_READY.json")) == ["waits"]
    with pytest.raises(ImageError):
        early.ask("by hand")

    yard.pushed = True
    hear(early, build())

    assert (reasons(early), early.pipelines.periods) == (["arrival"], ["2013-03"])


def test_what_waits_behind_a_run_waits_for_the_image_as_well(desk: Desk) -> None:
    yard = Yard(pushed=True)
    later = at(desk, yard)
    deploy(later, "one")
    later.ask("one")
    deploy(later, "two")
    assert hear(later, change()) == ["waits"]
    yard.pushed = False

    assert later.end(0) is None
    yard.pushed = True
    hear(later, build())

    assert reasons(later) == ["manual", "code"]


def test_the_end_of_a_build_begins_nothing_beside_a_run(desk: Desk) -> None:
    yard = Yard()
    early = at(desk, yard)
    early.ask("due", reason="schedule", author=None)
    early.pipelines.started["studio"] = {"PipelineParameters": [{"Name": "Period", "Value": "2012-12"}]}
    early.pipelines.states[f"{ARN}0"] = "Executing"
    yard.pushed = True

    hear(early, build())
    assert len(early.pipelines.started) == 1

    assert early.end(0).outcome == "started"


def test_an_end_of_a_build_that_nobody_heard_of_keeps_nothing_waiting(desk: Desk) -> None:
    yard = Yard()
    early = at(desk, yard)
    early.ask("due", "2013-01", reason="schedule", author=None)
    yard.pushed = True

    assert early.ask("by hand", "2013-02").outcome == "waits"
    assert early.pipelines.periods == ["2013-01"]


def test_a_build_that_fails_is_told_of_if_anything_waits_for_it(desk: Desk) -> None:
    early = at(desk, Yard())
    assert hear(early, build("FAILED")) == ["ignored"]
    early.ask("due", reason="schedule", author=None)

    with pytest.raises(ImageError, match=r"arn:build/images:1 .* ended: FAILED; .* Runs of flight_delay wait for"):
        hear(early, build("FAILED"))


def test_a_run_that_cannot_begin_keeps_no_other_model_waiting(desk: Desk) -> None:
    yard = Yard()
    early = at(desk, yard)
    early.ask("due", "2014-01", reason="schedule", author=None)  # a period that is not there
    early.ask("due", model="other", reason="schedule", author=None)
    yard.pushed = True

    with pytest.raises(RequestError, match=r"flight_delay: period 2014-01: no _READY\.json"):
        hear(early, build())

    assert [request["PipelineName"] for request in early.pipelines.started.values()] == ["slipway-dev-other"]


def test_an_image_is_missing_or_there(client: Client, account: str) -> None:
    image = Image.of(f"{account}.dkr.ecr.eu-west-1.amazonaws.com/images:tag-serve")
    with pytest.raises(ImageError, match="there is no such repository"):
        image.missing(client("ecr"))
    client("ecr").create_repository(repositoryName="images")
    assert image.missing(client("ecr"))

    client("ecr").put_image(repositoryName="images", imageManifest=MANIFEST, imageTag="tag-serve")

    assert not image.missing(client("ecr"))
