"""The Lambda functions' entries: they read events and settings, and call what the rest of this folder does."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from operations import desired
from operations.approvals import Approvals, Target
from operations.champion import ChampionPlace
from operations.images import Image, ImageError
from operations.listings import DataPlace, has_periods, starts_a_run
from operations.notices import SUBJECT_LIMIT, notice
from operations.periods import READY_MANIFEST, PeriodError
from operations.proof import ProofError
from operations.requests import Door
from operations.sources import change_of
from operations.starter import ModelPlace, RequestError, Starter
from operations.turns import TurnTable

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

SETTINGS = "SLIPWAY_SETTINGS"
ENDED_EVENT = "SageMaker Model Building Pipeline Execution Status Change"
ARRIVED_EVENT = "Object Created"
CHANGED_EVENT = "Parameter Store Change"
BUILT_EVENT = "CodeBuild Build State Change"
IGNORED: Json = {"outcome": "ignored"}
REFUSALS = (ImageError, RequestError, PeriodError)


def start(event: Json, _context: object) -> Json:
    """The starter: takes requests, arrivals of manifests, changes of code, and the ends of executions and builds."""
    import boto3

    settings = json.loads(os.environ[SETTINGS])
    starter = starter_of(settings, boto3.client)
    try:
        return route(event, starter)
    except REFUSALS as error:
        # Whoever called gets the answer; nobody waits for the answer to an event, so people are told.
        if not event.get("answered"):
            boto3.client("sns").publish(
                TopicArn=settings["topic"], Subject="A run could not be started"[:SUBJECT_LIMIT], Message=str(error)
            )
        return {"outcome": "refused", "because": str(error)}


def hear_request(event: Json, _context: object) -> Json:
    """A person asks for a run: who that is, is proven before the starter hears of it."""
    import boto3

    settings = json.loads(os.environ[SETTINGS])
    sts = boto3.client("sts").meta.endpoint_url
    in_studio = {f"{settings['studio']}{user}": user for user in settings["in_studio"]}
    door = Door(boto3.client("lambda"), settings["starter"], tuple(settings["askers"]), sts, in_studio)
    try:
        return door.hand_on(event)
    except (ProofError, RequestError) as error:
        return {"outcome": "refused", "because": str(error)}


def tell(event: Json, _context: object) -> Json:
    """The notifier: an execution failed, and people hear why."""
    import boto3

    detail = event["detail"]
    subject, message = notice(boto3.client("sagemaker"), boto3.client("logs"), detail["pipelineExecutionArn"])
    boto3.client("sns").publish(TopicArn=json.loads(os.environ[SETTINGS])["topic"], Subject=subject, Message=message)
    return {"outcome": "told", "subject": subject}


def make_version_parameter(event: Json, _context: object) -> Json:
    """A custom resource of CloudFormation: the parameter of a model's desired version is there, whatever it says."""
    import boto3

    name = event["ResourceProperties"]["Name"]
    try:
        if event["RequestType"] != "Delete":  # a parameter outlives its stack: it says what is live
            desired.make(boto3.client("ssm"), name)
        answer = {"Status": "SUCCESS", "Data": {"Name": name}}
    except Exception as error:  # noqa: BLE001 CloudFormation waits an hour for an answer that does not come
        answer = {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"}
    desired.answer(event, {**answer, "PhysicalResourceId": name})
    return answer


def starter_of(settings: Mapping[str, Any], client: Any) -> Starter:
    """The starter as the environment's settings describe it; `client(service)` gives boto3 clients."""
    models = {
        name: ModelPlace(
            pipeline=place["pipeline"],
            data=DataPlace(settings["data_bucket"], place["periods"], place["listings"]),
            champion=ChampionPlace(settings["runs_bucket"], place["champion"]),
            owner=place["owner"],
            source=place["source"],
        )
        for name, place in settings["models"].items()
    }
    ranges = {name: (least, most) for name, (least, most) in settings["ranges"].items()}
    table = TurnTable(client("dynamodb"), settings["table"])
    image = Image.of(settings["serve_image"])
    return Starter(
        client("sagemaker"),
        client("s3"),
        table,
        models,
        lambda: image.digest(client("ecr")),
        ranges,
        unbuilt=lambda: bool(settings["image_build"]) and image.missing(client("ecr")),
        ssm=client("ssm"),
    )


def route(event: Json, starter: Starter) -> Json:
    """What an event asks the starter to do."""
    if event.get("detail-type") == ENDED_EVENT:
        answer = starter.ended(event["detail"]["pipelineExecutionArn"])
        return asdict(answer) if answer else IGNORED
    if event.get("detail-type") == ARRIVED_EVENT:
        return _arrived(event["detail"]["object"], starter)
    if event.get("detail-type") == CHANGED_EVENT:
        return _changed(event["detail"]["name"], starter)
    if event.get("detail-type") == BUILT_EVENT:
        return _built(event["detail"], starter)
    return asdict(starter.ask(event["ask"]))


def _arrived(arrived: Json, starter: Starter) -> Json:
    """A manifest is there: train on all that has arrived, unless it says that it starts nothing."""
    for model, place in starter.models.items():
        period, _, file = arrived["key"].removeprefix(f"{place.data.periods}/").partition("/")
        if not arrived["key"].startswith(f"{place.data.periods}/") or file != READY_MANIFEST:
            continue
        if not starts_a_run(starter.s3, place.data, period):
            return IGNORED
        token = f"{arrived['key']}@{arrived.get('version-id') or arrived['etag']}"
        return asdict(starter.ask({"model": model, "reason": "arrival", "token": token, "started_by": "s3"}))
    return IGNORED


def _changed(parameter: str, starter: Starter) -> Json:
    """A model was deployed with other code in its folder: train it anew, unless its first period is still to come."""
    for model, place in starter.models.items():
        if place.source != parameter or not has_periods(starter.s3, place.data):
            continue
        if not (token := change_of(starter.ssm, parameter)):
            return IGNORED
        return asdict(starter.ask({"model": model, "reason": "code", "token": token, "started_by": "deployment"}))
    return IGNORED


def _built(build: Json, starter: Starter) -> Json:
    """A build of the images ended: what waited for them begins; where it cannot, people hear of all of it."""
    waiting = [model for model in starter.models if starter.table.read(model).waits_for_an_image]
    if waiting and build["build-status"] != "SUCCEEDED":
        raise ImageError(
            f"build {build['build-id']} of the images ended: {build['build-status']}; see its log in CodeBuild. "
            f"Runs of {', '.join(waiting)} wait for the next build that succeeds"
        )
    refused = []
    for model in waiting:
        try:
            starter.built(model)
        except REFUSALS as error:
            refused.append(f"{model}: {error}")
    if refused:
        raise RequestError("\n".join(refused))
    return {"outcome": "heard", "waited": waiting} if waiting else IGNORED


def hear_approval(event: Json, _context: object) -> Json:
    """The registry's events; one that fails is tried again by Lambda, then kept in the queue."""
    import boto3

    known = json.loads(os.environ[SETTINGS])
    targets = tuple(Target(**target) for target in known.pop("targets"))
    services = {service: boto3.client(service) for service in ("sagemaker", "dynamodb", "codepipeline")}
    return Approvals(**services, **known, targets=targets).hear(event)


def take_back(event: Json, _context: object) -> Json:
    """A deployment failed, or does not work: the last one that did is deployed again."""
    import boto3

    from operations.take_back import TakeBack

    detail = event["detail"]
    doing = TakeBack(boto3.client("codepipeline"), boto3.client("sns"), **json.loads(os.environ[SETTINGS]))
    return asdict(doing.failed(detail["stage"], detail["execution-id"]))
